/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferral refused: thresholds, units, combinations, mean squares, residuals that lie where they must not. And what
 * must not be refused: structs of the sizes that were published before there was deferral. Group 0 of the subject has
 * no residuals, group 1 has.
 */
#include "misuse.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

static float room[4096];

MISUSE_SUITE(misuse_deferral);

#define OK(call)                                                                                             \
    cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_optimizer_message(it.optimizer))

static glissade_status add(const glissade_tensor *tensors, size_t count, const glissade_sgd_options *rule) {
    uint32_t group = 4711;
    return glissade_optimizer_add_sgd(it.optimizer, tensors, count, rule, &group);
}

static glissade_tensor tensor(void *parameter, void *residual, size_t length) {
    return (glissade_tensor){
        .size = sizeof(glissade_tensor), .parameter = parameter, .length = length, .residual = residual};
}

/* Refused when a group is added and when its hyperparameters are set. */
static void refuse(const glissade_sgd_options *rule, glissade_status expected, const char *names) {
    const glissade_tensor one = tensor(room, NULL, 4);
    SUBJECT_REFUSED(&it, add(&one, 1, rule), expected, names);
    SUBJECT_REFUSED(&it, glissade_optimizer_set_sgd(it.optimizer, 0, rule), expected, names);
    SUBJECT_REFUSED(&it, glissade_optimizer_set_sgd(it.optimizer, 1, rule), expected, names);
}

/* ---- values ---- */

Test(misuse_deferral, thresholds_out_of_range) {
    const double bad[] = {NAN,
                          INFINITY,
                          -INFINITY,
                          -1,
                          -DBL_TRUE_MIN,
                          DBL_TRUE_MIN,
                          nextafter((double)FLT_MIN, 0),
                          nextafter((double)FLT_MAX, INFINITY),
                          DBL_MAX};
    const double good[] = {0, -0.0, FLT_MIN, 1, FLT_MAX};
    for (glissade_defer_unit unit = 0; unit <= GLISSADE_DEFER_UNIT_GRADIENT_RMS; unit++) {
        glissade_sgd_options rule = it.first_rule;
        rule.defer_unit = unit;
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
            rule.defer_threshold = bad[i];
            refuse(&rule, GLISSADE_STATUS_INVALID_HYPERPARAMETER, "defer_threshold is ");
        }
        for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
            uint32_t group;
            const glissade_tensor one = tensor(room, NULL, 4);
            rule.defer_threshold = good[i];
            OK(glissade_optimizer_add_sgd(it.optimizer, &one, 1, &rule, &group));
            OK(glissade_optimizer_remove_group(it.optimizer, group));
        }
    }
}

Test(misuse_deferral, units_that_are_none) {
    glissade_sgd_options rule = it.first_rule;
    rule.defer_unit = (glissade_defer_unit)2;
    refuse(&rule, GLISSADE_STATUS_INVALID_OPTION, "defer_unit is 2");
    rule.defer_unit = (glissade_defer_unit)-1;
    refuse(&rule, GLISSADE_STATUS_INVALID_OPTION, "defer_unit is -1");
}

Test(misuse_deferral, mean_squares) {
    const glissade_tensor_ref without = {0, 0}, with = {1, 0};
    const double bad[] = {-1, -INFINITY, -DBL_TRUE_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, without, bad[i]), INVALID_OPTION,
                "gradient_rms is -");
        REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, with, bad[i]), INVALID_OPTION,
                "gradient_rms is -");
    }
    REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, without, 1), INVALID_OPTION,
            "never had a residual");
    REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, without, NAN), INVALID_OPTION,
            "never had a residual");
    OK(glissade_optimizer_set_gradient_rms(it.optimizer, without, 0));
    REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, (glissade_tensor_ref){1, 7}, 1), NOT_FOUND,
            "tensor 7");
    REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, (glissade_tensor_ref){2, 0}, 1), NOT_FOUND,
            "group 2");
}

/* ---- an undampened first step ---- */

