/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic rounding: its random bits, which element takes which, what it makes of them, and that it is unbiased. Part
 * of the formats program. */
#include "formats.h"

#include "emulated.h"

#include <criterion/criterion.h>

enum { RUN = GLS_RANDOM_RUN, MOST = 5 * RUN + 77 };

/* What a value becomes under 16 random bits, by the definition. */
static uint16_t rounded(uint32_t bits, uint32_t r) {
    const uint32_t magnitude = bits & 0x7FFFFFFF;
    if (magnitude > 0x7F800000)
        return (uint16_t)(bits >> 16 | 0x0040);
    if (magnitude == 0x7F800000)
        return (uint16_t)(bits >> 16);
    const uint32_t up = (magnitude + r) >> 16;
    return (uint16_t)((bits >> 16 & 0x8000) | (up < 0x7F80 ? up : 0x7F7F));
}

/* ---- the bits themselves ---- */

/* Published with Random123 (kat_vectors). */
static const struct known_answer {
    uint32_t counter[4], key[2], words[4];
} known_answers[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

enum { KNOWN_ANSWERS = sizeof known_answers / sizeof *known_answers };

/* The random bits of a run, found by which lower halves they carry over: the most that is cut off all the same. */
static void find_halfwords(const gls_format_kernels *k, const gls_random *random, uint32_t halfwords[RUN]) {
    enum { HIGH = 0x3F80 };
    uint32_t carried[RUN] = {0}; /* a lower half of 0x10000 - carried is known to be cut off */
    for (uint32_t step = 0x8000; step; step /= 2) {
        float x[RUN];
        uint16_t to[RUN];
        for (int i = 0; i < RUN; i++)
            x[i] = value_of_bits(((uint32_t)HIGH << 16) + 0x10000 - (carried[i] + step));
        k->narrow_bf16_random(to, x, RUN, random);
        for (int i = 0; i < RUN; i++)
            carried[i] += to[i] > HIGH ? step : 0;
    }
    memcpy(halfwords, carried, sizeof carried);
}

/* The last lower half tried is at most 0xFFFF: a halfword of 0 carries nothing. */
static void check_known_answer(glissade_isa isa, const struct known_answer *known) {
    const gls_random random = {.key = {known->key[0], known->key[1]},
                               .block = known->counter[0],
                               .counter = {known->counter[1], known->counter[2], known->counter[3]}};
    uint32_t found[RUN];
    find_halfwords(formats_of(isa), &random, found);
    for (int word = 0; word < 4; word++)
        cr_assert_eq(found[32 * word] | found[32 * word + 16] << 16, known->words[word],
                     "%s, word %d: 0x%04x%04x", glissade_isa_name(isa), word, found[32 * word + 16],
                     found[32 * word]);
    for (size_t i = 0; i < RUN; i++)
        cr_assert_eq(found[i], format_random_halfword(&random, i), "%s, element %zu", glissade_isa_name(isa),
                     i);
}

Test(formats_random, known_answers) {
    for (int i = 0; i < KNOWN_ANSWERS; i++) {
        uint32_t words[4];
        format_philox(known_answers[i].key, known_answers[i].counter, words);
        cr_assert_arr_eq(words, known_answers[i].words, sizeof words);
        for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
            if (glissade_isa_available(isa))
                check_known_answer(isa, &known_answers[i]);
    }
}

/* ---- rounding ---- */

static void check_rounding(glissade_isa isa, value_fill fill, size_t n) {
    const gls_random random = {.key = {17, (uint32_t)n},
                               .block = n % 2 ? 0xFFFFFFFFu - 20 : 7,
                               .counter = {1, (uint32_t)fill, 0x80000000u}};
    static float x[MOST];
    static uint16_t to[MOST];
    values_fill(x, n, fill, n, 0);
    formats_of(isa)->narrow_bf16_random(to, x, n, &random);
    for (size_t i = 0; i < n; i++) {
        const uint32_t r = format_random_halfword(&random, i);
        cr_assert_eq(to[i], rounded(value_bits(x[i]), r),
                     "%s, n %zu: x[%zu] = 0x%08x with 0x%04x becomes 0x%04x", glissade_isa_name(isa), n, i,
                     value_bits(x[i]), r, to[i]);
    }
}

Test(formats_random, layout_and_rounding) {
    static const size_t lengths[] = {0,   1,   2,   15,  16,  17,  31,  33,  100,
                                     127, 128, 129, 255, 256, 257, 640, MOST};
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (value_fill fill = 0; fill < FILL_COUNT && glissade_isa_available(isa); fill++)
            for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++)
                check_rounding(isa, fill, lengths[i]);
}

