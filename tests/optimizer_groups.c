/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life of groups and tensors: added later, removed, moved, owned by the caller or by the library, saved and
 * resumed; what a step reports; the digest of a read; arrays made by the plan; lines given to the log.
 */
#include "scenario.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#define OK(call)                                                                                             \
    do {                                                                                                     \
        const glissade_status status_ = (call);                                                              \
        cr_assert_eq(status_, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_status_name(status_));           \
    } while (0)

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static glissade_sgd_options rule;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
    optimizer = scenario_optimizer(engine);
    rule = scenario_rule(0.75);
    glissade_engine_destroy(&engine); /* the optimizer keeps it */
    cr_assert_null(engine);
}

static void teardown(void) {
    glissade_optimizer_destroy(&optimizer);
    cr_assert_null(optimizer);
}

TestSuite(optimizer_groups, .init = setup, .fini = teardown, .timeout = 60);

/* A step of the library, and of the reference on twins of the models named. */
static void step_with(model **models, model **twins, size_t count, uint64_t step) {
    for (size_t i = 0; i < count; i++) {
        model_fill_gradients(models[i], step + 10 * i);
        model_fill_gradients(twins[i], step + 10 * i);
        model_reference_step(twins[i], &rule, 1, false, UINT32_MAX);
    }
    OK(glissade_optimizer_step(optimizer, NULL, NULL));
    for (size_t i = 0; i < count; i++) {
        const char *difference = model_difference(models[i], twins[i]);
        cr_assert_null(difference, "model %zu of %zu, step %llu: %s", i, count, (unsigned long long)step,
                       difference);
    }
}

Test(optimizer_groups, come_and_go) {
    model models[3], twins[3];
    model *listed[3] = {&models[0], &models[1]}, *expected[3] = {&twins[0], &twins[1]};
    for (int i = 0; i < 3; i++) {
        model_create_usual(&models[i], i == 1);
        model_copy(&twins[i], &models[i]);
    }
    cr_assert_eq(scenario_add(optimizer, &models[0], &rule), 0);
    step_with(listed, expected, 1, 0);
    cr_assert_eq(scenario_add(optimizer, &models[1], &rule), 1);
    step_with(listed, expected, 2, 1);
    cr_assert_eq(scenario_add(optimizer, &models[2], &rule), 2);
    OK(glissade_optimizer_remove_group(optimizer, 1));
    listed[1] = &models[2];
    expected[1] = &twins[2];
    step_with(listed, expected, 2, 2);
    cr_assert_null(model_difference(&models[1], &twins[1]), "a removed group was stepped");
    for (size_t i = 0; i < twins[1].count; i++)
        cr_assert_eq(memcmp(models[1].m[i], twins[1].m[i], twins[1].length[i] * sizeof(float)), 0,
                     "removing a group changed the caller's momentum");

    /* The arrays may come back, as a group with a new number and counts from zero. */
    memset(twins[1].k, 0, sizeof twins[1].k);
    cr_assert_eq(scenario_add(optimizer, &models[1], &rule), 3);
    listed[2] = &models[1];
    expected[2] = &twins[1];
    step_with(listed, expected, 3, 3);
    for (uint32_t i = 0; i < 4; i++)
        cr_assert_eq(glissade_optimizer_remove_group(optimizer, i),
                     i == 1 ? GLISSADE_STATUS_NOT_FOUND : GLISSADE_STATUS_OK);
    glissade_step_report report = {.size = sizeof report};
    OK(glissade_optimizer_step(optimizer, NULL, &report));
    cr_assert_eq(report.tensors, 0);
    for (int i = 0; i < 3; i++) {
        model_destroy(&models[i]);
        model_destroy(&twins[i]);
    }
}

/* A parameter moves, also onto part of where it was; its gradient and its state stay. */
Test(optimizer_groups, moved_parameter) {
    model models[1], twins[1];
    model *listed[] = {models}, *expected[] = {twins};
    model_create_usual(models, false);
    model_copy(twins, models);
    float *room = malloc((models->length[0] + 1000) * sizeof *room), *before = models->p[0];
    const uint32_t group = scenario_add(optimizer, models, &rule);
    const glissade_tensor_ref ref = {group, 0};
    step_with(listed, expected, 1, 0);
    const size_t shifts[] = {1000, 500, 501, 0};
    for (uint64_t i = 0; i < 4; i++) {
        memmove(room + shifts[i], models->p[0], models->length[0] * sizeof *room);
        models->p[0] = room + shifts[i];
        OK(glissade_optimizer_set_parameter(optimizer, ref, models->p[0]));
        step_with(listed, expected, 1, i + 1);
    }
    cr_assert_null(scenario_state_difference(optimizer, group, twins));
    for (size_t i = 0; i < models->length[0]; i++)
        before[i] = 7; /* nothing reads the old place any more */
    step_with(listed, expected, 1, 6);
    cr_assert_eq(before[5], 7);
    glissade_optimizer_destroy(&optimizer);
    free(room);
    model_destroy(models);
    model_destroy(twins);
}

