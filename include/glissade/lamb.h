/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LAMB (You et al. 2020, with debiasing; the norms unscaled).
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2, D1 = D(beta1),
 * D2 = D(beta2). First pass:
 *
 *     m = fma(beta1, m, kappa1 * g)              state 0, flushed
 *     v = fma(kappa2 * g, g, beta2 * v)          state 1, flushed
 *     d = m / fma(w, sqrt(v), e)                 w = D1 / sqrt(D2), e = eps D1
 *     d = d opposes g ? d - d : d                only with cautious
 *     u = fma(weight_decay, p, d)                only with decoupled decay, which here joins the direction; else u = d
 *
 * and |p|, |u|, Euclidean norms over the tensor, made as norms of a step are (glissade/optimizer.h). Second pass, which
 * makes u again, of the state as it is kept (in a reduced format it has been rounded in between):
 *
 *     p = fma(-eta, u, p)                        eta = learning_rate |p| / |u| if both are above 0, else learning_rate
 *
 * Passes: 2. 36 bytes per element in all: 24 in the first, 16 in the second less the gradient, which is read again only
 * with cautious.
 */
#ifndef GLISSADE_LAMB_H
#define GLISSADE_LAMB_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_lamb_options {
    size_t size;
    double learning_rate; /* default 0.001 */
    double weight_decay;  /* default 0.01 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    double beta1, beta2; /* in [0, 1); default 0.9, 0.999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-6 */
} glissade_lamb_options;

GLISSADE_RULE_CALLS(lamb);

#ifdef __cplusplus
}
#endif

#endif
