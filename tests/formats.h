/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of number formats share: the formats by their definition, in double and by plain loops, so that
 * nothing is compared with itself. */
#ifndef TESTS_FORMATS_H
#define TESTS_FORMATS_H

#include "dispatch.h"
#include "values.h"

#include <math.h>

/* The kernels of an instruction set. */
static inline const gls_format_kernels *formats_of(glissade_isa isa) {
    return gls_dispatch_kernels(isa)->formats;
}

/* Magnitude of a binary number of so many bits of exponent and fraction, as IEEE 754 has them; infinity counts as the
 * number after the largest. Not for NaN. */
static inline double format_magnitude(uint32_t code, int exponent_bits, int fraction_bits) {
    const int bias = (1 << (exponent_bits - 1)) - 1, exponent = (int)(code >> fraction_bits);
    const double fraction = code & ((1u << fraction_bits) - 1);
    if (exponent == 0)
        return ldexp(fraction, 1 - bias - fraction_bits);
    return ldexp(ldexp(1, fraction_bits) + fraction, exponent - bias - fraction_bits);
}

/* One block of Philox 4x32-10. */
static inline void format_philox(const uint32_t key[2], const uint32_t counter[4], uint32_t words[4]) {
    uint32_t k0 = key[0], k1 = key[1];
    memcpy(words, counter, 4 * sizeof *words);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        const uint64_t first = 0xD2511F53ull * words[0], second = 0xCD9E8D57ull * words[2];
        const uint32_t next[4] = {(uint32_t)(second >> 32) ^ words[1] ^ k0, (uint32_t)second,
                                  (uint32_t)(first >> 32) ^ words[3] ^ k1, (uint32_t)first};
        memcpy(words, next, sizeof next);
    }
}

/* The halfword that element i takes. */
static inline uint32_t format_random_halfword(const gls_random *random, size_t i) {
    const size_t run = i / 128, in_run = i % 128, halfword = in_run / 16, block = run * 16 + in_run % 16;
    const uint32_t counter[4] = {random->block + (uint32_t)block, random->counter[0], random->counter[1],
                                 random->counter[2]};
    uint32_t words[4];
    format_philox(random->key, counter, words);
    return words[halfword / 2] >> (halfword % 2 * 16) & 0xFFFF;
}

/* The two maps of 8 bits: a code's magnitude has so many bits, `octave` of them after the leading one. */
typedef struct format_map {
    const char *name;
    bool is_signed;
    int bits, octave;
    double top;
} format_map;

static const format_map format_maps[2] = {{"signed", true, 7, 1, 63.0 / 32},
                                          {"unsigned", false, 8, 3, 31.0 / 16}};

/* Magnitude of a code, by its bits: zeros, a one, the number of the octave, the fraction. */
static inline double format_code_magnitude(const format_map *map, uint32_t magnitude) {
    int at = map->bits - 1, zeros = 0, octave = 0;
    if (magnitude == 0)
        return 0;
    for (; !(magnitude >> at & 1); at--)
        zeros++;
    at--;
    for (int i = 0; i < map->octave; i++, at--)
        octave = 2 * octave + (at >= 0 ? (int)(magnitude >> at & 1) : 0);
    double fraction = 1;
    for (double place = 0.5; at >= 0; at--, place /= 2)
        fraction += (magnitude >> at & 1) ? place : 0;
    return ldexp(fraction, octave + 1 - (zeros + 1) * (1 << map->octave));
}

/* Magnitude of the code of a normal y: linear from octave to octave, but for the last bits of y, which are cut off. */
static inline uint32_t format_code_of(const format_map *map, float y) {
    int exponent;
    const double significand = 2 * frexp((double)y, &exponent), places = ldexp(1, 23 - map->octave);
    const int octaves = 1 << map->octave, down = 1 - exponent; /* octave 0 is [1, 2) */
    if (y == 0)
        return 0;
    const double fraction = floor((significand - 1) * places) / places;
    const double in_group = octaves - 1 - down % octaves + fraction;
    return (uint32_t)nearbyint(ldexp(1 + in_group / octaves, map->bits - 1 - down / octaves));
}

static inline uint32_t format_code_byte(const format_map *map, uint32_t magnitude, bool negative) {
    return map->is_signed && negative ? (256 - magnitude) % 256 : magnitude;
}

static inline void format_quantise(const gls_format_kernels *k, const format_map *map, uint8_t *codes,
                                   float *scales, const float *from, size_t n) {
    (map->is_signed ? k->quantise_signed : k->quantise_unsigned)(codes, scales, from, n);
}

static inline void format_expand(const gls_format_kernels *k, const format_map *map, float *to,
                                 const uint8_t *codes, const float *scales, size_t n) {
    (map->is_signed ? k->expand_signed : k->expand_unsigned)(to, codes, scales, n, 0);
}

#endif
