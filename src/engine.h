/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's inside: settings, kernels, threads; and running work on the team. */
#ifndef GLS_ENGINE_H
#define GLS_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "environment.h"
#include "glissade/engine.h"
#include "kernel.h"
#include "team.h"
#include "threads.h"
#include "topology.h"

/* One setting as the engine uses it. */
typedef struct gls_setting {
    uint32_t value; /* as in the environment's table */
    glissade_origin origin;
    char text[16];
} gls_setting;

struct glissade_engine {
    atomic_uint references;
    gls_setting settings[GLS_VARIABLE_COUNT];
    glissade_isa isa;
    const gls_kernels *kernels;
    gls_topology topology;
    gls_threads threads;
    uint32_t *cpus; /* for each thread the CPU it is bound to; NULL: threads are not bound */
    double quota;
    bool placed_by_openmp;
    pthread_mutex_t turn; /* held while the team works: optimizers that share an engine take turns */
    glissade_log_function *log;
    void *log_user;
};

static inline uint32_t gls_engine_setting(const glissade_engine *engine, gls_variable variable) {
    return engine->settings[variable].value;
}

/* Passes a line to the log function if the engine is at least so verbose. */
__attribute__((format(printf, 3, 4))) void gls_engine_log(const glissade_engine *engine, uint32_t level,
                                                          const char *format, ...);

/* Takes and gives up a reference. */
void gls_engine_hold(glissade_engine *engine);

/* What became of work given to the team. */
typedef struct gls_execution {
    uint32_t threads, planned;
    bool pinned;
} gls_execution;

/*
 * Runs work that touches `bytes` bytes: on the team, pinned if it is large, or on the calling thread alone,
 * as the one shard GLS_ALL_SHARDS, if it is small, if this process is a fork's child, or if the
 * caller is inside a parallel region (whose other threads have the CPUs).
 */
gls_execution gls_engine_execute(glissade_engine *engine, size_t bytes, gls_team_work *work, void *context);

/* The same for work that mostly waits for the disk: threads go where there is a CPU, which is 15 % of a cold read. */
gls_execution gls_engine_execute_waiting(glissade_engine *engine, size_t bytes, gls_team_work *work,
                                         void *context);

/* Whether work that touches so many bytes has its walk found by trying; and the walk for other work. */
bool gls_engine_tunes(const glissade_engine *engine, size_t bytes);
gls_walk gls_engine_walk(const glissade_engine *engine, size_t bytes);

#endif
