/* SPDX-License-Identifier: Apache-2.0 */
/* Floating-point types by their bits. Must not round by the machine's own conversions: f16 has none everywhere. */
#include "numbers.h"

#include <math.h>
#include <string.h>

struct layout {
    unsigned bytes, exponent, fraction; /* of the element; bits of the two fields */
};

/* In the order of glissade_file_dtype. */
static const struct layout layouts[] = {
    [GLISSADE_FILE_F32] = {4, 8, 23},
    [GLISSADE_FILE_BF16] = {2, 8, 7},
    [GLISSADE_FILE_F16] = {2, 5, 10},
    [GLISSADE_FILE_F64] = {8, 11, 52},
};

static const struct layout double_layout = {8, 11, 52};

bool numbers_known(glissade_file_dtype dtype) {
    return dtype == GLISSADE_FILE_F32 || dtype == GLISSADE_FILE_BF16 || dtype == GLISSADE_FILE_F16 ||
           dtype == GLISSADE_FILE_F64;
}

/* ---- bits ---- */

static uint64_t load_bits(const void *elements, unsigned bytes, size_t index) {
    switch (bytes) {
    case 2:
        return ((const uint16_t *)elements)[index];
    case 4:
        return ((const uint32_t *)elements)[index];
    default:
        return ((const uint64_t *)elements)[index];
    }
}

static void store_bits(void *elements, unsigned bytes, size_t index, uint64_t bits) {
    switch (bytes) {
    case 2:
        ((uint16_t *)elements)[index] = (uint16_t)bits;
        break;
    case 4:
        ((uint32_t *)elements)[index] = (uint32_t)bits;
        break;
    default:
        ((uint64_t *)elements)[index] = bits;
    }
}

static uint64_t sign_bit(struct layout layout) {
    return UINT64_C(1) << (layout.exponent + layout.fraction);
}

/* The magnitude's bits of infinity: above them are the NaN. */
static uint64_t infinity_of(struct layout layout) {
    return ((UINT64_C(1) << layout.exponent) - 1) << layout.fraction;
}

/* A NaN's fraction from one width to another, from the top down. */
static uint64_t convert_nan(uint64_t fraction, struct layout from, struct layout to) {
    fraction = from.fraction > to.fraction ? fraction >> (from.fraction - to.fraction)
                                           : fraction << (to.fraction - from.fraction);
    return infinity_of(to) | fraction | UINT64_C(1) << (to.fraction - 1);
}

static double from_bits(uint64_t bits) {
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* An element as the bits of the double that it is. */
static uint64_t widen(uint64_t bits, struct layout from) {
    uint64_t sign = (bits & sign_bit(from)) != 0 ? sign_bit(double_layout) : 0;
    uint64_t magnitude = bits & (sign_bit(from) - 1), infinity = infinity_of(from);
    uint64_t fraction = magnitude & ((UINT64_C(1) << from.fraction) - 1);
    if (magnitude > infinity)
        return sign | convert_nan(fraction, from, double_layout);
    if (magnitude == infinity)
        return sign | infinity_of(double_layout);
    int bias = (1 << (from.exponent - 1)) - 1;
    uint64_t exponent = magnitude >> from.fraction;
    double value = exponent == 0 ? ldexp((double)fraction, 1 - bias - (int)from.fraction)
                                 : ldexp((double)(fraction | UINT64_C(1) << from.fraction),
                                         (int)exponent - bias - (int)from.fraction);
    uint64_t result;
    memcpy(&result, &value, sizeof result);
    return sign | result;
}

/* The element of another type that is nearest to a double, given by its bits. */
static uint64_t narrow(uint64_t bits, struct layout to) {
    uint64_t sign = (bits & sign_bit(double_layout)) != 0 ? sign_bit(to) : 0;
    uint64_t magnitude = bits & (sign_bit(double_layout) - 1);
    uint64_t fraction = magnitude & ((UINT64_C(1) << double_layout.fraction) - 1);
    if (magnitude > infinity_of(double_layout))
        return sign | convert_nan(fraction, double_layout, to);
    int biased = (int)(magnitude >> double_layout.fraction), most = (1 << to.exponent) - 1;
    /* The bias of the one type becomes that of the other. */
    int exponent = biased - 1023 + most / 2;
    if (exponent >= most)
        return sign | infinity_of(to);
    if (biased == 0)
        return sign; /* a subnormal double is nothing to a type with fewer bits of exponent */
    uint64_t significand = fraction | UINT64_C(1) << double_layout.fraction;
    unsigned shift = double_layout.fraction - to.fraction + (exponent < 1 ? (unsigned)(1 - exponent) : 0);
    if (shift > double_layout.fraction + 1)
        return sign; /* below half of the least subnormal number */
    uint64_t kept = significand >> shift, rest = significand & ((UINT64_C(1) << shift) - 1);
    uint64_t half = UINT64_C(1) << (shift - 1);
    kept += rest > half || (rest == half && (kept & 1) != 0);
    /* The leading one of a normal number adds 1 to the exponent; a carry does so too, up to infinity. */
    return sign | (((uint64_t)(exponent < 1 ? 0 : exponent - 1) << to.fraction) + kept);
}

/* ---- arrays ---- */

void numbers_convert(const void *from, glissade_file_dtype from_dtype, void *to, glissade_file_dtype to_dtype,
                     size_t count) {
    struct layout before = layouts[from_dtype], after = layouts[to_dtype];
    if (from_dtype == to_dtype) {
        memcpy(to, from, count * before.bytes);
        return;
    }
    for (size_t i = 0; i < count; ++i) {
        uint64_t bits = load_bits(from, before.bytes, i);
        if (from_dtype != GLISSADE_FILE_F64)
            bits = widen(bits, before);
        if (to_dtype != GLISSADE_FILE_F64)
            bits = narrow(bits, after);
        store_bits(to, after.bytes, i, bits);
    }
}

double numbers_value(const void *elements, glissade_file_dtype dtype, size_t index) {
    uint64_t bits = load_bits(elements, layouts[dtype].bytes, index);
    return from_bits(dtype == GLISSADE_FILE_F64 ? bits : widen(bits, layouts[dtype]));
}

uint64_t numbers_distance(const void *left, const void *right, glissade_file_dtype dtype, size_t index) {
    struct layout layout = layouts[dtype];
    uint64_t sign = sign_bit(layout), infinity = infinity_of(layout);
    uint64_t a = load_bits(left, layout.bytes, index), b = load_bits(right, layout.bytes, index);
    uint64_t from_zero_a = a & (sign - 1), from_zero_b = b & (sign - 1);
    if (from_zero_a > infinity || from_zero_b > infinity)
        return UINT64_MAX;
    if ((a & sign) != (b & sign))
        return from_zero_a + from_zero_b;
    return from_zero_a > from_zero_b ? from_zero_a - from_zero_b : from_zero_b - from_zero_a;
}
