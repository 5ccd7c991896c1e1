/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector vocabulary for one element at a time, and its description. Every vec_*.h defines the same names:
 *
 *   vf, vf_mask                VF_LANES floats; the outcome of a comparison
 *   vf_load, vf_store          VF_LANES elements, any alignment
 *   vf_load_part(x, left)      the first left < VF_LANES elements, +0 in the other lanes; touches no byte past
 *   vf_store_part(x, v, left)  the same for storing
 *   vf_set1                    one value in every lane
 *   vf_add, vf_sub, vf_mul,
 *   vf_div, vf_sqrt            rounded to nearest
 *   vf_fma(a, b, c)            a b + c rounded once
 *   vf_abs                     clears the sign, of NaN too
 *   vf_less(a, b)              a < b, false if either is NaN
 *   vf_select(mask, a, b)      a where the mask holds, else b
 *   vf_xor, vf_xor_lanes       exclusive or of the bits; of all lanes down to 32 bits
 *   vf_count(mask, lanes)      in how many of the first `lanes` lanes, up to VF_LANES, the mask holds
 *   vf_add_squares(sums, x)    sums[l] + x[l]^2, rounded once to double, to VF_LANES doubles of any alignment
 *
 * tests/vocabulary holds each instruction set to this.
 */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include "kernel.h"

#define VF_INLINE inline __attribute__((always_inline))

enum { VF_LANES = 1 };

typedef float vf;
typedef _Bool vf_mask;

static VF_INLINE vf vf_load(const float *x) {
    return *x;
}

static VF_INLINE void vf_store(float *x, vf v) {
    *x = v;
}

/* With one lane nothing is ever left over. */
static VF_INLINE vf vf_load_part(const float *x, size_t left) {
    return left ? *x : 0.0f;
}

static VF_INLINE void vf_store_part(float *x, vf v, size_t left) {
    if (left)
        *x = v;
}

static VF_INLINE vf vf_set1(float value) {
    return value;
}

static VF_INLINE vf vf_add(vf a, vf b) {
    return a + b;
}

static VF_INLINE vf vf_sub(vf a, vf b) {
    return a - b;
}

static VF_INLINE vf vf_mul(vf a, vf b) {
    return a * b;
}

static VF_INLINE vf vf_div(vf a, vf b) {
    return a / b;
}

static VF_INLINE vf vf_sqrt(vf a) {
    return __builtin_sqrtf(a);
}

/* Where the compiler may not assume the instruction this is the C library's fmaf, exact and about 5 times
 * slower. */
static VF_INLINE vf vf_fma(vf a, vf b, vf c) {
    return __builtin_fmaf(a, b, c);
}

static VF_INLINE vf vf_abs(vf a) {
    return __builtin_fabsf(a);
}

static VF_INLINE vf_mask vf_less(vf a, vf b) {
    return a < b;
}

static VF_INLINE vf vf_select(vf_mask mask, vf a, vf b) {
    return mask ? a : b;
}

static VF_INLINE uint32_t vf_xor_lanes(vf a) {
    uint32_t bits;
    __builtin_memcpy(&bits, &a, sizeof bits);
    return bits;
}

static VF_INLINE vf vf_xor(vf a, vf b) {
    const uint32_t bits = vf_xor_lanes(a) ^ vf_xor_lanes(b);
    vf value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static VF_INLINE size_t vf_count(vf_mask mask, size_t lanes) {
    return lanes ? mask : 0;
}

/* The square is exact in double, so that this sum rounds as a fused one does. */
static VF_INLINE void vf_add_squares(double *sums, vf x) {
    *sums += (double)x * (double)x;
}

#endif
