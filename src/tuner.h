/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finding the walk that suits the machine. Walking several pages in turn is worth 10 to 13 % on one processor
 * and costs 8 % on another, and no property of a processor tells which; but it changes no bit of a result, so
 * the first large steps of an optimizer try the candidates in turn and the rest use the one that was fastest.
 */
#ifndef GLS_TUNER_H
#define GLS_TUNER_H

#include <stdbool.h>
#include <stdint.h>

#include "kernel.h"

enum {
    GLS_TUNER_CANDIDATES = 3,
    GLS_TUNER_ROUNDS =
        5, /* each candidate counts by its best, which leaves out page faults and neighbours' noise */
};

typedef struct gls_tuner {
    uint32_t trials;                   /* so far, of GLS_TUNER_CANDIDATES x GLS_TUNER_ROUNDS */
    uint32_t fastest;                  /* candidate; meaningful once all were tried */
    double best[GLS_TUNER_CANDIDATES]; /* seconds a byte */
} gls_tuner;

/* Whether the next large step is a trial, to be timed and learnt from. */
bool gls_tuner_is_trying(const gls_tuner *tuner);

/* The walk for a large step: the next candidate while trying, then the fastest. */
gls_walk gls_tuner_walk(const gls_tuner *tuner);

/* Takes note of a trial that touched so many bytes in so many seconds. */
void gls_tuner_learn(gls_tuner *tuner, double seconds, size_t bytes);

#endif
