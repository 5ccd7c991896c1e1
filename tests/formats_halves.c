/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bf16, f16 and split bf16: every float there is, on the best instruction set, and a part of them on the others. What a
 * float must become follows from the list of all halves in order: those between the middles of two neighbours become
 * the one between. Part of the formats program.
 */
#include "formats.h"

#include "emulated.h"

#include <criterion/criterion.h>

#include <stdlib.h>

/* A sweep goes through the floats by their bits, a block of them at a time. */
enum { BLOCK = 4096, BLOCKS = 1 << 20, INFINITE = 0x7F800000 };

typedef struct block {
    uint32_t bits[BLOCK];
    float x[BLOCK], back[BLOCK];
    uint16_t got[BLOCK], wanted[BLOCK];
    int16_t low[BLOCK];
} block;

/* A format's magnitudes, in order, by the first float that becomes each. */
typedef struct staircase {
    uint32_t infinity; /* the last one, of which the step ends at NaN */
    uint32_t first[0x8000 + 1];
} staircase;

/* Middles are exact in double, and exact floats, since a float has more bits than two halves' worth of precision. */
static void build_staircase(staircase *s, int exponent_bits, int fraction_bits, bool ties_away) {
    s->infinity = ((1u << exponent_bits) - 1) << fraction_bits;
    s->first[0] = 0;
    for (uint32_t code = 1; code <= s->infinity; code++) {
        const double middle = (format_magnitude(code - 1, exponent_bits, fraction_bits) +
                               format_magnitude(code, exponent_bits, fraction_bits)) /
                              2;
        cr_assert_eq((double)(float)middle, middle);
        s->first[code] = value_bits((float)middle) + (ties_away || code % 2 == 0 ? 0 : 1);
    }
    s->first[s->infinity + 1] = INFINITE + 1;
}

/* The code whose step a magnitude lies on. */
static uint32_t step_of(const staircase *s, uint32_t bits) {
    uint32_t low = 0, high = s->infinity + 1; /* first[low] <= bits < first[high] */
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        if (s->first[middle] <= bits)
            low = middle;
        else
            high = middle;
    }
    return low;
}

typedef uint16_t quiet_function(uint32_t bits);

static uint16_t quiet_bf16(uint32_t bits) {
    return (uint16_t)(bits >> 16 | 0x0040);
}

static uint16_t quiet_f16(uint32_t bits) {
    return (uint16_t)((bits >> 16 & 0x8000) | 0x7E00 | (bits >> 13 & 0x3FF));
}

/* Sanitizers leave these two loops alone, which else took most of the test's time under them. */
#define PLAIN __attribute__((noinline, no_sanitize("address"), no_sanitize("undefined")))

PLAIN static void fill_block(uint32_t *bits, uint32_t first) {
    for (uint32_t i = 0; i < BLOCK; i++)
        bits[i] = first + i;
}

PLAIN static void fill_step(uint16_t *wanted, uint32_t count, uint16_t code) {
    for (uint32_t i = 0; i < count; i++)
        wanted[i] = code;
}

/* What BLOCK floats from `first` on, which share their sign, must become. */
static void build_wanted(uint16_t *wanted, const staircase *s, uint32_t first, quiet_function *quiet) {
    const uint32_t sign = first >> 31, magnitude = first & 0x7FFFFFFF;
    const uint32_t numbers = magnitude > INFINITE           ? 0
                             : magnitude + BLOCK > INFINITE ? INFINITE + 1 - magnitude
                                                            : BLOCK;
    uint32_t code = numbers ? step_of(s, magnitude) : 0;
    for (uint32_t i = 0, end; i < numbers; i = end, code++) {
        const uint32_t next = s->first[code + 1] - magnitude;
        end = next < numbers ? next : numbers;
        fill_step(wanted + i, end - i, (uint16_t)(sign << 15 | code));
    }
    for (uint32_t i = numbers; i < BLOCK; i++)
        wanted[i] = quiet(first + i);
}

/* ---- sweeps ---- */

typedef struct sweep {
    const char *name;
    const gls_format_kernels *kernels;
    const staircase *stairs;
    quiet_function *quiet;
    int failures; /* blocks; the first is told */
} sweep;

