/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library in processes that it did not make: forks before, after and during use, and what OpenMP's
 * environment variables ask for. The bits must be the reference's everywhere and nothing may hang: children
 * carry an alarm. TEST_RUNS in the environment says how often what depends on timing repeats.
 *
 * What needs a fresh process is a role: the program runs itself again as `processes --role NAME ...`.
 */
#include "subject.h"

#include <criterion/criterion.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 2, CHILD_SECONDS = 60 };

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(processes, .init = setup, .timeout = 600);

/* What the last process waited for came to: its exit status, or 128 and its signal. */
static int wait_for(pid_t child) {
    int status;
    REQUIRE(child > 0 && waitpid(child, &status, 0) == child, "no child");
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Forks; the child runs body and ends with what it returns. */
static int in_child(int (*body)(void *), void *argument) {
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        _exit(body(argument));
    }
    return wait_for(child);
}

/* In a child, line by line: what went wrong there. */
#define EXPECT(condition)                                                                                    \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "child, line %d: %s\n", __LINE__, #condition);                                   \
            return 1;                                                                                        \
        }                                                                                                    \
    } while (0)

static bool forked(const glissade_engine *engine) {
    glissade_engine_info info = {.size = sizeof info};
    return glissade_engine_get_info(engine, &info) == GLISSADE_STATUS_OK && info.forked;
}

static int train_on_old_and_new(void *engine) {
    const uint64_t expected = scenario_expected(STEPS);
    glissade_engine *new = scenario_engine(2);
    EXPECT(forked(engine) && forked(new));
    EXPECT(scenario_train(engine, STEPS) == expected);
    EXPECT(scenario_train(new, STEPS) == expected);
    glissade_engine_destroy(&new);
    return 0;
}

/* ---- roles ---- */

static int role_fork_before(void) {
    glissade_engine *engine = scenario_engine(2);
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        _exit(train_on_old_and_new(engine));
    }
    EXPECT(!forked(engine));
    EXPECT(scenario_train(engine, STEPS) == scenario_expected(STEPS));
    glissade_engine_destroy(&engine);
    return wait_for(child);
}

/* The child leaves by exit, as a Python worker does, with handlers of all libraries. */
static int role_exit_after_fork(void) {
    glissade_engine *engine = scenario_engine(2);
    const uint64_t expected = scenario_expected(STEPS);
    EXPECT(scenario_train(engine, STEPS) == expected);
    const pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS);
        const int result = train_on_old_and_new(engine);
        glissade_engine_destroy(&engine);
        exit(result);
    }
    EXPECT(scenario_train(engine, STEPS) == expected);
    glissade_engine_destroy(&engine);
    return wait_for(child);
}

/*
 * Two threads, always pinned, under whatever OMP_ variables this process was started with. Arguments: fewest
 * and most threads that OpenMP may deliver, whether it places threads itself, and how many CPUs the engine
 * must see (0: any number).
 */
static int role_openmp(unsigned least, unsigned most, bool placed, unsigned pus) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_engine_info info = {.size = sizeof info};
    glissade_step_report report = {.size = sizeof report};
    glissade_engine_options_init(&options, sizeof options);
    options.threads = 2;
    options.oversubscribe = true;
    options.pin = GLISSADE_PIN_ALWAYS;
    EXPECT(glissade_engine_create(&options, &engine, NULL) == GLISSADE_STATUS_OK);
    EXPECT(glissade_engine_get_info(engine, &info) == GLISSADE_STATUS_OK);
    EXPECT(info.threads == 2 && (pus == 0 || info.pus == pus));
    EXPECT(placed ? !info.pinnable : info.pinnable == !info.oversubscribed);
    EXPECT(scenario_train(engine, STEPS) == scenario_expected(STEPS));

    model it;
    const glissade_sgd_options rule = scenario_rule(0.75);
    model_create_usual(&it, false);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    scenario_add(optimizer, &it, &rule);
    EXPECT(glissade_optimizer_step(optimizer, NULL, &report) == GLISSADE_STATUS_OK);
    EXPECT(report.planned == 2 && report.threads >= least && report.threads <= most);
    EXPECT(report.pinned == info.pinnable);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&it);
    return 0;
}

