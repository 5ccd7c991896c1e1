/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library as a guest: no public entry point, whether it succeeds or fails, changes the calling thread's
 * affinity, floating-point control and status word, signal mask, errno or locale; a step puts every OpenMP
 * thread's back as well; and results do not depend on any of them.
 */
#include "subject.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <omp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* ---- surroundings ---- */

/* Floating-point control and status, as one word. */
static uint64_t read_floats(void) {
#if defined(__x86_64__)
    return _mm_getcsr();
#else
    uint64_t control, status;
    __asm__ volatile("mrs %0, fpcr" : "=r"(control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(status));
    return control | status << 32;
#endif
}

static void write_floats(uint64_t word) {
#if defined(__x86_64__)
    _mm_setcsr((unsigned)word);
#else
    __asm__ volatile("msr fpcr, %0" : : "r"(word & UINT32_MAX) : "memory");
    __asm__ volatile("msr fpsr, %0" : : "r"(word >> 32) : "memory");
#endif
}

/* Words that change results or kill where they are let through: subnormals flushed, every rounding mode,
 * every exception trapping (on AArch64 many CPUs have no traps), with and without flags raised. */
static const uint64_t words[] = {
#if defined(__x86_64__)
    0x1F80,
    0x9FC0,
    0x5F80 /* up */,
    0x3F80 /* down */,
    0x7FA5 /* to zero, flags */,
    0x0000 /* all unmasked */,
    0xC040 /* unmasked, flushing, up */,
#else
    0x0, 0x01000000 /* flush */, 0x00400000 /* up */, 0x00800000 /* down */, 0x1F00C00000, 0x02080000, 0x9F00,
#endif
};

enum { WORDS = sizeof words / sizeof *words };

typedef struct surroundings {
    uint64_t floats;
    cpu_set_t cpus;
    sigset_t signals;
    int error;
    const char *locale;
} surroundings;

static surroundings look(void) {
    surroundings seen;
    seen.error = errno;
    seen.floats = read_floats();
    memset(&seen.cpus, 0, sizeof seen.cpus);
    REQUIRE(sched_getaffinity(0, sizeof seen.cpus, &seen.cpus) == 0, "no affinity");
    sigemptyset(&seen.signals);
    pthread_sigmask(SIG_SETMASK, NULL, &seen.signals);
    seen.locale = setlocale(LC_ALL, NULL);
    return seen;
}

static const char *changed(const surroundings *before, const surroundings *after) {
    if (before->error != after->error)
        return "errno";
    if (before->floats != after->floats)
        return "the floating-point word";
    if (!CPU_EQUAL(&before->cpus, &after->cpus))
        return "the affinity";
    for (int signal = 1; signal < 32; signal++)
        if (sigismember(&before->signals, signal) != sigismember(&after->signals, signal))
            return "the signal mask";
    return strcmp(before->locale, after->locale) ? "the locale" : NULL;
}

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(guest, .init = setup, .timeout = 120);

/* ---- every call ---- */

static glissade_engine *pinned_engine(uint32_t threads) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = threads;
    options.oversubscribe = true;
    options.pin = GLISSADE_PIN_ALWAYS;
    REQUIRE(!glissade_engine_create(&options, &engine, NULL), "no engine");
    return engine;
}

/* Arguments and results of the calls below, prepared outside them. */
static struct {
    glissade_engine *engine, *made;
    glissade_optimizer *optimizer, *other;
    model model;
    glissade_sgd_options rule, bad_rule, scratch;
    glissade_engine_options bad_engine;
    glissade_tensor tensor;
    glissade_arrays *arrays;
    float room[4];
    size_t lengths[3];
    uint32_t group, added;
} at;

static const glissade_tensor_ref ref = {0, 0}, no_ref = {9, 0};