Test(optimizer_groups, state_of_the_caller_or_of_the_library) {
    model own, theirs;
    model_create_usual(&own, true);
    model_create_usual(&theirs, false);
    for (size_t i = 0; i < own.count; i++)
        memset(own.m[i], 0xFF, own.length[i] * sizeof(float)); /* the first update overwrites it unread */
    const uint32_t group = scenario_add(optimizer, &own, &rule);
    const uint32_t other = scenario_add(optimizer, &theirs, &rule);
    for (uint64_t step = 0; step < 3; step++) {
        model_fill_gradients(&own, step);
        model_fill_gradients(&theirs, step);
        OK(glissade_optimizer_step(optimizer, NULL, NULL));
    }
    const char *difference = model_difference(&own, &theirs);
    cr_assert_null(difference, "%s", difference);
    for (uint32_t i = 0; i < own.count; i++) {
        glissade_tensor_info mine = {.size = sizeof mine}, library = {.size = sizeof library};
        OK(glissade_optimizer_get_tensor(optimizer, (glissade_tensor_ref){group, i}, &mine));
        OK(glissade_optimizer_get_tensor(optimizer, (glissade_tensor_ref){other, i}, &library));
        cr_assert_eq(mine.momentum, own.m[i]);
        cr_assert_eq(mine.parameter, own.p[i]);
        cr_assert_eq(mine.gradient, own.g[i]);
        cr_assert_eq(mine.length, own.length[i]);
        cr_assert(mine.steps == 3 && mine.momentum_updates == 3);
        cr_assert_neq(library.momentum, theirs.m[i]);
        if (own.length[i])
            cr_assert_eq(memcmp(mine.momentum, library.momentum, own.length[i] * sizeof(float)), 0);
    }
    model_destroy(&own);
    model_destroy(&theirs);
}

/* Saves parameters, momentum and counts after three steps and goes on from there in another optimizer. */
Test(optimizer_groups, resuming_gives_the_same_bits) {
    model straight, resumed;
    rule.debias = rule.nesterov = true;
    model_create_usual(&straight, false);
    const uint32_t group = scenario_add(optimizer, &straight, &rule);
    for (uint64_t step = 0; step < 3; step++) {
        model_fill_gradients(&straight, step);
        scenario_step(optimizer);
    }
    glissade_engine *other_engine = scenario_engine(3);
    glissade_optimizer *other = scenario_optimizer(other_engine);
    model_copy(&resumed, &straight);
    const uint32_t other_group = scenario_add(other, &resumed, &rule);
    for (uint32_t i = 0; i < straight.count; i++) {
        glissade_tensor_info from = {.size = sizeof from}, to = {.size = sizeof to};
        OK(glissade_optimizer_get_tensor(optimizer, (glissade_tensor_ref){group, i}, &from));
        OK(glissade_optimizer_get_tensor(other, (glissade_tensor_ref){other_group, i}, &to));
        if (from.length)
            memcpy(to.momentum, from.momentum, from.length * sizeof(float));
        OK(glissade_optimizer_set_counts(other, (glissade_tensor_ref){other_group, i}, from.steps,
                                         from.momentum_updates));
    }
    for (uint64_t step = 3; step < 6; step++) {
        model_fill_gradients(&straight, step);
        model_fill_gradients(&resumed, step);
        scenario_step(optimizer);
        scenario_step(other);
    }
    const char *difference = model_difference(&straight, &resumed);
    cr_assert_null(difference, "%s", difference);
    glissade_optimizer_destroy(&other);
    glissade_engine_destroy(&other_engine);
    model_destroy(&straight);
    model_destroy(&resumed);
}

/* ---- reports ---- */

