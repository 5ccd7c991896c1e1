/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary (described in vec_scalar.h) for AVX2 with FMA. */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include <immintrin.h>

#include "kernel.h"

#define VF_INLINE inline __attribute__((always_inline))

enum { VF_LANES = 8 };

typedef __m256 vf;
typedef __m256 vf_mask;

static VF_INLINE vf vf_load(const float *x) {
    return _mm256_loadu_ps(x);
}

static VF_INLINE void vf_store(float *x, vf v) {
    _mm256_storeu_ps(x, v);
}

/* All ones in the first `left` lanes. Masked-out lanes are neither read nor written, and do not fault. */
static VF_INLINE __m256i vf_first_lanes(size_t left) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)left), lane);
}

static VF_INLINE vf vf_load_part(const float *x, size_t left) {
    return _mm256_maskload_ps(x, vf_first_lanes(left));
}

static VF_INLINE void vf_store_part(float *x, vf v, size_t left) {
    _mm256_maskstore_ps(x, vf_first_lanes(left), v);
}

static VF_INLINE vf vf_set1(float value) {
    return _mm256_set1_ps(value);
}

static VF_INLINE vf vf_add(vf a, vf b) {
    return _mm256_add_ps(a, b);
}

static VF_INLINE vf vf_sub(vf a, vf b) {
    return _mm256_sub_ps(a, b);
}

static VF_INLINE vf vf_mul(vf a, vf b) {
    return _mm256_mul_ps(a, b);
}

static VF_INLINE vf vf_div(vf a, vf b) {
    return _mm256_div_ps(a, b);
}

static VF_INLINE vf vf_sqrt(vf a) {
    return _mm256_sqrt_ps(a);
}

static VF_INLINE vf vf_fma(vf a, vf b, vf c) {
    return _mm256_fmadd_ps(a, b, c);
}

static VF_INLINE vf vf_abs(vf a) {
    return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a);
}

static VF_INLINE vf_mask vf_less(vf a, vf b) {
    return _mm256_cmp_ps(a, b, _CMP_LT_OQ);
}

static VF_INLINE vf vf_select(vf_mask mask, vf a, vf b) {
    return _mm256_blendv_ps(b, a, mask);
}

static VF_INLINE vf vf_xor(vf a, vf b) {
    return _mm256_xor_ps(a, b);
}

static VF_INLINE uint32_t vf_xor_lanes(vf a) {
    __m128 half = _mm_xor_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    half = _mm_xor_ps(half, _mm_movehl_ps(half, half));
    half = _mm_xor_ps(half, _mm_shuffle_ps(half, half, 1));
    return (uint32_t)_mm_cvtsi128_si32(_mm_castps_si128(half));
}

static VF_INLINE size_t vf_count(vf_mask mask, size_t lanes) {
    return (size_t)__builtin_popcount((unsigned)_mm256_movemask_ps(mask) & ((1u << lanes) - 1u));
}

static VF_INLINE void vf_add_squares(double *sums, vf x) {
    const __m256d low = _mm256_cvtps_pd(_mm256_castps256_ps128(x)),
                  high = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
    _mm256_storeu_pd(sums, _mm256_fmadd_pd(low, low, _mm256_loadu_pd(sums)));
    _mm256_storeu_pd(sums + 4, _mm256_fmadd_pd(high, high, _mm256_loadu_pd(sums + 4)));
}

#endif
