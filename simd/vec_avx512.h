/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary (described in vec_scalar.h) for AVX-512. */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include <immintrin.h>

#include "kernel.h"

#define VF_INLINE inline __attribute__((always_inline))

enum { VF_LANES = 16 };

typedef __m512 vf;
typedef __mmask16 vf_mask;

static VF_INLINE vf vf_load(const float *x) {
    return _mm512_loadu_ps(x);
}

static VF_INLINE void vf_store(float *x, vf v) {
    _mm512_storeu_ps(x, v);
}

static VF_INLINE __mmask16 vf_first_lanes(size_t left) {
    return (__mmask16)((1u << left) - 1u);
}

static VF_INLINE vf vf_load_part(const float *x, size_t left) {
    return _mm512_maskz_loadu_ps(vf_first_lanes(left), x);
}

static VF_INLINE void vf_store_part(float *x, vf v, size_t left) {
    _mm512_mask_storeu_ps(x, vf_first_lanes(left), v);
}

static VF_INLINE vf vf_set1(float value) {
    return _mm512_set1_ps(value);
}

static VF_INLINE vf vf_add(vf a, vf b) {
    return _mm512_add_ps(a, b);
}

static VF_INLINE vf vf_sub(vf a, vf b) {
    return _mm512_sub_ps(a, b);
}

static VF_INLINE vf vf_mul(vf a, vf b) {
    return _mm512_mul_ps(a, b);
}

static VF_INLINE vf vf_div(vf a, vf b) {
    return _mm512_div_ps(a, b);
}

static VF_INLINE vf vf_sqrt(vf a) {
    return _mm512_sqrt_ps(a);
}

static VF_INLINE vf vf_fma(vf a, vf b, vf c) {
    return _mm512_fmadd_ps(a, b, c);
}

static VF_INLINE vf vf_abs(vf a) {
    return _mm512_abs_ps(a);
}

static VF_INLINE vf_mask vf_less(vf a, vf b) {
    return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ);
}

static VF_INLINE vf vf_select(vf_mask mask, vf a, vf b) {
    return _mm512_mask_blend_ps(mask, b, a);
}

static VF_INLINE vf vf_xor(vf a, vf b) {
    return _mm512_xor_ps(a, b);
}

static VF_INLINE uint32_t vf_xor_lanes(vf a) {
    const __m256i half =
        _mm256_castps_si256(_mm256_xor_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1)));
    __m128i quarter = _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
    quarter = _mm_xor_si128(quarter, _mm_shuffle_epi32(quarter, 0x4E));
    quarter = _mm_xor_si128(quarter, _mm_shuffle_epi32(quarter, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(quarter);
}

static VF_INLINE size_t vf_count(vf_mask mask, size_t lanes) {
    return (size_t)__builtin_popcount((unsigned)mask & ((1u << lanes) - 1u));
}

static VF_INLINE void vf_add_squares(double *sums, vf x) {
    const __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(x)),
                  high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1));
    _mm512_storeu_pd(sums, _mm512_fmadd_pd(low, low, _mm512_loadu_pd(sums)));
    _mm512_storeu_pd(sums + 8, _mm512_fmadd_pd(high, high, _mm512_loadu_pd(sums + 8)));
}

#endif
