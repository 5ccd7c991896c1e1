/* SPDX-License-Identifier: Apache-2.0 */
/* The fills and the comparison of values.h. */
#include "values.h"

size_t values_first_difference(const float *a, const float *b, size_t n, int ignore_payloads) {
    if (n == 0 || memcmp(a, b, n * sizeof *a) == 0)
        return n;
    for (size_t i = 0; i < n; i++) {
        uint32_t left, right;
        memcpy(&left, a + i, sizeof left);
        memcpy(&right, b + i, sizeof right);
        if (ignore_payloads) {
            left = value_canonical(left);
            right = value_canonical(right);
        }
        if (left != right)
            return i;
    }
    return n;
}

const char *value_fill_name(value_fill fill) {
    static const char *const names[FILL_COUNT] = {"ordinary", "zeros",      "subnormals", "near FLT_MIN",
                                                  "huge",     "infinities", "NaNs",       "any bits",
                                                  "mixed",    "sprinkled"};
    return (unsigned)fill < FILL_COUNT ? names[fill] : "none";
}

enum { MANTISSA = 0x7FFFFF, MANTISSA_BITS = 23, EXPONENT_OF_ONE = 127 };

/* Either sign, a random mantissa, an exponent field of low to low + count - 1. */
static uint32_t scaled(uint64_t random, uint32_t low, uint32_t count) {
    const uint32_t exponent = low + (uint32_t)(random >> 32) % count;
    return ((uint32_t)random & (0x80000000u | MANTISSA)) | exponent << MANTISSA_BITS;
}

static uint32_t subnormal(uint64_t random) {
    const uint32_t sign = (uint32_t)random & 0x80000000u;
    switch (random >> 32 & 7) {
    case 0:
        return sign | 1;
    case 1:
        return sign | MANTISSA;
    default:
        return sign | ((uint32_t)random & MANTISSA) | 2;
    }
}

/* Half within eight neighbours of FLT_MIN, half between an eighth of it and four times it. */
static uint32_t near_min(uint64_t random) {
    const uint32_t sign = (uint32_t)random & 0x80000000u, least = 1u << MANTISSA_BITS;
    if (random >> 32 & 1)
        return sign | (least - 8 + (uint32_t)(random >> 33) % 17);
    return sign | (least / 8 + (uint32_t)(random >> 33) % (3 * least));
}

static uint32_t not_a_number(uint64_t random) {
    const uint32_t payload = (uint32_t)(random & MANTISSA);
    return ((uint32_t)random & 0x80000000u) | 0x7F800000u | (payload ? payload : 1);
}

uint32_t value_at(value_fill fill, uint64_t seed, uint64_t index) {
    const uint64_t random = random_at(seed, index);
    const uint32_t sign = (uint32_t)random & 0x80000000u, ordinary = scaled(random, EXPONENT_OF_ONE - 8, 16);
    switch (fill) {
    case FILL_ZEROS:
        return sign;
    case FILL_SUBNORMALS:
        return subnormal(random);
    case FILL_NEAR_MIN:
        return near_min(random);
    case FILL_HUGE:
        return scaled(random, 254 - 12, 13);
    case FILL_INFINITIES:
        return random >> 63 ? sign | 0x7F800000u : ordinary;
    case FILL_NANS:
        return random >> 63 ? not_a_number(random) : ordinary;
    case FILL_BITS:
        return (uint32_t)random;
    case FILL_MIXED:
        return value_at((value_fill)((random >> 48) % FILL_MIXED), seed ^ random, index);
    case FILL_SPRINKLED:
        return random >> 58 ? ordinary : value_at(FILL_MIXED, seed ^ random, index);
    default:
        return ordinary;
    }
}

void values_fill(float *x, size_t n, value_fill fill, uint64_t seed, uint64_t first) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = value_at(fill, seed, first + i);
        memcpy(x + i, &bits, sizeof bits);
    }
}
