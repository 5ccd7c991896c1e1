/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many threads, and which CPU is whose: a pure function of topology and wishes, so that machines that
 * nobody here has can be tested as text.
 */
#ifndef GLS_THREADS_H
#define GLS_THREADS_H

#include "topology.h"

typedef struct gls_thread_request {
    uint32_t threads;     /* 0: choose */
    const char *asked_by; /* "option threads", "GLISSADE_THREADS": for messages */
    bool oversubscribe;   /* allow more threads than PUs */
    double quota;         /* CPUs that the cgroup grants; 0: no limit */
} gls_thread_request;

typedef struct gls_threads {
    uint32_t count;
    uint32_t *pus; /* for each thread its place in topology->pus, ascending; NULL: oversubscribed, unpinned */
    char reason[160];
} gls_threads;

/* Returns OK, INVALID_THREADS or OUT_OF_MEMORY. */
glissade_status gls_threads_plan(const gls_topology *topology, const gls_thread_request *request,
                                 gls_threads *threads, glissade_error *error);
void gls_threads_free(gls_threads *threads);

#endif