/* Each entry makes one call and tells its status; those without one tell OK. */
#define CALLS                                                                                                \
    CALL(OK, glissade_engine_create(NULL, &at.made, NULL))                                                   \
    CALL(OK, (glissade_engine_destroy(&at.made), GLISSADE_STATUS_OK))                                        \
    CALL(INVALID_THREADS, glissade_engine_create(&at.bad_engine, &at.made, NULL))                            \
    CALL(NULL_ARGUMENT, glissade_engine_create(NULL, NULL, NULL))                                            \
    CALL(OK, glissade_optimizer_create(at.engine, &at.other, NULL))                                          \
    CALL(OK, (glissade_optimizer_destroy(&at.other), GLISSADE_STATUS_OK))                                    \
    CALL(NULL_ARGUMENT, glissade_optimizer_create(NULL, &at.other, &(glissade_error){0}))                    \
    CALL(OK,                                                                                                 \
         glissade_engine_get_info(at.engine, &(glissade_engine_info){.size = sizeof(glissade_engine_info)})) \
    CALL(OK, glissade_engine_get_pu(at.engine, 0, &(glissade_pu_info){.size = sizeof(glissade_pu_info)}))    \
    CALL(OK, glissade_variable_get(0, &(glissade_variable_info){.size = sizeof(glissade_variable_info)}))    \
    CALL(OK, glissade_engine_get_setting(at.engine, 0, &(const char *){NULL}, &(glissade_origin){0}))        \
    CALL(OK, (glissade_sgd_options_init(&at.scratch, sizeof at.scratch), GLISSADE_STATUS_OK))                \
    CALL(OK, (glissade_isa_available(GLISSADE_ISA_AVX512), GLISSADE_STATUS_OK))                              \
    CALL(OK, (glissade_variable_count(), glissade_version(), GLISSADE_STATUS_OK))                            \
    CALL(OK, glissade_optimizer_add_sgd(at.optimizer, &at.tensor, 1, &at.rule, &at.added))                   \
    CALL(DUPLICATE_TENSOR, glissade_optimizer_add_sgd(at.optimizer, &at.tensor, 1, &at.rule, &at.group))     \
    CALL(INVALID_HYPERPARAMETER,                                                                             \
         glissade_optimizer_add_sgd(at.optimizer, &at.tensor, 1, &at.bad_rule, &at.group))                   \
    CALL(OK, glissade_optimizer_remove_group(at.optimizer, at.added))                                        \
    CALL(NOT_FOUND, glissade_optimizer_remove_group(at.optimizer, 99))                                       \
    CALL(OK, glissade_optimizer_set_gradient(at.optimizer, ref, at.model.g[0]))                              \
    CALL(OVERLAP, glissade_optimizer_set_gradient(at.optimizer, ref, at.model.p[0]))                         \
    CALL(INVALID_OPTION, glissade_optimizer_set_gradients(at.optimizer, 0, (void *const *)at.model.g, 1))    \
    CALL(OK, glissade_optimizer_set_gradients(at.optimizer, 0, (void *const *)at.model.g, at.model.count))   \
    CALL(OK, glissade_optimizer_set_parameter(at.optimizer, ref, at.model.p[0]))                             \
    CALL(NOT_FOUND, glissade_optimizer_set_parameter(at.optimizer, no_ref, at.room))                         \
    CALL(OK, glissade_optimizer_set_learning_rate(at.optimizer, 0, 0.05))                                    \
    CALL(INVALID_HYPERPARAMETER, glissade_optimizer_set_learning_rate(at.optimizer, 0, -1.5))                \
    CALL(OK, glissade_optimizer_get_tensor(at.optimizer, ref,                                                \
                                           &(glissade_tensor_info){.size = sizeof(glissade_tensor_info)}))   \
    CALL(OK, glissade_optimizer_set_counts(at.optimizer, ref, 5, 5))                                         \
    CALL(INVALID_OPTION, glissade_optimizer_set_gradient_rms(at.optimizer, ref, -1))                         \
    CALL(OK, glissade_optimizer_set_sgd(at.optimizer, 0, &at.rule))                                          \
    CALL(INVALID_HYPERPARAMETER, glissade_optimizer_set_sgd(at.optimizer, 0, &at.bad_rule))                  \
    CALL(OK, glissade_optimizer_get_sgd(at.optimizer, 0, &at.rule))                                          \
    CALL(OK, glissade_optimizer_step(at.optimizer, NULL, NULL))                                              \
    CALL(INVALID_OPTION, glissade_optimizer_step(                                                            \
                             at.optimizer, &(glissade_step_options){.size = sizeof(glissade_step_options)},  \
                             NULL)) /* a scale of 0 */                                                       \
    CALL(OK, glissade_optimizer_zero_gradients(at.optimizer))                                                \
    CALL(OK, glissade_optimizer_read(at.optimizer, &at.group, NULL))                                         \
    CALL(NULL_ARGUMENT, glissade_optimizer_read(at.optimizer, NULL, NULL))                                   \
    CALL(OK, glissade_arrays_create(at.optimizer, at.lengths, 3, &at.arrays, NULL))                          \
    CALL(OK, (glissade_arrays_destroy(&at.arrays), GLISSADE_STATUS_OK))                                      \
    CALL(NO_TENSORS, glissade_arrays_create(at.optimizer, at.lengths, 0, &at.arrays, &(glissade_error){0}))  \
    CALL(OK, (glissade_optimizer_message(at.optimizer), GLISSADE_STATUS_OK))

