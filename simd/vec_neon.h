/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary (described in vec_scalar.h) for AArch64 Advanced SIMD. */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include <arm_neon.h>

#include "kernel.h"

#define VF_INLINE inline __attribute__((always_inline))

enum { VF_LANES = 4 };

typedef float32x4_t vf;
typedef uint32x4_t vf_mask;

static VF_INLINE vf vf_load(const float *x) {
    return vld1q_f32(x);
}

static VF_INLINE void vf_store(float *x, vf v) {
    vst1q_f32(x, v);
}

/* There are no masked loads: at most three lanes go one by one, through moves that leave a NaN's bits alone.
 */
static VF_INLINE vf vf_load_part(const float *x, size_t left) {
    vf v = vdupq_n_f32(0.0f);
    if (left > 0)
        v = vld1q_lane_f32(x, v, 0);
    if (left > 1)
        v = vld1q_lane_f32(x + 1, v, 1);
    if (left > 2)
        v = vld1q_lane_f32(x + 2, v, 2);
    return v;
}

static VF_INLINE void vf_store_part(float *x, vf v, size_t left) {
    if (left > 0)
        vst1q_lane_f32(x, v, 0);
    if (left > 1)
        vst1q_lane_f32(x + 1, v, 1);
    if (left > 2)
        vst1q_lane_f32(x + 2, v, 2);
}

static VF_INLINE vf vf_set1(float value) {
    return vdupq_n_f32(value);
}

static VF_INLINE vf vf_add(vf a, vf b) {
    return vaddq_f32(a, b);
}

static VF_INLINE vf vf_sub(vf a, vf b) {
    return vsubq_f32(a, b);
}

static VF_INLINE vf vf_mul(vf a, vf b) {
    return vmulq_f32(a, b);
}

static VF_INLINE vf vf_div(vf a, vf b) {
    return vdivq_f32(a, b);
}

static VF_INLINE vf vf_sqrt(vf a) {
    return vsqrtq_f32(a);
}

static VF_INLINE vf vf_fma(vf a, vf b, vf c) {
    return vfmaq_f32(c, a, b);
}

static VF_INLINE vf vf_abs(vf a) {
    return vabsq_f32(a);
}

static VF_INLINE vf_mask vf_less(vf a, vf b) {
    return vcltq_f32(a, b);
}

static VF_INLINE vf vf_select(vf_mask mask, vf a, vf b) {
    return vbslq_f32(mask, a, b);
}

static VF_INLINE vf vf_xor(vf a, vf b) {
    return vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), vreinterpretq_u32_f32(b)));
}

static VF_INLINE uint32_t vf_xor_lanes(vf a) {
    const uint32x4_t bits = vreinterpretq_u32_f32(a);
    uint32x2_t half = veor_u32(vget_low_u32(bits), vget_high_u32(bits));
    half = veor_u32(half, vrev64_u32(half));
    return vget_lane_u32(half, 0);
}

static VF_INLINE size_t vf_count(vf_mask mask, size_t lanes) {
    static const uint32_t bits[VF_LANES] = {1, 2, 4, 8};
    return (size_t)__builtin_popcount(vaddvq_u32(vandq_u32(mask, vld1q_u32(bits))) & ((1u << lanes) - 1u));
}

static VF_INLINE void vf_add_squares(double *sums, vf x) {
    const float64x2_t low = vcvt_f64_f32(vget_low_f32(x)), high = vcvt_high_f64_f32(x);
    vst1q_f64(sums, vfmaq_f64(vld1q_f64(sums), low, low));
    vst1q_f64(sums + 2, vfmaq_f64(vld1q_f64(sums + 2), high, high));
}

#endif
