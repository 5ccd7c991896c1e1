/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to walk arrays of floats: those to try, and the one that the library settles on. */
#ifndef BENCH_WALKS_H
#define BENCH_WALKS_H

#include <string>
#include <vector>

#include "subject.h"

struct Walk {
    std::string name; /* "straight", "lead", "streams_4" */
    gls_walk walk;
};

/* Straight without and with prefetching, then so many pages in turn. */
std::vector<Walk> walks(const std::vector<size_t> &streams);

/* Reads every array of a subject of floats once, on its team, each thread what it owns in a step. */
void read_pass(const Subject &subject, const gls_walk &walk);

/*
 * Every default, but streams fixed to what the library finds for this model; remembered. For benchmarks that
 * compare two steps: left to itself each may find another walk.
 */
glissade_engine_options settled_options(const Model &model);

#endif
