/* SPDX-License-Identifier: Apache-2.0 */
/* Deferred small gradients, apart from the update rule: what is known of a tensor that defers, and its threshold. */
#ifndef GLS_DEFERRAL_H
#define GLS_DEFERRAL_H

#include <stdatomic.h>

#include "sums.h"

/* Beside gls_tensor and not in it: that is one cache line, and ten thousand small tensors read it every step. */
typedef struct gls_deferral {
    void *r;                 /* residual, of floats; NULL if there never was one */
    gls_sums sums;           /* of squares of s * gradient */
    double rms;              /* of s * gradient in the last step, if the group deferred in it; else 0 */
    uint64_t acted;          /* elements that did in the last step */
    _Atomic uint64_t acting; /* in the step under way, by the shards so far */
    bool holds; /* r counts: the next step is a deferring one, which releases it if the threshold is 0 */
} gls_deferral;

/* A group's threshold under its present hyperparameters; 0: it does not defer. */
typedef struct gls_threshold {
    double value;
    bool relative; /* to the root mean square of the tensor's gradient in its previous step */
} gls_threshold;

/* The magnitude from which on an element of the tensor acts in the next step. */
float gls_deferral_tau(const gls_deferral *deferral, gls_threshold threshold);

/* Ends a step of the tensor, in which it deferred or not; how many elements acted. */
uint64_t gls_deferral_settle(gls_deferral *deferral, size_t n, bool deferred, gls_threshold threshold);

#endif
