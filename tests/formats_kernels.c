/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel of number formats on every instruction set that this machine can run, against the scalar kernel by its
 * bits: lengths, misalignments, values that are hard, guard pages around every array. What the scalar kernel computes
 * is held to the formats' definitions by the other parts of the formats program; clamp and average are here.
 */
#include "formats.h"

#include "emulated.h"
#include "guarded.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <stdio.h>

enum { IN = 2, OUT = 2, ARRAYS = IN + OUT, WIDEST = 16, SHORT = 4 * WIDEST + 3, LONGEST = 4096 + 5 };

static const size_t long_lengths[] = {127, 128, 129, 200,  255,  256,  257,
                                      300, 511, 513, 1023, 1024, 1029, LONGEST};

enum { LONG_LENGTHS = sizeof long_lengths / sizeof *long_lengths };

/* The arrays of a call, read and then written, and what else it is given. */
typedef struct call {
    const struct kernel *kernel;
    const gls_format_kernels *table;
    void *in[IN], *out[OUT];
    size_t n, lead;
    gls_random random;
    float a, b;
} call;

/* A kernel: how to call it, bytes an element of each array, or one element for SCALE elements of the others. */
typedef struct kernel {
    const char *name;
    void (*run)(const call *c);
    int in[IN], out[OUT];
    bool computes; /* its NaN need not be the same */
} kernel;

enum { SCALE = -4 }; /* in place of bytes: a float for each GLS_QUANTISED_BLOCK elements */

#define KERNEL(name, ...)                                                                                    \
    static void run_##name(const call *c) {                                                                  \
        c->table->name(__VA_ARGS__);                                                                         \
    }
KERNEL(widen_bf16, c->out[0], c->in[0], c->n, c->lead)
KERNEL(widen_f16, c->out[0], c->in[0], c->n, c->lead)
KERNEL(narrow_bf16, c->out[0], c->in[0], c->n)
KERNEL(narrow_f16, c->out[0], c->in[0], c->n)
KERNEL(narrow_bf16_random, c->out[0], c->in[0], c->n, &c->random)
KERNEL(join, c->out[0], c->in[0], c->in[1], c->n, c->lead)
KERNEL(split, c->out[0], c->out[1], c->in[0], c->n)
KERNEL(expand_signed, c->out[0], c->in[0], c->in[1], c->n, c->lead)
KERNEL(expand_unsigned, c->out[0], c->in[0], c->in[1], c->n, c->lead)
KERNEL(quantise_signed, c->out[0], c->out[1], c->in[0], c->n)
KERNEL(quantise_unsigned, c->out[0], c->out[1], c->in[0], c->n)
KERNEL(clamp, c->out[0], c->in[0], c->a, c->b, c->n, c->lead)

/* The average that is there counts: it is copied into place first. */
static void run_average(const call *c) {
    memcpy(c->out[0], c->in[1], c->n * sizeof(float));
    c->table->average(c->out[0], c->in[0], c->a, c->n, c->lead);
}

static const kernel kernels[] = {
    {"widen_bf16", run_widen_bf16, {2}, {4}, false},
    {"widen_f16", run_widen_f16, {2}, {4}, false},
    {"narrow_bf16", run_narrow_bf16, {4}, {2}, false},
    {"narrow_f16", run_narrow_f16, {4}, {2}, false},
    {"narrow_bf16_random", run_narrow_bf16_random, {4}, {2}, false},
    {"join", run_join, {2, 2}, {4}, false},
    {"split", run_split, {4}, {2, 2}, false},
    {"expand_signed", run_expand_signed, {1, SCALE}, {4}, true},
    {"expand_unsigned", run_expand_unsigned, {1, SCALE}, {4}, true},
    {"quantise_signed", run_quantise_signed, {4}, {1, SCALE}, false},
    {"quantise_unsigned", run_quantise_unsigned, {4}, {1, SCALE}, false},
    {"clamp", run_clamp, {4}, {4}, true},
    {"average", run_average, {4, 4}, {4}, true},
};