/* Tries b->x, whose bits are b->bits; the index of the first element that is wrong, or BLOCK. */
typedef size_t sweep_function(const sweep *s, block *b);

static size_t first_wrong(const uint16_t *got, const uint16_t *wanted) {
    size_t i = 0;
    while (i < BLOCK && got[i] == wanted[i])
        i++;
    return i;
}

static size_t try_narrow(const sweep *s, block *b) {
    (s->quiet == quiet_f16 ? s->kernels->narrow_f16 : s->kernels->narrow_bf16)(b->got, b->x, BLOCK);
    build_wanted(b->wanted, s->stairs, b->bits[0], s->quiet);
    return memcmp(b->got, b->wanted, sizeof b->got) ? first_wrong(b->got, b->wanted) : BLOCK;
}

/* Upper half, lower half and the way back. */
static bool split_holds(const block *b, size_t i, uint16_t wanted) {
    const uint32_t bits = b->bits[i];
    const int32_t low = (int32_t)(bits - ((uint32_t)wanted << 16));
    const bool nan = (bits & 0x7FFFFFFF) > INFINITE;
    return b->got[i] == wanted && b->low[i] == (nan ? 0 : low) &&
           value_bits(b->back[i]) == (nan ? (uint32_t)wanted << 16 : bits);
}

/* Where upper halves are right and floats come back, so are lower halves: only one of them comes back as its float. */
static size_t try_split(const sweep *s, block *b) {
    s->kernels->split(b->got, b->low, b->x, BLOCK);
    s->kernels->join(b->back, b->got, b->low, BLOCK, 0);
    build_wanted(b->wanted, s->stairs, b->bits[0], s->quiet);
    if (!memcmp(b->got, b->wanted, sizeof b->got) && !memcmp(b->back, b->x, sizeof b->x))
        return BLOCK;
    size_t i = 0;
    while (i < BLOCK && split_holds(b, i, b->wanted[i]))
        i++;
    return i;
}

static void sweep_block(sweep *s, sweep_function *try, block *b, uint32_t first) {
    fill_block(b->bits, first);
    memcpy(b->x, b->bits, sizeof b->x);
    const size_t wrong = try(s, b);
    if (wrong == BLOCK)
        return;
    int failures;
#pragma omp atomic capture
    failures = ++s->failures;
    if (failures > 1)
        return;
    cr_expect(false, "%s: 0x%08x becomes 0x%04x, should be 0x%04x (or what comes back is not the same)",
              s->name, b->bits[wrong], b->got[wrong], b->wanted[wrong]);
}

/* Every float, or one block in `stride` of them. */
static void sweep_all(sweep *s, sweep_function *try, int stride) {
#pragma omp parallel
    {
        block *b = malloc(sizeof *b);
#pragma omp for
        for (int i = 0; i < BLOCKS / stride; i++)
            if (b)
                sweep_block(s, try, b, (uint32_t)(i * (int64_t)stride + i % stride) * BLOCK);
        free(b);
    }
}

/* All floats on the best instruction set, a part elsewhere, and less of it where an emulator runs. */
static void sweep_isas(sweep *s, sweep_function *try) {
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        if (!glissade_isa_available(isa))
            continue;
        s->kernels = formats_of(isa);
        s->name = glissade_isa_name(isa);
        sweep_all(s, try, emulated() ? 509 : isa == gls_dispatch_best() ? 1 : 61);
    }
}

static staircase stairs;

Test(formats_halves, every_float_to_bf16) {
    build_staircase(&stairs, 8, 7, false);
    sweep_isas(&(sweep){.stairs = &stairs, .quiet = quiet_bf16}, try_narrow);
}

Test(formats_halves, every_float_to_f16) {
    build_staircase(&stairs, 5, 10, false);
    sweep_isas(&(sweep){.stairs = &stairs, .quiet = quiet_f16}, try_narrow);
}

Test(formats_halves, every_float_split_and_joined) {
    build_staircase(&stairs, 8, 7, true);
    sweep_isas(&(sweep){.stairs = &stairs, .quiet = quiet_bf16}, try_split);
}

