/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary (described in vec_scalar.h) for AVX2 with FMA. */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include <immintrin.h>

#include "kernel.h"

#define VF_INLINE                       inline __attribute__((always_inline))
#define VF_SELECT_TYPE(float_, double_) float_

enum { VF_LANES = 8 };

typedef float vf_element;
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

static VF_INLINE vf_mask vf_nan(vf a) {
    return _mm256_cmp_ps(a, a, _CMP_UNORD_Q);
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

static VF_INLINE vf vf_min(vf a, vf b) {
    return _mm256_min_ps(a, b);
}

static VF_INLINE vf vf_max(vf a, vf b) {
    return _mm256_max_ps(a, b);
}

/* ---- integers ---- */

typedef __m256i vu;

static VF_INLINE vu vf_bits(vf a) {
    return _mm256_castps_si256(a);
}

static VF_INLINE vf vf_of_bits(vu bits) {
    return _mm256_castsi256_ps(bits);
}

static VF_INLINE vf vf_from_int(vu a) {
    return _mm256_cvtepi32_ps(a);
}

static VF_INLINE vu vf_to_int(vf x) {
    return _mm256_cvtps_epi32(x);
}

static VF_INLINE vu vu_set1(uint32_t value) {
    return _mm256_set1_epi32((int)value);
}

static VF_INLINE vu vu_lanes(void) {
    return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
}

static VF_INLINE vu vu_add(vu a, vu b) {
    return _mm256_add_epi32(a, b);
}

static VF_INLINE vu vu_sub(vu a, vu b) {
    return _mm256_sub_epi32(a, b);
}

static VF_INLINE vu vu_and(vu a, vu b) {
    return _mm256_and_si256(a, b);
}

static VF_INLINE vu vu_or(vu a, vu b) {
    return _mm256_or_si256(a, b);
}

static VF_INLINE vu vu_xor(vu a, vu b) {
    return _mm256_xor_si256(a, b);
}

static VF_INLINE vu vu_max(vu a, vu b) {
    return _mm256_max_epu32(a, b);
}

/* Products of the even lanes and of the odd ones, then put together. */
static VF_INLINE vu vu_mul(vu a, uint32_t m, vu *high) {
    const __m256i factor = _mm256_set1_epi64x(m), even = _mm256_mul_epu32(a, factor);
    const __m256i odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), factor);
    *high = _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

/* By the compiler's operators: intrinsics want a literal, which n is only where functions are inlined. */
static VF_INLINE vu vu_left(vu a, int n) {
    return (__m256i)((__v8su)a << n);
}

static VF_INLINE vu vu_right(vu a, int n) {
    return (__m256i)((__v8su)a >> n);
}

static VF_INLINE vu vu_positive(vu a) {
    return _mm256_max_epi32(a, _mm256_setzero_si256());
}

static VF_INLINE vu vu_select(vf_mask mask, vu a, vu b) {
    return _mm256_blendv_epi8(b, a, _mm256_castps_si256(mask));
}

static VF_INLINE vu vu_where(vf_mask mask, vu a) {
    return _mm256_and_si256(_mm256_castps_si256(mask), a);
}

static VF_INLINE vu vu_unless(vf_mask mask, vu a) {
    return _mm256_andnot_si256(_mm256_castps_si256(mask), a);
}

static VF_INLINE uint32_t vu_max_lanes(vu a) {
    __m128i half = _mm_max_epu32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0x4E));
    half = _mm_max_epu32(half, _mm_shuffle_epi32(half, 0xB1));
    return (uint32_t)_mm_cvtsi128_si32(half);
}

/* ---- bytes and halfwords ---- */

/* There are no masked loads and stores of these: the last few go through memory of our own. */
static VF_INLINE __m128i vu_load_bytes(const void *x, size_t bytes) {
    uint8_t all[16] = {0};
    __builtin_memcpy(all, x, bytes);
    return _mm_loadu_si128((const __m128i *)(const void *)all);
}

static VF_INLINE void vu_store_bytes(void *x, __m128i v, size_t bytes) {
    uint8_t all[16];
    _mm_storeu_si128((__m128i *)(void *)all, v);
    __builtin_memcpy(x, all, bytes);
}

#define VU_LOAD(name, type, load, extend)                                                                    \
    static VF_INLINE vu vu_load_##name(const type *x) {                                                      \
        return extend(load((const __m128i *)(const void *)x));                                               \
    }                                                                                                        \
    static VF_INLINE vu vu_load_##name##_part(const type *x, size_t left) {                                  \
        return extend(vu_load_bytes(x, left * sizeof *x));                                                   \
    }
VU_LOAD(u8, uint8_t, _mm_loadl_epi64, _mm256_cvtepu8_epi32)
VU_LOAD(i8, int8_t, _mm_loadl_epi64, _mm256_cvtepi8_epi32)
VU_LOAD(u16, uint16_t, _mm_loadu_si128, _mm256_cvtepu16_epi32)
VU_LOAD(i16, int16_t, _mm_loadu_si128, _mm256_cvtepi16_epi32)
#undef VU_LOAD

/* Bytes and halfwords of each lane side by side: two shuffles, where packing would need the rest cleared first. */
static VF_INLINE __m128i vu_bytes(vu v) {
    const __m256i first = _mm256_set1_epi32(0x0C080400);
    return _mm256_castsi256_si128(
        _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(v, first), _mm256_set1_epi64x(4ll << 32)));
}

static VF_INLINE __m128i vu_halfwords(vu v) {
    const __m256i lower = _mm256_set1_epi64x(0x0D0C090805040100);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, lower), 0x08));
}

static VF_INLINE __m128i vu_high_halfwords(vu v) {
    const __m256i upper = _mm256_set1_epi64x(0x0F0E0B0A07060302);
    return _mm256_castsi256_si128(_mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, upper), 0x08));
}

#define VU_STORE(name, type, store, narrow)                                                                  \
    static VF_INLINE void vu_store_##name(type *x, vu v) {                                                   \
        store((__m128i *)(void *)x, narrow(v));                                                              \
    }                                                                                                        \
    static VF_INLINE void vu_store_##name##_part(type *x, vu v, size_t left) {                               \
        vu_store_bytes(x, narrow(v), left * sizeof *x);                                                      \
    }
VU_STORE(u8, uint8_t, _mm_storel_epi64, vu_bytes)
VU_STORE(u16, uint16_t, _mm_storeu_si128, vu_halfwords)
VU_STORE(high, uint16_t, _mm_storeu_si128, vu_high_halfwords)
#undef VU_STORE

/* ---- half precision ---- */

static VF_INLINE vf vf_load_f16(const uint16_t *x) {
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)x));
}

static VF_INLINE vf vf_load_f16_part(const uint16_t *x, size_t left) {
    return _mm256_cvtph_ps(vu_load_bytes(x, left * sizeof *x));
}

static VF_INLINE void vf_store_f16(uint16_t *x, vf v) {
    _mm_storeu_si128((__m128i *)(void *)x, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

static VF_INLINE void vf_store_f16_part(uint16_t *x, vf v, size_t left) {
    vu_store_bytes(x, _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT), left * sizeof *x);
}

#endif
