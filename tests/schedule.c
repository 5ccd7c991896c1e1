/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules beside goldens/schedules.*, which goldens/make_schedules.py made: PyTorch's schedulers, and the
 * formulas of glissade/schedule.h with 60 digits. Then what no golden shows: ends. schedule_arguments.c looks at
 * what is refused, at options and at surroundings. That the header serves C++ is shown by consumer/run.
 *
 * Run it with --verbose=1 and without --tap to see the errors found: up to 4.4e-16 of the formula's result.
 */
#include "glissade/schedule.h"
#include "values.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#ifndef GOLDENS_DIR
#error "GOLDENS_DIR must name the folder that holds schedules.cases and schedules.f64"
#endif

/* ---- any schedule by its name ---- */

enum { MAX_ARGUMENTS = 12, MAX_COUNT = 300, MAX_NAME = 64 };

typedef struct call {
    char name[MAX_NAME];
    double a[MAX_ARGUMENTS]; /* as make_schedules.py orders them */
    int count;
} call;

static uint64_t whole(double x) {
    return (uint64_t)x;
}

static glissade_wsd_options wsd_of(const double *a) {
    glissade_wsd_options o;
    glissade_wsd_options_init(&o, sizeof o);
    o.learning_rate = a[0];
    o.final_rate = a[1];
    o.warm_up_steps = whole(a[2]);
    o.stable_steps = whole(a[3]);
    o.decay_steps = whole(a[4]);
    o.curve = (glissade_curve)a[5];
    return o;
}

static glissade_one_cycle_options cycle_of(const double *a) {
    glissade_one_cycle_options o;
    glissade_one_cycle_options_init(&o, sizeof o);
    o.highest_rate = a[0];
    o.division = a[1];
    o.final_division = a[2];
    o.steps = whole(a[3]);
    o.rising = a[4];
    o.curve = (glissade_curve)a[5];
    o.three_phase = a[6] != 0;
    o.highest_momentum = a[7];
    o.lowest_momentum = a[8];
    return o;
}

static double multi_step(uint64_t step, const call *c) {
    uint64_t milestones[MAX_ARGUMENTS];
    const size_t count = (size_t)c->count - 2;
    for (size_t i = 0; i < count; i++)
        milestones[i] = whole(c->a[2 + i]);
    return glissade_schedule_multi_step(step, c->a[0], c->a[1], count ? milestones : NULL, count);
}

static bool is(const call *c, const char *name) {
    return strcmp(c->name, name) == 0;
}

static double rate_at(const call *c, uint64_t step) {
    const double *a = c->a;
    const glissade_wsd_options wsd = wsd_of(a);
    const glissade_one_cycle_options cycle = cycle_of(a);
    if (is(c, "constant"))
        return glissade_schedule_constant(step, a[0], a[1], whole(a[2]));
    if (is(c, "linear"))
        return glissade_schedule_linear(step, a[0], a[1], whole(a[2]));
    if (is(c, "cosine"))
        return glissade_schedule_cosine(step, a[0], a[1], whole(a[2]));
    if (is(c, "polynomial"))
        return glissade_schedule_polynomial(step, a[0], a[1], whole(a[2]), a[3]);
    if (is(c, "cosine_restarts"))
        return glissade_schedule_cosine_restarts(step, a[0], a[1], whole(a[2]), whole(a[3]));
    if (is(c, "warm_up"))
        return glissade_schedule_warm_up(step, a[0], whole(a[1]));
    if (is(c, "inverse_sqrt"))
        return glissade_schedule_inverse_sqrt(step, a[0], whole(a[1]));
    if (is(c, "exponential"))
        return glissade_schedule_exponential(step, a[0], a[1]);
    if (is(c, "step"))
        return glissade_schedule_step(step, a[0], a[1], whole(a[2]));
    if (is(c, "multi_step"))
        return multi_step(step, c);
    if (is(c, "wsd"))
        return glissade_schedule_wsd(step, &wsd);
    if (is(c, "one_cycle"))
        return glissade_schedule_one_cycle(step, &cycle);
    if (is(c, "one_cycle_momentum"))
        return glissade_schedule_one_cycle_momentum(step, &cycle);
    cr_assert_fail("no schedule %s", c->name);
    return NAN;
}

/* ---- goldens ---- */

typedef struct golden {
    char name[MAX_NAME];
    call call;
    int count, stride;
    double torch[MAX_COUNT], exact[MAX_COUNT];
} golden;

static bool parse_case(const char *line, golden *g) {
    int used;
    if (sscanf(line, "%63s %63s %d %d%n", g->name, g->call.name, &g->count, &g->stride, &used) != 4 ||
        g->count > MAX_COUNT)
        return false;
    line += used;
    for (g->call.count = 0; *line && *line != '\n'; g->call.count++) {
        char *end;
        if (g->call.count == MAX_ARGUMENTS)
            return false;
        g->call.a[g->call.count] = strtod(line, &end);
        if (end == line)
            return false;
        line = end;
    }
    return true;
}

