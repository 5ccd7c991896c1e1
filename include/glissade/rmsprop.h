/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RMSprop (Hinton 2012), centred as in Graves 2013, with momentum, in the form of torch.optim.RMSprop: eps is added to
 * the root, momentum is of the normalized gradient without the learning rate, and nothing is debiased.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa = 1 - alpha, zeta = alpha kappa:
 *
 *     v = fma(kappa * g, g, alpha * v)            state 0, flushed; without centered
 *     e = g - a                                   with centered instead:
 *     v = fma(zeta * e, e, alpha * v)             state 0, flushed
 *     a = fma(kappa, e, a)                        state 2, flushed: average of gradients
 *     d = g / (sqrt(v) + eps)
 *     b = fma(momentum, b, d),  d = b             state 1, flushed; only if momentum is not 0
 *
 * With centered v is a variance: in exact arithmetic the average of g^2 less a^2, which is how PyTorch makes it. That
 * difference loses digits where gradients change little, can come out negative, which makes NaN of the root, and means
 * nothing where one of the two is kept in a reduced format. The sum of squares above has none of this.
 *
 * Centered may be turned on at any time: until then a is 0, and v the variance about that. When it is turned off v goes
 * on from where it is, a^2 below the average of g^2 and approaching it as fast as alpha forgets; a stays as it is. So
 * does b while momentum is 0.
 *
 * Bytes per element: 20, with momentum 28, centered 36 (also without momentum: b exists, and is read and written).
 */
#ifndef GLISSADE_RMSPROP_H
#define GLISSADE_RMSPROP_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_rmsprop_options {
    size_t size;
    double learning_rate; /* default 0.01 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    bool centered;   /* default false */
    double alpha;    /* in [0, 1); default 0.99 */
    double eps;      /* from 0 to FLT_MAX; default 1e-8 */
    double momentum; /* in [0, 1); default 0 */
} glissade_rmsprop_options;

GLISSADE_RULE_CALLS(rmsprop);

#ifdef __cplusplus
}
#endif

#endif
