/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary (described in vec_scalar.h) for AVX-512. */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include <immintrin.h>

#include "kernel.h"

#define VF_INLINE                       inline __attribute__((always_inline))
#define VF_SELECT_TYPE(float_, double_) float_

enum { VF_LANES = 16 };

typedef float vf_element;
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

static VF_INLINE vf_mask vf_nan(vf a) {
    return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q);
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

static VF_INLINE vf vf_min(vf a, vf b) {
    return _mm512_min_ps(a, b);
}

static VF_INLINE vf vf_max(vf a, vf b) {
    return _mm512_max_ps(a, b);
}

/* ---- integers ---- */

typedef __m512i vu;

static VF_INLINE vu vf_bits(vf a) {
    return _mm512_castps_si512(a);
}

static VF_INLINE vf vf_of_bits(vu bits) {
    return _mm512_castsi512_ps(bits);
}

static VF_INLINE vf vf_from_int(vu a) {
    return _mm512_cvtepi32_ps(a);
}

static VF_INLINE vu vf_to_int(vf x) {
    return _mm512_cvtps_epi32(x);
}

static VF_INLINE vu vu_set1(uint32_t value) {
    return _mm512_set1_epi32((int)value);
}

static VF_INLINE vu vu_lanes(void) {
    return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
}

static VF_INLINE vu vu_add(vu a, vu b) {
    return _mm512_add_epi32(a, b);
}

static VF_INLINE vu vu_sub(vu a, vu b) {
    return _mm512_sub_epi32(a, b);
}

static VF_INLINE vu vu_and(vu a, vu b) {
    return _mm512_and_si512(a, b);
}

static VF_INLINE vu vu_or(vu a, vu b) {
    return _mm512_or_si512(a, b);
}

static VF_INLINE vu vu_xor(vu a, vu b) {
    return _mm512_xor_si512(a, b);
}

static VF_INLINE vu vu_max(vu a, vu b) {
    return _mm512_max_epu32(a, b);
}

/* Products of the even lanes and of the odd ones, then put together by shuffles that leave the other lanes. */
static VF_INLINE vu vu_mul(vu a, uint32_t m, vu *high) {
    const __m512i factor = _mm512_set1_epi64(m), even = _mm512_mul_epu32(a, factor);
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), factor);
    *high = _mm512_mask_shuffle_epi32(odd, 0x5555, even, _MM_PERM_DDBB);
    return _mm512_mask_shuffle_epi32(even, 0xAAAA, odd, _MM_PERM_CCAA);
}

/* By the compiler's operators: intrinsics want a literal, which n is only where functions are inlined. */
static VF_INLINE vu vu_left(vu a, int n) {
    return (__m512i)((__v16su)a << n);
}

static VF_INLINE vu vu_right(vu a, int n) {
    return (__m512i)((__v16su)a >> n);
}

static VF_INLINE vu vu_positive(vu a) {
    return _mm512_max_epi32(a, _mm512_setzero_si512());
}

static VF_INLINE vu vu_select(vf_mask mask, vu a, vu b) {
    return _mm512_mask_blend_epi32(mask, b, a);
}

static VF_INLINE vu vu_where(vf_mask mask, vu a) {
    return _mm512_maskz_mov_epi32(mask, a);
}

static VF_INLINE vu vu_unless(vf_mask mask, vu a) {
    return _mm512_mask_mov_epi32(a, mask, _mm512_setzero_si512());
}

static VF_INLINE uint32_t vu_max_lanes(vu a) {
    return _mm512_reduce_max_epu32(a);
}

/* ---- bytes and halfwords ---- */

#define VU_LOAD(name, type, load, load_part, extend)                                                         \
    static VF_INLINE vu vu_load_##name(const type *x) {                                                      \
        return extend(load((const void *)x));                                                                \
    }                                                                                                        \
    static VF_INLINE vu vu_load_##name##_part(const type *x, size_t left) {                                  \
        return extend(load_part(vf_first_lanes(left), x));                                                   \
    }
VU_LOAD(u8, uint8_t, _mm_loadu_si128, _mm_maskz_loadu_epi8, _mm512_cvtepu8_epi32)
VU_LOAD(i8, int8_t, _mm_loadu_si128, _mm_maskz_loadu_epi8, _mm512_cvtepi8_epi32)
VU_LOAD(u16, uint16_t, _mm256_loadu_si256, _mm256_maskz_loadu_epi16, _mm512_cvtepu16_epi32)
VU_LOAD(i16, int16_t, _mm256_loadu_si256, _mm256_maskz_loadu_epi16, _mm512_cvtepi16_epi32)
#undef VU_LOAD

static VF_INLINE void vu_store_u8(uint8_t *x, vu v) {
    _mm_storeu_si128((__m128i *)(void *)x, _mm512_cvtepi32_epi8(v));
}

static VF_INLINE void vu_store_u8_part(uint8_t *x, vu v, size_t left) {
    _mm_mask_storeu_epi8(x, vf_first_lanes(left), _mm512_cvtepi32_epi8(v));
}

/* The lower halves of the lanes side by side, or the upper ones (first = 1): one permutation, where narrowing would be
 * two operations. */
static VF_INLINE __m256i vu_halfwords(vu v, int first) {
    const __m512i lower = _mm512_setr_epi32(0x20000, 0x60004, 0xA0008, 0xE000C, 0x120010, 0x160014, 0x1A0018,
                                            0x1E001C, 0, 0, 0, 0, 0, 0, 0, 0);
    const __m512i chosen = _mm512_add_epi32(lower, _mm512_set1_epi32(first * 0x10001));
    return _mm512_castsi512_si256(_mm512_permutexvar_epi16(chosen, v));
}

static VF_INLINE void vu_store_u16(uint16_t *x, vu v) {
    _mm256_storeu_si256((__m256i *)(void *)x, vu_halfwords(v, 0));
}

static VF_INLINE void vu_store_u16_part(uint16_t *x, vu v, size_t left) {
    _mm256_mask_storeu_epi16(x, vf_first_lanes(left), vu_halfwords(v, 0));
}

static VF_INLINE void vu_store_high(uint16_t *x, vu v) {
    _mm256_storeu_si256((__m256i *)(void *)x, vu_halfwords(v, 1));
}

static VF_INLINE void vu_store_high_part(uint16_t *x, vu v, size_t left) {
    _mm256_mask_storeu_epi16(x, vf_first_lanes(left), vu_halfwords(v, 1));
}

/* ---- half precision ---- */

static VF_INLINE vf vf_load_f16(const uint16_t *x) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(const void *)x));
}

static VF_INLINE vf vf_load_f16_part(const uint16_t *x, size_t left) {
    return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(vf_first_lanes(left), x));
}

static VF_INLINE __m256i vf_halves(vf v) {
    return _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static VF_INLINE void vf_store_f16(uint16_t *x, vf v) {
    _mm256_storeu_si256((__m256i *)(void *)x, vf_halves(v));
}

static VF_INLINE void vf_store_f16_part(uint16_t *x, vf v, size_t left) {
    _mm256_mask_storeu_epi16(x, vf_first_lanes(left), vf_halves(v));
}

#endif