enum { KERNELS = sizeof kernels / sizeof *kernels };

/* ---- memory ---- */

/* Two sets, so that short arrays have little around them to look after. */
typedef struct arena {
    guarded memory[ARRAYS];
} arena;

static arena short_arena, long_arena;

static void open_arena(arena *a, size_t elements) {
    for (int i = 0; i < ARRAYS; i++)
        cr_assert(guarded_open(&a->memory[i], elements));
}

static size_t bytes_of(int element, size_t n) {
    return element == SCALE ? (n + GLS_QUANTISED_BLOCK - 1) / GLS_QUANTISED_BLOCK * sizeof(float)
                            : n * (size_t)element;
}

/* Where an array of so many bytes lies; offsets are in its elements. */
static char *place_bytes(const guarded *memory, int place, int element, size_t bytes) {
    char *begin = (char *)memory->begin, *end = (char *)memory->end;
    if (place == GUARDED_AT_END)
        return end - bytes;
    return place == GUARDED_AT_START ? begin : begin + 64 + place * (element == SCALE ? 4 : element);
}

static size_t room_of(const guarded *memory) {
    return (size_t)((char *)memory->end - (char *)memory->begin);
}

static const unsigned char MARK = 0xA5;

static bool all_marks(const char *from, const char *to) {
    for (; from < to; from++)
        if ((unsigned char)*from != MARK)
            return false;
    return true;
}

/* ---- one run ---- */

static char contents[IN][4 * LONGEST], expected[OUT][4 * LONGEST];

/* Halves and codes are any bits; every other one among the hard values of its format. */
static void fill_input(char *x, int element, size_t n, value_fill fill, uint64_t seed) {
    static const uint16_t hard[] = {0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x7BFF, 0x7C00, 0xFC00,
                                    0x7C01, 0x7E00, 0x7F7F, 0x7F80, 0xFF80, 0x7F81, 0xFFFF, 0x7FFF};
    if (element == 4 || element == SCALE) {
        values_fill((float *)(void *)x, bytes_of(element, n) / 4, fill, seed, 0);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const uint64_t random = random_at(seed, i);
        const uint16_t half = random >> 32 & 1 ? hard[random % 16] : (uint16_t)random;
        memcpy(x + i * (size_t)element, &half, (size_t)element); /* little-endian: a byte is the lower one */
    }
}

static void prepare(call *c, value_fill fill, uint64_t seed) {
    static const float scalars[][2] = {
        {0.9f, 1.5f}, {-1.0f / 3, 0}, {1e30f, FLT_MAX}, {1, INFINITY}, {0, FLT_MIN}};
    const float *pair = scalars[seed % (sizeof scalars / sizeof *scalars)];
    c->a = pair[0];
    c->b = pair[1];
    c->random = (gls_random){.key = {(uint32_t)seed, 5}, .block = (uint32_t)seed * 16, .counter = {1, 2, 3}};
    for (int i = 0; i < IN; i++) {
        fill_input(contents[i], c->kernel->in[i], c->n, fill, seed * IN + (uint64_t)i);
        c->in[i] = contents[i];
    }
    for (int i = 0; i < OUT; i++)
        c->out[i] = expected[i];
    c->table = formats_of(GLISSADE_ISA_SCALAR);
    c->kernel->run(c);
}

static void place_call(call *c, const arena *a, glissade_isa isa, const int *places) {
    for (int i = 0; i < ARRAYS; i++) {
        const int element = i < IN ? c->kernel->in[i] : c->kernel->out[i - IN];
        const size_t bytes = bytes_of(element, c->n);
        memset(a->memory[i].begin, MARK, room_of(&a->memory[i]));
        char *x = place_bytes(&a->memory[i], emulated_place(isa, places[i]), element, bytes);
        if (i < IN)
            memcpy(x, contents[i], bytes);
        *(i < IN ? &c->in[i] : &c->out[i - IN]) = x;
    }
    c->table = formats_of(isa);
}