/* Whether the system tells where pages lie; some sandboxes refuse, which must leave errno alone, too. */
static glissade_status ask_placement(void) {
    glissade_placement_report report = {.size = sizeof report};
    const glissade_status status = glissade_optimizer_get_placement(at.optimizer, &report);
    return status == GLISSADE_STATUS_UNSUPPORTED ? GLISSADE_STATUS_OK : status;
}

static void prepare(void) {
    at.engine = pinned_engine(2);
    at.optimizer = scenario_optimizer(at.engine);
    at.rule = scenario_rule(0.75);
    at.bad_rule = scenario_rule(1.5);
    at.lengths[0] = at.lengths[1] = 100000;
    glissade_engine_options_init(&at.bad_engine, sizeof at.bad_engine);
    at.bad_engine.threads = 0;
    glissade_tensor_init(&at.tensor, sizeof at.tensor);
    at.tensor.parameter = at.room;
    at.tensor.length = 4;
    model_create_usual(&at.model, false);
    model_fill_gradients(&at.model, 0);
    at.model.g[0][5] = INFINITY; /* so that trapping exceptions have something to trap */
    at.model.g[0][6] = NAN;
    at.model.g[0][7] = 3e38f;
    at.model.p[0][7] = -3e38f;
    scenario_add(at.optimizer, &at.model, &at.rule);
}

/* Makes every call under this floating-point word and looks around after each. */
static void check_calls(uint64_t word){
#define CALL(expected, call)                                                                                 \
    {                                                                                                        \
        errno = 77;                                                                                          \
        write_floats(word);                                                                                  \
        const surroundings before = look();                                                                  \
        const glissade_status status = call;                                                                 \
        const surroundings after = look();                                                                   \
        write_floats(words[0]);                                                                              \
        cr_assert_eq(status, GLISSADE_STATUS_##expected, "%s: %s", #call, glissade_status_name(status));     \
        const char *what = changed(&before, &after);                                                         \
        cr_assert_null(what, "%s changed %s (floating-point word %#llx, now %#llx, errno %d)", #call, what,  \
                       (unsigned long long)before.floats, (unsigned long long)after.floats, after.error);    \
    }
    CALLS CALL(OK, ask_placement())
#undef CALL
}

Test(guest, every_call_leaves_things_as_they_were) {
    prepare();
    for (size_t i = 0; i < WORDS; i++)
        check_calls(words[i]);
}

Test(guest, with_signals_blocked_and_one_cpu) {
    cpu_set_t all, one;
    sigset_t some;
    prepare();
    sigemptyset(&some);
    sigaddset(&some, SIGUSR1);
    sigaddset(&some, SIGTERM);
    sigaddset(&some, SIGFPE);
    pthread_sigmask(SIG_BLOCK, &some, NULL);
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        CPU_ZERO(&one);
        CPU_SET(cpu, &one);
        cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
        check_calls(words[0]);
        if (cpu > 3)
            break;
    }
}

Test(guest, in_a_locale_with_a_decimal_comma) {
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "nl_NL.UTF-8"};
    bool found = false;
    for (size_t i = 0; i < sizeof locales / sizeof *locales && !found; i++)
        found = setlocale(LC_ALL, locales[i]) && localeconv()->decimal_point[0] == ',';
    if (!found)
        cr_skip_test("no such locale is installed");
    prepare();
    check_calls(words[0]);
    cr_assert_eq(glissade_optimizer_set_learning_rate(at.optimizer, 0, -1.5),
                 GLISSADE_STATUS_INVALID_HYPERPARAMETER);
    cr_assert(strstr(glissade_optimizer_message(at.optimizer), "-1.5"), "%s",
              glissade_optimizer_message(at.optimizer));
}

/* ---- results ---- */

/* As scenario_train, but the caller's floating-point word holds during the library's calls only. */
static uint64_t train_under(uint64_t word, bool before_the_team) {
    glissade_engine *engine = pinned_engine(before_the_team ? 3 : 2);
    glissade_sgd_options rule = scenario_rule(0.75);
    model it;
    model_create_usual(&it, false);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    rule.learning_rate = 1e-3;
    rule.nesterov = true;
    write_floats(word);
    scenario_add(optimizer, &it, &rule);
    write_floats(words[0]);
    for (uint64_t step = 0; step < 3; step++) {
        model_fill_gradients(&it, step);
        write_floats(word);
        scenario_step(optimizer);
        write_floats(words[0]);
    }
    const uint64_t hash = model_hash(&it);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&it);
    return hash;
}

Test(guest, results_do_not_depend_on_floating_point_control) {
    const uint64_t expected = train_under(words[0], false);
    for (size_t i = 0; i < WORDS; i++) {
        cr_assert_eq(train_under(words[i], false), expected, "word %#llx", (unsigned long long)words[i]);
        cr_assert_eq(train_under(words[i], true), expected, "word %#llx, in a larger team",
                     (unsigned long long)words[i]);
    }
}

