/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of the adaptive family against goldens/rules.*: a hundred steps beside PyTorch in float32 and beside their
 * formulas in float64, with floats and with doubles, each case a test; and what their options have in common. The
 * list of rules is rules.def.
 *
 * Errors are measured in ulps of the largest parameter or update of their element so far, and rules_replay.c says how
 * many are allowed and why. With --verbose=1 and without --tap each case says what it measures; tests/rules_table
 * makes a table of it.
 */
#include "rules_replay.h"
#include "scenario.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- goldens ---- */

/* Distances in ulps of reach; a NaN is as far away as can be. */
static double distance(double a, double b, double reach) {
    const double ulps = fabs(a - b) / rules_ulp(reach);
    return ulps >= 0 ? ulps : INFINITY;
}

static const char *record_name(size_t record) {
    return record < RULES_SNAPSHOTS ? "parameter" : "average";
}

/* Fails at the first element beyond `allowed`, or beyond that and how far `expected` is from float64 itself. */
static double compare(const rules_case *golden, const rules_replay *got, size_t record,
                      double (*expected)[RULES_TOTAL], double allowed) {
    double worst = 0;
    for (size_t i = 0; i < RULES_TOTAL; i++) {
        const double reach = got->reach[record][i],
                     own = distance(expected[record][i], golden->reference[record][i], reach),
                     off = distance(got->values[record][i], expected[record][i], reach);
        cr_assert(off <= allowed + own,
                  "%s: %s %zu after step %u is %a, not %a: %.2f ulp of %a, allowed %.2f and %.2f",
                  golden->name, record_name(record), i, rules_snapshot_steps[record], got->values[record][i],
                  expected[record][i], off, reach, allowed, own);
        worst = fmax(worst, off);
    }
    return worst;
}

/* Without readable goldens one test runs and fails: none at all would pass. */
static struct criterion_test_params golden_parameters(void) {
    const int count = rules_read(-1, NULL), most = count < 1 ? 1 : count;
    int *indices = cr_malloc(sizeof(int) * (size_t)most);
    for (int i = 0; i < most; i++)
        indices[i] = i;
    return cr_make_param_array(int, indices, (size_t)most, NULL);
}

static void read_case(int index, rules_case *golden) {
    cr_assert(rules_read(index, golden) > index, "golden %d cannot be read from %s", index, GOLDENS_DIR);
}

ParameterizedTestParameters(rules, floats) {
    return golden_parameters();
}

ParameterizedTest(int *index, rules, floats) {
    static rules_case golden;
    static rules_replay got;
    double worst = 0, worst_torch = 0;
    read_case(*index, &golden);
    const char *problem = rules_run(&golden, false, &got);
    cr_assert_null(problem, "%s: %s", golden.name, problem);
    for (size_t record = 0; record < RULES_RECORDS && rules_has_record(&got, record); record++) {
        const double allowed = rules_bound(rules_snapshot_steps[record]);
        worst = fmax(worst, compare(&golden, &got, record, golden.reference, allowed));
        if (golden.from_torch)
            worst_torch = fmax(worst_torch, compare(&golden, &got, record, golden.torch, allowed));
    }
    cr_log_info("%s: %.2f ulp from float64, %.2f from PyTorch", golden.name, worst, worst_torch);
}

ParameterizedTestParameters(rules, doubles) {
    return golden_parameters();
}

/* 1e-12 of reach are 9,000 roundings of a double, a hundred steps of 24 that all go the same way 2,400. */
ParameterizedTest(int *index, rules, doubles) {
    static rules_case golden;
    static rules_replay got;
    double worst = 0;
    read_case(*index, &golden);
    const char *problem = rules_run(&golden, true, &got);
    cr_assert_null(problem, "%s: %s", golden.name, problem);
    for (size_t record = 0; record < RULES_RECORDS && rules_has_record(&got, record); record++)
        for (size_t i = 0; i < RULES_TOTAL; i++) {
            const double expected = golden.reference[record][i], value = got.values[record][i],
                         off = fabs(value - expected) / fmax(got.reach[record][i], 0x1p-126);
            cr_assert(off <= 1e-12, "%s: %s %zu after step %u is %a, not %a: off by %g of %a", golden.name,
                      record_name(record), i, rules_snapshot_steps[record], value, expected, off,
                      got.reach[record][i]);
            worst = fmax(worst, off);
        }
    cr_log_info("%s: %.1e of the largest parameter or update", golden.name, worst);
}

/* ---- options ---- */

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static float parameters[64], gradients[64];

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(1);
    optimizer = scenario_optimizer(engine);
}

static void teardown(void) {
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
}

TestSuite(rules_options, .init = setup, .fini = teardown, .timeout = 60);

static const char *message(void) {
    return glissade_optimizer_message(optimizer);
}

#define OK(call) cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, message())

/* Each group has a float of its own. */
static uint32_t add(const rule *it, size_t place, const void *options) {
    glissade_tensor tensor;
    uint32_t group;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = parameters + place;
    tensor.gradient = gradients + place;
    tensor.length = 1;
    OK(it->add(optimizer, &tensor, 1, options, &group));
    return group;
}

static void assert_same(const rule *it, const void *a, const void *b, const char *what) {
    for (const rule_field *field = it->fields(); field->name; field++)
        cr_assert(rule_read(field, a) == rule_read(field, b), "%s: %s of %s is %g, not %g", what, field->name,
                  it->name, rule_read(field, a), rule_read(field, b));
}

