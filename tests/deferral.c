/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred small gradients through the public interface: that nothing is dropped or hidden, that every tensor
 * follows the reference step of scenario.c to the bit whatever is turned on, off or left out, and that the
 * mean square does not depend on who computed it.
 */
#include "scenario.h"

#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "values.h"

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(deferral, .init = setup, .timeout = 120);

static glissade_sgd_options deferring(double momentum, double threshold, glissade_defer_unit unit) {
    glissade_sgd_options rule = scenario_rule(momentum);
    rule.defer_threshold = threshold;
    rule.defer_unit = unit;
    return rule;
}

static void set_rule(glissade_optimizer *optimizer, uint32_t group, const glissade_sgd_options *rule) {
    cr_assert_eq(glissade_optimizer_set_sgd(optimizer, group, rule), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(optimizer));
}

static glissade_step_report step(glissade_optimizer *optimizer, const glissade_step_options *options) {
    glissade_step_report report = {.size = sizeof report};
    const glissade_status status = glissade_optimizer_step(optimizer, options, &report);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(optimizer));
    return report;
}

/* ---- nothing is dropped ---- */

enum { LENGTH = 1003, STEPS = 300 };

/* A rule that takes g off the parameter as it is: from 0, the parameter becomes -g exactly. */
static glissade_sgd_options bare(double threshold, glissade_defer_unit unit) {
    glissade_sgd_options rule;
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 1;
    rule.defer_threshold = threshold;
    rule.defer_unit = unit;
    return rule;
}

/* One tensor under a bare rule. */
typedef struct single {
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    uint32_t group;
    float p[LENGTH], g[LENGTH];
    const float *r;
} single;

static void single_create(single *it, const glissade_sgd_options *rule, bool keep_subnormals) {
    glissade_engine_options options;
    glissade_error error;
    glissade_tensor tensor;
    glissade_engine_options_init(&options, sizeof options);
    options.keep_subnormals = keep_subnormals;
    cr_assert_eq(glissade_engine_create(&options, &it->engine, &error), GLISSADE_STATUS_OK, "%s",
                 error.message);
    it->optimizer = scenario_optimizer(it->engine);
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = it->p;
    tensor.gradient = it->g;
    tensor.length = LENGTH;
    memset(it->p, 0, sizeof it->p);
    cr_assert_eq(glissade_optimizer_add_sgd(it->optimizer, &tensor, 1, rule, &it->group), GLISSADE_STATUS_OK,
                 "%s", glissade_optimizer_message(it->optimizer));
    it->r = scenario_info(it->optimizer, it->group, 0).residual;
}

static void single_destroy(single *it) {
    glissade_optimizer_destroy(&it->optimizer);
    glissade_engine_destroy(&it->engine);
}

/* Half the distance from |u| to the next float above. */
static long double half_ulp(float u) {
    const float size = fabsf(u);
    return ((long double)nextafterf(size, INFINITY) - size) / 2;
}

/*
 * What was taken is read off the parameters, which are put back to 0 before every step. Sums are exact: a
 * long double holds every bit of some hundred floats of these fills.
 */
static void check_conservation(const glissade_sgd_options *rule, value_fill fill, bool keep_subnormals) {
    static single it;
    static long double came[LENGTH], taken[LENGTH], allowed[LENGTH];
    uint64_t acted = 0, inexact = 0;
    memset(came, 0, sizeof came);
    memset(taken, 0, sizeof taken);
    memset(allowed, 0, sizeof allowed);
    single_create(&it, rule, keep_subnormals);
    for (uint64_t s = 0; s < STEPS; s++) {
        values_fill(it.g, LENGTH, fill, 100 + s, 0);
        memset(it.p, 0, sizeof it.p);
        acted += step(it.optimizer, NULL).acted;
        for (size_t i = 0; i < LENGTH; i++) {
            cr_assert(it.p[i] == 0 || it.r[i] == 0, "element %zu acted and waits", i);
            came[i] += (long double)it.g[i];
            taken[i] -= (long double)it.p[i];
            allowed[i] += half_ulp(it.p[i] != 0 ? it.p[i] : it.r[i]) + (keep_subnormals ? 0 : FLT_MIN);
            const long double off = fabsl(came[i] - taken[i] - (long double)it.r[i]);
            inexact += off > 0;
            cr_assert_leq(off, allowed[i], "step %llu, element %zu: %Lg came in, %Lg was taken, %g waits",
                          (unsigned long long)s, i, came[i], taken[i], (double)it.r[i]);
        }
    }
    cr_assert(acted > LENGTH && acted < STEPS * LENGTH, "%llu acted", (unsigned long long)acted);
    cr_log_info("%s, threshold %g: %llu of %d acted, %llu sums not exact", value_fill_name(fill),
                rule->defer_threshold, (unsigned long long)acted, STEPS * LENGTH,
                (unsigned long long)inexact);
    single_destroy(&it);
}

