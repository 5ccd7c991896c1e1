/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory: for every call that allocates and every k, the call is made with its k-th allocation failing, must
 * say so, and must leave everything as it was and usable; and what an optimizer allocates beside its state
 * stays within the bound that the project states.
 *
 * That nothing leaks on the way is for LeakSanitizer to see: all of this runs under it in CI.
 */
#include "alloc.h"

#include "subject.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

static size_t counted, failing, bytes_asked, largest;

/* Refuses the allocation whose number is `failing`, from 0 on. */
static bool fail_at(size_t bytes) {
    bytes_asked += bytes;
    largest = bytes > largest ? bytes : largest;
    return counted++ != failing;
}

static subject it;

static void setup(void) {
    scenario_clear_environment();
    subject_create(&it, scenario_engine(2));
}

static void teardown(void) {
    gls_alloc_permit = NULL;
    const char *change = subject_step(&it);
    cr_assert_null(change, "the step after: %s", change);
    subject_destroy(&it);
}

TestSuite(allocation, .init = setup, .fini = teardown, .timeout = 60);

enum { MOST = 200 };

/*
 * Runs `call` with allocation 0, 1, 2, ... failing until none does; `failed` then looks what it left. The
 * number of allocations that it makes when all succeed.
 */
static size_t fail_each(glissade_status (*call)(void), void (*failed)(void), const char *what) {
    for (failing = 0; failing < MOST; failing++) {
        counted = 0;
        gls_alloc_permit = fail_at;
        const glissade_status status = call();
        gls_alloc_permit = NULL;
        if (counted <= failing) {
            cr_assert_eq(status, GLISSADE_STATUS_OK, "%s: %s", what, glissade_status_name(status));
            return failing;
        }
        cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY, "%s with allocation %zu failing: %s", what,
                     failing, glissade_status_name(status));
        failed();
        const char *change = subject_change(&it);
        cr_assert_null(change, "%s with allocation %zu failing: %s", what, failing, change);
    }
    cr_assert_fail("%s never succeeds", what);
    return 0;
}

static void check_message(void) {
    cr_assert(strstr(glissade_optimizer_message(it.optimizer), "memory"), "\"%s\"",
              glissade_optimizer_message(it.optimizer));
}

/* ---- engine, optimizer ---- */

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static glissade_arrays *arrays;
static glissade_error error;

static glissade_status create_engine(void) {
    engine = (glissade_engine *)&engine;
    return glissade_engine_create(NULL, &engine, &error);
}

static void no_engine(void) {
    cr_assert_null(engine);
    cr_assert_eq(error.status, GLISSADE_STATUS_OUT_OF_MEMORY);
    cr_assert(strstr(error.message, "memory"), "\"%s\"", error.message);
}

static glissade_status create_optimizer(void) {
    optimizer = (glissade_optimizer *)&optimizer;
    return glissade_optimizer_create(it.engine, &optimizer, &error);
}

static void no_optimizer(void) {
    cr_assert_null(optimizer);
    cr_assert_eq(error.status, GLISSADE_STATUS_OUT_OF_MEMORY);
    cr_assert(strstr(error.message, "memory"), "\"%s\"", error.message);
}

static glissade_status create_arrays(void) {
    static const size_t lengths[] = {100000, 0, 3, 200000};
    arrays = (glissade_arrays *)&arrays;
    return glissade_arrays_create(it.optimizer, lengths, 4, &arrays, &error);
}

static void no_arrays(void) {
    cr_assert_null(arrays);
    cr_assert_eq(error.status, GLISSADE_STATUS_OUT_OF_MEMORY);
    cr_assert_str_eq(error.message, glissade_optimizer_message(it.optimizer));
    check_message();
}

Test(allocation, engine_create) {
    cr_assert_geq(fail_each(create_engine, no_engine, "engine_create"), 4);
    glissade_engine_destroy(&engine);
    setenv("GLISSADE_THREADS", "1", 1); /* plans the threads twice */
    cr_assert_geq(fail_each(create_engine, no_engine, "engine_create"), 4);
    glissade_engine_destroy(&engine);
}

