/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a training loop does around its step when each thing is a pass of its own, as it is usually written: in plain
 * C that the compiler vectorises, from start to end. naive.c is compiled once for every table named here.
 */
#ifndef BENCH_NAIVE_H
#define BENCH_NAIVE_H

#include <stdbool.h>
#include <stddef.h>

/* Of the updates, rounded as the step's are. */
typedef struct bench_rates {
    float rate, beta1, beta2, decay; /* decay: of the parameter, 1 - learning rate times weight decay */
    float root, eps;                 /* 1 / sqrt(D2) */
} bench_rates;

typedef struct bench_naive {
    /* g *= factor; whether all of g was finite. */
    bool (*unscale)(float *g, size_t n, float factor);
    double (*squares)(const float *g, size_t n);
    void (*scale)(float *g, size_t n, float factor);
    void (*clamp)(float *g, size_t n, float limit);
    void (*zero)(float *g, size_t n);
    void (*momentum)(float *p, const float *g, float *m, size_t n, const bench_rates *rates);
    void (*adamw)(float *p, const float *g, float *m, float *v, size_t n, const bench_rates *rates);
    void (*average)(float *average, const float *p, size_t n, float weight);
    /* The upper halves, rounded to nearest; NaN is not looked for. */
    void (*copy_bf16)(unsigned short *copy, const float *p, size_t n);
} bench_naive;

extern const bench_naive bench_naive_baseline;
#if defined(__x86_64__)
extern const bench_naive bench_naive_avx2;
#endif

#endif
