/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdaBelief (Zhuang et al. 2020), in the form of the authors' code: the step is divided by how far gradients lie from
 * their average, not by how large they are.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     m = fma(beta1, m, kappa1 * g)                           state 0, flushed
 *     e = g - m
 *     v = fma(beta2, v, fma(kappa2 * e, e, eps))              state 1, flushed
 *     d = m / fma(w, sqrt(v), eps)                            w = 1 / sqrt(D(beta2))
 *     eta = learning_rate / D(beta1)
 */
#ifndef GLISSADE_ADABELIEF_H
#define GLISSADE_ADABELIEF_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_adabelief_options {
    size_t size;
    double learning_rate; /* default 0.001 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    double beta1, beta2; /* in [0, 1); default 0.9, 0.999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-16 */
} glissade_adabelief_options;

GLISSADE_RULE_CALLS(adabelief);

#ifdef __cplusplus
}
#endif

#endif
