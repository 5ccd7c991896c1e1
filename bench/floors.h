/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floor of a step: the fastest way found to read the very arrays that it reads and do nothing else. A step must
 * read every byte that it changes, so it cannot beat an honest floor. (What it only writes is left out.) Which way is fastest depends on how many arrays
 * there are and of what sizes, so several are tried.
 */
#ifndef BENCH_FLOORS_H
#define BENCH_FLOORS_H

#include <functional>
#include <string>

#include "subject.h"

struct Floor {
    std::string name;
    /* Reads every array that the subject's step reads, as often as it has passes that do, on its team, each thread
     * what it owns. */
    std::function<void(const Subject &)> read;
};

/* The fastest when each was tried in turn; remembered by model, arrays, threads and ISA. */
Floor best_floor(const Engine &engine, const Subject &subject);

#endif
