/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vector vocabulary for one element at a time, and its description. Every vec_*.h defines the same names:
 *
 *   vf_element                 float, or double in vec_f64.h; VF_SELECT_TYPE(a, b) is a, or b there
 *   vf, vf_mask                VF_LANES elements; the outcome of a comparison
 *   vf_load, vf_store          VF_LANES elements, any alignment
 *   vf_load_part(x, left)      the first left < VF_LANES elements, +0 in the other lanes; touches no byte past
 *   vf_store_part(x, v, left)  the same for storing
 *   vf_set1                    one value in every lane
 *   vf_add, vf_sub, vf_mul,
 *   vf_div, vf_sqrt            rounded to nearest
 *   vf_fma(a, b, c)            a b + c rounded once
 *   vf_abs                     clears the sign, of NaN too
 *   vf_less(a, b)              a < b, false if either is NaN
 *   vf_nan(a)                  a is NaN
 *   vf_select(mask, a, b)      a where the mask holds, else b
 *   vf_xor, vf_xor_lanes       exclusive or of the bits; of all lanes down to 32 bits
 *   vf_count(mask, lanes)      in how many of the first `lanes` lanes, up to VF_LANES, the mask holds
 *   vf_add_squares(sums, x)    sums[l] + x[l]^2, rounded once to double, to VF_LANES doubles of any alignment
 *
 * What number formats are made of, which vec_f64.h lacks:
 *
 *   vf_min(a, b), vf_max(a, b) a < b ? a : b, and b < a ? a : b: where either is NaN, b
 *   vf_load_f16, vf_store_f16  IEEE half precision; stored rounded to nearest even, overflow to infinity, a NaN with
 *                              the upper 10 bits of its payload and the quiet bit; loaded exactly, a NaN quiet
 *   vu                         VF_LANES unsigned integers of 32 bits
 *   vf_bits, vf_of_bits        the bits of floats as integers, and back
 *   vf_from_int(a)             signed integers of at most 24 bits as floats
 *   vf_to_int(x)               magnitudes below 2^22, rounded to nearest even, as signed integers
 *   vu_set1, vu_lanes          one value in every lane; 0, 1, 2 ...
 *   vu_add, vu_sub, vu_and,
 *   vu_or, vu_xor, vu_max      modulo 2^32; bit by bit; the larger
 *   vu_mul(a, m, &high)        each lane times one number: the lower 32 bits of the product, and the upper ones
 *   vu_left(a, n), vu_right    shifted by n bits, 0 < n < 32, zeros coming in
 *   vu_positive(a)             a, or 0 where its uppermost bit is set
 *   vu_select(mask, a, b)      a where the mask holds, else b
 *   vu_where, vu_unless        (mask, a): a where the mask holds, else 0; the other way round
 *   vu_max_lanes(a)            the largest lane
 *   vu_load_u8, vu_load_i8,    VF_LANES bytes or halfwords, any alignment, filled up with zeros or with their sign
 *   vu_load_u16, vu_load_i16
 *   vu_store_u8, vu_store_u16, the lower 8 bits, the lower 16, the upper 16 of each lane
 *   vu_store_high
 *
 * Each of these loads and stores has a form ..._part with `left` at its end, as vf_load_part.
 *
 * tests/vocabulary holds each instruction set to this.
 */
#ifndef GLS_SIMD_VEC_H
#define GLS_SIMD_VEC_H

#include "kernel.h"

#define VF_INLINE                       inline __attribute__((always_inline))
#define VF_SELECT_TYPE(float_, double_) float_

enum { VF_LANES = 1 };

typedef float vf_element;
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