/* The library's rounding of hyperparameters must not see the caller's rounding mode either: an engine of one
 * thread and a single element, whose value depends on the learning rate's last bit. */
Test(guest, scalars_are_rounded_to_nearest) {
    glissade_engine *engine = scenario_engine(1);
    glissade_sgd_options rule = scenario_rule(0);
    float results[WORDS];
    rule.learning_rate = 0.1;
    rule.weight_decay = 0;
    for (size_t i = 0; i < WORDS; i++) {
        float p = 0, g = 1;
        uint32_t group;
        glissade_optimizer *optimizer = scenario_optimizer(engine);
        const glissade_tensor tensor = {.size = sizeof tensor, .parameter = &p, .gradient = &g, .length = 1};
        write_floats(words[i]);
        const glissade_status added = glissade_optimizer_add_sgd(optimizer, &tensor, 1, &rule, &group);
        const glissade_status stepped = glissade_optimizer_step(optimizer, NULL, NULL);
        write_floats(words[0]);
        cr_assert(added == GLISSADE_STATUS_OK && stepped == GLISSADE_STATUS_OK);
        results[i] = p;
        glissade_optimizer_destroy(&optimizer);
    }
    for (size_t i = 0; i < WORDS; i++)
        cr_assert_eq(memcmp(&results[i], &(float){-0x1.99999ap-4f}, sizeof(float)), 0, "word %#llx: %a",
                     (unsigned long long)words[i], (double)results[i]);
    glissade_engine_destroy(&engine);
}

Test(guest, results_do_not_depend_on_the_callers_cpus) {
    const uint64_t expected = scenario_expected(2);
    glissade_engine *engine = pinned_engine(2);
    cpu_set_t all, one;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    cr_assert_eq(scenario_train(engine, 2), expected);
    CPU_ZERO(&one);
    for (int cpu = 0; CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    cr_assert_eq(sched_setaffinity(0, sizeof one, &one), 0);
    cr_assert_eq(scenario_train(engine, 2), expected);

    /* An engine made now has one CPU to use, and says so. */
    glissade_engine_info info = {.size = sizeof info};
    glissade_engine *narrow;
    cr_assert_eq(glissade_engine_create(NULL, &narrow, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_engine_get_info(narrow, &info), GLISSADE_STATUS_OK);
    cr_assert(info.pus == 1 && info.threads == 1 && info.cores == 1);
    cr_assert_eq(scenario_train(narrow, 2), expected);
    glissade_engine_destroy(&narrow);
    glissade_engine_destroy(&engine);
}

/* ---- workers ---- */

enum { TEAM = 4 };

/* Gives each OpenMP thread an affinity and a floating-point word of its own, steps, and looks whether each
 * still has them. The team is of the size that the engine uses, so that its threads are the same. */
static void check_workers(uint32_t threads, unsigned round) {
    static surroundings before[TEAM], after[TEAM];
    cpu_set_t all;
    cr_assert_eq(sched_getaffinity(0, sizeof all, &all), 0);
    glissade_engine *engine = pinned_engine(threads);
    omp_set_dynamic(0);
#pragma omp parallel num_threads(threads)
    {
        const int me = omp_get_thread_num();
        cpu_set_t mine = all;
        for (int cpu = 0, left = CPU_COUNT(&all); cpu < CPU_SETSIZE && left > 1 && (me + (int)round) % 3;
             cpu++)
            if (CPU_ISSET(cpu, &all) && (left-- + me + (int)round) % 2)
                CPU_CLR(cpu, &mine);
        sched_setaffinity(0, sizeof mine, &mine);
        write_floats(words[((unsigned)me + round) % WORDS]);
        before[me] = look();
    }
    const uint64_t word = read_floats();
    write_floats(words[0]);
    const uint64_t expected = scenario_expected(2);
    write_floats(word);
    const uint64_t result = scenario_train(engine, 2);
#pragma omp parallel num_threads(threads)
    {
        after[omp_get_thread_num()] = look();
        write_floats(words[0]);
        sched_setaffinity(0, sizeof all, &all);
    }
    cr_assert_eq(result, expected);
    for (uint32_t i = 0; i < threads; i++) {
        before[i].error = after[i].error;
        const char *what = changed(&before[i], &after[i]);
        cr_assert_null(what, "thread %u of %u: a step changed %s (round %u)", i, threads, what, round);
    }
    glissade_engine_destroy(&engine);
}

Test(guest, workers_are_put_back) {
    for (unsigned round = 0; round < 2 * WORDS; round++) {
        check_workers(2, round);
        check_workers(TEAM, round);
    }
}
