/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one pass that the suite runs over an optimizer's arrays when it is not the library's own: every
 * element, by the thread that owns it in a step, on the same team with the same pinning. In C, because the
 * library's inside is C (atomics in structs) that C++17 does not take.
 */
#ifndef BENCH_INSIDE_H
#define BENCH_INSIDE_H

#include "glissade/optimizer.h"

/* A run of one tensor's elements: all that one thread owns of it. */
typedef struct bench_part {
    uint32_t tensor; /* its number in the group */
    size_t begin;    /* the run's first element, counted from the tensor's start */
    size_t n;        /* elements */
    float *p, *g;    /* of the first element */
    float *m, *r;    /* NULL without momentum; without residual */
} bench_part;

/* Called once for each run, on several threads side by side. */
typedef void bench_visit(void *context, const bench_part *part);

/* Every tensor of every group must have its gradient. */
void bench_pass(glissade_optimizer *optimizer, bench_visit *visit, void *context);

#endif