static void run_call(void *context) {
    const call *c = context;
    c->kernel->run(c);
}

static bool same(const call *c, int array, const char *got, const char *wanted, size_t bytes) {
    if (memcmp(got, wanted, bytes) == 0)
        return true;
    if (!c->kernel->computes || c->kernel->out[array] != 4)
        return false;
    return values_first_difference((const float *)(const void *)got, (const float *)(const void *)wanted,
                                   bytes / 4, 1) == bytes / 4;
}

/* How a run is told in a message. */
static const char *told(const call *c, glissade_isa isa, value_fill fill, const int *places) {
    static char text[256];
    snprintf(text, sizeof text, "%s on %s, n %zu, lead %zu, values %s, arrays %s, %s, %s, %s",
             c->kernel->name, glissade_isa_name(isa), c->n, c->lead, value_fill_name(fill),
             guarded_place_text(places[0]), guarded_place_text(places[1]), guarded_place_text(places[2]),
             guarded_place_text(places[3]));
    return text;
}

static void check_run(call *c, const arena *a, glissade_isa isa, value_fill fill, const int *places) {
    place_call(c, a, isa, places);
    cr_assert(guarded_run(run_call, c, NULL), "%s: touched outside", told(c, isa, fill, places));
    for (int i = 0; i < ARRAYS; i++) {
        const int element = i < IN ? c->kernel->in[i] : c->kernel->out[i - IN];
        const size_t bytes = bytes_of(element, c->n);
        const char *x = i < IN ? c->in[i] : c->out[i - IN];
        if (i < IN)
            cr_assert_eq(memcmp(x, contents[i], bytes), 0, "%s: changed an input",
                         told(c, isa, fill, places));
        else
            cr_assert(same(c, i - IN, x, expected[i - IN], bytes), "%s: output %d differs",
                      told(c, isa, fill, places), i - IN);
        cr_assert(all_marks((char *)a->memory[i].begin, x) && all_marks(x + bytes, (char *)a->memory[i].end),
                  "%s: wrote outside", told(c, isa, fill, places));
    }
}

/* ---- every kernel on every instruction set ---- */

typedef struct kernel_on_isa {
    int kernel;
    glissade_isa isa;
} kernel_on_isa;

static struct criterion_test_params kernels_on_isas(void) {
    kernel_on_isa *all = cr_malloc(KERNELS * GLISSADE_ISA_NEON * sizeof *all);
    size_t count = 0;
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (int k = 0; k < KERNELS && glissade_isa_available(isa); k++)
            all[count++] = (kernel_on_isa){k, isa};
    return cr_make_param_array(kernel_on_isa, all, count, NULL);
}

/* Every place for the first array, the others at the same and at different places in turn. Under an emulator the
 * guards and one offset in eight. */
static void check_places(call *c, const arena *a, glissade_isa isa, value_fill fill, uint64_t round) {
    for (int place = 0; place < GUARDED_PLACES; place++) {
        if (emulated() && place < GUARDED_OFFSETS && ((uint64_t)place + round) % 8)
            continue;
        int places[ARRAYS];
        for (int i = 0; i < ARRAYS; i++)
            places[i] = (place + (int)(round + (uint64_t)place) % 2 * i * 5) % GUARDED_PLACES;
        c->lead = (round + (uint64_t)place) / 2 % 2 * 512;
        check_run(c, a, isa, fill, places);
    }
}

ParameterizedTestParameters(formats_kernels, against_scalar) {
    return kernels_on_isas();
}

