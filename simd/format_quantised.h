/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block-wise 8-bit: bytes for GLS_QUANTISED_BLOCK elements and a scale, as glissade/format.h defines them. Knows no
 * instruction set.
 *
 * The map from magnitude to code is a root, taken by a shift. A float's bits, as an integer, are its logarithm but for
 * straight lines between powers of two; shifted right by one they are, but for a constant, those of its square root, by
 * three those of its eighth root. Rounding that root to an integer is one conversion, and its ties go to even. The way
 * back converts the integer, takes the constant off and shifts left, exactly.
 *
 * Rejected: building codes by a shift of each lane's own, with the increment that rounds to even (13 operations instead
 * of 3, for the same codes); a table of 128 values to search, as others do.
 */
#ifndef GLS_SIMD_FORMAT_QUANTISED_H
#define GLS_SIMD_FORMAT_QUANTISED_H

#include "format_steps.h"

/*
 * The root of a magnitude of octave 0, in [1, 2), has the exponent of the code's uppermost bit: 2^6 of 7, or 2^7 of 8.
 * largest_unit keeps top * unit finite; it only matters for FLT_MAX itself, and only without a sign.
 */
typedef struct quantised_map {
    int shift;
    uint32_t offset;
    float top, largest_unit;
} quantised_map;

static const quantised_map quantised_signed = {
    .shift = 1, .offset = (127 + 6 - 127 / 2) << 23, .top = 63.0f / 32, .largest_unit = __FLT_MAX__};
static const quantised_map quantised_unsigned = {
    .shift = 3, .offset = (127 + 7 - 127 / 8) << 23, .top = 31.0f / 16, .largest_unit = 0x1.08420Ep127f};

/* ---- expand ---- */

static VF_INLINE vf quantised_value_signed(vu code) {
    const vu root = vf_bits(vf_from_int(code)), offset = vu_set1(quantised_signed.offset << 1);
    const vu size = vu_sub(vu_max(vu_left(root, 1), offset), offset); /* the sign is shifted out */
    return vf_of_bits(vu_or(size, vu_and(root, vu_set1(0x80000000u))));
}

static VF_INLINE vf quantised_value_unsigned(vu code) {
    const vu root = vf_bits(vf_from_int(code)), offset = vu_set1(quantised_unsigned.offset);
    return vf_of_bits(vu_left(vu_sub(vu_max(root, offset), offset), quantised_unsigned.shift));
}

static VF_INLINE void expand_signed_step(const format_arrays *a, size_t i, size_t left) {
    const vf value = quantised_value_signed(format_vu_load_i8(a->from[0], i, left));
    format_vf_store(a->to[0], i, vf_mul(value, a->scalars[0]), left);
}

static VF_INLINE void expand_unsigned_step(const format_arrays *a, size_t i, size_t left) {
    const vf value = quantised_value_unsigned(format_vu_load_u8(a->from[0], i, left));
    format_vf_store(a->to[0], i, vf_mul(value, a->scalars[0]), left);
}

static VF_INLINE void expand_ahead(const format_arrays *a, size_t i, size_t lead) {
    format_prefetch(a->from[0], sizeof(uint8_t), i, lead, 0);
}

static VF_INLINE void expand(float *to, const uint8_t *codes, const float *scales, size_t n, size_t lead,
                             format_step *step) {
    for (size_t i = 0; i < n; i += GLS_QUANTISED_BLOCK, scales++) {
        const format_arrays a = {.to = {to + i}, .from = {codes + i}, .scalars = {vf_set1(*scales)}};
        if (lead)
            __builtin_prefetch(
                (const void *)((uintptr_t)scales + lead / GLS_QUANTISED_BLOCK * sizeof *scales), 0, 3);
        format_walk(&a, n - i < GLS_QUANTISED_BLOCK ? n - i : GLS_QUANTISED_BLOCK, lead, step, expand_ahead);
    }
}

static void expand_signed(float *to, const uint8_t *codes, const float *scales, size_t n, size_t lead) {
    expand(to, codes, scales, n, lead, expand_signed_step);
}

static void expand_unsigned(float *to, const uint8_t *codes, const float *scales, size_t n, size_t lead) {
    expand(to, codes, scales, n, lead, expand_unsigned_step);
}

