/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many threads at once, for ThreadSanitizer, under which Criterion does not start: a plain program that
 * prints TAP. Each test repeats `--runs N` times (20) and looks at the bits in the end; `--no-fork` leaves
 * out forks, which ThreadSanitizer does not bear; so does a build that AddressSanitizer watches.
 */
#include "scenario.h"
#include "stress_saves.h"

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CALLERS = 8, STEPS = 2, CHILD_SECONDS = 120 };

static unsigned runs = 20, number;
static bool forks = SCENARIO_FORKS_ANY_TIME;
static uint64_t expected;
static bool all_passed = true;

static void report(bool passed, const char *name) {
    printf("%sok %u - %s\n", passed ? "" : "not ", ++number, name);
    fflush(stdout);
    all_passed &= passed;
}

/* Runs one function on eight threads, each with its own entry of `arguments`. */
static void on_threads(void *(*function)(void *), void *arguments, size_t size) {
    pthread_t threads[CALLERS];
    for (size_t i = 0; i < CALLERS; i++)
        REQUIRE(!pthread_create(&threads[i], NULL, function, (char *)arguments + i * size), "no thread");
    for (size_t i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- own optimizers ---- */

typedef struct caller {
    glissade_engine *engine; /* NULL: makes its own */
    uint64_t result;
} caller;

static void *train(void *argument) {
    caller *it = argument;
    glissade_engine *engine = it->engine ? it->engine : scenario_engine(2);
    it->result = scenario_train(engine, STEPS);
    if (!it->engine)
        glissade_engine_destroy(&engine);
    return NULL;
}

static bool train_all(glissade_engine *engine) {
    caller callers[CALLERS];
    bool same = true;
    for (size_t i = 0; i < CALLERS; i++)
        callers[i] = (caller){.engine = engine};
    on_threads(train, callers, sizeof *callers);
    for (size_t i = 0; i < CALLERS; i++)
        same &= callers[i].result == expected;
    return same;
}

static void test_shared_engine(void) {
    glissade_engine *engine = scenario_engine(2);
    bool passed = true;
    for (unsigned run = 0; run < runs; run++)
        passed &= train_all(engine);
    glissade_engine_destroy(&engine);
    report(passed, "eight callers, one engine");
}

static void test_own_engines(void) {
    bool passed = true;
    for (unsigned run = 0; run < runs; run++)
        passed &= train_all(NULL);
    report(passed, "eight callers, eight engines");
}

/* Steps large enough for the walk that is found by trying. */
static void *train_large(void *argument) {
    static const size_t lengths[] = {1200000, 1000000};
    caller *it = argument;
    model large;
    const glissade_sgd_options rule = scenario_rule(0.75);
    model_create(&large, lengths, 2, false, 0);
    model_fill_gradients(&large, 0);
    glissade_optimizer *optimizer = scenario_optimizer(it->engine);
    scenario_add(optimizer, &large, &rule);
    for (int step = 0; step < 15; step++)
        scenario_step(optimizer);
    it->result = model_hash(&large);
    glissade_optimizer_destroy(&optimizer);
    model_destroy(&large);
    return NULL;
}

static void test_large_steps(void) {
    caller callers[2] = {{.engine = scenario_engine(2)}, {.engine = scenario_engine(1)}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        REQUIRE(!pthread_create(&threads[i], NULL, train_large, &callers[i]), "no thread");
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 2; i++)
        glissade_engine_destroy(&callers[i].engine);
    report(callers[0].result == callers[1].result, "two callers with large steps");
}

/* Passes that measure, formats that are staged, averages of rows and columns, on parts of tensors that threads share. */
static void *train_measured(void *argument) {
    enum { LENGTH = 300000, COLUMNS = 500 };
    caller *it = argument;
    glissade_tensor tensor;
    uint32_t group, digest;
    float *p = calloc(LENGTH, sizeof *p), *g = calloc(LENGTH, sizeof *g);
    uint16_t *half = calloc(LENGTH, sizeof *half);
    REQUIRE(p && g && half, "no memory");
    for (size_t i = 0; i < LENGTH; i++)
        g[i] = p[i] = scenario_value(3, 0, i);
    glissade_optimizer *optimizer = scenario_optimizer(it->engine);
    glissade_lamb_options lamb;
    glissade_adafactor_options adafactor;
    glissade_lamb_options_init(&lamb, sizeof lamb);
    glissade_adafactor_options_init(&adafactor, sizeof adafactor);
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.length = LENGTH;
    tensor.columns = COLUMNS;
    tensor.parameter = p;
    tensor.gradient = g;
    tensor.state_format[0] = GLISSADE_STATE_BF16_STOCHASTIC;
    tensor.state_format[1] = GLISSADE_STATE_Q8;
    REQUIRE(!glissade_optimizer_add_lamb(optimizer, &tensor, 1, &lamb, &group), "add_lamb");
    tensor.parameter = half;
    tensor.parameter_dtype = GLISSADE_DTYPE_BF16;
    tensor.master = GLISSADE_MASTER_SPLIT;
    tensor.state_format[0] = tensor.state_format[1] = GLISSADE_STATE_FULL;
    REQUIRE(!glissade_optimizer_add_adafactor(optimizer, &tensor, 1, &adafactor, &group), "add_adafactor");
    REQUIRE(!glissade_optimizer_set_average(optimizer, group, 0.9), "set_average");
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.clip_norm = options.clip_tensor_norm = 1;
    for (int step = 0; step < 4; step++)
        REQUIRE(!glissade_optimizer_step(optimizer, &options, NULL), "step");
    REQUIRE(!glissade_optimizer_read(optimizer, &digest, NULL), "read");
    it->result = digest;
    glissade_optimizer_destroy(&optimizer);
    free(p), free(g), free(half);
    return NULL;
}

static void test_measured_steps(void) {
    caller callers[3] = {
        {.engine = scenario_engine(2)}, {.engine = scenario_engine(1)}, {.engine = scenario_engine(3)}};
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        REQUIRE(!pthread_create(&threads[i], NULL, train_measured, &callers[i]), "no thread");
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 3; i++)
        glissade_engine_destroy(&callers[i].engine);
    report(callers[0].result == callers[1].result && callers[0].result == callers[2].result,
           "three callers with measured steps in other formats");
}

static void test_nested(void) {
    glissade_engine *engine = scenario_engine(2);
    bool passed = true;
    for (unsigned run = 0; run < runs; run++) {
        uint64_t results[4] = {expected, expected, expected, expected};
        omp_set_max_active_levels(1 + (int)(run % 2));
#pragma omp parallel num_threads(4)
        results[omp_get_thread_num()] = scenario_train(engine, STEPS);
        for (int i = 0; i < 4; i++)
            passed &= results[i] == expected;
    }
    glissade_engine_destroy(&engine);
    report(passed, "inside parallel regions");
}

/* ---- one optimizer ---- */

static struct {
    glissade_optimizer *optimizer;
    model model;
    atomic_uint steps, busy, failed;
} contended;

/* Every kind of call, from eight threads: each succeeds or finds the optimizer busy. */
static void *contend(void *argument) {
    const unsigned seed = *(const unsigned *)argument;
    const glissade_tensor_ref ref = {0, 1};
    for (unsigned i = 0; i < 60; i++) {
        glissade_tensor_info info = {.size = sizeof info};
        glissade_sgd_options rule = {.size = sizeof rule};
        uint32_t digest;
        glissade_status status;
        switch ((i + seed) % 6) {
        case 0:
            status = glissade_optimizer_get_tensor(contended.optimizer, ref, &info);
            break;
        case 1:
            status = glissade_optimizer_set_gradient(contended.optimizer, ref, contended.model.g[1]);
            break;
        case 2:
            status = glissade_optimizer_read(contended.optimizer, &digest, NULL);
            break;
        case 3:
            status = glissade_optimizer_get_sgd(contended.optimizer, 0, &rule);
            break;
        default:
            status = glissade_optimizer_step(contended.optimizer, NULL, NULL);
            contended.steps += status == GLISSADE_STATUS_OK;
        }
        contended.busy += status == GLISSADE_STATUS_BUSY;
        contended.failed += status != GLISSADE_STATUS_OK && status != GLISSADE_STATUS_BUSY;
    }
    return NULL;
}

/* The contended model under one caller, for as many steps as succeeded. */
static uint64_t replay(unsigned steps) {
    const glissade_sgd_options rule = scenario_rule(0.75);
    model it;
    model_create_usual(&it, false);
    model_fill_gradients(&it, 0);
    glissade_engine *engine = scenario_engine(1);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    scenario_add(optimizer, &it, &rule);
    for (unsigned step = 0; step < steps; step++)
        scenario_step(optimizer);
    const uint64_t hash = model_hash(&it);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&it);
    return hash;
}

