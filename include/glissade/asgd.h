/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Averaged stochastic gradient descent (Polyak and Juditsky 1992) with Bottou's schedule of rates, as torch.optim.ASGD
 * has it: beside the parameter, which is trained, its mean over the steps after t0, which is what to use in the end.
 *
 * The rule's own part of the update (glissade/rule.h):
 *
 *     d = fma(lambd, p, g)
 *     eta = learning_rate / (1 + lambd learning_rate (t - 1))^alpha
 *     ...                                      the mask, the decay and the step that all rules have, then:
 *     x = mu = 1 ? p : fma(mu, p - x, x)       state 0, not flushed, of the new p
 *     mu = 1 / max(1, t - 1 - t0)
 *
 * eta and mu are made from the steps before this one, t - 1, as torch.optim has them; there, though, a changed
 * learning_rate, lambd, alpha or t0 counts from the step after next, here from the next one on. Decoupled decay goes by
 * learning_rate, not by eta.
 *
 * The average is state[0] of glissade_tensor_info (or `momentum`): `length` floats, doubles for a parameter of double;
 * the parameter itself until t - 1 - t0 passes 1, of what no step has seen zeros. It is full only, whatever format the
 * parameter has: a step moves it by a part of mu, which other formats would round away.
 */
#ifndef GLISSADE_ASGD_H
#define GLISSADE_ASGD_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_asgd_options {
    size_t size;
    double learning_rate; /* default 0.01 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double lambd; /* decay of rate and parameter: from 0 to FLT_MAX; default 0.0001 */
    double alpha; /* power of the rate's decay: from 0 to FLT_MAX; default 0.75 */
    double t0;    /* steps before the mean begins: from 0 to FLT_MAX; default 1e6 */
} glissade_asgd_options;

GLISSADE_RULE_CALLS(asgd);

#ifdef __cplusplus
}
#endif

#endif
