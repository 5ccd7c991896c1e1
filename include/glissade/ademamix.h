/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AdEMAMix (Pagliardini, Ablin and Grangier 2024, "The AdEMAMix optimizer: better, faster, older"): Adam with a second
 * average of gradients beside the first, which remembers much longer.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2, kappa3 = 1 - b3:
 *
 *     m = fma(beta1, m, kappa1 * g)              state 0, flushed
 *     v = fma(kappa2 * g, g, beta2 * v)          state 1, flushed
 *     n = fma(b3, n, kappa3 * g)                 state 2, flushed; never debiased
 *     d = fma(a, n, m) / fma(w, sqrt(v), eps)    a = alpha(t) D(beta1), w = 1 / sqrt(D(beta2))
 *     eta = learning_rate / D(beta1)
 *
 * alpha(t) = alpha and b3 = beta3, but in the warm-up, where t < warmup:
 *
 *     u = t / warmup
 *     alpha(t) = u alpha
 *     b3 = exp(1 / ((1 - u) / log(beta1) + u / log(beta3)))        1 / log(0) being 0
 *
 * so that the time in which n forgets half, which is in proportion to 1 / log(b3), rises linearly from that of m. The
 * paper, which finds the start unstable without, warms up for as many steps as there will be.
 *
 * A step changes n by a part in 1 / kappa3, 10,000 by default. In bf16 rounded to nearest and in 8 bits, whose places
 * are a part in 256 and 64 apart, n stands still once it has grown; bf16 rounded stochastically follows on average.
 */
#ifndef GLISSADE_ADEMAMIX_H
#define GLISSADE_ADEMAMIX_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_ademamix_options {
    size_t size;
    double learning_rate; /* default 0.001 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default DECOUPLED */
    bool maximize, cautious;
    double beta1, beta2; /* in [0, 1); default 0.9, 0.999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-8 */
    double beta3;        /* in [0, 1); default 0.9999 */
    double alpha;        /* weight of the slow average: from 0 to FLT_MAX; default 5 */
    uint64_t warmup;     /* steps until alpha and beta3 are reached; default 0: they are from the first on */
} glissade_ademamix_options;

GLISSADE_RULE_CALLS(ademamix);

#ifdef __cplusplus
}
#endif

#endif