Test(allocation, optimizer_create) {
    cr_assert_geq(fail_each(create_optimizer, no_optimizer, "optimizer_create"), 1);
    glissade_optimizer_destroy(&optimizer);
}

Test(allocation, arrays_create) {
    cr_assert_geq(fail_each(create_arrays, no_arrays, "arrays_create"), 3);
    cr_assert_not_null(glissade_arrays_get(arrays, 3));
    glissade_arrays_destroy(&arrays);
}

/* ---- groups ---- */

static model added;
static glissade_sgd_options rule;
static uint32_t group;

static glissade_status add(void) {
    glissade_tensor tensors[MODEL_TENSORS];
    group = 4711;
    for (size_t i = 0; i < added.count; i++)
        tensors[i] = (glissade_tensor){.size = sizeof *tensors,
                                       .parameter = added.p[i],
                                       .gradient = added.g[i],
                                       .length = added.length[i],
                                       .momentum = added.own_momentum ? added.m[i] : NULL,
                                       .residual = added.own_residual ? added.r[i] : NULL};
    return glissade_optimizer_add_sgd(it.optimizer, tensors, added.count, &rule, &group);
}

/* Nor are its arrays taken, or its number: the last attempt uses both. */
static void not_added(void) {
    glissade_tensor_info info = {.size = sizeof info};
    check_message();
    cr_assert_eq(group, 4711);
    cr_assert_eq(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){2, 0}, &info),
                 GLISSADE_STATUS_NOT_FOUND);
}

static void check_add(double momentum, bool own, double threshold) {
    rule = scenario_rule(momentum);
    rule.defer_threshold = threshold;
    model_create_usual(&added, own);
    if (own && threshold != 0)
        model_own_residual(&added);
    model twin;
    model_copy(&twin, &added);
    cr_assert_geq(fail_each(add, not_added, "add_sgd"), 8);
    model_fill_gradients(&added, 3);
    model_fill_gradients(&twin, 3);
    const char *change = subject_step(&it);
    cr_assert_null(change, "%s", change);
    model_reference_step(&twin, &rule, 1, false, UINT32_MAX);
    const char *difference = model_difference(&added, &twin);
    cr_assert_null(difference, "%s", difference);
    cr_assert_eq(glissade_optimizer_remove_group(it.optimizer, group), GLISSADE_STATUS_OK);
    model_destroy(&added);
    model_destroy(&twin);
}

Test(allocation, add_sgd) {
    check_add(0.75, false, 0);
    cr_assert_eq(group, 2);
}

Test(allocation, add_sgd_with_state_of_the_caller) {
    check_add(0.75, true, 0);
}

Test(allocation, add_sgd_without_state) {
    check_add(0, false, 0);
}

Test(allocation, add_sgd_that_defers) {
    check_add(0.75, false, 0.01);
    check_add(0, false, 0.01);
    check_add(0.75, true, 0.01);
}

static glissade_status turn_momentum_on(void) {
    rule = scenario_rule(0.75);
    return glissade_optimizer_set_sgd(it.optimizer, group, &rule);
}

static void still_off(void) {
    glissade_sgd_options now = {.size = sizeof now};
    glissade_tensor_info info = {.size = sizeof info};
    check_message();
    cr_assert_eq(glissade_optimizer_get_sgd(it.optimizer, group, &now), GLISSADE_STATUS_OK);
    cr_assert_eq(now.momentum, 0);
    cr_assert_eq(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){group, 0}, &info),
                 GLISSADE_STATUS_OK);
    cr_assert(!info.momentum && info.momentum_updates == 0);
}

