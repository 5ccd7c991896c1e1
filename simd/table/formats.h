/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels that turn other number formats into float and back, n elements at a time, while they are in the cache. All
 * take addresses of any alignment of their elements, touch no byte outside, and give the same bits on every
 * instruction set. Arrays do not overlap, but for clamp's, which may be one. `lead`: elements that reads are prefetched
 * ahead, 0: none (what lies there need not exist).
 *
 * The formats are defined, to the rounding, in glissade/format.h. In bits NaN too is the same everywhere, but where it
 * is computed: by clamp, average, and expand of a scale that is infinite.
 */
#ifndef GLS_SIMD_FORMATS_H
#define GLS_SIMD_FORMATS_H

#include <stddef.h>
#include <stdint.h>

enum {
    GLS_QUANTISED_BLOCK = 256, /* elements that share a scale */
    GLS_RANDOM_RUN =
        128, /* elements that take their random bits from 16 Philox blocks of consecutive counters */
};

/* Where the random bits of elements come from: Philox 4x32-10 under `key`. The counter's first word is the number of
 * the Philox block, modulo 2^32, and is `block` for the first block of the first element's run, which that element must
 * start; its other words are `counter`. */
typedef struct gls_random {
    uint32_t key[2];
    uint32_t block, counter[3];
} gls_random;

typedef void gls_widen_kernel(float *to, const uint16_t *from, size_t n, size_t lead);
typedef void gls_narrow_kernel(uint16_t *to, const float *from, size_t n);
typedef void gls_narrow_random_kernel(uint16_t *to, const float *from, size_t n, const gls_random *random);
typedef void gls_join_kernel(float *to, const uint16_t *high, const int16_t *low, size_t n, size_t lead);
typedef void gls_split_kernel(uint16_t *high, int16_t *low, const float *from, size_t n);
/* The first element starts a block; one scale a block. A signed code is a byte in two's complement. */
typedef void gls_expand_kernel(float *to, const uint8_t *codes, const float *scales, size_t n, size_t lead);
typedef void gls_quantise_kernel(uint8_t *codes, float *scales, const float *from, size_t n);
/* to = s * from, and where that lies beyond +-limit, +-limit; NaN stays. limit: not negative. */
typedef void gls_clamp_kernel(float *to, const float *from, float s, float limit, size_t n, size_t lead);
/* average = fma(weight, p - average, average) */
typedef void gls_average_kernel(float *average, const float *p, float weight, size_t n, size_t lead);

typedef struct gls_format_kernels {
    gls_widen_kernel *widen_bf16, *widen_f16;
    gls_narrow_kernel *narrow_bf16, *narrow_f16;        /* to nearest, ties to even */
    gls_narrow_random_kernel *narrow_bf16_random;       /* stochastic rounding */
    gls_join_kernel *join;                              /* split bf16 to float */
    gls_split_kernel *split;                            /* and back, exactly */
    gls_expand_kernel *expand_signed, *expand_unsigned; /* block-wise 8-bit to float */
    gls_quantise_kernel *quantise_signed, *quantise_unsigned;
    gls_clamp_kernel *clamp;
    gls_average_kernel *average;
} gls_format_kernels;

#endif
