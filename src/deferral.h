/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deferred small gradients, apart from the update rule: what is known of a tensor that defers, its threshold, and
 * the root mean square of its gradient, summed in an order that neither threads nor cuts change.
 */
#ifndef GLS_DEFERRAL_H
#define GLS_DEFERRAL_H

#include <stdatomic.h>

#include "kernel.h"
#include "plan.h"

enum { GLS_BLOCK_UNITS = GLS_BLOCK / GLS_SUM_UNIT };

/* Beside gls_tensor and not in it: that is one cache line, and ten thousand small tensors read it every step. */
typedef struct gls_deferral {
    float *r;      /* residual; NULL if there never was one */
    double *units; /* sums of squares of s * gradient, one for each GLS_SUM_UNIT elements of blocks that a cut
                       divides ... */
    double *blocks;          /* ... and for each GLS_BLOCK */
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

/* How many sums a tensor of n elements needs, by units and by blocks. */
size_t gls_deferral_units(size_t n);
size_t gls_deferral_blocks(size_t n);

/* The magnitude from which on an element of the tensor acts in the next step. */
float gls_deferral_tau(const gls_deferral *deferral, gls_threshold threshold);

/* Sums up a block from its units; and all blocks that a cut divides, once every owner of a part has left its units
 * with the tensor. The same block may be summed up again. */
void gls_deferral_fold(const gls_deferral *deferral, size_t block, const double *units, size_t n);
void gls_deferral_fold_divided(const gls_deferral *deferral, const gls_plan *plan, uint32_t tensor, size_t n);

/* Ends a step of the tensor, in which it deferred or not; how many elements acted. */
uint64_t gls_deferral_settle(gls_deferral *deferral, size_t n, bool deferred, gls_threshold threshold);

#endif
