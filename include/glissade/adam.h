/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019: decay DECOUPLED, the default here) and AMSGrad (Reddi,
 * Kale and Kumar 2018, in torch.optim's form, whose maximum is of the second moment before debiasing).
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     m = fma(beta1, m, kappa1 * g)               state 0, flushed
 *     v = fma(kappa2 * g, g, beta2 * v)           state 1, flushed
 *     x = max(x, v)                               state 2, only with amsgrad; otherwise x = v
 *     d = m / fma(w, sqrt(x), eps)                w = 1 / sqrt(D(beta2))
 *     eta = learning_rate / D(beta1)
 *
 * When a beta is changed between steps D uses the current value, as torch.optim.Adam does.
 */
#ifndef GLISSADE_ADAM_H
#define GLISSADE_ADAM_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_adam_options {
    size_t size;
    double learning_rate; /* default 0.001 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    bool amsgrad;        /* default false */
    bool debias;         /* default true */
    double beta1, beta2; /* in [0, 1); default 0.9, 0.999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-8 */
} glissade_adam_options;

GLISSADE_RULE_CALLS(adam);

#ifdef __cplusplus
}
#endif

#endif