int main(int argc, char **argv) {
    if (argc >= 3 && strcmp(argv[1], "--role") == 0) {
        scenario_clear_environment();
        alarm(CHILD_SECONDS);
        if (strcmp(argv[2], "fork-before") == 0)
            return role_fork_before();
        if (strcmp(argv[2], "exit-after-fork") == 0)
            return role_exit_after_fork();
        if (strcmp(argv[2], "openmp") == 0 && argc == 7)
            return role_openmp((unsigned)atoi(argv[3]), (unsigned)atoi(argv[4]), atoi(argv[5]),
                               (unsigned)atoi(argv[6]));
        return 2;
    }
    struct criterion_test_set *tests = criterion_initialize();
    int result = 0;
    if (criterion_handle_args(argc, argv, true))
        result = !criterion_run_all_tests(tests);
    criterion_finalize(tests);
    return result;
}

/* Runs this program again in a role, with `variable`=`value` in the environment unless NULL. An emulator's
 * guest cannot: the host's kernel would be asked to run it. */
static int play(const char *const *role, const char *variable, const char *value) {
    static char name[] = "processes", option[] = "--role";
    char *arguments[10] = {name, option};
    for (size_t i = 0; role[i]; i++)
        arguments[i + 2] = (char *)(uintptr_t)role[i]; /* exec does not write to them */
    const pid_t child = fork();
    if (child == 0) {
        unsetenv("BXFI_MAP"); /* by which a test's process knows that it is one */
        if (variable)
            setenv(variable, value, 1);
        execv("/proc/self/exe", arguments);
        _exit(127);
    }
    return wait_for(child);
}

#define SKIP_UNDER_EMULATION()                                                                               \
    if (getenv("EMULATION_COMMAND"))                                                                         \
    cr_skip_test("a program cannot run itself again inside an emulator")

/* ---- forks ---- */

Test(processes, fork_before_use) {
    static const char *const role[] = {"fork-before", NULL};
    SKIP_UNDER_EMULATION();
    for (unsigned run = 0; run < scenario_runs(); run++)
        cr_assert_eq(play(role, NULL, NULL), 0, "run %u", run);
}

Test(processes, child_that_leaves_by_exit) {
    static const char *const role[] = {"exit-after-fork", NULL};
    SKIP_UNDER_EMULATION();
    for (unsigned run = 0; run < (scenario_runs() + 9) / 10; run++)
        cr_assert_eq(play(role, NULL, NULL), 0, "run %u", run);
}

static int step_on(void *argument) {
    subject *it = argument;
    glissade_step_report report = {.size = sizeof report};
    for (int i = 0; i < 2; i++) {
        const char *change = subject_step(it);
        if (change)
            fprintf(stderr, "in the child: %s\n", change);
        EXPECT(!change);
    }
    EXPECT(glissade_optimizer_step(it->optimizer, NULL, &report) == GLISSADE_STATUS_OK);
    EXPECT(report.threads == 1 && !report.pinned);
    glissade_engine *new = scenario_engine(2);
    EXPECT(forked(it->engine) && forked(new));
    EXPECT(scenario_train(new, 1) == scenario_expected(1));
    glissade_engine_destroy(&new);
    subject_destroy(it);
    return 0;
}

static int fork_and_step_on(void *argument) {
    EXPECT(in_child(step_on, argument) == 0);
    return step_on(argument);
}

Test(processes, fork_after_use) {
    subject it;
    subject_create(&it, scenario_engine(2));
    for (unsigned run = 0; run < scenario_runs(); run++) {
        cr_assert_eq(in_child(step_on, &it), 0, "run %u", run);
        const char *change = subject_step(&it);
        cr_assert_null(change, "run %u, parent: %s", run, change);
    }
    cr_assert_eq(in_child(fork_and_step_on, &it), 0, "a child's child");
    cr_assert(!forked(it.engine));
    subject_destroy(&it);
}

/* ---- forks during a call ---- */

/* A subject whose steps call back at their end, while they are still inside. */
static void create_observed(subject *it, glissade_log_function *log, void *user) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = 2;
    options.oversubscribe = true;
    options.verbose = 3;
    options.log = log;
    options.log_user = user;
    REQUIRE(!glissade_engine_create(&options, &engine, NULL), "no engine");
    subject_create(it, engine);
}

