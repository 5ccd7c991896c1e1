/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adadelta (Zeiler 2012), with a learning rate, as torch.optim.Adadelta has it.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa = 1 - rho:
 *
 *     v = fma(kappa * g, g, rho * v)              state 0, flushed: average of squared gradients
 *     d = sqrt((u + eps) / (v + eps)) * g
 *     u = fma(kappa * d, d, rho * u)              state 1, flushed: average of squared d, which is not masked yet
 */
#ifndef GLISSADE_ADADELTA_H
#define GLISSADE_ADADELTA_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_adadelta_options {
    size_t size;
    double learning_rate; /* default 1 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double rho; /* in [0, 1); default 0.9 */
    double eps; /* from 0 to FLT_MAX; default 1e-6. At 0 nothing ever moves */
} glissade_adadelta_options;

GLISSADE_RULE_CALLS(adadelta);

#ifdef __cplusplus
}
#endif

#endif