static VF_INLINE vf_mask vf_nan(vf a) {
    return a != a;
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

static VF_INLINE vf vf_min(vf a, vf b) {
    return a < b ? a : b;
}

static VF_INLINE vf vf_max(vf a, vf b) {
    return b < a ? a : b;
}

/* ---- integers ---- */

typedef uint32_t vu;

static VF_INLINE vu vf_bits(vf a) {
    return vf_xor_lanes(a);
}

static VF_INLINE vf vf_of_bits(vu bits) {
    vf value;
    __builtin_memcpy(&value, &bits, sizeof value);
    return value;
}

static VF_INLINE vf vf_from_int(vu a) {
    return (float)(int32_t)a;
}

/* a / 2^n rounded to nearest even, for 0 < n. */
static VF_INLINE uint32_t vu_rounded_right(uint32_t a, uint32_t n) {
    return n > 31 ? 0 : (a + ((1u << (n - 1)) - 1) + (a >> n & 1)) >> n;
}

static VF_INLINE vu vf_to_int(vf x) {
    const uint32_t bits = vf_bits(x), exponent = bits >> 23 & 0xFF;
    const uint32_t whole = vu_rounded_right((bits & 0x7FFFFF) | 0x800000, 127 + 23 - exponent);
    return bits >> 31 ? 0 - whole : whole;
}

static VF_INLINE vu vu_set1(uint32_t value) {
    return value;
}

static VF_INLINE vu vu_lanes(void) {
    return 0;
}

static VF_INLINE vu vu_add(vu a, vu b) {
    return a + b;
}

static VF_INLINE vu vu_sub(vu a, vu b) {
    return a - b;
}

static VF_INLINE vu vu_and(vu a, vu b) {
    return a & b;
}

static VF_INLINE vu vu_or(vu a, vu b) {
    return a | b;
}

static VF_INLINE vu vu_xor(vu a, vu b) {
    return a ^ b;
}

static VF_INLINE vu vu_max(vu a, vu b) {
    return a < b ? b : a;
}

static VF_INLINE vu vu_mul(vu a, uint32_t m, vu *high) {
    const uint64_t product = (uint64_t)a * m;
    *high = (uint32_t)(product >> 32);
    return (uint32_t)product;
}

static VF_INLINE vu vu_left(vu a, int n) {
    return a << n;
}

static VF_INLINE vu vu_right(vu a, int n) {
    return a >> n;
}

static VF_INLINE vu vu_positive(vu a) {
    return a >> 31 ? 0 : a;
}

static VF_INLINE vu vu_select(vf_mask mask, vu a, vu b) {
    return mask ? a : b;
}

static VF_INLINE vu vu_where(vf_mask mask, vu a) {
    return mask ? a : 0;
}

static VF_INLINE vu vu_unless(vf_mask mask, vu a) {
    return mask ? 0 : a;
}

static VF_INLINE uint32_t vu_max_lanes(vu a) {
    return a;
}

/* ---- bytes and halfwords ---- */

#define VU_LOAD(name, type)                                                                                  \
    static VF_INLINE vu vu_load_##name(const type *x) {                                                      \
        return (uint32_t)(int32_t)*x;                                                                        \
    }                                                                                                        \
    static VF_INLINE vu vu_load_##name##_part(const type *x, size_t left) {                                  \
        return left ? vu_load_##name(x) : 0;                                                                 \
    }
VU_LOAD(u8, uint8_t)
VU_LOAD(i8, int8_t)
VU_LOAD(u16, uint16_t)
VU_LOAD(i16, int16_t)
#undef VU_LOAD

#define VU_STORE(name, type, bits)                                                                           \
    static VF_INLINE void vu_store_##name(type *x, vu v) {                                                   \
        *x = (type)(bits);                                                                                   \
    }                                                                                                        \
    static VF_INLINE void vu_store_##name##_part(type *x, vu v, size_t left) {                               \
        if (left)                                                                                            \
            vu_store_##name(x, v);                                                                           \
    }
VU_STORE(u8, uint8_t, v)
VU_STORE(u16, uint16_t, v)
VU_STORE(high, uint16_t, v >> 16)
#undef VU_STORE

/* ---- half precision ---- */

static VF_INLINE vf vf_load_f16(const uint16_t *x) {
    const uint32_t sign = (uint32_t)(*x & 0x8000) << 16, exponent = *x >> 10 & 0x1F, fraction = *x & 0x3FF;
    if (exponent == 0x1F)
        return vf_of_bits(sign | 0x7F800000 | (fraction ? 0x400000 | fraction << 13 : 0));
    if (exponent)
        return vf_of_bits(sign | (exponent + 127 - 15) << 23 | fraction << 13);
    if (!fraction)
        return vf_of_bits(sign);
    const uint32_t zeros = (uint32_t)__builtin_clz(fraction) - 21; /* above its first one, of 11 bits */
    return vf_of_bits(sign | (127 - 14 - zeros) << 23 | (fraction << zeros & 0x3FF) << 13);
}

static VF_INLINE void vf_store_f16(uint16_t *x, vf v) {
    enum { INFINITE = 0x7F800000, TOO_LARGE = (127 + 16) << 23, LEAST_NORMAL = (127 - 14) << 23 };
    const uint32_t bits = vf_bits(v), size = bits & 0x7FFFFFFF;
    uint32_t half;
    if (size > INFINITE)
        half = 0x7E00 | (size >> 13 & 0x3FF);
    else if (size >= TOO_LARGE)
        half = 0x7C00;
    else if (size >= LEAST_NORMAL) /* a carry into the exponent is right, up to infinity */
        half = vu_rounded_right(size - LEAST_NORMAL + 0x800000, 13);
    else
        half = size >> 23 ? vu_rounded_right((size & 0x7FFFFF) | 0x800000, 126 - (size >> 23)) : 0;
    *x = (uint16_t)(bits >> 16 & 0x8000) | (uint16_t)half;
}

static VF_INLINE vf vf_load_f16_part(const uint16_t *x, size_t left) {
    return left ? vf_load_f16(x) : 0.0f;
}

static VF_INLINE void vf_store_f16_part(uint16_t *x, vf v, size_t left) {
    if (left)
        vf_store_f16(x, v);
}

#endif