/* ---- quantise ---- */

static VF_INLINE vu quantised_code_signed(vf x, vf unit) {
    const vu y = vf_bits(vf_div(x, unit)), size = vu_and(y, vu_set1(0x7FFFFFFF));
    const vu root = vu_add(vu_right(size, quantised_signed.shift), vu_set1(quantised_signed.offset));
    return vf_to_int(vf_of_bits(vu_or(root, vu_xor(y, size))));
}

static VF_INLINE vu quantised_code_unsigned(vf x, vf unit) {
    const vf size = vf_of_bits(vu_positive(vf_bits(x)));
    const vu y = vf_bits(vf_div(size, unit));
    const vu root = vu_add(vu_right(y, quantised_unsigned.shift), vu_set1(quantised_unsigned.offset));
    return vu_max(vf_to_int(vf_of_bits(root)), vu_where(vf_less(vf_set1(0.0f), x), vu_set1(1)));
}

/* The largest magnitudes, and the largest bits as they are, which show a NaN or infinity of either sign. */
typedef struct quantised_largest {
    vu size, bits;
} quantised_largest;

typedef quantised_largest quantised_measure(quantised_largest largest, vf x);
typedef vu quantised_code(vf x, vf unit);

static VF_INLINE quantised_largest quantised_measure_signed(quantised_largest largest, vf x) {
    largest.size = vu_max(largest.size, vu_and(vf_bits(x), vu_set1(0x7FFFFFFF)));
    return largest;
}

static VF_INLINE quantised_largest quantised_measure_unsigned(quantised_largest largest, vf x) {
    largest.size = vu_max(largest.size, vu_positive(vf_bits(x)));
    largest.bits = vu_max(largest.bits, vf_bits(x));
    return largest;
}

static VF_INLINE float quantised_unit(const quantised_map *map, quantised_largest largest) {
    const uint32_t size = vu_max_lanes(largest.size);
    if (size >= 0x7F800000 || vu_max_lanes(largest.bits) >= 0xFF800000u)
        return __builtin_nanf("");
    float x;
    __builtin_memcpy(&x, &size, sizeof x);
    const float unit = x / map->top;
    return unit < __FLT_MIN__ ? 0.0f : unit < map->largest_unit ? unit : map->largest_unit;
}

static VF_INLINE void quantise_block(uint8_t *codes, float *scale, const float *from, size_t n,
                                     const quantised_map *map, quantised_measure *measure,
                                     quantised_code *code) {
    const size_t whole = n - n % VF_LANES;
    quantised_largest largest = {vu_set1(0), vu_set1(0)};
    for (size_t i = 0; i < whole; i += VF_LANES)
        largest = measure(largest, vf_load(from + i));
    if (whole < n)
        largest = measure(largest, vf_load_part(from + whole, n - whole));
    *scale = quantised_unit(map, largest);
    const vf unit = vf_set1(*scale);
    if (!(*scale > 0)) {
        for (size_t i = 0; i < n; i++)
            codes[i] = 0;
        return;
    }
    for (size_t i = 0; i < whole; i += VF_LANES)
        vu_store_u8(codes + i, code(vf_load(from + i), unit));
    if (whole < n)
        vu_store_u8_part(codes + whole, code(vf_load_part(from + whole, n - whole), unit), n - whole);
}

static VF_INLINE void quantise(uint8_t *codes, float *scales, const float *from, size_t n,
                               const quantised_map *map, quantised_measure *measure, quantised_code *code) {
    size_t i = 0;
    for (; n - i >= GLS_QUANTISED_BLOCK; i += GLS_QUANTISED_BLOCK)
        quantise_block(codes + i, scales++, from + i, GLS_QUANTISED_BLOCK, map, measure, code);
    if (i < n)
        quantise_block(codes + i, scales, from + i, n - i, map, measure, code);
}

static void quantise_signed(uint8_t *codes, float *scales, const float *from, size_t n) {
    quantise(codes, scales, from, n, &quantised_signed, quantised_measure_signed, quantised_code_signed);
}

static void quantise_unsigned(uint8_t *codes, float *scales, const float *from, size_t n) {
    quantise(codes, scales, from, n, &quantised_unsigned, quantised_measure_unsigned,
             quantised_code_unsigned);
}

#endif
