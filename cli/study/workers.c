/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pool of processes, one a run. Must not use OpenMP or CBLAS in the parent: their threads would not survive the
 * fork.
 */
#include "workers.h"

#include "../progress.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS_MAXIMUM = 256 };

/* What ends a study in order. Those that its parent has it ignore, as nohup does, stay ignored. */
static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { ENDING_SIGNALS = sizeof ending_signals / sizeof ending_signals[0] };

struct worker {
    pid_t process;
    int pipe; /* its outcome comes through here; -1: no worker */
    const struct run_settings *settings;
    struct run_outcome outcome;
    size_t received; /* bytes of it */
    double started;
};

struct pool {
    const char *study;
    unsigned round;
    bool force;
    const struct dataset *dataset;
    struct results *results;
    struct worker workers[WORKERS_MAXIMUM];
    size_t size, active;
    struct progress progress;
    double cost, cost_done; /* of all runs, in arbitrary units */
    double busy;            /* seconds that the done ones took, each for itself */
    size_t runs, runs_done, failed;
    struct sigaction former[ENDING_SIGNALS];
};

static volatile sig_atomic_t interrupted;

static void interrupt(int signal) {
    interrupted = signal;
}

int workers_interrupted(void) {
    return interrupted;
}

static void catch_signals(struct pool *pool) {
    const struct sigaction action = {.sa_handler = interrupt};
    for (int i = 0; i < ENDING_SIGNALS; ++i) {
        sigaction(ending_signals[i], NULL, &pool->former[i]);
        if (pool->former[i].sa_handler != SIG_IGN)
            sigaction(ending_signals[i], &action, NULL);
    }
}

static void release_signals(const struct pool *pool) {
    for (int i = 0; i < ENDING_SIGNALS; ++i)
        sigaction(ending_signals[i], &pool->former[i], NULL);
}

/* ---- how long it will take ---- */

/*
 * What a run takes, in images of the small MLP that are trained on: those of its batches, what a step costs
 * whatever its batch, and at its checkpoints, a tenth of the way apart, the images that it is evaluated on, which
 * only go forward. A convolutional network takes twice as long for an image.
 */
static double cost(const struct run_settings *settings) {
    const double a_step = 8.0, an_evaluation = 1000.0, a_noise_measurement = 4200.0;
    const double steps = (double)settings->steps;
    double checkpoints = steps < 20.0 ? steps : 20.0 + log(steps / 20.0) / log(1.1);
    double images = steps * ((double)settings->batch + a_step) +
                    checkpoints * (an_evaluation + (settings->noise ? a_noise_measurement : 0.0)) + 3300.0;
    return settings->network->layers[0].kind == LAYER_CONVOLUTION ? 2.0 * images : images;
}

/* From what the done runs took; those under way have their seconds so far taken off. Negative: not known yet. */
static double seconds_left(const struct pool *pool) {
    if (pool->cost_done <= 0.0)
        return -1.0;
    double now = clock_seconds(), left = (pool->cost - pool->cost_done) * pool->busy / pool->cost_done;
    for (size_t i = 0; i < pool->size; ++i)
        if (pool->workers[i].pipe >= 0)
            left -= now - pool->workers[i].started;
    size_t runs_left = pool->runs - pool->runs_done;
    size_t at_a_time = runs_left < pool->size ? runs_left : pool->size;
    return left > 0.0 && at_a_time > 0 ? left / (double)at_a_time : 0.0;
}

static void show_progress(struct pool *pool) {
    char label[128];
    int length = snprintf(label, sizeof label, "%s, round %u: %zu of %zu runs", pool->study, pool->round,
                          pool->runs_done, pool->runs);
    double left = seconds_left(pool);
    if (left >= 0.0) {
        char duration[DURATION_SIZE];
        format_duration(left, duration);
        snprintf(label + length, sizeof label - (size_t)length, ", %s left", duration);
    }
    progress_update(&pool->progress, label, (size_t)pool->cost_done, (size_t)pool->cost);
}

/* ---- the child ---- */