ParameterizedTest(kernel_on_isa *which, formats_kernels, against_scalar) {
    call c = {.kernel = &kernels[which->kernel]};
    uint64_t round = 0;
    open_arena(&short_arena, SHORT);
    open_arena(&long_arena, LONGEST);
    for (value_fill fill = 0; fill < FILL_COUNT; fill++) {
        for (c.n = 0; c.n <= SHORT; c.n++, round++) {
            prepare(&c, fill, round);
            check_places(&c, &short_arena, which->isa, fill, round);
        }
        for (size_t length = 0; length < LONG_LENGTHS; length++, round++) {
            c.n = long_lengths[length];
            prepare(&c, fill, round);
            check_places(&c, &long_arena, which->isa, fill, round);
        }
    }
}

/* ---- clamp and average by their formulas ---- */

static void check_clamp(glissade_isa isa, const float *x, float s, float limit, size_t n) {
    static float to[LONGEST], in_place[LONGEST];
    memcpy(in_place, x, n * sizeof *x);
    formats_of(isa)->clamp(to, x, s, limit, n, 0);
    formats_of(isa)->clamp(in_place, in_place, s, limit, n, 512);
    for (size_t i = 0; i < n; i++) {
        volatile float scaled = s * x[i];
        const float wanted = fabsf(scaled) > limit ? copysignf(limit, scaled) : scaled;
        cr_assert_eq(value_canonical(value_bits(to[i])), value_canonical(value_bits(wanted)),
                     "%s: %a times %a within %a is %a", glissade_isa_name(isa), (double)x[i], (double)s,
                     (double)limit, (double)to[i]);
        cr_assert_eq(value_canonical(value_bits(in_place[i])), value_canonical(value_bits(wanted)));
    }
}

Test(formats_kernels, clamp_by_formula) {
    static const float scales[] = {1, -1, 0.1f, 0, 3e38f, -1e-40f},
                       limits[] = {1, 0, 0.3f, FLT_MAX, INFINITY, 1e-40f};
    static float x[LONGEST];
    for (value_fill fill = 0; fill < FILL_COUNT; fill++) {
        values_fill(x, LONGEST, fill, 12, 0);
        for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
            for (int i = 0; i < 36 && glissade_isa_available(isa); i++)
                check_clamp(isa, x, scales[i / 6], limits[i % 6], 1029);
    }
}

Test(formats_kernels, average_by_formula) {
    static const float weights[] = {0.001f, 1, 0.3f, 1e-40f};
    static float p[LONGEST], before[LONGEST], average[LONGEST];
    for (value_fill fill = 0; fill < FILL_COUNT; fill++) {
        values_fill(p, LONGEST, fill, 13, 0);
        values_fill(before, LONGEST, fill, 14, 0);
        for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
            for (int w = 0; w < 4 && glissade_isa_available(isa); w++) {
                memcpy(average, before, sizeof average);
                formats_of(isa)->average(average, p, weights[w], LONGEST, w % 2 ? 512 : 0);
                for (size_t i = 0; i < LONGEST; i++) {
                    volatile float difference = p[i] - before[i];
                    const float wanted = fmaf(weights[w], difference, before[i]);
                    cr_assert_eq(value_canonical(value_bits(average[i])),
                                 value_canonical(value_bits(wanted)));
                }
            }
    }
}

/* ---- the table ---- */

/* No entry lacks, and none stands in for another. */
Test(formats_kernels, table_is_complete) {
    typedef void any_kernel(void);
    enum { ENTRIES = sizeof(gls_format_kernels) / sizeof(any_kernel *) };
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        if (!glissade_isa_built(isa))
            continue;
        any_kernel *entries[ENTRIES];
        memcpy(entries, formats_of(isa), sizeof entries);
        cr_assert_eq((int)ENTRIES, (int)KERNELS);
        for (int i = 0; i < ENTRIES; i++) {
            cr_assert(entries[i] != NULL, "%s: entry %d", glissade_isa_name(isa), i);
            for (int j = 0; j < i; j++)
                cr_assert(entries[i] != entries[j], "%s: entries %d and %d", glissade_isa_name(isa), i, j);
        }
    }
}