Test(deferral, nothing_is_dropped) {
    static const double thresholds[] = {0x1p-7, 0.37, 3, 200};
    for (size_t i = 0; i < sizeof thresholds / sizeof *thresholds; i++) {
        const glissade_sgd_options rule = bare(thresholds[i], GLISSADE_DEFER_UNIT_ABSOLUTE);
        check_conservation(&rule, FILL_ORDINARY, i % 2);
    }
    const glissade_sgd_options relative = bare(0.8, GLISSADE_DEFER_UNIT_GRADIENT_RMS);
    check_conservation(&relative, FILL_ORDINARY, false);
}

/* Where residuals are flushed, and where they are kept. */
Test(deferral, nothing_is_dropped_near_the_smallest_float) {
    const glissade_sgd_options rule = bare(5 * (double)FLT_MIN, GLISSADE_DEFER_UNIT_ABSOLUTE);
    check_conservation(&rule, FILL_NEAR_MIN, false);
    check_conservation(&rule, FILL_NEAR_MIN, true);
}

Test(deferral, residuals_hold_no_subnormals_unless_kept) {
    const glissade_sgd_options rule = bare(1, GLISSADE_DEFER_UNIT_ABSOLUTE);
    for (int keep = 0; keep < 2; keep++) {
        static single it;
        size_t subnormals = 0;
        single_create(&it, &rule, keep);
        values_fill(it.g, LENGTH, FILL_NEAR_MIN, 1, 0);
        step(it.optimizer, NULL);
        for (size_t i = 0; i < LENGTH; i++) {
            subnormals += fpclassify(it.r[i]) == FP_SUBNORMAL;
            const float expected = fabsf(it.g[i]) < FLT_MIN && !keep ? 0.0f : it.g[i];
            cr_assert(it.r[i] == expected, "element %zu: %a, not %a", i, (double)it.r[i], (double)expected);
        }
        cr_assert_eq(subnormals > 0, keep, "%zu subnormals", subnormals);
        single_destroy(&it);
    }
}

/* ---- nothing is hidden ---- */

/* All but one element wait under either unit, which then get one bad gradient among them. */
static void check_shown(float bad, glissade_defer_unit unit) {
    enum { AT = 517 };
    static single it;
    const glissade_sgd_options rule = bare(1, unit);
    single_create(&it, &rule, false);
    for (size_t i = 0; i < LENGTH; i++)
        it.g[i] = 0.25f;
    it.g[0] = 64; /* the root mean square is 2 */
    step(it.optimizer, NULL);
    const glissade_step_report waiting = step(it.optimizer, NULL);
    cr_assert_eq(waiting.acted, 1, "%llu acted", (unsigned long long)waiting.acted);
    cr_assert_neq(it.r[AT], 0);
    const float before = it.p[AT];
    it.g[AT] = bad;
    const glissade_step_report report = step(it.optimizer, NULL);
    cr_assert_eq(report.acted, 2);
    cr_assert(isfinite(before) && !isfinite(it.p[AT]), "a gradient of %g made %g of the parameter",
              (double)bad, (double)it.p[AT]);
    cr_assert_eq(it.r[AT], 0);
    cr_assert_neq(it.r[AT + 1], 0, "others wait as before");

    /* The mean square now tells nothing, so that the next step defers nothing. */
    const glissade_tensor_info info = scenario_info(it.optimizer, it.group, 0);
    cr_assert(!isfinite(info.gradient_rms) && isnan(bad) == isnan(info.gradient_rms));
    it.g[AT] = 0.25f;
    const uint64_t acted = step(it.optimizer, NULL).acted;
    cr_assert_eq(acted == LENGTH, unit == GLISSADE_DEFER_UNIT_GRADIENT_RMS, "%llu acted",
                 (unsigned long long)acted);
    single_destroy(&it);
}