Test(optimizer_groups, a_step_of_nothing) {
    glissade_step_report report = {.size = sizeof report, .tensors = 9, .passes = 9, .bytes = 9};
    OK(glissade_optimizer_step(optimizer, NULL, &report));
    cr_assert(!report.tensors && !report.elements && !report.bytes && !report.passes);

    model it;
    model_create_usual(&it, false);
    const uint32_t group = scenario_add(optimizer, &it, &rule);
    const uint64_t before = model_hash(&it);
    const glissade_tensor_ref unread = {group, 0};
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.tensors = &unread; /* with tensor_count 0: a step of nothing */
    OK(glissade_optimizer_step(optimizer, &options, &report));
    cr_assert(!report.tensors && !report.passes);
    for (uint32_t i = 0; i < it.count; i++)
        OK(glissade_optimizer_set_gradient(optimizer, (glissade_tensor_ref){group, i}, NULL));
    OK(glissade_optimizer_step(optimizer, NULL, &report));
    cr_assert(!report.tensors && !report.passes && !report.bytes);
    OK(glissade_optimizer_zero_gradients(optimizer));
    cr_assert_eq(model_hash(&it), before);
    const char *difference = scenario_state_difference(optimizer, group, &it);
    cr_assert_null(difference, "%s", difference);

    /* Tensor 2 is empty: it takes a step, of no elements. */
    OK(glissade_optimizer_set_gradient(optimizer, (glissade_tensor_ref){group, 2}, it.g[2]));
    OK(glissade_optimizer_step(optimizer, NULL, &report));
    cr_assert(report.tensors == 1 && !report.elements && !report.bytes && !report.passes);
    model_destroy(&it);
}

static glissade_step_report step_report(bool zero) {
    glissade_step_report report = {.size = sizeof report};
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.zero_gradients = zero;
    OK(glissade_optimizer_step(optimizer, &options, &report));
    return report;
}

Test(optimizer_groups, a_step_reports_what_it_did) {
    model it;
    model_create_usual(&it, false);
    rule = scenario_rule(0);
    const uint32_t group = scenario_add(optimizer, &it, &rule);
    uint64_t elements = 0;
    for (size_t i = 0; i < it.count; i++)
        elements += it.length[i];
    glissade_step_report report = step_report(false);
    cr_assert(report.tensors == it.count && report.elements == elements && report.passes == 1);
    cr_assert_eq(report.bytes, 12 * elements);
    cr_assert_eq(step_report(true).bytes, 16 * elements);
    cr_assert(report.planned == 2 && report.threads >= 1 && report.threads <= 2);
    cr_assert_eq(report.streams, 1, "this model is too small to be walked");
    rule = scenario_rule(0.9);
    OK(glissade_optimizer_set_sgd(optimizer, group, &rule));
    cr_assert_eq(step_report(false).bytes, 16 * elements);
    cr_assert_eq(step_report(false).bytes, 20 * elements);
    cr_assert_eq(step_report(true).bytes, 24 * elements);

    const glissade_tensor_ref small[] = {{group, 1}, {group, 4}};
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.tensors = small;
    options.tensor_count = 2;
    OK(glissade_optimizer_step(optimizer, &options, &report));
    cr_assert(report.tensors == 2 && report.elements == 301);
    cr_assert(report.planned == 1 && report.threads == 1 && !report.pinned, "small work needs no team");
    OK(glissade_optimizer_step(optimizer, &options, NULL));
    model_destroy(&it);
}

/* Whether a step needs the team follows from the gradients that are present now, however that came about. */
Test(optimizer_groups, the_team_works_for_what_is_present) {
    model it;
    void *none[MODEL_TENSORS] = {NULL};
    model_create_usual(&it, false);
    const uint32_t group = scenario_add(optimizer, &it, &rule);
    const glissade_tensor_ref big = {group, 0}, other = {group, 3}, small = {group, 1};
    OK(glissade_optimizer_set_gradients(optimizer, group, none, it.count));
    cr_assert_eq(step_report(false).planned, 1);
    for (int round = 0; round < 3; round++) {
        OK(glissade_optimizer_set_gradient(optimizer, small, it.g[1]));
        OK(glissade_optimizer_set_gradient(optimizer, small, it.g[1]));
        cr_assert_eq(step_report(false).planned, 1, "300 elements");
        OK(glissade_optimizer_set_gradient(optimizer, big, it.g[0]));
        cr_assert_eq(step_report(false).planned, 2, "40,301 elements");
        OK(glissade_optimizer_set_gradient(optimizer, big, NULL));
        OK(glissade_optimizer_set_gradient(optimizer, big, NULL));
        cr_assert_eq(step_report(false).planned, 1, "300 elements again");
        cr_assert_eq(glissade_optimizer_set_gradient(optimizer, big, it.p[0]), GLISSADE_STATUS_OVERLAP);
        none[0] = it.g[0];
        none[6] = it.p[6]; /* refused after six that were good */
        cr_assert_eq(glissade_optimizer_set_gradients(optimizer, group, none, it.count),
                     GLISSADE_STATUS_OVERLAP);
        cr_assert_eq(step_report(false).planned, 1, "gradients that were refused");
        none[0] = none[6] = NULL;
        OK(glissade_optimizer_set_gradients(optimizer, group, (void *const *)it.g, it.count));
        cr_assert_eq(step_report(false).planned, 2, "all");
        OK(glissade_optimizer_set_gradients(optimizer, group, none, it.count));
        OK(glissade_optimizer_set_gradient(optimizer, other, it.g[3]));
        cr_assert_eq(step_report(false).planned, 2, "33,000 elements");
        OK(glissade_optimizer_set_gradient(optimizer, other, NULL));
    }
    model_destroy(&it);
}

