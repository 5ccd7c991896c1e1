/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values for tests: a small random generator, fills that are hard on floating-point code, and comparison of
 * arrays by their bits. Integer arithmetic only, so that every machine makes the same values.
 */
#ifndef TESTS_SUPPORT_VALUES_H
#define TESTS_SUPPORT_VALUES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint32_t value_bits(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float value_of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* One NaN for all of them: that a result is NaN is promised, which one is not. Other bits stay. */
static inline uint32_t value_canonical(uint32_t bits) {
    return (bits & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FC00000u : bits;
}

/* The index of the first element that differs in any bit; n if none does. With ignore_payloads two NaNs are
 * equal, whichever they are. */
size_t values_first_difference(const float *a, const float *b, size_t n, int ignore_payloads);

/* Random bits number `index` of a sequence (splitmix64): depends on nothing else. */
static inline uint64_t random_at(uint64_t seed, uint64_t index) {
    uint64_t z = seed + (index + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

typedef enum value_fill {
    FILL_ORDINARY,   /* magnitudes 2^-8 to 2^8, either sign */
    FILL_ZEROS,      /* of both signs */
    FILL_SUBNORMALS, /* of both signs, the smallest and the largest often */
    FILL_NEAR_MIN,   /* around FLT_MIN, its neighbours often */
    FILL_HUGE,       /* up to FLT_MAX, so that sums and products overflow */
    FILL_INFINITIES, /* every other one, the rest ordinary */
    FILL_NANS,       /* every other one, quiet and signalling, any payload; the rest ordinary */
    FILL_BITS,       /* any 32 bits */
    FILL_MIXED,      /* any of the above, element by element */
    FILL_SPRINKLED,  /* ordinary, one in 64 mixed: what a training step might see at worst */
    FILL_COUNT
} value_fill;

const char *value_fill_name(value_fill fill);

/* Element `index` of a fill, as bits; and n elements from index `first` on. */
uint32_t value_at(value_fill fill, uint64_t seed, uint64_t index);
void values_fill(float *x, size_t n, value_fill fill, uint64_t seed, uint64_t first);

#endif