Test(deferral, nan_and_infinity_act_at_once) {
    for (glissade_defer_unit unit = 0; unit <= GLISSADE_DEFER_UNIT_GRADIENT_RMS; unit++) {
        check_shown(NAN, unit);
        check_shown(-INFINITY, unit);
    }
}

/* ---- every way through, against the reference ---- */

/* What happens at one step of the walk below. */
typedef struct event {
    double threshold; /* of the rule from here on */
    glissade_defer_unit unit;
    double momentum;
    uint32_t present; /* tensors, as bits */
    double gradient_scale;
    bool zero_gradients, listed;
} event;

#define ALL      0xFF
#define ABSOLUTE GLISSADE_DEFER_UNIT_ABSOLUTE
#define RELATIVE GLISSADE_DEFER_UNIT_GRADIENT_RMS

/* Turned on and off with and without momentum, tensors absent over each change, listed and zeroed steps. */
static const event events[] = {
    {0, ABSOLUTE, 0, ALL, 1, false, false},       {0.5, ABSOLUTE, 0, ALL, 1, false, false},
    {0.5, ABSOLUTE, 0.75, ALL, 2, true, true},    {0.5, RELATIVE, 0.75, 0x2D, 1, false, false},
    {1.5, RELATIVE, 0.75, ALL, -4, false, true},  {1.5, RELATIVE, 0.75, ALL, 1, false, false},
    {0, RELATIVE, 0.75, 0x12, 1, false, false},   {0, ABSOLUTE, 0.75, 0x6E, 1, true, false},
    {0, ABSOLUTE, 0.75, ALL, 3, false, false},    {0, ABSOLUTE, 0.75, ALL, 1, false, true},
    {0.01, RELATIVE, 0.9, 0x55, 1, false, false}, {0.9, RELATIVE, 0.9, ALL, 1, false, false},
    {0, ABSOLUTE, 0, 0x0F, 1, false, true},       {0.1, ABSOLUTE, 0, 0x0A, 1, false, false},
    {1e38, RELATIVE, 0, ALL, 1, false, false},    {1e38, RELATIVE, 0, ALL, 1, false, false},
    {0, ABSOLUTE, 0.75, 0x7F, 1, true, true},     {0, ABSOLUTE, 0.75, ALL, 1, false, false},
};

/* The model's tensors whose bit is set get their gradients, the others none. */
static void set_present(glissade_optimizer *optimizer, uint32_t group, const model *it, uint32_t present) {
    void *gradients[MODEL_TENSORS];
    for (size_t i = 0; i < it->count; i++)
        gradients[i] = present >> i & 1 ? it->g[i] : NULL;
    cr_assert_eq(glissade_optimizer_set_gradients(optimizer, group, gradients, it->count),
                 GLISSADE_STATUS_OK);
}

static uint64_t acted_in(const model *it, uint32_t present) {
    uint64_t acted = 0;
    for (size_t i = 0; i < it->count; i++)
        acted += present >> i & 1 ? it->acted[i] : 0;
    return acted;
}

static void check_event(glissade_optimizer *optimizer, uint32_t group, model *it, model *twin,
                        size_t number) {
    const event *e = &events[number];
    glissade_tensor_ref all[MODEL_TENSORS];
    glissade_sgd_options rule = deferring(e->momentum, e->threshold, e->unit);
    glissade_step_options options;
    rule.debias = number % 2 && e->momentum != 0;
    rule.nesterov = number % 3 == 0 && e->momentum != 0;
    rule.decay = number % 4 < 2 ? GLISSADE_DECAY_COUPLED : GLISSADE_DECAY_DECOUPLED;
    set_rule(optimizer, group, &rule);
    for (size_t i = 0; i < it->count && rule.momentum == 0; i++)
        twin->k[i] = 0;
    set_present(optimizer, group, it, e->present);
    model_fill_gradients(it, number);
    model_fill_gradients(twin, number);
    glissade_step_options_init(&options, sizeof options);
    options.gradient_scale = e->gradient_scale;
    options.zero_gradients = e->zero_gradients;
    for (uint32_t i = 0; i < it->count; i++)
        all[i] = (glissade_tensor_ref){group, (uint32_t)it->count - 1 - i};
    options.tensors = e->listed ? all : NULL;
    options.tensor_count = e->listed ? it->count : 0;
    const glissade_step_report report = step(optimizer, &options);
    model_reference_step(twin, &rule, e->gradient_scale, e->zero_gradients, e->present);
    cr_assert_eq(report.acted, acted_in(twin, e->present), "step %zu: %llu acted, not %llu", number,
                 (unsigned long long)report.acted, (unsigned long long)acted_in(twin, e->present));
    const char *difference = model_difference(it, twin);
    cr_assert_null(difference, "step %zu: %s", number, difference);
    difference = scenario_state_difference(optimizer, group, twin);
    cr_assert_null(difference, "step %zu: %s", number, difference);
}