/* Reads golden `index` (its values, too, if `values` is open) and returns how many there are; -1 for bad files. */
static int read_goldens(int index, golden *out, FILE *values) {
    char line[512];
    int count = 0;
    FILE *cases = fopen(GOLDENS_DIR "/schedules.cases", "r");
    if (!cases)
        return -1;
    while (count >= 0 && fgets(line, sizeof line, cases)) {
        golden g = {.count = 0};
        if (line[0] == '#')
            continue;
        const bool good = parse_case(line, &g);
        const size_t n = good ? (size_t)g.count : 0;
        if (!good || (values && (fread(g.torch, sizeof(double), n, values) != n ||
                                 fread(g.exact, sizeof(double), n, values) != n)))
            count = -2;
        else if (count == index)
            *out = g;
        count++;
    }
    fclose(cases);
    return count;
}

static bool read_golden(int index, golden *out) {
    FILE *values = fopen(GOLDENS_DIR "/schedules.f64", "rb");
    if (!values)
        return false;
    const int count = read_goldens(index, out, values);
    fclose(values);
    return count > index;
}

/*
 * What the header promises, as an error: relative to the result, in one cycle to the highest. A polynomial loses
 * up to half an ulp for each unit of its power.
 */
static double promised(const golden *g, double exact, double highest) {
    if (is(&g->call, "polynomial"))
        return (g->call.a[3] + 4) * 1.2e-16 * exact;
    return 1e-15 * (is(&g->call, "one_cycle") ? highest : exact);
}

/* PyTorch's own distance from the formulas, 7.3e-15 of the highest rate in these courses; allowed is some more. */
static const double torch_drift = 2e-14;

ParameterizedTestParameters(schedule, golden) {
    static int indices[256];
    const int found = read_goldens(-1, NULL, NULL);
    /* Without readable goldens one test runs and fails: none at all would pass. */
    const int count = found < 1 ? 1 : found > 256 ? 256 : found;
    for (int i = 0; i < count; i++)
        indices[i] = i;
    return cr_make_param_array(int, indices, (size_t)count);
}

ParameterizedTest(int *index, schedule, golden) {
    golden g;
    double highest = 0, worst = 0, drift = 0;
    cr_assert(read_golden(*index, &g), "golden %d cannot be read from %s", *index, GOLDENS_DIR);
    for (int i = 0; i < g.count; i++)
        highest = fmax(highest, g.exact[i]);
    for (int i = 0; i < g.count; i++) {
        const uint64_t step = (uint64_t)i * (uint64_t)g.stride;
        const double rate = rate_at(&g.call, step), error = fabs(rate - g.exact[i]);
        cr_assert(error <= promised(&g, g.exact[i], highest), "%s, step %llu: %.17g, not %.17g", g.name,
                  (unsigned long long)step, rate, g.exact[i]);
        worst = fmax(worst, error == 0 ? 0 : error / g.exact[i]);
        if (isnan(g.torch[i]))
            continue;
        cr_assert(fabs(rate - g.torch[i]) <= torch_drift * highest, "%s, step %llu: %.17g; PyTorch: %.17g",
                  g.name, (unsigned long long)step, rate, g.torch[i]);
        drift = fmax(drift, fabs(rate - g.torch[i]) / highest);
    }
    cr_log_info("%s: off by %.2g of the rate; PyTorch: %.2g of the highest", g.name, worst, drift);
}

/* ---- ends ---- */

static const uint64_t lengths[] = {1, 2, 3, 7, 100, 12345, UINT64_C(1) << 53, UINT64_MAX};
enum { LENGTHS = sizeof lengths / sizeof *lengths };

/* Any rate, small ones as often as large ones. */
static double some_rate(uint64_t index) {
    return ldexp((double)(random_at(1, index) >> 11), -53 - (int)(random_at(2, index) % 60));
}

/* The first and the last rate come out exactly, nothing lies outside them, and equal ones stay what they are. */
Test(schedule, ends_and_between) {
    for (uint64_t i = 0; i < 4000; i++) {
        const double from = some_rate(2 * i), to = i % 5 ? some_rate(2 * i + 1) : from;
        const double low = fmin(from, to), high = fmax(from, to);
        const uint64_t n = lengths[i % LENGTHS];
        const glissade_wsd_options o = wsd_of((double[]){from, to, 0, 0, 0, (double)(i % 3)});
        glissade_wsd_options decay = o;
        decay.decay_steps = n;
        const uint64_t steps[] = {
            0, 1, n / 2, n - 1, random_at(3, i) % n, n, n < UINT64_MAX ? n + 1 : n, UINT64_MAX};
        for (size_t s = 0; s < sizeof steps / sizeof *steps; s++) {
            const uint64_t t = steps[s];
            const double rates[] = {
                glissade_schedule_constant(t, from, to, n), glissade_schedule_linear(t, from, to, n),
                glissade_schedule_cosine(t, from, to, n), glissade_schedule_polynomial(t, from, to, n, 1.7),
                glissade_schedule_wsd(t, &decay)};
            for (size_t r = 0; r < sizeof rates / sizeof *rates; r++) {
                cr_assert(rates[r] >= low && rates[r] <= high, "%zu: %a at step %zu of %a to %a", r, rates[r],
                          s, from, to);
                cr_assert(t != 0 || rates[r] == from, "%zu: %a at the start of %a to %a", r, rates[r], from,
                          to);
                cr_assert(t < n || rates[r] == to, "%zu: %a at the end of %a to %a", r, rates[r], from, to);
            }
        }
    }
}

