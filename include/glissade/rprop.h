/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rprop, resilient backpropagation (Riedmiller and Braun 1993), as iRprop- (Igel and Huesken 2000) and torch.optim have
 * it: each element has a step size of its own, which grows while its gradient keeps its sign and shrinks when that
 * turns. For whole batches: noise turns signs, too.
 *
 * The rule's own part of the update (glissade/rule.h):
 *
 *     f = sign(o) * g > 0 ? eta_plus : sign(o) * g < 0 ? eta_minus : 1         o: state 0 as it was before
 *     h = min(max(f * h, step_min), step_max)     state 1, flushed; h as it was before is learning_rate where t = 1
 *     o = sign(o) * g < 0 ? +0 : sign(g)          state 0
 *     d = o * h
 *     eta = 1
 *
 * where sign(o) and g are those of the first line throughout. learning_rate is where step sizes start, and the rate of
 * decoupled decay; changing it later changes nothing else. `cautious` changes nothing, for d never opposes g.
 *
 * min(a, b) is a < b ? a : b, NaN if either is. State 0 is -1, 0, 1 or NaN, and only its sign is read, which every
 * format keeps (torch.optim has the gradient there, which will do as well). State 1 is full only: the sizes are the
 * step itself, an error in them stays, and neighbours differ by as much as step_max does from step_min, 2^25 by default.
 */
#ifndef GLISSADE_RPROP_H
#define GLISSADE_RPROP_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_rprop_options {
    size_t size;
    double learning_rate; /* default 0.01 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double eta_minus;          /* in [0, 1); default 0.5 */
    double eta_plus;           /* from 1 to FLT_MAX; default 1.2 */
    double step_min, step_max; /* from 0 to FLT_MAX, step_min at most step_max; default 1e-6, 50 */
} glissade_rprop_options;

GLISSADE_RULE_CALLS(rprop);

#ifdef __cplusplus
}
#endif

#endif