static void test_contention(void) {
    static const unsigned seeds[CALLERS] = {0, 1, 2, 3, 4, 5, 6, 7};
    const glissade_sgd_options rule = scenario_rule(0.75);
    glissade_engine *engine = scenario_engine(2);
    bool passed = true;
    unsigned busy = 0;
    for (unsigned run = 0; run < runs; run++) {
        unsigned arguments[CALLERS];
        memcpy(arguments, seeds, sizeof arguments);
        model_create_usual(&contended.model, false);
        model_fill_gradients(&contended.model, 0);
        contended.optimizer = scenario_optimizer(engine);
        contended.steps = contended.busy = contended.failed = 0;
        scenario_add(contended.optimizer, &contended.model, &rule);
        on_threads(contend, arguments, sizeof *arguments);
        glissade_tensor_info info = {.size = sizeof info};
        passed &= !glissade_optimizer_get_tensor(contended.optimizer, (glissade_tensor_ref){0, 0}, &info);
        passed &= info.steps == contended.steps && contended.steps > 0 && contended.failed == 0;
        passed &= model_hash(&contended.model) == replay(contended.steps);
        busy += contended.busy;
        glissade_optimizer_destroy(&contended.optimizer);
        model_destroy(&contended.model);
    }
    glissade_engine_destroy(&engine);
    printf("# %u of %u calls found the optimizer busy\n", busy, runs * CALLERS * 60);
    report(passed, "eight callers, one optimizer");
}