/* The case NAME:default is made with what PyTorch, or the rule's authors, have as defaults. */
Test(rules_options, defaults) {
    static rules_case golden;
    const int count = rules_read(-1, NULL);
    int found = 0;
    for (int i = 0; i < count; i++) {
        read_case(i, &golden);
        const rule *it = rule_find(golden.rule);
        if (!it || !strstr(golden.name, ":default"))
            continue;
        rule_options expected, got;
        rule_defaults(it, &got);
        rule_defaults(it, &expected);
        cr_assert_null(rule_assign(it, &expected, golden.settings[0].values));
        assert_same(it, &got, &expected, "the defaults");
        found++;
    }
    cr_assert_eq(found, (int)rules_count(), "%d rules have a default case", found);
}

/* Twice a double above 1 (rprop's growth is never less), half of another that is not 0, or 1/64; another number. */
static void change_all(const rule *it, rule_options *options) {
    for (const rule_field *field = it->fields(); field->name; field++) {
        const double value = rule_read(field, options);
        if (field->type == RULE_DOUBLE)
            rule_write(field, options, value > 1 ? value * 2 : value != 0 ? value / 2 : 0x1p-6);
        else if (field->type == RULE_COUNT)
            rule_write(field, options, value + 7);
    }
}

static void assert_reads(const rule *it, uint32_t group, const void *expected, const char *what) {
    rule_options got = {.size = it->size};
    OK(it->get(optimizer, group, &got));
    cr_assert_eq(got.size, it->size);
    assert_same(it, &got, expected, what);
}

Test(rules_options, are_read_back) {
    for (size_t i = 0; i < rules_count(); i++) {
        const rule *it = &rules_list[i];
        rule_options options;
        rule_defaults(it, &options);
        const uint32_t group = add(it, i, &options);
        assert_reads(it, group, &options, "added");
        change_all(it, &options);
        OK(it->set(optimizer, group, &options));
        assert_reads(it, group, &options, "set");
        OK(glissade_optimizer_set_learning_rate(optimizer, group, 0.125));
        rule_write(rule_find_field(it, "learning_rate"), &options, 0.125);
        assert_reads(it, group, &options, "the rate set");
    }
}

static void refuse(const rule *it, uint32_t group, const rule_options *changed, const rule_options *kept,
                   glissade_status expected, const char *names) {
    const glissade_status status = it->set(optimizer, group, changed);
    cr_assert_eq(status, expected, "%s: %s of %s: %s", it->name, names, it->name,
                 glissade_status_name(status));
    cr_assert(strstr(message(), names), "%s: the message \"%s\" does not name %s", it->name, message(),
              names);
    assert_reads(it, group, kept, "refused");
}

Test(rules_options, values_that_cannot_be) {
    static const double values[] = {NAN, INFINITY, -INFINITY, 1e39, -1e39};
    for (size_t i = 0; i < rules_count(); i++) {
        const rule *it = &rules_list[i];
        rule_options options, changed;
        rule_defaults(it, &options);
        const uint32_t group = add(it, i, &options);
        for (const rule_field *field = it->fields(); field->name; field++)
            for (size_t v = 0; field->type == RULE_DOUBLE && v < sizeof values / sizeof *values; v++) {
                changed = options;
                rule_write(field, &changed, values[v]);
                refuse(it, group, &changed, &options, GLISSADE_STATUS_INVALID_HYPERPARAMETER, field->name);
            }
        changed = options;
        rule_write(rule_find_field(it, "decay"), &changed, 2);
        refuse(it, group, &changed, &options, GLISSADE_STATUS_INVALID_OPTION, "decay is 2");
    }
}

Test(rules_options, structs_of_unfit_size) {
    for (size_t i = 0; i < rules_count(); i++) {
        const rule *it = &rules_list[i];
        rule_options options, changed;
        rule_defaults(it, &options);
        const uint32_t group = add(it, i, &options);
        const size_t sizes[] = {0, 1, sizeof(size_t), it->size - 1, 4097, SIZE_MAX};
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            changed = options;
            changed.size = sizes[s];
            refuse(it, group, &changed, &options, GLISSADE_STATUS_INVALID_SIZE, it->name);
        }
        memset(&changed, 0, sizeof changed);
        it->init(&changed, sizeof changed);
        OK(it->set(optimizer, group, &changed));
        changed.bytes[sizeof changed - 1] = 1;
        refuse(it, group, &changed, &options, GLISSADE_STATUS_INVALID_SIZE, it->name);
        cr_assert_eq(it->set(optimizer, group, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
        cr_assert_eq(it->get(optimizer, group, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
        assert_reads(it, group, &options, "refused NULL");
    }
}

Test(rules_options, groups_of_another_rule) {
    uint32_t groups[64];
    const size_t count = rules_count();
    for (size_t i = 0; i <= count; i++) {
        const rule *it = i < count ? &rules_list[i] : &rule_sgd;
        rule_options options;
        rule_defaults(it, &options);
        groups[i] = add(it, i, &options);
    }
    for (size_t i = 0; i <= count; i++) {
        const rule *it = i < count ? &rules_list[i] : &rule_sgd;
        const size_t other = (i + 1) % (count + 1);
        const rule *is = other < count ? &rules_list[other] : &rule_sgd;
        rule_options options;
        rule_defaults(it, &options);
        cr_assert_eq(it->set(optimizer, groups[other], &options), GLISSADE_STATUS_NOT_FOUND);
        cr_assert(strstr(message(), is->name), "\"%s\" does not name %s", message(), is->name);
        cr_assert_eq(it->get(optimizer, groups[other], &options), GLISSADE_STATUS_NOT_FOUND);
        cr_assert_eq(it->set(optimizer, UINT32_MAX, &options), GLISSADE_STATUS_NOT_FOUND);
    }
}
