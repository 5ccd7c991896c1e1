/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NAdam: Adam with Nesterov's momentum (Dozat 2016), in the form of torch.optim.NAdam, which follows the momentum
 * schedule
 *
 *     mu(t) = beta1 (1 - 0.96^(t momentum_decay) / 2)
 *
 * in the look-ahead and its debiasing, but averages the gradient with beta1.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     m = fma(beta1, m, kappa1 * g)               state 0, flushed
 *     v = fma(kappa2 * g, g, beta2 * v)           state 1, flushed
 *     d = fma(n1, m, n2 * g) / fma(w, sqrt(v), eps)
 *
 *     w  = 1 / sqrt(D(beta2))
 *     n1 = mu(t + 1) / E(t + 1)
 *     n2 = (1 - mu(t)) / E(t)                     E(t) = 1 - mu(1) mu(2) ... mu(t)
 *
 * E is computed without cancellation, as (1 - mu(t)) + mu(t) E(t - 1), and 1 - mu(t) as a sum, too. mu(t) takes the
 * beta1 and the momentum_decay of its step, D(beta2) the present beta2, as in PyTorch.
 *
 * Numbers kept of each tensor (glissade_tensor_info.numbers): the first is E(t), 0 before the first step. A caller who
 * restores state sets it (glissade_optimizer_set_numbers) together with the counts. PyTorch's mu_product is 1 - E(t).
 */
#ifndef GLISSADE_NADAM_H
#define GLISSADE_NADAM_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_nadam_options {
    size_t size;
    double learning_rate; /* default 0.002 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    double beta1, beta2;   /* in [0, 1); default 0.9, 0.999 */
    double eps;            /* from 0 to FLT_MAX; default 1e-8 */
    double momentum_decay; /* psi, from 0 to FLT_MAX; default 0.004 */
} glissade_nadam_options;

GLISSADE_RULE_CALLS(nadam);

#ifdef __cplusplus
}
#endif

#endif
