/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one pass that the suite runs over an optimizer's arrays when it is not the library's own: every
 * element, by the thread that owns it in a step, on the same team with the same pinning. In C, because the
 * library's inside is C (atomics in structs) that C++17 does not take.
 */
#ifndef BENCH_INSIDE_H
#define BENCH_INSIDE_H

#include "glissade/optimizer.h"
#include "reads.h"

enum { BENCH_SPANS_MAX = 16 };

/* A run of one tensor's elements: all that one thread owns of it. */
typedef struct bench_part {
    uint32_t tensor;     /* its number in the group */
    size_t begin;        /* the run's first element, counted from the tensor's start */
    size_t n;            /* elements */
    float *p, *g;        /* of the first element; these and the next four NULL where there are no floats */
    float *m, *v;        /* first and second state */
    float *r, *average;  /* residual; average of the weights */
    uint32_t span_count; /* the run's bytes ... */
    bench_span spans[BENCH_SPANS_MAX]; /* ... in every array that a step reads */
} bench_part;

/* Called once for each run, on several threads side by side. */
typedef void bench_visit(void *context, const bench_part *part);

/* Every tensor of every group must have its gradient. */
void bench_pass(glissade_optimizer *optimizer, bench_visit *visit, void *context);

/* Whether all that a step reads are arrays of floats, not more than the library's kernels read side by side. */
bool bench_floats(const glissade_optimizer *optimizer);

/* Passes that a step makes: the most of any group's rule. */
uint32_t bench_phases(const glissade_optimizer *optimizer);

/* Bytes of all arrays that a step reads; and a number that differs where lengths, formats or passes do. */
size_t bench_bytes(const glissade_optimizer *optimizer);
uint64_t bench_layout(const glissade_optimizer *optimizer);

#endif
