/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary (described in vec_scalar.h) for AArch64 Advanced SIMD. */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include <arm_neon.h>

#include "kernel.h"

#define VF_INLINE                       inline __attribute__((always_inline))
#define VF_SELECT_TYPE(float_, double_) float_

enum { VF_LANES = 4 };

typedef float vf_element;
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

static VF_INLINE vf_mask vf_nan(vf a) {
    return vmvnq_u32(vceqq_f32(a, a));
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

/* The instructions of these names return NaN where either is. */
static VF_INLINE vf vf_min(vf a, vf b) {
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

static VF_INLINE vf vf_max(vf a, vf b) {
    return vbslq_f32(vcltq_f32(b, a), a, b);
}

/* ---- integers ---- */

typedef uint32x4_t vu;

static VF_INLINE vu vf_bits(vf a) {
    return vreinterpretq_u32_f32(a);
}

static VF_INLINE vf vf_of_bits(vu bits) {
    return vreinterpretq_f32_u32(bits);
}

static VF_INLINE vf vf_from_int(vu a) {
    return vcvtq_f32_s32(vreinterpretq_s32_u32(a));
}

static VF_INLINE vu vf_to_int(vf x) {
    return vreinterpretq_u32_s32(vcvtnq_s32_f32(x));
}

static VF_INLINE vu vu_set1(uint32_t value) {
    return vdupq_n_u32(value);
}

static VF_INLINE vu vu_lanes(void) {
    static const uint32_t lanes[VF_LANES] = {0, 1, 2, 3};
    return vld1q_u32(lanes);
}

static VF_INLINE vu vu_add(vu a, vu b) {
    return vaddq_u32(a, b);
}

static VF_INLINE vu vu_sub(vu a, vu b) {
    return vsubq_u32(a, b);
}

static VF_INLINE vu vu_and(vu a, vu b) {
    return vandq_u32(a, b);
}

static VF_INLINE vu vu_or(vu a, vu b) {
    return vorrq_u32(a, b);
}

static VF_INLINE vu vu_xor(vu a, vu b) {
    return veorq_u32(a, b);
}

static VF_INLINE vu vu_max(vu a, vu b) {
    return vmaxq_u32(a, b);
}

static VF_INLINE vu vu_mul(vu a, uint32_t m, vu *high) {
    const uint32x4_t first = vreinterpretq_u32_u64(vmull_n_u32(vget_low_u32(a), m));
    const uint32x4_t last = vreinterpretq_u32_u64(vmull_high_n_u32(a, m));
    *high = vuzp2q_u32(first, last);
    return vuzp1q_u32(first, last);
}

/* By the compiler's operators: intrinsics want a literal, which n is only where functions are inlined. */
static VF_INLINE vu vu_left(vu a, int n) {
    return a << n;
}

static VF_INLINE vu vu_right(vu a, int n) {
    return a >> n;
}

static VF_INLINE vu vu_positive(vu a) {
    return vreinterpretq_u32_s32(vmaxq_s32(vreinterpretq_s32_u32(a), vdupq_n_s32(0)));
}

static VF_INLINE vu vu_select(vf_mask mask, vu a, vu b) {
    return vbslq_u32(mask, a, b);
}

static VF_INLINE vu vu_where(vf_mask mask, vu a) {
    return vandq_u32(mask, a);
}

static VF_INLINE vu vu_unless(vf_mask mask, vu a) {
    return vbicq_u32(a, mask);
}

static VF_INLINE uint32_t vu_max_lanes(vu a) {
    return vmaxvq_u32(a);
}

/* ---- bytes and halfwords ---- */

/* Up to four elements of 1 or 2 bytes. */
static VF_INLINE uint64_t vu_load_bytes(const void *x, size_t bytes) {
    uint64_t all = 0;
    __builtin_memcpy(&all, x, bytes);
    return all;
}

static VF_INLINE vu vu_load_u8_part(const uint8_t *x, size_t left) {
    const uint16x8_t wide = vmovl_u8(vcreate_u8(vu_load_bytes(x, left)));
    return vmovl_u16(vget_low_u16(wide));
}

static VF_INLINE vu vu_load_i8_part(const int8_t *x, size_t left) {
    const int16x8_t wide = vmovl_s8(vcreate_s8(vu_load_bytes(x, left)));
    return vreinterpretq_u32_s32(vmovl_s16(vget_low_s16(wide)));
}

static VF_INLINE vu vu_load_u16_part(const uint16_t *x, size_t left) {
    return vmovl_u16(vcreate_u16(vu_load_bytes(x, left * sizeof *x)));
}

static VF_INLINE vu vu_load_i16_part(const int16_t *x, size_t left) {
    return vreinterpretq_u32_s32(vmovl_s16(vcreate_s16(vu_load_bytes(x, left * sizeof *x))));
}

static VF_INLINE vu vu_load_u8(const uint8_t *x) {
    return vu_load_u8_part(x, VF_LANES);
}

static VF_INLINE vu vu_load_i8(const int8_t *x) {
    return vu_load_i8_part(x, VF_LANES);
}

static VF_INLINE vu vu_load_u16(const uint16_t *x) {
    return vmovl_u16(vld1_u16(x));
}

static VF_INLINE vu vu_load_i16(const int16_t *x) {
    return vreinterpretq_u32_s32(vmovl_s16(vld1_s16(x)));
}

static VF_INLINE void vu_store_u8_part(uint8_t *x, vu v, size_t left) {
    const uint16x4_t half = vmovn_u32(v);
    const uint8x8_t bytes = vmovn_u16(vcombine_u16(half, half));
    const uint32_t all = vget_lane_u32(vreinterpret_u32_u8(bytes), 0);
    __builtin_memcpy(x, &all, left);
}

static VF_INLINE void vu_store_halfwords(uint16_t *x, uint16x4_t v, size_t left) {
    const uint64_t all = vget_lane_u64(vreinterpret_u64_u16(v), 0);
    __builtin_memcpy(x, &all, left * sizeof *x);
}

static VF_INLINE void vu_store_u16_part(uint16_t *x, vu v, size_t left) {
    vu_store_halfwords(x, vmovn_u32(v), left);
}

static VF_INLINE void vu_store_high_part(uint16_t *x, vu v, size_t left) {
    vu_store_halfwords(x, vshrn_n_u32(v, 16), left);
}

static VF_INLINE void vu_store_u8(uint8_t *x, vu v) {
    vu_store_u8_part(x, v, VF_LANES);
}

static VF_INLINE void vu_store_u16(uint16_t *x, vu v) {
    vst1_u16(x, vmovn_u32(v));
}

static VF_INLINE void vu_store_high(uint16_t *x, vu v) {
    vst1_u16(x, vshrn_n_u32(v, 16));
}

/* ---- half precision ---- */

static VF_INLINE vf vf_load_f16(const uint16_t *x) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(x)));
}

static VF_INLINE vf vf_load_f16_part(const uint16_t *x, size_t left) {
    return vcvt_f32_f16(vreinterpret_f16_u64(vcreate_u64(vu_load_bytes(x, left * sizeof *x))));
}

static VF_INLINE uint16x4_t vf_halves(vf v) {
    return vreinterpret_u16_f16(vcvt_f16_f32(v));
}

static VF_INLINE void vf_store_f16(uint16_t *x, vf v) {
    vst1_u16(x, vf_halves(v));
}

static VF_INLINE void vf_store_f16_part(uint16_t *x, vf v, size_t left) {
    vu_store_halfwords(x, vf_halves(v), left);
}

#endif
