/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops that the library has no kernel for: what the benchmarks compare it with. One source, loops.c,
 * compiled once for every table named here, so that no comparison is lost for want of vector instructions.
 */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include "kernel.h"

typedef struct bench_loops {
    /* to = from */
    void (*copy)(float *to, const float *from, size_t n, const gls_walk *walk);
    /* Multiplies three arrays by 1 in place, side by side. */
    void (*touch)(float *p, float *g, float *m, size_t n, const gls_walk *walk);
    /* One pass: m = beta m + kappa g, p = p - rate (m / divisor). */
    void (*divide)(float *p, const float *g, float *m, size_t n, const gls_walk *walk, float beta,
                   float kappa, float divisor, float rate);
    /* The article's four passes, each over all n: m *= beta; m += kappa g; average = m / divisor;
     * p -= rate average. */
    void (*materialise)(float *p, const float *g, float *m, float *average, size_t n, float beta, float kappa,
                        float divisor, float rate);
} bench_loops;

extern const bench_loops bench_loops_baseline;
#if defined(__x86_64__)
extern const bench_loops bench_loops_avx2;
#endif

#endif
