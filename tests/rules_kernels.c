/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel of the adaptive family, and the one that sums up squares, on every instruction set that this machine can
 * run, against the scalar kernel by its bits: lengths, misalignments, walks, values that are hard, guard pages around
 * every array. What the scalar kernels compute is held to goldens in rules.c. The list is simd/table/rules.def; a rule
 * added there is tested with no line changed here. Part of the kernels program.
 *
 * Which NaN a result is differs between machines and is not compared; everything else is, to the bit.
 */
#include "dispatch.h"
#include "emulated.h"
#include "guarded.h"
#include "values.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>

typedef enum kind { UPDATE, APPLY, MEASURE } kind;

static const struct {
    const char *name;
    kind kind;
    int states;
} rules[GLS_RULE_COUNT] = {
#define GLS_RULE(name, kind, states) [GLS_RULE_##name] = {#name, kind, states},
#include "table/rules.def"
#undef GLS_RULE
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { P, G, S, SUMS = S + GLS_STATES_MAX, ARRAYS };
enum { SHORT = 67, LONGEST = 2 * GLS_STREAMS_MAX * GLS_WALK_BLOCK + 3 * GLS_WALK_BLOCK + 5 };
enum { UNITS = LONGEST / GLS_SUM_UNIT + 1 };

static const size_t long_lengths[] = {1023, 4096 + 5, 13 * 1024 + 25, LONGEST};
static const gls_walk walks[] = {{1, 0}, {1, 512}, {2, 512}, {3, 0}, {4, 512}, {6, 0}, {16, 0}, {16, 512}};

/* One run of a kernel. */
typedef struct trial {
    int rule, cautious, zero;
    glissade_isa isa;
    size_t n;
    const gls_walk *walk;
    value_fill fill;
    int set; /* of scalars */
    int places[ARRAYS];
} trial;

static float inputs[SUMS][LONGEST], expected[SUMS][LONGEST];
static double expected_sums[UNITS];
static guarded memory[ARRAYS];

static void open_memory(void) {
    for (int a = 0; a < SUMS; a++)
        cr_assert(guarded_open(&memory[a], LONGEST));
    cr_assert(guarded_open(&memory[SUMS], 2 * UNITS));
}

static bool measures(const trial *t) {
    return rules[t->rule].kind == MEASURE;
}

static size_t units_of(size_t n) {
    return (n + GLS_SUM_UNIT - 1) / GLS_SUM_UNIT;
}

/* Whatever a rule takes its scalars for: parts of one, ones and zeros, what overflows and underflows. */
static gls_scalars scalars_of(int set) {
    gls_scalars made = {{0}, {0}};
    for (int i = 0; i < GLS_SCALARS_MAX; i++) {
        const float part = (float)((random_at(7, (uint64_t)i) >> 40) + 1) * 0x1p-24f;
        made.f32[i] = set == 0 ? part : set == 1 ? (float)(i % 2) : ldexpf(part, i * 37 % 200 - 100);
    }
    made.f32[GLS_SCALAR_S] = set == 1 ? -1.0f : 0.77f;
    made.f32[GLS_SCALAR_FLUSH] = set == 2 ? 0.0f : FLT_MIN;
    made.f32[GLS_SCALAR_COUPLED] = set == 1 ? 0.0f : 0.013f;
    made.f32[GLS_SCALAR_MINUS_LAMBDA] = set == 0 ? 0.0f : -0.11f;
    made.f32[GLS_SCALAR_MINUS_ETA] = set == 2 ? -3e30f : -0.03f;
    return made;
}

enum { SETS = 3 };

/* ---- one run ---- */

typedef struct call {
    const trial *trial;
    gls_scalars scalars;
    gls_operands arrays;
    double *sums;
} call;

static void run_kernel(glissade_isa isa, const call *c, const gls_walk *walk) {
    const trial *t = c->trial;
    const gls_rule_kernels *kernels = gls_dispatch_kernels(isa)->rules;
    if (measures(t))
        kernels->measure[t->rule][t->cautious](&c->scalars, &c->arrays, c->sums, t->n, walk);
    else
        kernels->update[t->rule][t->cautious][t->zero](&c->scalars, &c->arrays, t->n, walk);
}

static void run_call(void *context) {
    const call *c = context;
    run_kernel(c->trial->isa, c, c->trial->walk);
}

static const char *describe(const trial *t) {
    static char text[256];
    snprintf(text, sizeof text,
             "%s%s%s on %s, n %zu, streams %zu, lead %zu, values %s, scalars %d, p %s, g %s",
             rules[t->rule].name, t->cautious ? ", cautious" : "", t->zero ? ", zeroing" : "",
             glissade_isa_name(t->isa), t->n, t->walk->streams, t->walk->lead, value_fill_name(t->fill),
             t->set, guarded_place_text(t->places[P]), guarded_place_text(t->places[G]));
    return text;
}

static const char *array_name(int array) {
    static const char *const names[ARRAYS] = {"p", "g", "state 0", "state 1", "state 2", "state 3", "sums"};
    return names[array];
}

static int arrays_of(const trial *t) {
    return S + rules[t->rule].states;
}

static void place_arrays(const trial *t, call *c, float *x[ARRAYS]) {
    const int count = arrays_of(t);
    for (int a = 0; a < count; a++) {
        x[a] = guarded_place(&memory[a], emulated_place(t->isa, t->places[a]), t->n);
        memcpy(x[a], inputs[a], t->n * sizeof(float));
        guarded_mark(&memory[a], x[a], t->n);
    }
    c->arrays = (gls_operands){.p = x[P], .g = x[G]};
    for (int a = S; a < count; a++)
        c->arrays.s[a - S] = x[a];
    const size_t floats = units_of(t->n) * 2;
    x[SUMS] = guarded_place(&memory[SUMS], t->places[SUMS] % 2 ? GUARDED_AT_START : GUARDED_AT_END, floats);
    memset(x[SUMS], 0xFF, floats * sizeof(float));
    guarded_mark(&memory[SUMS], x[SUMS], floats);
    c->sums = (double *)(void *)x[SUMS];
}

/* What the kernel only reads must be there to the bit; what it computes, up to a NaN's payload. */
static bool computes(const trial *t, int array) {
    const kind is = rules[t->rule].kind;
    return array == P ? is != MEASURE : array == G ? t->zero : is != APPLY;
}

static void check_sums(const trial *t, const double *got) {
    for (size_t i = 0; measures(t) && i < units_of(t->n); i++)
        cr_assert((isnan(got[i]) && isnan(expected_sums[i])) ||
                      memcmp(&got[i], &expected_sums[i], sizeof *got) == 0,
                  "%s: sum of unit %zu is %a, should be %a", describe(t), i, got[i], expected_sums[i]);
}

static void run_trial(const trial *t) {
    call c = {.trial = t, .scalars = scalars_of(t->set)};
    float *x[ARRAYS] = {NULL};
    const void *fault = NULL;
    place_arrays(t, &c, x);
    cr_assert(guarded_run(run_call, &c, &fault), "%s: touched %p", describe(t), fault);
    for (int a = 0; a < arrays_of(t); a++) {
        const size_t i = values_first_difference(x[a], expected[a], t->n, computes(t, a));
        if (i < t->n)
            cr_assert(false, "%s: %s[%zu] is 0x%08x (%a), should be 0x%08x (%a)", describe(t), array_name(a),
                      i, value_bits(x[a][i]), (double)x[a][i], value_bits(expected[a][i]),
                      (double)expected[a][i]);
        cr_assert(guarded_marks_intact(&memory[a], x[a], t->n), "%s: wrote around %s", describe(t),
                  array_name(a));
    }
    check_sums(t, c.sums);
    cr_assert(guarded_marks_intact(&memory[SUMS], x[SUMS], units_of(t->n) * 2), "%s: wrote around the sums",
              describe(t));
}

/* Makes the inputs, and what must become of them: by the scalar kernel, walking straight. */
static void prepare(const trial *t, uint64_t seed) {
    static const gls_walk straight = {.streams = 1};
    call c = {.trial = t,
              .scalars = scalars_of(t->set),
              .arrays = {.p = expected[P], .g = expected[G]},
              .sums = expected_sums};
    for (int a = 0; a < arrays_of(t); a++) {
        values_fill(inputs[a], t->n, t->fill, seed * ARRAYS + (uint64_t)a, 0);
        /* Second moments, and what else takes a root, are above zero as a rule. */
        for (size_t i = 0; a > S && i < t->n && t->fill == FILL_ORDINARY; i++)
            inputs[a][i] = fabsf(inputs[a][i]);
        memcpy(expected[a], inputs[a], t->n * sizeof(float));
        if (a >= S)
            c.arrays.s[a - S] = expected[a];
    }
    run_kernel(GLISSADE_ISA_SCALAR, &c, &straight);
}

static void place(trial *t, uint64_t round) {
    static const int places[][2] = {
        {GUARDED_AT_END, 0}, {GUARDED_AT_START, 0}, {1, 3}, {GUARDED_AT_END, 5}, {7, 1}};
    const int *which = places[round % COUNT(places)];
    for (int a = 0; a < ARRAYS; a++)
        t->places[a] = (which[0] + a * which[1]) % GUARDED_PLACES;
}

/* ---- every kernel on every instruction set ---- */

static struct criterion_test_params kernels_on_isas(void) {
    trial *all = cr_malloc((size_t)GLS_RULE_COUNT * 4 * GLISSADE_ISA_NEON * sizeof *all);
    size_t count = 0;
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (int k = 0; k < 4 * GLS_RULE_COUNT && glissade_isa_available(isa); k++) {
            const trial one = {.rule = k / 4, .cautious = k / 2 % 2, .zero = k % 2, .isa = isa};
            if (!(measures(&one) && one.zero))
                all[count++] = one;
        }
    return cr_make_param_array(trial, all, count, NULL);
}

ParameterizedTestParameters(rules_kernels, short_arrays) {
    return kernels_on_isas();
}

ParameterizedTest(trial *which, rules_kernels, short_arrays) {
    trial t = *which;
    uint64_t round = 0;
    open_memory();
    for (t.n = 0; t.n <= SHORT; t.n++)
        for (t.fill = 0; t.fill < FILL_COUNT; t.fill++, round++) {
            if (emulated() && round % 3)
                continue;
            t.set = (int)(round % SETS);
            t.walk = &walks[round % 2];
            prepare(&t, round);
            for (uint64_t i = 0; i < 2; i++) {
                place(&t, 2 * round + i);
                run_trial(&t);
            }
        }
}

ParameterizedTestParameters(rules_kernels, long_arrays) {
    return kernels_on_isas();
}

/* Every walk at every length; fills, scalars and places go round. */
ParameterizedTest(trial *which, rules_kernels, long_arrays) {
    static const value_fill fills[] = {FILL_ORDINARY, FILL_SPRINKLED, FILL_BITS};
    trial t = *which;
    uint64_t round = (uint64_t)t.rule;
    open_memory();
    for (size_t length = 0; length < COUNT(long_lengths); length++) {
        t.n = long_lengths[length];
        t.fill = fills[round % COUNT(fills)];
        t.set = (int)(length % SETS);
        prepare(&t, round);
        for (size_t walk = 0; walk < COUNT(walks); walk++, round++) {
            t.walk = &walks[walk];
            place(&t, round);
            run_trial(&t);
        }
    }
}

/* ---- sums of squares ---- */

typedef struct summing {
    gls_squares_kernel *run;
    double *sums;
    const float *x;
    size_t n, nonfinite;
    const gls_walk *walk;
} summing;

static void run_summing(void *context) {
    summing *s = context;
    s->nonfinite = s->run(s->sums, s->x, s->n, s->walk);
}

static double sum_by_formula(const float *x, size_t n) {
    double lanes[GLS_SUM_LANES] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] = fma((double)x[i], (double)x[i], lanes[i % 16]);
    for (int half = 8; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

static void check_squares(glissade_isa isa, value_fill fill, size_t n, const gls_walk *walk, int at) {
    summing s = {.run = gls_dispatch_kernels(isa)->squares, .n = n, .walk = walk};
    float *x = guarded_place(&memory[P], emulated_place(isa, at), n);
    float *sums = guarded_place(&memory[SUMS], at % 2 ? GUARDED_AT_START : GUARDED_AT_END, units_of(n) * 2);
    size_t nonfinite = 0;
    values_fill(x, n, fill, n + (uint64_t)at, 0);
    guarded_mark(&memory[P], x, n);
    guarded_mark(&memory[SUMS], sums, units_of(n) * 2);
    s.x = x;
    s.sums = (double *)(void *)sums;
    cr_assert(guarded_run(run_summing, &s, NULL), "squares on %s, n %zu: touched outside",
              glissade_isa_name(isa), n);
    for (size_t i = 0; i < n; i++)
        nonfinite += !isfinite(x[i]);
    cr_assert_eq(s.nonfinite, nonfinite, "squares on %s, n %zu, %s: %zu are not finite, not %zu",
                 glissade_isa_name(isa), n, value_fill_name(fill), s.nonfinite, nonfinite);
    for (size_t unit = 0; unit < units_of(n); unit++) {
        const size_t first = unit * GLS_SUM_UNIT, count = n - first < GLS_SUM_UNIT ? n - first : GLS_SUM_UNIT;
        const double wanted = sum_by_formula(x + first, count), got = s.sums[unit];
        cr_assert(got == wanted || (isnan(got) && isnan(wanted)),
                  "squares on %s, n %zu, streams %zu, %s: unit %zu is %a, should be %a",
                  glissade_isa_name(isa), n, walk->streams, value_fill_name(fill), unit, got, wanted);
    }
    cr_assert(guarded_marks_intact(&memory[P], x, n) &&
              guarded_marks_intact(&memory[SUMS], sums, units_of(n) * 2));
}

Test(rules_kernels, squares) {
    uint64_t round = 0;
    open_memory();
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (value_fill fill = 0; fill < FILL_COUNT && glissade_isa_available(isa); fill++) {
            for (size_t n = 0; n <= SHORT; n++, round++)
                check_squares(isa, fill, n, &walks[round % COUNT(walks)], (int)(round % GUARDED_PLACES));
            for (size_t i = 0; i < COUNT(long_lengths) * COUNT(walks); i++, round++)
                check_squares(isa, fill, long_lengths[i / COUNT(walks)], &walks[i % COUNT(walks)],
                              (int)(round % GUARDED_PLACES));
        }
}