Test(allocation, turning_momentum_on) {
    model twin;
    rule = scenario_rule(0);
    model_create_usual(&added, false);
    model_copy(&twin, &added);
    group = scenario_add(it.optimizer, &added, &rule);
    cr_assert_geq(fail_each(turn_momentum_on, still_off, "set_sgd"), 3);
    model_fill_gradients(&added, 3);
    model_fill_gradients(&twin, 3);
    const char *change = subject_step(&it);
    cr_assert_null(change, "%s", change);
    model_reference_step(&twin, &rule, 1, false, UINT32_MAX);
    change = scenario_state_difference(it.optimizer, group, &twin);
    cr_assert_null(change, "%s", change);
    cr_assert_eq(fail_each(turn_momentum_on, still_off, "set_sgd again"), 0, "there is nothing to allocate");
    cr_assert_eq(glissade_optimizer_remove_group(it.optimizer, group), GLISSADE_STATUS_OK);
    model_destroy(&added);
    model_destroy(&twin);
}

static glissade_status turn_all_on(void) {
    rule = scenario_rule(0.75);
    rule.defer_threshold = 0.01;
    return glissade_optimizer_set_sgd(it.optimizer, group, &rule);
}

/* Not even the momentum is there if the residuals are not. */
static void all_still_off(void) {
    still_off();
    cr_assert_null(scenario_info(it.optimizer, group, 0).residual);
}

Test(allocation, turning_momentum_and_deferral_on) {
    model twin;
    rule = scenario_rule(0);
    model_create_usual(&added, false);
    model_copy(&twin, &added);
    group = scenario_add(it.optimizer, &added, &rule);
    cr_assert_geq(fail_each(turn_all_on, all_still_off, "set_sgd"), 8);
    cr_assert_eq(fail_each(turn_all_on, all_still_off, "set_sgd again"), 0, "there is nothing to allocate");
    model_fill_gradients(&added, 3);
    model_fill_gradients(&twin, 3);
    const char *change = subject_step(&it);
    cr_assert_null(change, "%s", change);
    model_reference_step(&twin, &rule, 1, false, UINT32_MAX);
    change = scenario_state_difference(it.optimizer, group, &twin);
    cr_assert_null(change, "%s", change);
    cr_assert_eq(glissade_optimizer_remove_group(it.optimizer, group), GLISSADE_STATUS_OK);
    model_destroy(&added);
    model_destroy(&twin);
}

/* ---- other calls ---- */

static glissade_status step_empty_with_check(void) {
    static const glissade_tensor_ref empty = {0, 2};
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.check_overlap = true;
    options.tensors = &empty;
    options.tensor_count = 0;
    return glissade_optimizer_step(it.optimizer, &options, NULL);
}

Test(allocation, step_with_check_overlap) {
    cr_assert_geq(fail_each(step_empty_with_check, check_message, "step"), 1);
}

static glissade_status get_placement(void) {
    glissade_placement_report report = {.size = sizeof report};
    const glissade_status status = glissade_optimizer_get_placement(it.optimizer, &report);
    return status == GLISSADE_STATUS_UNSUPPORTED ? GLISSADE_STATUS_OK : status;
}

Test(allocation, placement) {
    cr_assert_geq(fail_each(get_placement, check_message, "get_placement"), 1);
}

static glissade_status everything_that_does_not_allocate(void) {
    glissade_tensor_info info = {.size = sizeof info};
    glissade_step_report report = {.size = sizeof report};
    uint32_t digest;
    const char *change = subject_step(&it);
    REQUIRE(!change, "%s", change);
    REQUIRE(!glissade_optimizer_read(it.optimizer, &digest, &report), "read");
    REQUIRE(!glissade_optimizer_set_gradients(it.optimizer, 0, (void *const *)it.first.g, it.first.count),
            "set_gradients");
    REQUIRE(!glissade_optimizer_set_parameter(it.optimizer, (glissade_tensor_ref){1, 0}, it.second.p[0]),
            "set_parameter");
    return glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){0, 0}, &info);
}

Test(allocation, steps_do_not_allocate) {
    cr_assert_eq(fail_each(everything_that_does_not_allocate, check_message, "a step"), 0);
}

/* ---- bound ---- */

/*
 * The project's bound: beyond state an optimizer allocates under 256 bytes a tensor, 8 bytes per 16,384
 * elements, and 64 KiB; where it defers twice as much a tensor, and 8 bytes more per 256 elements. The hook sees what is asked for, also what is freed again at once: an upper bound of
 * what is held. State is taken off as the largest allocation, which is that of each array.
 */
