/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers that are refused: hyperparameters, their combinations, enumerators, counts, gradient scales, and
 * lists of tensors to step. Each gets its status and a message that names it, and changes nothing.
 */
#include "misuse.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static float room[16];

MISUSE_SUITE(misuse_values);

#define OK(call) cr_assert_eq(call, GLISSADE_STATUS_OK, "%s", #call)

static glissade_status add(const glissade_sgd_options *rule) {
    const glissade_tensor one = {.size = sizeof one, .parameter = room, .length = 4};
    uint32_t group;
    const glissade_status status = glissade_optimizer_add_sgd(it.optimizer, &one, 1, rule, &group);
    if (!status)
        OK(glissade_optimizer_remove_group(it.optimizer, group));
    return status;
}

/* Refused when a group is added and when its hyperparameters are set. */
static void refuse(const glissade_sgd_options *rule, glissade_status expected, const char *names) {
    SUBJECT_REFUSED(&it, add(rule), expected, names);
    SUBJECT_REFUSED(&it, glissade_optimizer_set_sgd(it.optimizer, 0, rule), expected, names);
    SUBJECT_REFUSED(&it, glissade_optimizer_set_sgd(it.optimizer, 1, rule), expected, names);
}

static double *field(glissade_sgd_options *rule, size_t offset) {
    return (double *)(void *)((char *)rule + offset);
}

Test(misuse_values, hyperparameters_out_of_range) {
    static const struct {
        const char *name;
        size_t offset;
        double most, above;
    } fields[] = {
        {"learning_rate", offsetof(glissade_sgd_options, learning_rate), (double)FLT_MAX, 0x1p128},
        {"momentum", offsetof(glissade_sgd_options, momentum), 1 - DBL_EPSILON / 2, 1},
        {"dampening", offsetof(glissade_sgd_options, dampening), 1, 1 + DBL_EPSILON},
        {"weight_decay", offsetof(glissade_sgd_options, weight_decay), (double)FLT_MAX, 0x1p128},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const double bad[] = {NAN,    -NAN,          INFINITY,        -INFINITY,
                              -1,     -DBL_TRUE_MIN, fields[i].above, nextafter(fields[i].most, 1e300),
                              DBL_MAX};
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++) {
            glissade_sgd_options rule = scenario_rule(0.5);
            *field(&rule, fields[i].offset) = bad[j];
            refuse(&rule, GLISSADE_STATUS_INVALID_HYPERPARAMETER, fields[i].name);
        }
        const double good[] = {0, -0.0, DBL_TRUE_MIN, 0.5, fields[i].most};
        for (size_t j = 0; j < sizeof good / sizeof *good; j++) {
            glissade_sgd_options rule = scenario_rule(0);
            *field(&rule, fields[i].offset) = good[j];
            cr_assert_eq(add(&rule), GLISSADE_STATUS_OK, "%s = %g: %s", fields[i].name, good[j],
                         glissade_optimizer_message(it.optimizer));
        }
    }
}

Test(misuse_values, learning_rates_out_of_range) {
    static const double bad[] = {-1, -DBL_TRUE_MIN, 0x1p128, DBL_MAX, INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        REFUSED(glissade_optimizer_set_learning_rate(it.optimizer, 1, bad[i]), INVALID_HYPERPARAMETER,
                "learning_rate is");
    OK(glissade_optimizer_set_learning_rate(it.optimizer, 1, (double)FLT_MAX));
    OK(glissade_optimizer_set_learning_rate(it.optimizer, 1, 0));
    OK(glissade_optimizer_set_learning_rate(it.optimizer, 1, it.second_rule.learning_rate));
}

Test(misuse_values, contradictions) {
    glissade_sgd_options rule = scenario_rule(0);
    rule.nesterov = true;
    refuse(&rule, GLISSADE_STATUS_INVALID_COMBINATION, "nesterov");
    rule = scenario_rule(0);
    rule.debias = true;
    refuse(&rule, GLISSADE_STATUS_INVALID_COMBINATION, "debias");
    rule = scenario_rule(0.9);
    rule.debias = true;
    rule.first_step = GLISSADE_FIRST_STEP_UNDAMPENED;
    refuse(&rule, GLISSADE_STATUS_INVALID_COMBINATION, "first_step");
    rule.nesterov = true;
    refuse(&rule, GLISSADE_STATUS_INVALID_COMBINATION, "debias");
    rule.debias = false;
    cr_assert_eq(add(&rule), GLISSADE_STATUS_OK);
}

Test(misuse_values, enumerators_that_are_not) {
    static const int bad[] = {2, -1, 1 << 30};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        glissade_sgd_options rule = scenario_rule(0.5);
        rule.decay = (glissade_decay)bad[i];
        refuse(&rule, GLISSADE_STATUS_INVALID_OPTION, "decay is");
        rule = scenario_rule(0.5);
        rule.first_step = (glissade_first_step)bad[i];
        refuse(&rule, GLISSADE_STATUS_INVALID_OPTION, "first_step is");
    }
}

