/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector vocabulary (described in vec_scalar.h) for one double at a time: what rules compute where gradients are
 * checked. The same on every machine; has no operations on bits.
 */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include "kernel.h"

#define VF_INLINE                       inline __attribute__((always_inline))
#define VF_SELECT_TYPE(float_, double_) double_
#define VF_IS_F64                       1

enum { VF_LANES = 1 };

typedef double vf_element;
typedef double vf;
typedef _Bool vf_mask;

static VF_INLINE vf vf_load(const double *x) {
    return *x;
}

static VF_INLINE void vf_store(double *x, vf v) {
    *x = v;
}

/* With one lane nothing is ever left over. */
static VF_INLINE vf vf_load_part(const double *x, size_t left) {
    return left ? *x : 0.0;
}

static VF_INLINE void vf_store_part(double *x, vf v, size_t left) {
    if (left)
        *x = v;
}

static VF_INLINE vf vf_set1(double value) {
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
    return __builtin_sqrt(a);
}

/* Where the compiler may not assume the instruction this is the C library's fma, exact and about 5 times
 * slower. */
static VF_INLINE vf vf_fma(vf a, vf b, vf c) {
    return __builtin_fma(a, b, c);
}

static VF_INLINE vf vf_abs(vf a) {
    return __builtin_fabs(a);
}

static VF_INLINE vf_mask vf_less(vf a, vf b) {
    return a < b;
}

static VF_INLINE vf_mask vf_nan(vf a) {
    return a != a;
}

static VF_INLINE vf vf_select(vf_mask mask, vf a, vf b) {
    return mask ? a : b;
}

static VF_INLINE size_t vf_count(vf_mask mask, size_t lanes) {
    return lanes ? mask : 0;
}

static VF_INLINE void vf_add_squares(double *sums, vf x) {
    *sums = __builtin_fma(x, x, *sums);
}

#endif