/*
 * Leaves the study's affairs to the parent. The lock on the results would outlive a parent that is killed for as
 * long as a child has the file open. Ctrl-C goes to all processes of a terminal, but whether runs end is the
 * parent's decision.
 */
static void part_from_parent(const struct pool *pool, pid_t parent) {
    /* A run must not outlive its study, however that ends. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_CODE_FAILED);
    release_signals(pool);
    signal(SIGINT, SIG_IGN);
    close(pool->results->file);
}

/* Never returns. */
static void work(const struct pool *pool, const struct run_settings *settings, int out, pid_t parent) {
    part_from_parent(pool, parent);
    static struct run_outcome outcome;
    enum exit_code exit_code = run_execute(settings, pool->dataset, &outcome);
    const char *bytes = (const char *)&outcome;
    for (size_t done = 0; exit_code == EXIT_CODE_OK && done < sizeof outcome;) {
        ssize_t written = write(out, bytes + done, sizeof outcome - done);
        if (written > 0)
            done += (size_t)written;
        else if (errno != EINTR)
            exit_code = EXIT_CODE_FAILED;
    }
    fflush(stderr);
    _exit((int)exit_code);
}

/* ---- the parent ---- */

/* Returns an error number or 0. */
static int start(struct pool *pool, const struct run_settings *settings) {
    struct worker *worker = pool->workers;
    while (worker->pipe >= 0)
        ++worker;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    pid_t parent = getpid(), process = fork();
    int problem = errno;
    if (process == 0) {
        close(ends[0]);
        work(pool, settings, ends[1], parent);
    }
    close(ends[1]);
    if (process < 0) {
        close(ends[0]);
        return problem;
    }
    worker->process = process;
    worker->pipe = ends[0];
    worker->settings = settings;
    worker->received = 0;
    worker->started = clock_seconds();
    ++pool->active;
    return 0;
}

static void await(const struct worker *worker, int *status) {
    while (waitpid(worker->process, status, 0) < 0 && errno == EINTR)
        ;
}

/* Says which run was lost, and how. */
static void report_lost(struct pool *pool, const struct worker *worker, int status) {
    const struct run_settings *settings = worker->settings;
    char how[64];
    if (WIFSIGNALED(status))
        snprintf(how, sizeof how, "was ended by signal %d", WTERMSIG(status));
    else
        snprintf(how, sizeof how, "failed with exit code %d", WEXITSTATUS(status));
    progress_clear(&pool->progress);
    report_error("study %s: the run %s %s, momentum %g, rate %g, batch %llu, %s %g, seed %llu %s",
                 pool->study, settings->network->name, arm_name(settings->arm), settings->momentum,
                 settings->rate, (unsigned long long)settings->batch, handling_name(settings->handling),
                 settings->threshold, (unsigned long long)settings->seed, how);
}

/* Takes leave of a worker whose pipe has ended. */
static enum exit_code finish(struct pool *pool, struct worker *worker) {
    int status = 0;
    close(worker->pipe);
    worker->pipe = -1;
    --pool->active;
    await(worker, &status);
    ++pool->runs_done;
    pool->cost_done += cost(worker->settings);
    pool->busy += clock_seconds() - worker->started;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0 && worker->received == sizeof worker->outcome)
        return results_append(pool->results, worker->settings, &worker->outcome);
    ++pool->failed;
    if (!interrupted)
        report_lost(pool, worker, status);
    return EXIT_CODE_OK;
}

/* Waits for something to read, and reads it. */
static enum exit_code attend(struct pool *pool) {
    struct pollfd polled[WORKERS_MAXIMUM];
    for (size_t i = 0; i < pool->size; ++i)
        polled[i] = (struct pollfd){.fd = pool->workers[i].pipe, .events = POLLIN};
    int ready = poll(polled, pool->size, 250);
    show_progress(pool);
    for (size_t i = 0; ready > 0 && i < pool->size; ++i) {
        struct worker *worker = &pool->workers[i];
        if (polled[i].fd < 0 || polled[i].revents == 0)
            continue;
        char *bytes = (char *)&worker->outcome;
        ssize_t got = read(worker->pipe, bytes + worker->received, sizeof worker->outcome - worker->received);
        if (got < 0 && errno == EINTR)
            continue;
        if (got > 0)
            worker->received += (size_t)got;
        if (got <= 0 || worker->received == sizeof worker->outcome) {
            enum exit_code exit_code = finish(pool, worker);
            if (exit_code != EXIT_CODE_OK)
                return exit_code;
        }
    }
    return EXIT_CODE_OK;
}