/* Lengths of units and blocks and around; the first two are cut, between blocks and within. */
static void walk_through(uint32_t threads, bool own) {
    static const size_t lengths[] = {150001, 70000, 0, 255, 257, 16385, 16384, 1};
    model it, twin;
    glissade_engine *engine = scenario_engine(threads);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    const glissade_sgd_options rule = scenario_rule(0);
    model_create(&it, lengths, sizeof lengths / sizeof *lengths, own, threads % 4);
    if (own)
        model_own_residual(&it);
    model_copy(&twin, &it);
    const uint32_t group = scenario_add(optimizer, &it, &rule);
    for (size_t number = 0; number < sizeof events / sizeof *events; number++)
        check_event(optimizer, group, &it, &twin, number);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&it);
    model_destroy(&twin);
}

Test(deferral, on_and_off_with_any_number_of_threads) {
    for (uint32_t threads = 1; threads <= 8; threads++)
        walk_through(threads, threads % 2);
}

/* Within one block, and across: who is cut where changes with the threads, the mean square does not. */
Test(deferral, mean_square_depends_on_nothing_else) {
    static const size_t lengths[] = {1, 255, 256, 257, 16383, 16385, 65537, 300007};
    static const uint32_t streams[] = {1, 4, 6}, tiles[] = {256, 37 * 256, 1 << 20};
    const glissade_sgd_options rule = deferring(0, 1, GLISSADE_DEFER_UNIT_GRADIENT_RMS);
    model twin;
    model_create(&twin, lengths, sizeof lengths / sizeof *lengths, false, 0);
    model_fill_gradients(&twin, 1);
    model_reference_step(&twin, &rule, 1, false, UINT32_MAX);
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (uint32_t threads = 1; threads <= 8 && glissade_isa_available(isa); threads++) {
            glissade_engine_options options;
            glissade_engine *engine;
            model it;
            glissade_engine_options_init(&options, sizeof options);
            options.isa = isa;
            options.threads = threads;
            options.oversubscribe = true;
            options.streams = streams[threads % 3];
            options.tile = tiles[(threads + isa) % 3];
            cr_assert_eq(glissade_engine_create(&options, &engine, NULL), GLISSADE_STATUS_OK);
            glissade_optimizer *optimizer = scenario_optimizer(engine);
            model_create(&it, lengths, sizeof lengths / sizeof *lengths, false, threads);
            model_fill_gradients(&it, 1);
            const uint32_t group = scenario_add(optimizer, &it, &rule);
            step(optimizer, NULL);
            const char *difference = scenario_state_difference(optimizer, group, &twin);
            cr_assert_null(difference, "%s, %u threads: %s", glissade_isa_name(isa), threads, difference);
            glissade_optimizer_destroy(&optimizer);
            glissade_engine_destroy(&engine);
            model_destroy(&it);
        }
    model_destroy(&twin);
}

/* ---- thresholds ---- */

