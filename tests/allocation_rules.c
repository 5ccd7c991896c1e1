/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory, for the adaptive family and number formats: every call that allocates is made with its k-th allocation
 * failing, for every k, must say so, and must leave parameters, state and counts as they were and usable.
 */
#include "alloc.h"

#include "scenario.h"

#include <criterion/criterion.h>

#include <string.h>

enum { MOST = 200, LENGTH = 40000, COLUMNS = 200 };

static size_t counted, failing;

/* Refuses the allocation whose number is `failing`, from 0 on. */
static bool fail_at(size_t bytes) {
    (void)bytes;
    return counted++ != failing;
}

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static uint32_t group;
static float parameter[LENGTH], gradient[LENGTH];
static uint16_t half[LENGTH], half_gradient[LENGTH], copy[LENGTH];

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
    optimizer = scenario_optimizer(engine);
    for (size_t i = 0; i < LENGTH; i++) {
        parameter[i] = scenario_value(1, 0, i);
        gradient[i] = scenario_value(2, 0, i);
        half[i] = (uint16_t)(0x3C00 + i % 512);
        half_gradient[i] = (uint16_t)(0x3900 + i % 700);
    }
}

static void teardown(void) {
    gls_alloc_permit = NULL;
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
}

TestSuite(allocation_rules, .init = setup, .fini = teardown, .timeout = 60);

/* A bf16 parameter with a split master, and a float one with a copy. */
static void describe(glissade_tensor tensors[2], glissade_state_format state) {
    for (int i = 0; i < 2; i++) {
        glissade_tensor_init(&tensors[i], sizeof *tensors);
        tensors[i].length = LENGTH;
        tensors[i].columns = COLUMNS;
        for (int s = 0; s < GLISSADE_STATES; s++)
            tensors[i].state_format[s] = state;
    }
    tensors[0].parameter = half;
    tensors[0].parameter_dtype = tensors[0].gradient_dtype = GLISSADE_DTYPE_BF16;
    tensors[0].master = GLISSADE_MASTER_SPLIT;
    tensors[0].gradient = half_gradient;
    tensors[1].parameter = parameter;
    tensors[1].gradient = gradient;
    tensors[1].copy = copy;
    tensors[1].copy_dtype = GLISSADE_DTYPE_F16;
}

/* Exclusive or of everything that the optimizer holds. */
static uint32_t witness(void) {
    uint32_t digest;
    REQUIRE(!glissade_optimizer_read(optimizer, &digest, NULL), "read");
    return digest;
}

/* Runs `call` with allocation 0, 1, 2, ... failing until none does; how many it makes when all succeed. */
static size_t fail_each(glissade_status (*call)(void), const char *what) {
    for (failing = 0; failing < MOST; failing++) {
        const uint32_t before = witness();
        counted = 0;
        gls_alloc_permit = fail_at;
        const glissade_status status = call();
        gls_alloc_permit = NULL;
        if (counted <= failing) {
            cr_assert_eq(status, GLISSADE_STATUS_OK, "%s: %s", what, glissade_optimizer_message(optimizer));
            return failing;
        }
        cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY, "%s with allocation %zu failing: %s", what,
                     failing, glissade_status_name(status));
        cr_assert(strstr(glissade_optimizer_message(optimizer), "memory"), "\"%s\"",
                  glissade_optimizer_message(optimizer));
        cr_assert_eq(witness(), before, "%s with allocation %zu failing changed something", what, failing);
    }
    cr_assert_fail("%s never succeeds", what);
    return 0;
}

static glissade_adam_options adam_options(bool amsgrad) {
    glissade_adam_options options;
    glissade_adam_options_init(&options, sizeof options);
    options.amsgrad = amsgrad;
    return options;
}

static glissade_status add_adam(void) {
    const glissade_adam_options options = adam_options(false);
    glissade_tensor tensors[2];
    describe(tensors, GLISSADE_STATE_Q8);
    return glissade_optimizer_add_adam(optimizer, tensors, 2, &options, &group);
}

static glissade_status set_amsgrad(void) {
    const glissade_adam_options options = adam_options(true);
    return glissade_optimizer_set_adam(optimizer, group, &options);
}

static glissade_status start_average(void) {
    return glissade_optimizer_set_average(optimizer, group, 0.99);
}

static glissade_status clipped_step(void) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.clip_norm = 0.5;
    return glissade_optimizer_step(optimizer, &options, NULL);
}

static glissade_status add_adafactor(void) {
    glissade_adafactor_options options;
    glissade_adafactor_options_init(&options, sizeof options);
    glissade_tensor tensors[2];
    describe(tensors, GLISSADE_STATE_FULL);
    return glissade_optimizer_add_adafactor(optimizer, tensors, 2, &options, &group);
}

static glissade_status add_nadam(void) {
    glissade_nadam_options options;
    glissade_nadam_options_init(&options, sizeof options);
    glissade_tensor tensors[2];
    describe(tensors, GLISSADE_STATE_BF16_STOCHASTIC);
    return glissade_optimizer_add_nadam(optimizer, tensors, 2, &options, &group);
}

Test(allocation_rules, adam_in_formats) {
    cr_assert_geq(fail_each(add_adam, "add_adam"), 8);
    cr_assert_geq(fail_each(set_amsgrad, "set_adam"), 4);
    cr_assert_geq(fail_each(start_average, "set_average"), 4);
    cr_assert_geq(fail_each(clipped_step, "the first step that clips"), 3);
    cr_assert_eq(fail_each(clipped_step, "the second"), 1); /* of the sums by tensor */
    cr_assert_eq(scenario_info(optimizer, group, 1).steps, 2);
}

Test(allocation_rules, adafactor_and_its_norms) {
    cr_assert_geq(fail_each(add_adafactor, "add_adafactor"), 10);
    scenario_step(optimizer);
    cr_assert_eq(scenario_info(optimizer, group, 0).steps, 1);
}

Test(allocation_rules, nadam_and_its_numbers) {
    cr_assert_geq(fail_each(add_nadam, "add_nadam"), 8);
    scenario_step(optimizer);
    cr_assert_neq(scenario_info(optimizer, group, 0).numbers[0], 0);
}

/* A step that is not measured allocates nothing, whatever the rule and the formats. */
Test(allocation_rules, steps_do_not_allocate) {
    cr_assert_eq(add_adam(), GLISSADE_STATUS_OK);
    counted = 0;
    failing = SIZE_MAX;
    gls_alloc_permit = fail_at;
    scenario_step(optimizer);
    gls_alloc_permit = NULL;
    cr_assert_eq(counted, 0);
}