Test(misuse_values, counts_that_cannot_be) {
    const glissade_tensor_ref ref = {1, 3};
    REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, 5, 6), INVALID_OPTION, "momentum_updates is 6");
    REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, 0, 1), INVALID_OPTION, "momentum_updates is 1");
    REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, 7, UINT64_MAX), INVALID_OPTION,
            "momentum_updates is 18446744073709551615");
    /* Counts that the next step would wrap: 1 - beta^0 is no divisor. */
    REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, UINT64_MAX, UINT64_MAX), INVALID_OPTION,
            "steps is 18446744073709551615");
    REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, (uint64_t)INT64_MAX + 1, 0), INVALID_OPTION,
            "steps is 9223372036854775808");
    OK(glissade_optimizer_set_counts(it.optimizer, ref, INT64_MAX, INT64_MAX));
    OK(glissade_optimizer_set_counts(it.optimizer, ref, 2, 2));

    const glissade_tensor one = {.size = sizeof one, .parameter = room, .length = 4};
    const glissade_sgd_options plain = scenario_rule(0);
    uint32_t group;
    OK(glissade_optimizer_add_sgd(it.optimizer, &one, 1, &plain, &group));
    REFUSED(glissade_optimizer_set_counts(it.optimizer, (glissade_tensor_ref){group, 0}, 5, 1),
            INVALID_OPTION, "without momentum");
    OK(glissade_optimizer_set_counts(it.optimizer, (glissade_tensor_ref){group, 0}, 5, 0));
}

/* ---- steps ---- */

/* A refused step leaves the report alone: it "is written on success only". */
static glissade_status step(const glissade_step_options *options) {
    glissade_step_report report, before;
    memset(&report, 0x5A, sizeof report);
    report.size = sizeof report;
    memcpy(&before, &report, sizeof report);
    const glissade_status status = glissade_optimizer_step(it.optimizer, options, &report);
    if (status)
        cr_assert_eq(memcmp(&report, &before, sizeof report), 0, "a step refused with %s wrote its report",
                     glissade_status_name(status));
    return status;
}

Test(misuse_values, gradient_scales) {
    static const double bad[] = {0,     -0.0,   NAN,   INFINITY, -INFINITY,    1e-300, -1e-300,
                                 1e300, -1e300, 1e-39, 0x1p150,  DBL_TRUE_MIN, DBL_MAX};
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    cr_assert_eq(options.gradient_scale, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        options.gradient_scale = bad[i];
        REFUSED(step(&options), INVALID_OPTION, "gradient_scale is");
    }
    static const double good[] = {-1, 0x1p-127, 0x1p140, 3};
    static const glissade_tensor_ref empty = {0, 2};
    options.tensors = &empty;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        options.gradient_scale = good[i];
        OK(step(&options));
    }
}

Test(misuse_values, lists_of_tensors) {
    static const glissade_tensor_ref twice[] = {{0, 1}, {1, 1}, {0, 3}, {0, 1}};
    static const glissade_tensor_ref at_once[] = {{1, 6}, {1, 6}};
    static const glissade_tensor_ref no_group[] = {{0, 1}, {5, 0}};
    static const glissade_tensor_ref no_tensor[] = {{0, 1}, {1, 7}};
    static const struct {
        const glissade_tensor_ref *tensors;
        size_t count;
        glissade_status status;
        const char *names;
    } lists[] = {
        {twice, 4, GLISSADE_STATUS_DUPLICATE_TENSOR, "tensors[3] is tensor 1 of group 0"},
        {at_once, 2, GLISSADE_STATUS_DUPLICATE_TENSOR, "tensors[1] is tensor 6 of group 1"},
        {no_group, 2, GLISSADE_STATUS_NOT_FOUND, "group 5"},
        {no_tensor, 2, GLISSADE_STATUS_NOT_FOUND, "tensor 7"},
    };
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
            options.tensors = lists[i].tensors;
            options.tensor_count = lists[i].count;
            SUBJECT_REFUSED(&it, step(&options), lists[i].status, lists[i].names);
        }
    /* A tensor of a refused list is not taken for listed by the next. */
    options.tensors = twice;
    options.tensor_count = 3;
    OK(step(&options));
    const uint32_t first = 1u << 1 | 1u << 3, second = 1u << 1;
    model_reference_step(&it.first_twin, &it.first_rule, 1, false, first);
    model_reference_step(&it.second_twin, &it.second_rule, 1, false, second);
    const char *change = subject_change(&it);
    cr_assert_null(change, "%s", change);
}

Test(misuse_values, messages_are_one_line_and_kept) {
    cr_assert_str_eq(glissade_optimizer_message(it.optimizer), "");
    REFUSED(glissade_optimizer_set_learning_rate(it.optimizer, 0, -1.5), INVALID_HYPERPARAMETER, "-1.5");
    cr_assert_null(strchr(glissade_optimizer_message(it.optimizer), '\n'));
    OK(glissade_optimizer_zero_gradients(it.optimizer));
    cr_assert(strstr(glissade_optimizer_message(it.optimizer), "-1.5"),
              "the message of the last failed call stays");
    for (size_t i = 0; i < it.first.count; i++) {
        memset(it.first_twin.g[i], 0, it.first.length[i] * sizeof(float));
        memset(it.second_twin.g[i], 0, it.second.length[i] * sizeof(float));
    }
}