/* A mean square summed plainly differs in its last bits only, and the float made of it not at all here. */
Test(deferral, relative_is_absolute_with_the_mean_square_of_the_step_before) {
    static single relative, absolute;
    const double multiple = 0.75;
    glissade_sgd_options rule = bare(multiple, GLISSADE_DEFER_UNIT_GRADIENT_RMS);
    single_create(&relative, &rule, false);
    rule = bare(FLT_MIN, GLISSADE_DEFER_UNIT_ABSOLUTE);
    single_create(&absolute, &rule, false);
    for (uint64_t s = 0; s < 20; s++) {
        long double squares = 0;
        values_fill(relative.g, LENGTH, FILL_ORDINARY, s, 0);
        memcpy(absolute.g, relative.g, sizeof absolute.g);
        const uint64_t acted = step(relative.optimizer, NULL).acted;
        cr_assert_eq(acted, step(absolute.optimizer, NULL).acted, "step %llu", (unsigned long long)s);
        cr_assert_eq(s == 0, acted == LENGTH, "step %llu: %llu acted", (unsigned long long)s,
                     (unsigned long long)acted);
        cr_assert_arr_eq(relative.p, absolute.p, sizeof absolute.p);
        cr_assert_arr_eq(relative.r, absolute.r, sizeof absolute.p);
        for (size_t i = 0; i < LENGTH; i++)
            squares += (long double)relative.g[i] * relative.g[i];
        const double rms = (double)sqrtl(squares / LENGTH);
        cr_assert_float_eq(scenario_info(relative.optimizer, 0, 0).gradient_rms, rms, rms * 1e-14);
        rule = bare(multiple * rms, GLISSADE_DEFER_UNIT_ABSOLUTE);
        set_rule(absolute.optimizer, absolute.group, &rule);
    }
    single_destroy(&relative);
    single_destroy(&absolute);
}

/* threshold times mean square, past both ends of what a float can be; and a mean square that was set. */
static uint64_t acted_with(double threshold, double rms, float gradient) {
    static single it;
    const glissade_sgd_options rule = bare(threshold, GLISSADE_DEFER_UNIT_GRADIENT_RMS);
    single_create(&it, &rule, false);
    cr_assert_eq(glissade_optimizer_set_gradient_rms(it.optimizer, (glissade_tensor_ref){0, 0}, rms),
                 GLISSADE_STATUS_OK);
    for (size_t i = 0; i < LENGTH; i++)
        it.g[i] = gradient;
    const uint64_t acted = step(it.optimizer, NULL).acted;
    single_destroy(&it);
    return acted;
}

Test(deferral, threshold_is_held_within_the_floats) {
    const float below = nextafterf(FLT_MAX, 0);
    cr_assert_eq(acted_with(2, 3, 5.9f), 0);
    cr_assert_eq(acted_with(2, 3, 6), LENGTH, "what reaches the threshold acts");
    cr_assert_eq(acted_with(1e30, 1e30, below), 0, "above FLT_MAX it is FLT_MAX");
    cr_assert_eq(acted_with(1e30, 1e30, FLT_MAX), LENGTH);
    cr_assert_eq(acted_with(1, FLT_MIN / 2, 0), LENGTH, "below FLT_MIN it is 0");
    cr_assert_eq(acted_with(1, FLT_MIN, 0), 0);
    cr_assert_eq(acted_with(1, INFINITY, 0), LENGTH, "an infinite mean square defers nothing");
    cr_assert_eq(acted_with(1, NAN, 0), LENGTH, "nor does a NaN");
    cr_assert_eq(acted_with(1, 0, 0), LENGTH, "nor does none");
}

/* ---- with and without ---- */

/* -0 tells the kernels apart: deferral makes u = +0 of it, and p = -0 - (+0) stays -0. */
static bool defers_now(single *it) {
    memset(it->g, 0, sizeof it->g);
    for (size_t i = 0; i < LENGTH; i++)
        it->p[i] = it->g[i] = -0.0f;
    const glissade_step_report report = step(it->optimizer, NULL);
    cr_assert_eq(report.bytes, (signbit(it->p[0]) ? 20u : 12u) * LENGTH, "%llu bytes",
                 (unsigned long long)report.bytes);
    cr_assert_eq(report.acted, LENGTH);
    return signbit(it->p[0]);
}

