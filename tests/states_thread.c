/* SPDX-License-Identifier: Apache-2.0 */
/* The thread that saves: what it leaves to the host process, and what forks make of it. */
#include "saving_check.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void setup_large(void) {
    setup();
    begin(LARGE);
}

TestSuite(states_thread, .init = setup_large, .fini = teardown, .timeout = 120);

static glissade_save *start_at(uint64_t rate) {
    glissade_save_options options = stepper_options(&it, &text);
    options.bytes_per_second = rate;
    return start(&options);
}

static void must_end_and_hold(glissade_save *save) {
    must_end_well(save);
    must_hold(it.step);
}

Test(states_thread, asking_leaves_the_floating_point_status) {
    glissade_save_progress progress = {.size = sizeof progress};
    glissade_save *save = start_at(0);
    feclearexcept(FE_ALL_EXCEPT);
    do
        cr_assert_eq(glissade_save_get_progress(save, &progress), GLISSADE_STATUS_OK);
    while (!progress.done);
    cr_assert_eq(fetestexcept(FE_ALL_EXCEPT), 0);
    must_end_and_hold(save);
}

/* ---- signals, priority ---- */

static atomic_int writer, niceness;
static sigset_t blocked;

/* Called by the thread that saves, at its first write. */
static ssize_t look_at_thread(int fd, const void *bytes, size_t count, off_t offset) {
    if (!writer) {
        niceness = getpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid));
        pthread_sigmask(SIG_BLOCK, NULL, &blocked);
        writer = (int)syscall(SYS_gettid);
    }
    return gls_os_system.pwrite(fd, bytes, count, offset);
}

static atomic_int handled_by;

static void note_thread(int signal_number) {
    (void)signal_number;
    handled_by = (int)syscall(SYS_gettid);
}

/* A signal to the process finds the thread that left it open, though that of the save would be there, too. */
Test(states_thread, signals_are_the_programs) {
    gls_os table = gls_os_system;
    table.pwrite = look_at_thread;
    gls_os_table = &table;
    signal(SIGUSR1, note_thread);
    glissade_save *save = start_at(40 * 1000 * 1000);
    while (!writer)
        usleep(1000);
    for (int signal_number = 1; signal_number < 32; signal_number++)
        cr_assert(sigismember(&blocked, signal_number) || signal_number == SIGKILL ||
                      signal_number == SIGSTOP,
                  "signal %d is open", signal_number);
    for (int i = 0; i < 20; i++) {
        handled_by = 0;
        kill(getpid(), SIGUSR1);
        while (!handled_by)
            usleep(100);
        cr_assert_neq(handled_by, writer);
    }
    sigset_t own;
    pthread_sigmask(SIG_BLOCK, NULL, &own);
    cr_assert(!sigismember(&own, SIGUSR1) && !sigismember(&own, SIGTERM), "the caller's mask has changed");
    must_end_and_hold(save);
    gls_os_table = &gls_os_system;
}

Test(states_thread, steps_back) {
    gls_os table = gls_os_system;
    table.pwrite = look_at_thread;
    gls_os_table = &table;
    const int before = getpriority(PRIO_PROCESS, 0);
    must_end_and_hold(start_at(0));
    gls_os_table = &gls_os_system;
    cr_assert(writer && writer != getpid());
    cr_assert_eq(niceness, before + 10 > 19 ? 19 : before + 10, "%d", niceness);
    cr_assert_eq(getpriority(PRIO_PROCESS, 0), before);
}

/* ---- no thread to be had ---- */

static int without_threads(void) {
    const struct rlimit none = {0, 0};
    glissade_save *save = (glissade_save *)&save;
    if (setrlimit(RLIMIT_NPROC, &none) || (geteuid() == 0 && (setgid(65534) || setuid(65534))))
        return 1;
    if (glissade_optimizer_save_start(it.optimizer, folder_at(&home, "state"), NULL, &save) !=
            GLISSADE_STATUS_UNSUPPORTED ||
        save)
        return 2;
    if (!strstr(glissade_optimizer_message(it.optimizer), "gives no thread to write by (error 11)"))
        return 3;
    return strcmp(folder_names(&home), "") ? 4 : 0;
}

static int in_child(int (*body)(void)) {
    const pid_t child = fork();
    int status;
    if (child == 0) {
        alarm(60);
        _exit(body());
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Test(states_thread, none_to_be_had) {
    cr_assert_eq(chmod(home.path, 0777), 0);
    cr_assert_eq(in_child(without_threads), 0);
    must_end_and_hold(start_at(0));
}

/* ---- forks ---- */

static glissade_save *running;

static int look_at_parents_save(void) {
    glissade_save_progress progress = {.size = sizeof progress};
    glissade_save *own;
    if (glissade_save_wait(running, &error) != GLISSADE_STATUS_FORKED ||
        error.status != GLISSADE_STATUS_FORKED ||
        !strstr(error.message, "the save goes on in the parent process"))
        return 1;
    if (glissade_save_get_progress(running, &progress) || progress.total < LARGE)
        return 2;
    glissade_save_cancel(running); /* in vain: the parent's goes on */
    glissade_save_destroy(&running);
    if (running)
        return 3;
    /* The child saves, too, in a thread of its own. */
    glissade_save_options options = stepper_options(&it, &text);
    if (glissade_optimizer_save_start(it.optimizer, folder_at(&home, "child"), &options, &own) ||
        glissade_save_wait(own, &error))
        return 4;
    glissade_save_destroy(&own);
    const char *wrong = stepper_difference(&it, folder_at(&home, "child"), it.step);
    return wrong ? fprintf(stderr, "%s\n", wrong), 5 : 0;
}

/* In turn at the first writes and amid those of the data. */
Test(states_thread, fork_while_a_save_writes) {
    for (int write = 1; write <= 8; write++) {
        glissade_save_options options = stepper_options(&it, &text);
        glissade_save *save = running = start_and_stop(&options, write);
        const int result = in_child(look_at_parents_save);
        let_go();
        cr_assert_eq(result, 0, "write %d: %d", write, result);
        must_end_and_hold(save);
        stepper_step(&it);
    }
}

Test(states_thread, fork_at_any_moment_of_a_save) {
    if (!SCENARIO_FORKS_ANY_TIME)
        cr_skip_test("the sanitizer's allocator does not bear it");
    for (int moment = 0; moment < 12; moment++) {
        glissade_save *save = running = start_at(moment % 3 ? 100 * 1000 * 1000 : 0);
        usleep((useconds_t)moment * 4000);
        const int result = in_child(look_at_parents_save);
        cr_assert_eq(result, 0, "moment %d: %d", moment, result);
        must_end_and_hold(save);
        stepper_step(&it);
    }
}

/* A child that outlives a writer has its locks; what is whole is not in its way, what is not stays until it ends. */
Test(states_thread, a_child_that_stays) {
    glissade_save *save = start_at(200 * 1000 * 1000);
    usleep(20000);
    const pid_t child = fork();
    if (child == 0) {
        sleep(60);
        _exit(0);
    }
    must_end_and_hold(save);
    stepper_step(&it);
    must_end_and_hold(start_at(0));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}
