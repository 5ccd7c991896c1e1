/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quasi-hyperbolic momentum (Ma and Yarats 2019): a weighted mean of plain SGD, nu = 0, and SGD with dampened momentum,
 * nu = 1. Not debiased.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa = 1 - beta:
 *
 *     m = fma(beta, m, kappa * g)                 state 0, flushed
 *     d = fma(nu, m, (1 - nu) * g)
 */
#ifndef GLISSADE_QHM_H
#define GLISSADE_QHM_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_qhm_options {
    size_t size;
    double learning_rate; /* default 0.01 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double beta; /* in [0, 1); default 0.9 */
    double nu;   /* from 0 to 1; default 0.7 */
} glissade_qhm_options;

GLISSADE_RULE_CALLS(qhm);

#ifdef __cplusplus
}
#endif

#endif
