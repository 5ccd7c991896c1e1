/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedule-free SGD and AdamW (Defazio et al. 2024, "The road less scheduled"; formulas of the authors'
 * SGDScheduleFreeReference and AdamWScheduleFreeReference): averaging in place of a schedule that must know the end.
 * There are three points: z takes the steps, x is a weighted mean of all z, and gradients are taken at y, between them.
 * Train at y, evaluate at x:
 *
 *     z += -rate d        x += part (z - x)        y = beta x + (1 - beta) z
 *
 * The parameter is y. State 0 is z, and x needs no array: it is y + (beta - 1) / beta (z - y).
 *
 * The rule's own part of the update (glissade/rule.h), beta1 standing for beta in AdamW:
 *
 *     rate = learning_rate min(1, t / warmup_steps)            learning_rate with warmup_steps 0
 *     largest = max(largest, rate)                             a number of the tensor
 *     weight = t^r largest^weight_lr_power
 *     sum = sum + weight                                       a number of the tensor
 *     part = weight / sum                                      0 while the sum is
 *
 *     d = g                                                    schedule_free_sgd
 *     v = fma(kappa2 * g, g, beta2 * v)                        schedule_free_adamw: state 1, flushed
 *     d = g / fma(w, sqrt(v), eps)                             schedule_free_adamw
 *                                                                  with kappa2 = 1 - beta2, w = 1 / sqrt(D(beta2))
 *     d = fma(weight_decay, y, d)                              only with decoupled decay, and if it is not 0
 *     y = fma(-eta, d, fma(part, z - y, y))                    eta = rate (1 - beta (1 - part)); z and y as they were
 *     z = fma(-rate, d, z)                                     state 0, not flushed
 *
 * and nothing after it. In a tensor's first step, t = 1, the old z is y. Decay is part of the direction, as the authors
 * have it, so that z carries it and the mean includes it: DECOUPLED is added after the division, at y; for SGD both are
 * the same. `cautious` changes nothing, for d has g's sign.
 *
 * The sum and the largest rate are numbers[0] and numbers[1] of glissade_tensor_info, to be saved and restored with z
 * and the counts (glissade_optimizer_set_numbers). State 0 is full only, whatever format the parameter has: it takes
 * steps that average out elsewhere, and x is made of its difference to y.
 */
#ifndef GLISSADE_SCHEDULE_FREE_H
#define GLISSADE_SCHEDULE_FREE_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_schedule_free_sgd_options {
    size_t size;
    double learning_rate; /* default 1 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double beta;            /* from FLT_MIN to 1; default 0.9 */
    uint64_t warmup_steps;  /* default 0 */
    double r;               /* from 0 to FLT_MAX; default 0 */
    double weight_lr_power; /* from 0 to FLT_MAX; default 2 */
} glissade_schedule_free_sgd_options;

typedef struct glissade_schedule_free_adamw_options {
    size_t size;
    double learning_rate; /* default 0.0025 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    double beta1;           /* from FLT_MIN to 1; default 0.9 */
    double beta2;           /* in [0, 1); default 0.999 */
    double eps;             /* from 0 to FLT_MAX; default 1e-8 */
    uint64_t warmup_steps;  /* default 0 */
    double r;               /* from 0 to FLT_MAX; default 0 */
    double weight_lr_power; /* from 0 to FLT_MAX; default 2 */
} glissade_schedule_free_adamw_options;

/* Setting another beta (beta1) than a group has stepped with returns INVALID_COMBINATION, for it would change what y
 * and z say of x. At the point of evaluation, which is x itself, it may be set. */
GLISSADE_RULE_CALLS(schedule_free_sgd);
GLISSADE_RULE_CALLS(schedule_free_adamw);

/* What the parameters of a group hold. */
typedef enum glissade_point {
    GLISSADE_POINT_TRAINING = 0,  /* y: where gradients are taken */
    GLISSADE_POINT_EVALUATION = 1 /* x: what to evaluate, and to keep in the end */
} glissade_point;

/*
 * Turns the parameters of a group under one of these rules into the other point, in place; a group is made at the point
 * of training, and setting the point that it has does nothing. For every element, in full (a master, if there is one,
 * from which parameter and copy are rounded as after a step; averages of glissade_optimizer_set_average stay):
 *
 *     to EVALUATION     p = fma((beta - 1) / beta, z - p, p)
 *     to TRAINING       p = fma(1 - beta, z - p, p)
 *
 * Tensors that have not stepped stay as they are, for their points are one. There and back costs two roundings of p:
 * about a unit in the last place of its format, which without a master is a half-precision parameter's own.
 *
 * While a group holds its point of evaluation a step that includes it returns INVALID_COMBINATION. To restore what was
 * saved there, set the point of a new group first, then counts and z.
 *
 * A pass by the engine's threads, as in a step: 12 bytes an element. Returns OK, NULL_ARGUMENT, NOT_FOUND (no such
 * group under these rules), INVALID_OPTION, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_point(glissade_optimizer *optimizer, uint32_t group,
                                             glissade_point point) GLISSADE_WARN_UNUSED_RESULT;

#ifdef __cplusplus
}
#endif

#endif