/* With ties to even, the two ties that meet in one half leave lower halves that do not fit one signed integer. */
Test(formats_halves, ties_to_even_would_not_split) {
    const uint32_t below = 0x3F808000, above = 0x3F818000, even = 0x3F82;
    build_staircase(&stairs, 8, 7, false);
    cr_assert_eq(step_of(&stairs, below), 0x3F80u);
    cr_assert_eq(step_of(&stairs, above), even);
    cr_assert_eq(step_of(&stairs, (even << 16) + 0x8000), even);
    cr_assert_eq((int32_t)((even << 16) + 0x8000 - (even << 16)), INT16_MAX + 1);
    cr_assert_eq((int32_t)(above - (even << 16)), INT16_MIN);
}

/* ---- halves to float ---- */

static uint32_t widened_f16(uint32_t half) {
    const uint32_t sign = (half & 0x8000) << 16, magnitude = half & 0x7FFF;
    if (magnitude > 0x7C00)
        return sign | 0x7FC00000 | (magnitude & 0x3FF) << 13;
    return sign | (magnitude == 0x7C00 ? INFINITE : value_bits((float)format_magnitude(magnitude, 5, 10)));
}

static void check_widened(const char *name, const char *isa, const float *got, uint32_t half,
                          uint32_t wanted) {
    cr_assert_eq(value_bits(got[half]), wanted, "%s on %s: 0x%04x becomes 0x%08x, should be 0x%08x", name,
                 isa, half, value_bits(got[half]), wanted);
}

Test(formats_halves, every_half_to_float) {
    static uint16_t halves[0x10000];
    static float got[0x10000];
    for (uint32_t half = 0; half < 0x10000; half++)
        halves[half] = (uint16_t)half;
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        if (!glissade_isa_available(isa))
            continue;
        formats_of(isa)->widen_bf16(got, halves, 0x10000, 0);
        for (uint32_t half = 0; half < 0x10000; half++)
            check_widened("bf16", glissade_isa_name(isa), got, half, half << 16);
        formats_of(isa)->widen_f16(got, halves, 0x10000, 512);
        for (uint32_t half = 0; half < 0x10000; half++)
            check_widened("f16", glissade_isa_name(isa), got, half, widened_f16(half));
    }
}

/* Pairs that split never gives: every upper half with any lower one. */
static uint32_t joined(uint32_t high, int32_t low) {
    const int64_t magnitude = ((int64_t)(high & 0x7FFF) << 16) + low;
    return (high & 0x8000) << 16 | (uint32_t)(magnitude < 0 ? 0 : magnitude);
}

static void check_joined(const char *isa, const uint16_t *high, const int16_t *low, const float *got) {
    for (size_t i = 0; i < 0x10000; i++) {
        const uint32_t bits = value_bits(got[i]), above = high[i] & 0x7FFF;
        cr_assert_eq(bits, joined(high[i], low[i]), "%s: 0x%04x and %d are joined to 0x%08x", isa, high[i],
                     low[i], bits);
        if (above > 0x7F80 || (above == 0x7F80 && low[i] > 0))
            cr_assert(isnan(got[i]));
        else
            cr_assert_not(isnan(got[i]));
    }
}

Test(formats_halves, any_halves_joined) {
    static const int16_t lows[] = {0, 1, -1, 2, -2, 0x7FFF, -0x7FFF, -0x8000, 0x1234, -0x4321};
    static uint16_t high[0x10000];
    static int16_t low[0x10000];
    static float got[0x10000];
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (size_t l = 0; l <= sizeof lows / sizeof *lows && glissade_isa_available(isa); l++) {
            for (uint32_t i = 0; i < 0x10000; i++) {
                high[i] = (uint16_t)i;
                low[i] = l < sizeof lows / sizeof *lows ? lows[l] : (int16_t)value_at(FILL_BITS, 5, i);
            }
            formats_of(isa)->join(got, high, low, 0x10000, 0);
            check_joined(glissade_isa_name(isa), high, low, got);
        }
}