Test(deferral, without_a_threshold_nothing_is_deferred) {
    static single it;
    const glissade_sgd_options none = bare(0, GLISSADE_DEFER_UNIT_GRADIENT_RMS),
                               some = bare(1, GLISSADE_DEFER_UNIT_ABSOLUTE);
    single_create(&it, &none, false);
    cr_assert_null(it.r);
    cr_assert_eq(scenario_info(it.optimizer, 0, 0).acted, 0, "before the first step");
    cr_assert_not(defers_now(&it));
    cr_assert_eq(scenario_info(it.optimizer, 0, 0).acted, LENGTH);
    set_rule(it.optimizer, it.group, &some);
    it.r = scenario_info(it.optimizer, 0, 0).residual;
    cr_assert_not_null(it.r);
    cr_assert_eq(scenario_info(it.optimizer, 0, 0).acted, LENGTH, "of the step before");
    for (size_t i = 0; i < LENGTH; i++)
        it.g[i] = 0.5f;
    cr_assert_eq(step(it.optimizer, NULL).acted, 0);
    set_rule(it.optimizer, it.group, &none);
    cr_assert_eq(it.r[LENGTH - 1], 0.5f, "until the next step");
    for (size_t i = 0; i < LENGTH; i++)
        it.p[i] = 0;
    it.g[7] = 0;
    cr_assert_eq(step(it.optimizer, NULL).acted, LENGTH);
    cr_assert(it.p[7] == -0.5f && it.p[8] == -1 && it.r[7] == 0 && it.r[8] == 0);
    cr_assert_not(defers_now(&it), "what was released is released once");
    single_destroy(&it);
}

/* ---- resuming ---- */

static model save(glissade_optimizer *optimizer, uint32_t group, const model *it) {
    model saved;
    model_copy(&saved, it);
    for (uint32_t i = 0; i < it->count; i++) {
        const glissade_tensor_info info = scenario_info(optimizer, group, i);
        if (info.length) {
            memcpy(saved.m[i], info.momentum, info.length * sizeof(float));
            memcpy(saved.r[i], info.residual, info.length * sizeof(float));
        }
        saved.t[i] = info.steps;
        saved.k[i] = info.momentum_updates;
        saved.rms[i] = info.gradient_rms;
    }
    return saved;
}

static void train(glissade_optimizer *optimizer, model *it, uint64_t from, uint64_t to) {
    for (uint64_t s = from; s < to; s++) {
        model_fill_gradients(it, s);
        scenario_step(optimizer);
    }
}

/* Into arrays of the caller's that are handed over, or of the library's that are written. */
static void resume(const glissade_sgd_options *rule, glissade_engine *engine, model *saved, bool own) {
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    saved->own_momentum = own;
    if (own)
        model_own_residual(saved);
    const uint32_t group = scenario_add(optimizer, saved, rule);
    for (uint32_t i = 0; i < saved->count; i++) {
        const glissade_tensor_ref ref = {group, i};
        const glissade_tensor_info info = scenario_info(optimizer, group, i);
        if (!own && info.length) {
            memcpy(info.momentum, saved->m[i], info.length * sizeof(float));
            memcpy(info.residual, saved->r[i], info.length * sizeof(float));
        }
        cr_assert_eq(glissade_optimizer_set_counts(optimizer, ref, saved->t[i], saved->k[i]),
                     GLISSADE_STATUS_OK);
        cr_assert_eq(glissade_optimizer_set_gradient_rms(optimizer, ref, saved->rms[i]), GLISSADE_STATUS_OK);
    }
    train(optimizer, saved, 5, 10);
    glissade_optimizer_destroy(&optimizer);
}

Test(deferral, a_resumed_run_goes_on_to_the_bit) {
    glissade_sgd_options rule = deferring(0.9, 0.6, GLISSADE_DEFER_UNIT_GRADIENT_RMS);
    rule.debias = true;
    glissade_engine *engine = scenario_engine(3);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    model it;
    model_create_usual(&it, false);
    const uint32_t group = scenario_add(optimizer, &it, &rule);
    train(optimizer, &it, 0, 5);
    model handed = save(optimizer, group, &it), written = save(optimizer, group, &it);
    train(optimizer, &it, 5, 10);
    resume(&rule, engine, &handed, true);
    resume(&rule, engine, &written, false);
    const char *difference = model_difference(&it, &handed);
    cr_assert_null(difference, "%s", difference);
    difference = model_difference(&it, &written);
    cr_assert_null(difference, "%s", difference);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&it);
    model_destroy(&handed);
    model_destroy(&written);
}