/* ---- coming and going ---- */

/* Optimizers and engines that come and go side by side; an engine's handle given up before its optimizers. */
static void *come_and_go(void *argument) {
    caller *it = argument;
    const glissade_sgd_options rule = scenario_rule(0.5);
    it->result = expected;
    for (int round = 0; round < 4; round++) {
        glissade_engine *own = scenario_engine(2);
        glissade_optimizer *first = scenario_optimizer(it->engine), *second = scenario_optimizer(own);
        model a, b;
        model_create_usual(&a, false);
        model_copy(&b, &a);
        glissade_engine_destroy(&own);
        scenario_add(first, &a, &rule);
        scenario_add(second, &b, &rule);
        model_fill_gradients(&a, 1);
        model_fill_gradients(&b, 1);
        scenario_step(first);
        scenario_step(second);
        if (model_hash(&a) != model_hash(&b))
            it->result = 0;
        glissade_optimizer_destroy(round & 1 ? &first : &second);
        glissade_optimizer_destroy(round & 1 ? &second : &first);
        model_destroy(&a);
        model_destroy(&b);
    }
    return NULL;
}

static void test_coming_and_going(void) {
    bool passed = true;
    for (unsigned run = 0; run < (runs + 3) / 4; run++) {
        caller callers[CALLERS];
        glissade_engine *engine = scenario_engine(2);
        for (size_t i = 0; i < CALLERS; i++)
            callers[i] = (caller){.engine = engine};
        on_threads(come_and_go, callers, sizeof *callers);
        for (size_t i = 0; i < CALLERS; i++)
            passed &= callers[i].result == expected;
        glissade_engine_destroy(&engine);
    }
    report(passed, "engines and optimizers come and go");
}

/* ---- forks ---- */

static struct {
    glissade_engine *engine;
    atomic_bool stop, failed;
} background;

static void *train_in_background(void *unused) {
    (void)unused;
    while (!background.stop)
        background.failed = background.failed || scenario_train(background.engine, STEPS) != expected;
    return NULL;
}

static bool child_trains(void) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        glissade_engine *new = scenario_engine(2);
        const bool same =
            scenario_train(background.engine, STEPS) == expected && scenario_train(new, STEPS) == expected;
        _exit(!same);
    }
    int status;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child, "no child");
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void test_forks(void) {
    pthread_t threads[2];
    bool passed = true;
    background.engine = scenario_engine(2);
    for (int i = 0; i < 2; i++)
        REQUIRE(!pthread_create(&threads[i], NULL, train_in_background, NULL), "no thread");
    for (unsigned run = 0; run < runs; run++)
        passed &= child_trains();
    background.stop = true;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    glissade_engine_destroy(&background.engine);
    report(passed && !background.failed, "forks while two callers train");
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-fork") == 0) {
            forks = false;
        } else if (strcmp(argv[i], "--runs") == 0 && i + 1 < argc && atoi(argv[i + 1]) > 0) {
            runs = (unsigned)atoi(argv[++i]);
        } else {
            fprintf(stderr, "usage: stress [--runs N] [--no-fork]\n");
            return 2;
        }
    }
    expected = scenario_expected(STEPS);
    printf("1..%d\n", forks ? 9 : 8);
    test_shared_engine();
    test_own_engines();
    test_large_steps();
    test_measured_steps();
    test_nested();
    test_contention();
    test_coming_and_going();
    report(stress_saves((runs + 3) / 4), "four callers save and load");
    if (forks)
        test_forks();
    return all_passed ? 0 : 1;
}