static void stop_all(struct pool *pool) {
    for (size_t i = 0; i < pool->size; ++i) {
        struct worker *worker = &pool->workers[i];
        if (worker->pipe < 0)
            continue;
        int status;
        kill(worker->process, SIGKILL);
        close(worker->pipe);
        worker->pipe = -1;
        await(worker, &status);
    }
    pool->active = 0;
}

/* Keeps every place of the pool taken until the list is done. */
static enum exit_code work_off(struct pool *pool, const struct run_settings *const *todo) {
    enum exit_code exit_code = EXIT_CODE_OK;
    for (size_t next = 0;
         exit_code == EXIT_CODE_OK && !interrupted && (next < pool->runs || pool->active > 0);) {
        int problem = 0;
        if (next < pool->runs && pool->active < pool->size) {
            problem = start(pool, todo[next]);
            next += problem == 0;
        }
        /* Where the system has no process or pipe to give, with fewer at a time. */
        if (problem != 0 && pool->active == 0) {
            report_error("study %s: no process for a run: %s", pool->study, strerror(problem));
            exit_code = EXIT_CODE_FAILED;
        } else if (problem != 0 || next == pool->runs || pool->active == pool->size) {
            exit_code = attend(pool);
        }
    }
    stop_all(pool);
    progress_clear(&pool->progress);
    return exit_code;
}

/* What the user is to know at the end. */
static enum exit_code conclude(const struct pool *pool, enum exit_code exit_code) {
    const char *again = pool->force ? "the same command without --force" : "the same command";
    if (interrupted) {
        report_error("study %s: interrupted; '%s' keeps its %zu runs, and %s goes on", pool->study,
                     pool->results->path, pool->results->count, again);
        return EXIT_CODE_FAILED;
    }
    if (exit_code == EXIT_CODE_OK && pool->failed > 0) {
        report_error("study %s: %zu of %zu runs failed; %s tries them again", pool->study, pool->failed,
                     pool->runs, again);
        return EXIT_CODE_FAILED;
    }
    return exit_code;
}

/* Takes from the plan what the results lack. */
static void collect_runs(struct pool *pool, const struct run_plan *plan, const struct run_settings **todo) {
    for (size_t i = 0; i < plan->count; ++i)
        if (results_find(pool->results, &plan->runs[i]) == NULL) {
            todo[pool->runs++] = &plan->runs[i];
            pool->cost += cost(&plan->runs[i]);
        }
}

enum exit_code workers_execute(const char *study, const struct study_settings *settings, unsigned round,
                               const struct run_plan *plan, const struct dataset *dataset,
                               struct results *results) {
    const struct run_settings **todo = malloc((plan->count + 1) * sizeof *todo);
    struct pool *pool = calloc(1, sizeof *pool);
    enum exit_code exit_code = EXIT_CODE_FAILED;
    if (todo == NULL || pool == NULL) {
        report_error("study %s: out of memory", study);
    } else {
        pool->study = study;
        pool->round = round;
        pool->force = settings->force;
        pool->dataset = dataset;
        pool->results = results;
        pool->size = settings->workers < WORKERS_MAXIMUM ? settings->workers : WORKERS_MAXIMUM;
        for (size_t i = 0; i < pool->size; ++i)
            pool->workers[i].pipe = -1;
        collect_runs(pool, plan, todo);
        catch_signals(pool);
        progress_start(&pool->progress, settings->quiet);
        exit_code = conclude(pool, work_off(pool, todo));
        release_signals(pool);
    }
    free(todo);
    free(pool);
    return exit_code;
}