Test(schedule, courses_of_no_steps) {
    for (uint64_t t = 0; t < 3; t++) {
        const glissade_wsd_options nothing = wsd_of((double[]){0.5, 0.25, 0, 0, 0, 0});
        cr_assert_eq(glissade_schedule_constant(t, 0.5, 0.25, 0), 0.25);
        cr_assert_eq(glissade_schedule_linear(t, 0.5, 0.25, 0), 0.25);
        cr_assert_eq(glissade_schedule_cosine(t, 0.5, 0.25, 0), 0.25);
        cr_assert_eq(glissade_schedule_polynomial(t, 0.5, 0.25, 0, 2), 0.25);
        cr_assert_eq(glissade_schedule_warm_up(t, 0.5, 0), 0.5);
        cr_assert_eq(glissade_schedule_inverse_sqrt(t, 0.5, 0), glissade_schedule_inverse_sqrt(t, 0.5, 1));
        cr_assert_eq(glissade_schedule_multi_step(t, 0.5, 0.1, NULL, 0), 0.5);
        cr_assert_eq(glissade_schedule_wsd(t, &nothing), 0.25);
    }
}

Test(schedule, last_step_there_is) {
    const uint64_t never[] = {0, UINT64_MAX};
    const glissade_wsd_options endless = {sizeof endless, 0.5, 0, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0};
    cr_assert_eq(glissade_schedule_warm_up(UINT64_MAX, 0.5, UINT64_MAX), 0.5);
    cr_assert_eq(glissade_schedule_warm_up(UINT64_MAX - 1, 0.5, UINT64_MAX), 0.5);
    cr_assert_eq(glissade_schedule_inverse_sqrt(UINT64_MAX, 0.5, 1), 0x1p-33);
    cr_assert_eq(glissade_schedule_inverse_sqrt(UINT64_MAX, 0.5, UINT64_MAX), 0.5);
    cr_assert_eq(glissade_schedule_exponential(UINT64_MAX, 0.5, 0.9), 0);
    cr_assert_eq(glissade_schedule_exponential(UINT64_MAX, 0.5, 1), 0.5);
    cr_assert_eq(glissade_schedule_step(UINT64_MAX, 0.5, 0.5, UINT64_MAX), 0.25);
    cr_assert_eq(glissade_schedule_multi_step(UINT64_MAX, 0.5, 0.5, never, 2), 0.125);
    cr_assert_eq(glissade_schedule_wsd(UINT64_MAX, &endless), 0.5);
}

/* Of factors: what grows overflows, and what is 0 stays. */
Test(schedule, factors_at_their_ends) {
    cr_assert_eq(glissade_schedule_exponential(0, 0.5, 0), 0.5);
    cr_assert_eq(glissade_schedule_exponential(1, 0.5, 0), 0);
    cr_assert_eq(glissade_schedule_exponential(100000, 0.5, 2), INFINITY);
    cr_assert_eq(glissade_schedule_exponential(100000, 0, 2), 0);
    cr_assert_eq(glissade_schedule_exponential(10, 0.5, 2), 512);
    cr_assert_eq(glissade_schedule_step(59, 1, 0.5, 20), 0.25);
    cr_assert_eq(glissade_schedule_step(60, 1, 0.5, 20), 0.125);
}

/* Restarts are cosines laid end to end, also where their length passes 64 bits. */
Test(schedule, restarts_are_cosines) {
    for (uint64_t growth = 1; growth <= 4; growth++) {
        uint64_t begin = 0, length = 5;
        for (int cycle = 0; cycle < 6; cycle++, begin += length, length *= growth)
            for (uint64_t t = 0; t < length; t++)
                cr_assert_eq(glissade_schedule_cosine_restarts(begin + t, 0.3, 0.01, 5, growth),
                             glissade_schedule_cosine(t, 0.3, 0.01, length));
    }
    /* Lengths 1, 2^63, 2^126; and 2, 2^65 - 2, of which nearly half is over. */
    cr_assert_eq(glissade_schedule_cosine_restarts(UINT64_MAX, 0.3, 0.01, 1, UINT64_C(1) << 63), 0.3);
    const double middle = glissade_schedule_cosine_restarts(UINT64_MAX, 0.3, 0.01, 2, UINT64_MAX);
    cr_assert_lt(fabs(middle - 0.155), 1e-15);
}