static void check_bound(const size_t *lengths, size_t count, bool momentum, bool deferring) {
    glissade_tensor *tensors = calloc(count, sizeof *tensors);
    size_t elements = 0;
    for (size_t i = 0; i < count; i++) { /* made-up addresses: nothing is stepped */
        tensors[i] =
            (glissade_tensor){.size = sizeof *tensors,
                              .parameter = (void *)((((uintptr_t)1 << 50) + elements) * sizeof(float)),
                              .length = lengths[i]};
        elements += lengths[i];
    }
    rule = scenario_rule(momentum ? 0.9 : 0);
    rule.defer_threshold = deferring;
    glissade_engine *many = scenario_engine(64);
    counted = bytes_asked = largest = 0;
    failing = SIZE_MAX;
    gls_alloc_permit = fail_at;
    const glissade_status created = glissade_optimizer_create(many, &optimizer, NULL);
    const glissade_status status = glissade_optimizer_add_sgd(optimizer, tensors, count, &rule, &group);
    gls_alloc_permit = NULL;
    cr_assert(!created && !status, "%s", glissade_optimizer_message(optimizer));
    const size_t arrays_of_state = (size_t)momentum + deferring, state = arrays_of_state * largest;
    cr_assert_geq(state, arrays_of_state * elements * sizeof(float));
    const size_t asked = bytes_asked - state, a_tensor = deferring ? 512 : 256,
                 sums = deferring ? elements / 256 * 8 : 0,
                 bound = a_tensor * count + elements / 16384 * 8 + sums + 65536;
    cr_log_info("%zu tensors, %zu elements: %zu bytes of %zu", count, elements, asked, bound);
    cr_assert_lt(asked, bound, "%zu tensors, %zu elements: %zu bytes beyond state, the bound is %zu", count,
                 elements, asked, bound);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&many);
    free(tensors);
}

Test(allocation, beyond_state_there_is_little) {
    enum { TENSORS = 10000 };
    static size_t lengths[TENSORS];
    for (size_t i = 0; i < TENSORS; i++)
        lengths[i] = 1000;
    check_bound(lengths, TENSORS, true, false);
    check_bound(lengths, TENSORS, false, false);
    lengths[0] = 124439808;
    check_bound(lengths, 1, false, false);
    for (size_t i = 0; i < 148; i++)
        lengths[i] = i % 4 ? 768 : 2359296;
    check_bound(lengths, 148, false, false);
    check_bound(lengths, 148, true, true);
    lengths[0] = 124439808;
    check_bound(lengths, 1, false, true);
    for (size_t i = 0; i < TENSORS; i++)
        lengths[i] = 1000;
    check_bound(lengths, TENSORS, true, true);
}

/* What a group costs by itself, and that it does not cost more where there are many already. */
Test(allocation, groups_of_one_tensor) {
    enum { GROUPS = 2000 };
    static float room[GROUPS];
    uint64_t first = 0, last = 0;
    rule = scenario_rule(0);
    optimizer = scenario_optimizer(it.engine);
    for (size_t i = 0; i < GROUPS; i++) {
        const glissade_tensor tensor = {.size = sizeof tensor, .parameter = &room[i], .length = 1};
        bytes_asked = counted = 0;
        failing = SIZE_MAX;
        gls_alloc_permit = fail_at;
        cr_assert_eq(glissade_optimizer_add_sgd(optimizer, &tensor, 1, &rule, &group), GLISSADE_STATUS_OK);
        gls_alloc_permit = NULL;
        first = i == 0 ? bytes_asked : first;
        last = bytes_asked;
    }
    cr_assert_leq(first, 512, "a group of one tensor asks for %llu bytes", (unsigned long long)first);
    /* The two lists that are copied to grow: a pointer and an interval of 40 bytes for each group there. */
    cr_assert_leq(last - first, (GROUPS - 1) * (sizeof(void *) + 40));
    cr_log_info("the first group asks for %llu bytes", (unsigned long long)first);
    glissade_optimizer_destroy(&optimizer);
}
