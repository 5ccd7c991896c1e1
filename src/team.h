/* SPDX-License-Identifier: Apache-2.0 */
/* The team: the one parallel region, in which each thread is pinned, does its shards, and is put back. */
#ifndef GLS_TEAM_H
#define GLS_TEAM_H

#include "pin.h"

/* Work on one shard. Called for shards 0 .. shards - 1, each once, on any thread, side by side. */
typedef void gls_team_work(void *context, uint32_t shard);

typedef struct gls_team {
    uint32_t shards; /* as many as threads are asked for */
    const uint32_t
        *cpus; /* the CPU to bind each thread to, by the operating system's number; NULL: unpinned */
    gls_team_work *work;
    void *context;
} gls_team;

/*
 * Runs all shards and returns how many threads OpenMP delivered; with fewer than asked for, each takes
 * several shards. Workers get the default floating-point control; the caller's is the caller's business.
 */
uint32_t gls_team_run(const gls_team *team);

/* Whether the caller is already one of several threads of a parallel region. */
bool gls_team_nested(void);

/* Whether OpenMP was told where threads go (OMP_PROC_BIND, OMP_PLACES, GOMP_CPU_AFFINITY); it is then not
 * fought. */
bool gls_team_placed_by_openmp(void);

/* Adds the CPUs of OpenMP's places: OpenMP may have bound the calling thread to the first alone. */
void gls_team_add_places(gls_cpuset *set);

#endif
