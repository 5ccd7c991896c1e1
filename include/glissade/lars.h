/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LARS, layer-wise adaptive rate scaling (You, Gitman and Ginsburg 2017), with the learning rate outside the momentum.
 *
 * The rule's own part of the update (glissade/rule.h). |p| and |g| are Euclidean norms over the tensor, |g| that of
 * s * gradient, made as norms of a step are (glissade/optimizer.h):
 *
 *     local = trust |p| / (|g| + weight_decay |p| + eps)   if both norms are above 0, else 1; in double, rounded once
 *     m = fma(momentum, m, local * g)                      state 0, flushed; g with its coupled decay
 *     d = m
 *
 * Norms that are not finite make the tensor's parameters NaN or leave them alone (local 0), as the formula says. A
 * tensor is one layer. `cautious` masks d by g as everywhere.
 *
 * Passes: 2, of which the first reads parameter and gradient alone: 28 bytes per element in all.
 */
#ifndef GLISSADE_LARS_H
#define GLISSADE_LARS_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_lars_options {
    size_t size;
    double learning_rate; /* default 0.1 */
    double weight_decay;  /* default 1e-4 */
    glissade_decay decay; /* COUPLED */
    bool maximize, cautious;
    double momentum; /* in [0, 1); default 0.9 */
    double trust;    /* from 0 to FLT_MAX; default 0.001 */
    double eps;      /* from 0 to FLT_MAX; default 1e-8 */
} glissade_lars_options;

GLISSADE_RULE_CALLS(lars);

#ifdef __cplusplus
}
#endif

#endif