/* ---- reading ---- */

static uint32_t fold(uint32_t digest, const float *values, size_t length) {
    for (size_t i = 0; i < length; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        digest ^= bits;
    }
    return digest;
}

Test(optimizer_groups, a_read_digests_every_array) {
    model it;
    model_create_usual(&it, true);
    const uint32_t group = scenario_add(optimizer, &it, &rule);
    model_fill_gradients(&it, 0);
    scenario_step(optimizer);
    OK(glissade_optimizer_set_gradient(optimizer, (glissade_tensor_ref){group, 3}, NULL));
    uint32_t expected = 0, digest = 0;
    uint64_t floats = 0;
    for (size_t i = 0; i < it.count; i++) {
        expected = fold(fold(expected, it.p[i], it.length[i]), it.m[i], it.length[i]);
        expected = i == 3 ? expected : fold(expected, it.g[i], it.length[i]);
        floats += it.length[i] * (i == 3 ? 2 : 3);
    }
    const uint64_t before = model_hash(&it);
    glissade_step_report report = {.size = sizeof report};
    OK(glissade_optimizer_read(optimizer, &digest, &report));
    cr_assert_eq(digest, expected);
    cr_assert_eq(report.bytes, floats * sizeof(float));
    cr_assert(report.tensors == it.count && report.passes == 1 && report.planned == 2);
    cr_assert_eq(model_hash(&it), before);
    uint32_t *bits = (uint32_t *)(void *)&it.m[5][998];
    *bits ^= 0x00010000;
    OK(glissade_optimizer_read(optimizer, &digest, NULL));
    cr_assert_eq(digest, expected ^ 0x00010000u, "one bit of the last element of tensor 5's momentum");
    model_destroy(&it);
}

/* ---- arrays ---- */

Test(optimizer_groups, arrays_by_the_plan) {
    model twin;
    model_create_usual(&twin, false);
    glissade_arrays *parameters, *gradients;
    glissade_error error;
    OK(glissade_arrays_create(optimizer, twin.length, twin.count, &parameters, &error));
    cr_assert(error.status == GLISSADE_STATUS_OK && error.message[0] == '\0');
    OK(glissade_arrays_create(optimizer, twin.length, twin.count, &gradients, NULL));
    model placed = twin;
    for (size_t i = 0; i < twin.count; i++) {
        placed.p[i] = glissade_arrays_get(parameters, i);
        placed.g[i] = glissade_arrays_get(gradients, i);
        cr_assert(placed.p[i] && placed.g[i]);
        cr_assert_eq((uintptr_t)placed.p[i] % 64, 0);
        cr_assert_eq((uintptr_t)placed.g[i] % 64, 0);
        for (size_t j = 0; j < twin.length[i]; j++)
            cr_assert(fold(0, &placed.p[i][j], 1) == 0 && fold(0, &placed.g[i][j], 1) == 0);
        memcpy(placed.p[i], twin.p[i], twin.length[i] * sizeof(float));
    }
    cr_assert_null(glissade_arrays_get(parameters, twin.count));
    cr_assert_null(glissade_arrays_get(NULL, 0));
    scenario_add(optimizer, &placed, &rule); /* which checks that nothing overlaps */
    model *listed[] = {&placed}, *expected[] = {&twin};
    for (uint64_t step = 0; step < 3; step++)
        step_with(listed, expected, 1, step);
    glissade_optimizer_destroy(&optimizer);
    const char *difference = model_difference(&placed, &twin);
    cr_assert_null(difference, "after the optimizer: %s", difference);
    glissade_arrays_destroy(&parameters);
    glissade_arrays_destroy(&gradients);
    cr_assert(!parameters && !gradients);
    glissade_arrays_destroy(&parameters);
    glissade_arrays_destroy(NULL);
    model_destroy(&twin);
}

Test(optimizer_groups, arrays_of_nothing) {
    const size_t lengths[] = {0, 0};
    glissade_arrays *arrays;
    OK(glissade_arrays_create(optimizer, lengths, 2, &arrays, NULL));
    glissade_arrays_destroy(&arrays);
}
