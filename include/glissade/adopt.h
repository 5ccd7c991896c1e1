/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ADOPT (Taniguchi et al. 2024, "ADOPT: modified Adam can converge with any beta2 with the optimal rate"), in the form
 * of the authors' code: a gradient is divided by the second moment of those before it, and what comes out is averaged.
 *
 * The rule's own part of the update (glissade/rule.h), with kappa1 = 1 - beta1, kappa2 = 1 - beta2:
 *
 *     a = g / max(sqrt(v), eps)                   v as it was before
 *     a = max(min(a, b), -b)                      b = sqrt(sqrt(t - 1)); without clip it is infinite
 *     m = fma(beta1, m, kappa1 * a)               state 0, flushed
 *     v = fma(kappa2 * g, g, beta2 * v)           state 1, flushed
 *     d = m
 *
 * In its first step, t = 1, a tensor has v = g * g (the same with kappa2 = 1, beta2 = 0), m = +0, and its parameter
 * stays as it is: it is not decayed either. Nothing is debiased.
 *
 * min(a, b) is a < b ? a : b, NaN if either is. An eps of 0 makes an element NaN whose first two gradients are 0.
 */
#ifndef GLISSADE_ADOPT_H
#define GLISSADE_ADOPT_H

#include "glissade/rule.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_adopt_options {
    size_t size;
    double learning_rate; /* default 0.001 */
    double weight_decay;  /* default 0 */
    glissade_decay decay; /* default COUPLED */
    bool maximize, cautious;
    bool clip;           /* default true */
    double beta1, beta2; /* in [0, 1); default 0.9, 0.9999 */
    double eps;          /* from 0 to FLT_MAX; default 1e-6 */
} glissade_adopt_options;

GLISSADE_RULE_CALLS(adopt);

#ifdef __cplusplus
}
#endif

#endif