/* Runs that are rounded by themselves take the bits that they take in one call. */
Test(formats_random, runs_are_independent) {
    static float x[MOST];
    static uint16_t at_once[MOST], run_by_run[MOST];
    const gls_random whole = {.key = {1, 2}, .block = 0xFFFFFFF0u, .counter = {3, 4, 5}};
    const gls_format_kernels *k = formats_of(gls_dispatch_best());
    values_fill(x, MOST, FILL_ORDINARY, 1, 0);
    k->narrow_bf16_random(at_once, x, MOST, &whole);
    for (size_t i = 0; i < MOST; i += RUN) {
        gls_random run = whole;
        run.block += (uint32_t)(i / 8);
        k->narrow_bf16_random(run_by_run + i, x + i, MOST - i < RUN ? MOST - i : RUN, &run);
    }
    cr_assert_arr_eq(at_once, run_by_run, sizeof at_once);
}

/* Infinity is not reached, and not left. */
Test(formats_random, finite_stays_finite) {
    float x[RUN];
    uint16_t to[RUN];
    const gls_random random = {.key = {9, 9}};
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (uint32_t bits = 0x7F7E0000; bits < 0x7F800000 && glissade_isa_available(isa); bits += RUN) {
            for (uint32_t i = 0; i < RUN; i++)
                x[i] = value_of_bits((bits + i) | i << 31);
            formats_of(isa)->narrow_bf16_random(to, x, RUN, &random);
            for (uint32_t i = 0; i < RUN; i++) {
                cr_assert((to[i] & 0x7FFF) == 0x7F7F || ((to[i] & 0x7FFF) == 0x7F7E && bits < 0x7F7F0000));
                cr_assert_eq(to[i] >> 15, i & 1);
            }
        }
}

/* ---- no bias ---- */

static double value_of_bf16(uint16_t half) {
    return (double)value_of_bits((uint32_t)half << 16);
}

/* Over all 2^16 random numbers the mean is the value, exactly: in double these sums round nothing. */
Test(formats_random, expectation_is_exact) {
    static const value_fill fills[] = {FILL_ORDINARY, FILL_SUBNORMALS, FILL_NEAR_MIN, FILL_ZEROS, FILL_HUGE};
    for (size_t fill = 0; fill < sizeof fills / sizeof *fills; fill++)
        for (uint64_t i = 0; i < 100; i++) {
            const uint32_t bits = value_at(fills[fill], 3, i);
            if ((bits & 0x7FFFFFFF) >= 0x7F7F0000)
                continue;
            double sum = 0;
            for (uint32_t r = 0; r < 0x10000; r++)
                sum += value_of_bf16(rounded(bits, r));
            cr_assert_eq(sum / 0x10000, (double)value_of_bits(bits), "0x%08x: %a", bits, sum / 0x10000);
        }
}

/* How many of n equal values are rounded up, against what is to be expected, in standard deviations. */
static double deviation(const gls_format_kernels *k, uint32_t bits, size_t n, uint32_t seed) {
    enum { CHUNK = 8 * RUN };
    float x[CHUNK];
    uint16_t to[CHUNK];
    uint64_t up = 0;
    gls_random random = {.key = {seed, bits}};
    for (size_t i = 0; i < CHUNK; i++)
        x[i] = value_of_bits(bits);
    for (size_t done = 0; done < n; done += CHUNK, random.block += CHUNK / 8) {
        k->narrow_bf16_random(to, x, CHUNK, &random);
        for (size_t i = 0; i < CHUNK; i++)
            up += to[i] - (bits >> 16);
    }
    const double total = (double)((n + CHUNK - 1) / CHUNK * CHUNK), p = (bits & 0xFFFF) / 65536.0;
    return ((double)up - total * p) / sqrt(total * p * (1 - p));
}

/* 10^8 elements in all. The seeds are fixed: this fails always or never. */
Test(formats_random, unbiased) {
    static const uint32_t values[] = {0x3F800001, 0x3F800100, 0x3F801999, 0x3F805555, 0x3F808000,
                                      0xBF80AAAB, 0xC0490FDB, 0x0000C000, 0x80800F0F, 0x7F7EFFFF};
    const size_t n = emulated() ? 100000 : 10000000;
    double sum = 0;
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        const double z = deviation(formats_of(gls_dispatch_best()), values[i], n, 1);
        cr_expect(fabs(z) < 4, "0x%08x is off by %.2f standard deviations", values[i], z);
        sum += z * z;
    }
    cr_expect(sum > 2 && sum < 26, "sum of squares of %zu deviations: %.2f", sizeof values / sizeof *values,
              sum);
}