Test(misuse_deferral, undampened_first_steps) {
    glissade_sgd_options rule = it.first_rule;
    rule.first_step = GLISSADE_FIRST_STEP_UNDAMPENED;
    rule.defer_threshold = 1;
    refuse(&rule, GLISSADE_STATUS_INVALID_COMBINATION, "defer_threshold is 1");
    rule.defer_threshold = 0;
    const glissade_tensor both[] = {tensor(room, NULL, 4), tensor(room + 8, room + 16, 4)};
    REFUSED(add(both, 2, &rule), INVALID_COMBINATION, "residual of tensor 1");
    REFUSED(glissade_optimizer_set_sgd(it.optimizer, 1, &rule), INVALID_COMBINATION,
            "tensor 0 holds a residual");
}

/* One tensor that has not had its releasing step is enough to refuse. */
Test(misuse_deferral, undampened_once_all_is_released) {
    const glissade_tensor both[] = {tensor(room, NULL, 4), tensor(room + 8, NULL, 4)};
    void *gradients[] = {room + 16, NULL};
    glissade_optimizer *own = scenario_optimizer(it.engine);
    glissade_sgd_options rule = it.first_rule, undampened = rule;
    uint32_t group;
    undampened.first_step = GLISSADE_FIRST_STEP_UNDAMPENED;
    rule.defer_threshold = 1;
    cr_assert_eq(glissade_optimizer_add_sgd(own, both, 2, &rule, &group), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_set_gradients(own, group, gradients, 2), GLISSADE_STATUS_OK);
    scenario_step(own);
    rule.defer_threshold = 0;
    cr_assert_eq(glissade_optimizer_set_sgd(own, group, &rule), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_set_sgd(own, group, &undampened), GLISSADE_STATUS_INVALID_COMBINATION);
    cr_assert(strstr(glissade_optimizer_message(own), "tensor 0 holds"));
    scenario_step(own);
    cr_assert_eq(glissade_optimizer_set_sgd(own, group, &undampened), GLISSADE_STATUS_INVALID_COMBINATION);
    cr_assert(strstr(glissade_optimizer_message(own), "tensor 1 holds"));
    gradients[1] = room + 16;
    cr_assert_eq(glissade_optimizer_set_gradients(own, group, gradients, 2), GLISSADE_STATUS_OK);
    scenario_step(own);
    cr_assert_eq(glissade_optimizer_set_sgd(own, group, &undampened), GLISSADE_STATUS_OK);
    scenario_step(own);
    glissade_optimizer_destroy(&own);
}

/* ---- residuals that lie where they must not ---- */

static float *residual_of(uint32_t group) {
    glissade_tensor_info info = {.size = sizeof info};
    OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){group, 0}, &info));
    return info.residual;
}

Test(misuse_deferral, residuals_that_overlap) {
    const glissade_sgd_options *rule = &it.first_rule;
    glissade_tensor one = tensor(room, room + 3, 4);
    REFUSED(add(&one, 1, rule), OVERLAP, "residual of tensor 0");
    one = tensor(room, it.second.p[0] + 1, 4);
    REFUSED(add(&one, 1, rule), OVERLAP, "parameter of tensor 0, group 1");
    one = tensor(room, it.second.m[0] + 1, 4);
    REFUSED(add(&one, 1, rule), OVERLAP, "momentum of tensor 0, group 1");
    one = tensor(residual_of(1) + 5, NULL, 4);
    REFUSED(add(&one, 1, rule), OVERLAP, "residual of tensor 0, group 1");
    one = tensor(room, residual_of(1) + 5, 4);
    REFUSED(add(&one, 1, rule), OVERLAP, "residual of tensor 0, group 1");
    one = tensor(room, room + 8, 4);
    one.momentum = room + 11;
    REFUSED(add(&one, 1, rule), OVERLAP, "overlaps");
    one.momentum = NULL;
    one.gradient = room + 11;
    REFUSED(add(&one, 1, rule), OVERLAP, "its own residual");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, (glissade_tensor_ref){1, 0}, residual_of(1) + 1),
            OVERLAP, "its own residual");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, (glissade_tensor_ref){0, 0}, residual_of(1)),
            OVERLAP, "residual of tensor 0, group 1");
}

