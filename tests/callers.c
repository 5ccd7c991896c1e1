/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library under several calling threads: from inside parallel regions of the caller's, and from threads
 * that share an engine or have their own. The bits must be the reference's and nothing may hang. TEST_RUNS in
 * the environment says how often each test repeats.
 */
#include "scenario.h"

#include <criterion/criterion.h>

#include <omp.h>
#include <pthread.h>

enum { STEPS = 2 };

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(callers, .init = setup, .timeout = 600);

/* The other threads of the caller's region have the CPUs: a step there opens none of its own. */
static uint32_t planned_inside(glissade_engine *engine) {
    const glissade_sgd_options rule = scenario_rule(0.75);
    glissade_step_report report = {.size = sizeof report};
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    model it;
    model_create_usual(&it, false);
    scenario_add(optimizer, &it, &rule);
#pragma omp parallel num_threads(2)
#pragma omp single
    REQUIRE(!glissade_optimizer_step(optimizer, NULL, &report), "a nested step");
    glissade_optimizer_destroy(&optimizer);
    model_destroy(&it);
    return report.planned;
}

/* Several optimizers on one engine, each stepped by a thread of a region of the caller's. */
static void check_nested(int levels, int threads) {
    const uint64_t expected = scenario_expected(STEPS);
    glissade_engine *engine = scenario_engine(2);
    uint64_t results[8] = {0};
    omp_set_max_active_levels(levels);
    omp_set_dynamic(0);
#pragma omp parallel num_threads(threads)
    results[omp_get_thread_num()] = scenario_train(engine, STEPS);
    for (int i = 0; i < threads; i++)
        cr_assert_eq(results[i], expected, "thread %d of %d, %d levels", i, threads, levels);
    cr_assert_eq(planned_inside(engine), 1);
    cr_assert_eq(scenario_train(engine, STEPS), expected, "outside again");
    glissade_engine_destroy(&engine);
}

Test(callers, nested_in_parallel_regions) {
    for (unsigned run = 0; run < scenario_runs(); run++) {
        check_nested(1, 4);
        check_nested(2, 4);
        check_nested(2, 1); /* a region of one thread is none */
    }
}

typedef struct caller {
    glissade_engine *engine; /* NULL: makes its own */
    uint64_t result;
} caller;

static void *call(void *argument) {
    caller *it = argument;
    glissade_engine *engine = it->engine ? it->engine : scenario_engine(2);
    it->result = scenario_train(engine, STEPS);
    if (!it->engine)
        glissade_engine_destroy(&engine);
    return NULL;
}

static void check_callers(glissade_engine *shared, uint64_t expected) {
    caller callers[8];
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) {
        callers[i] = (caller){.engine = shared};
        cr_assert_eq(pthread_create(&threads[i], NULL, call, &callers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++)
        cr_assert_eq(callers[i].result, expected, "caller %d", i);
}

Test(callers, eight_callers) {
    const uint64_t expected = scenario_expected(STEPS);
    glissade_engine *shared = scenario_engine(2);
    for (unsigned run = 0; run < scenario_runs(); run++) {
        check_callers(shared, expected);
        check_callers(NULL, expected);
    }
    glissade_engine_destroy(&shared);
}
