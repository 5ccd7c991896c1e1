/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RAdam, rectified Adam (Liu et al. 2020), in the form of torch.optim.RAdam, which rectifies where rho is above 5 (the
 * paper: 4), and adds eps to the root of the second moment before that is debiased.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     m = fma(beta1, m, kappa1 * g)               state 0, flushed
 *     v = fma(kappa2 * g, g, beta2 * v)           state 1, flushed
 *
 * and, the same for all elements of a tensor,
 *
 *     limit = 2 / (1 - beta2) - 1,  rho = limit - 2 t beta2^t / D(beta2)
 *
 *     rho > 5:  d = m / (sqrt(v) + eps),  eta = learning_rate r sqrt(D(beta2)) / D(beta1)
 *               r = sqrt((rho - 4) / (limit - 4) (rho - 2) / (limit - 2) limit / rho)
 *     else:     d = m,  eta = learning_rate / D(beta1)
 *
 * With beta2 = 0.999 steps are rectified from the sixth on, with a beta2 of 2/3 or less never.
 * When a beta is changed between steps D, limit and rho use the current value, as torch.optim.RAdam does.
 */
#ifndef GLISSADE_RADAM_H
#define GLISSADE_RADAM_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_radam_options {
    size_t size;
    double learning_rate; /* default 0.001 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double beta1, beta2; /* in [0, 1); default 0.9, 0.999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-8 */
} glissade_radam_options;

GLISSADE_RULE_CALLS(radam);

#ifdef __cplusplus
}
#endif

#endif
