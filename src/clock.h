/* SPDX-License-Identifier: Apache-2.0 */
/* The time that passes, for reports, pacing and the walk that is found by trying. No result depends on it. */
#ifndef GLS_CLOCK_H
#define GLS_CLOCK_H

#include <time.h>

/* Seconds since some moment that never changes while the system runs. */
static inline double gls_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* no system call on Linux */
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#endif
