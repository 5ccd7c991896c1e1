/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adamax (Kingma and Ba 2015, section 7.1), in the form of torch.optim.Adamax, which adds eps to the gradient's
 * magnitude.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     m = fma(beta1, m, kappa1 * g)               state 0, flushed
 *     u = max(fma(-kappa2, u, u), |g| + eps)      state 1, flushed
 *     d = m / u
 *     eta = learning_rate / D(beta1)
 *
 * u fades step by step while no gradient comes near it: by kappa2, because beta2 rounded to float would put it off by
 * 1.3e-8 of itself each time at 0.999. Kept in bf16 rounded to nearest it does not fade at all with a beta2 above
 * 0.998, which left steps a quarter too small after 5,000 with Gaussian gradients; rounded stochastically it does.
 *
 * When beta1 is changed between steps D uses the current value, as torch.optim.Adamax does.
 */
#ifndef GLISSADE_ADAMAX_H
#define GLISSADE_ADAMAX_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_adamax_options {
    size_t size;
    double learning_rate; /* default 0.002 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double beta1, beta2; /* in [0, 1); default 0.9, 0.999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-8 */
} glissade_adamax_options;

GLISSADE_RULE_CALLS(adamax);

#ifdef __cplusplus
}
#endif

#endif