static struct {
    subject it;
    glissade_optimizer *neighbour; /* shares the engine */
    model neighbours;
    atomic_bool armed;
    int result, calls;
} inside;

/* In a child of a fork that another thread made meanwhile. */
static int find_it_forked(void *unused) {
    (void)unused;
    const glissade_tensor_ref ref = {0, 0};
    uint32_t digest;
    EXPECT(glissade_optimizer_step(inside.it.optimizer, NULL, NULL) == GLISSADE_STATUS_FORKED);
    EXPECT(glissade_optimizer_set_gradient(inside.it.optimizer, ref, NULL) == GLISSADE_STATUS_FORKED);
    EXPECT(glissade_optimizer_read(inside.it.optimizer, &digest, NULL) == GLISSADE_STATUS_FORKED);
    EXPECT(glissade_optimizer_remove_group(inside.it.optimizer, 0) == GLISSADE_STATUS_FORKED);
    EXPECT(glissade_optimizer_step(inside.neighbour, NULL, NULL) == GLISSADE_STATUS_OK);
    glissade_optimizer_destroy(&inside.it.optimizer);
    EXPECT(scenario_train(inside.it.engine, 1) == scenario_expected(1));
    glissade_optimizer_destroy(&inside.neighbour);
    glissade_engine_destroy(&inside.it.engine);
    return 0;
}

static void *fork_meanwhile(void *unused) {
    (void)unused;
    inside.result = in_child(find_it_forked, NULL);
    return NULL;
}

static void fork_from_another_thread(void *user, uint32_t level, const char *message) {
    (void)user;
    (void)message;
    pthread_t thread;
    if (level != 3 || !atomic_exchange(&inside.armed, false))
        return;
    inside.calls++;
    REQUIRE(!pthread_create(&thread, NULL, fork_meanwhile, NULL), "no thread");
    pthread_join(thread, NULL);
}

Test(processes, fork_while_another_thread_is_inside) {
    const glissade_sgd_options rule = scenario_rule(0.75);
    create_observed(&inside.it, fork_from_another_thread, NULL);
    inside.neighbour = scenario_optimizer(inside.it.engine);
    model_create_usual(&inside.neighbours, false);
    scenario_add(inside.neighbour, &inside.neighbours, &rule);
    for (unsigned run = 0; run < (scenario_runs() + 3) / 4; run++) {
        inside.armed = true;
        inside.result = -1;
        const char *change = subject_step(&inside.it);
        cr_assert_eq(inside.result, 0, "run %u: the child found %d", run, inside.result);
        cr_assert_null(change, "run %u, parent: %s", run, change);
    }
    cr_assert_gt(inside.calls, 0);
    glissade_optimizer_destroy(&inside.neighbour);
    subject_destroy(&inside.it);
    model_destroy(&inside.neighbours);
}

static pid_t forked_inside = -1;

static void fork_by_itself(void *user, uint32_t level, const char *message) {
    (void)user;
    (void)message;
    if (level == 3 && atomic_exchange(&inside.armed, false)) {
        forked_inside = fork();
        if (forked_inside == 0)
            alarm(CHILD_SECONDS);
    }
}

/* The forking thread is the one inside, so the call goes on in parent and child, and both finish it. */
Test(processes, fork_from_inside_a_call) {
    create_observed(&inside.it, fork_by_itself, NULL);
    for (unsigned run = 0; run < (scenario_runs() + 3) / 4; run++) {
        inside.armed = true;
        const char *change = subject_step(&inside.it);
        if (forked_inside == 0)
            _exit(change ? 1 : step_on(&inside.it));
        cr_assert_eq(wait_for(forked_inside), 0, "run %u", run);
        cr_assert_null(change, "run %u, parent: %s", run, change);
    }
    subject_destroy(&inside.it);
}

/* A thread that steps without pause, while forks fall wherever they fall. */
static struct {
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    model it;
    atomic_bool stop;
    uint64_t steps;
} busy;

static void *step_without_pause(void *unused) {
    (void)unused;
    for (; !busy.stop; busy.steps++)
        scenario_step(busy.optimizer);
    return NULL;
}