/* A gradient over another tensor's residual is found by a step that looks for it. */
Test(misuse_deferral, gradients_over_residuals_of_others) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.check_overlap = true;
    OK(glissade_optimizer_set_gradient(it.optimizer, (glissade_tensor_ref){0, 1}, residual_of(1)));
    cr_assert_eq(glissade_optimizer_step(it.optimizer, &options, NULL), GLISSADE_STATUS_OVERLAP);
    cr_assert(strstr(glissade_optimizer_message(it.optimizer), "residual of tensor 0, group 1"), "%s",
              glissade_optimizer_message(it.optimizer));
    OK(glissade_optimizer_set_gradient(it.optimizer, (glissade_tensor_ref){0, 1}, it.first.g[1]));
}

Test(misuse_deferral, residuals_at_impossible_addresses) {
    glissade_tensor one = tensor(room, (char *)room + 65, 4);
    REFUSED(add(&one, 1, &it.first_rule), MISALIGNED, "residual of tensor 0");
    one.residual = (void *)(UINTPTR_MAX - 3);
    REFUSED(add(&one, 1, &it.first_rule), TOO_LARGE, "tensor 0");
}

/* ---- structs of the sizes before ---- */

enum { MARK = 0xA5 };

static bool is_marked(const void *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (((const unsigned char *)bytes)[i] != MARK)
            return false;
    return true;
}

Test(misuse_deferral, options_of_the_size_before) {
    const size_t size = offsetof(glissade_sgd_options, defer_threshold);
    glissade_sgd_options rule, read;
    cr_assert_eq(size, 56);
    memset(&rule, MARK, sizeof rule);
    glissade_sgd_options_init(&rule, size);
    cr_assert(is_marked((char *)&rule + size, sizeof rule - size));
    memcpy(&rule, &it.first_rule, size);
    rule.size = size;
    OK(glissade_optimizer_set_sgd(it.optimizer, 0, &rule));
    memset(&read, MARK, sizeof read);
    read.size = size;
    OK(glissade_optimizer_get_sgd(it.optimizer, 0, &read));
    cr_assert(is_marked((char *)&read + size, sizeof read - size));
    glissade_sgd_options whole = {.size = sizeof whole};
    OK(glissade_optimizer_get_sgd(it.optimizer, 0, &whole));
    cr_assert(whole.defer_threshold == 0 && whole.defer_unit == GLISSADE_DEFER_UNIT_ABSOLUTE);
}

Test(misuse_deferral, reports_of_the_size_before) {
    glissade_tensor_info info;
    glissade_step_report report;
    const size_t info_size = offsetof(glissade_tensor_info, residual),
                 report_size = offsetof(glissade_step_report, acted);
    uint32_t digest;
    cr_assert(info_size == 56 && report_size == 56);
    memset(&info, MARK, sizeof info);
    info.size = info_size;
    OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){1, 0}, &info));
    cr_assert(info.parameter == it.second.p[0] && info.steps == 2);
    cr_assert(is_marked((char *)&info + info_size, sizeof info - info_size));
    memset(&report, MARK, sizeof report);
    report.size = report_size;
    OK(glissade_optimizer_read(it.optimizer, &digest, &report));
    cr_assert_eq(report.tensors, 14);
    cr_assert(is_marked((char *)&report + report_size, sizeof report - report_size));
}

Test(misuse_deferral, tensors_of_the_size_before) {
    enum { SIZE = offsetof(glissade_tensor, residual) };
    unsigned char bytes[2 * SIZE];
    uint32_t group;
    cr_assert_eq((int)SIZE, 40);
    for (size_t i = 0; i < 2; i++) {
        glissade_tensor one = tensor(room + 8 * i, NULL, 4);
        one.size = SIZE;
        memcpy(bytes + i * SIZE, &one, SIZE);
    }
    glissade_sgd_options rule = it.first_rule;
    rule.defer_threshold = 1;
    OK(glissade_optimizer_add_sgd(it.optimizer, (const glissade_tensor *)(const void *)bytes, 2, &rule,
                                  &group));
    cr_assert_not_null(residual_of(group), "the library's own");
    OK(glissade_optimizer_remove_group(it.optimizer, group));
    glissade_tensor between = tensor(room, NULL, 4);
    between.size = SIZE + 4;
    REFUSED(add(&between, 1, &rule), INVALID_SIZE, "tensors[0].size is 44");
}
