/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lion (Chen et al. 2023, "Symbolic discovery of optimization algorithms"): steps of equal size along the signs of an
 * average of gradients.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     d = sign(fma(beta1, m, kappa1 * g))        m as it was before
 *     m = fma(beta2, m, kappa2 * g)              state 0, flushed
 *
 * Nothing is debiased: m starts at zero, and d is a sign. The paper's decay is DECOUPLED; coupled, it takes part in the
 * sign.
 */
#ifndef GLISSADE_LION_H
#define GLISSADE_LION_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_lion_options {
    size_t size;
    double learning_rate; /* default 0.0001 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    double beta1, beta2; /* in [0, 1); default 0.9, 0.99 */
} glissade_lion_options;

GLISSADE_RULE_CALLS(lion);

#ifdef __cplusplus
}
#endif

#endif