static int use_all_in_child(void *unused) {
    (void)unused;
    const glissade_status status = glissade_optimizer_step(busy.optimizer, NULL, NULL);
    EXPECT(status == GLISSADE_STATUS_OK || status == GLISSADE_STATUS_FORKED);
    EXPECT(scenario_train(busy.engine, 1) == scenario_expected(1));
    glissade_optimizer_destroy(&busy.optimizer);
    glissade_engine_destroy(&busy.engine);
    return status == GLISSADE_STATUS_FORKED ? 100 : 0;
}

Test(processes, fork_at_any_moment) {
    const glissade_sgd_options rule = scenario_rule(0.75);
    pthread_t thread;
    unsigned in_flight = 0;
    busy.engine = scenario_engine(2);
    busy.optimizer = scenario_optimizer(busy.engine);
    model_create_usual(&busy.it, false);
    scenario_add(busy.optimizer, &busy.it, &rule);
    model_fill_gradients(&busy.it, 0);
    cr_assert_eq(pthread_create(&thread, NULL, step_without_pause, NULL), 0);
    for (unsigned run = 0; run < scenario_runs(); run++) {
        const int result = in_child(use_all_in_child, NULL);
        cr_assert(result == 0 || result == 100, "run %u: %d", run, result);
        in_flight += result == 100;
    }
    busy.stop = true;
    pthread_join(thread, NULL);
    cr_log_info("%u of %u forks fell into a step", in_flight, scenario_runs());

    model replayed;
    model_create_usual(&replayed, false);
    glissade_engine *alone = scenario_engine(1);
    glissade_optimizer *optimizer = scenario_optimizer(alone);
    scenario_add(optimizer, &replayed, &rule);
    model_fill_gradients(&replayed, 0);
    for (uint64_t step = 0; step < busy.steps; step++)
        scenario_step(optimizer);
    const char *difference = model_difference(&busy.it, &replayed);
    cr_assert_null(difference, "after %llu steps: %s", (unsigned long long)busy.steps, difference);
    glissade_optimizer_destroy(&optimizer);
    glissade_optimizer_destroy(&busy.optimizer);
    glissade_engine_destroy(&alone);
    glissade_engine_destroy(&busy.engine);
    model_destroy(&replayed);
    model_destroy(&busy.it);
}

/* ---- OpenMP ---- */

Test(processes, openmp_variables) {
    glissade_engine *engine = scenario_engine(2);
    glissade_engine_info info = {.size = sizeof info};
    cr_assert_eq(glissade_engine_get_info(engine, &info), GLISSADE_STATUS_OK);
    glissade_engine_destroy(&engine);
    char cpus[16];
    snprintf(cpus, sizeof cpus, "%u", info.pus);
    const struct {
        const char *variable, *value, *least, *most, *placed, *pus;
    } cases[] = {
        {NULL, NULL, "2", "2", "0", cpus},
        {"OMP_NUM_THREADS", "1", "2", "2", "0", cpus}, /* launchers export it; our own choice wins */
        {"OMP_THREAD_LIMIT", "1", "1", "1", "0", cpus},
        {"OMP_DYNAMIC", "true", "1", "2", "0", cpus},
        {"OMP_MAX_ACTIVE_LEVELS", "1", "2", "2", "0", cpus},
        {"OMP_PROC_BIND", "false", "2", "2", "0", cpus},
        {"OMP_PROC_BIND", "true", "2", "2", "1", cpus},
        {"OMP_PROC_BIND", "close", "2", "2", "1", cpus},
        {"OMP_PROC_BIND", "spread", "2", "2", "1", cpus},
        {"OMP_PLACES", "threads", "2", "2", "1", cpus},
        {"OMP_PLACES", "cores", "2", "2", "1", cpus},
        {"OMP_WAIT_POLICY", "passive", "2", "2", "0", cpus},
    };
    SKIP_UNDER_EMULATION();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const role[] = {"openmp",        cases[i].least, cases[i].most,
                                    cases[i].placed, cases[i].pus,   NULL};
        cr_assert_eq(play(role, cases[i].variable, cases[i].value), 0, "%s=%s",
                     cases[i].variable ? cases[i].variable : "nothing", cases[i].value ? cases[i].value : "");
    }
}
