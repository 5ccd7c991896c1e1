/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules of the adaptive family have in common; each has a header of its own. (SGD, glissade/sgd.h, is not one
 * of them: it has more of its own, deferral among it.)
 *
 * Hyperparameters. Every options struct begins alike:
 *
 *     learning_rate   from 0 to FLT_MAX
 *     weight_decay    from 0 to FLT_MAX; default 0 unless the rule says otherwise
 *     decay           how weight_decay acts
 *     maximize        ascend instead of descend; default false
 *     cautious        mask what opposes the gradient (below); default false
 *
 * The update, to the rounding. Hyperparameters are double; scalars are computed in double once per group and step number
 * and rounded once to float. t counts the steps in which the tensor had a gradient, this one included. D(beta) is
 * 1 - beta^t, relative error below 1.2e-16; with debiasing off, where a rule can turn it off, it is 1. For every element,
 * in this order, one rounding to nearest per operation; fma(a, b, c) is a b + c rounded once:
 *
 *     g = s * gradient                  s = (maximize ? -1 : 1) clip / (gradient_scale accumulated), see optimizer.h
 *     g = fma(weight_decay, p, g)       only with coupled decay, and if it is not 0
 *     ...                               the rule's own header: new state, and d, the direction
 *     d = d opposes g ? d - d : d       only with cautious: where d and g differ in sign or g is 0
 *     q = fma(-lambda, p, p)            only with decoupled decay, lambda = learning_rate weight_decay not 0; else q = p
 *     p = fma(-eta, d, q)               eta = learning_rate unless the rule's header says otherwise
 *
 * State that is stored is flushed: x = |x| < FLT_MIN ? +0 : x, unless the engine keeps subnormals; a NaN stays. It is
 * written with the tensor's state format afterwards, so that a step uses its own new state unrounded. max(a, b) is
 * a > b ? a : b, NaN if either is; sign(x) is 1, -1, or x itself where that is zero or NaN. In double (a parameter of
 * double) everything is double, and flushed below DBL_MIN.
 *
 * The cautious mask is that of Liang et al. 2024, "Cautious optimizers", without its rescaling by the share of elements
 * that stay, which would cost a pass of its own. In d - d a zero is +0, and what is not finite gives NaN.
 *
 * State. Arrays that the library makes start as zeros. Arrays of the caller's (glissade_tensor.state) are used as they
 * are: fill them with zeros, or with what was saved, and set the counts that belong to it
 * (glissade_optimizer_set_counts; of these rules momentum_updates equals steps).
 *
 * Each rule has four calls, alike but for their names:
 *
 *     void glissade_NAME_options_init(glissade_NAME_options *options, size_t size)
 *         Writes every default into the first `size` bytes; call it with size = sizeof *options.
 *     glissade_status glissade_optimizer_add_NAME(optimizer, tensors, count, options, uint32_t *group)
 *         Adds a group of `count` tensors under the rule and writes its number, as glissade_optimizer_add_sgd does, and
 *         returns the same.
 *     glissade_status glissade_optimizer_set_NAME(optimizer, group, options)
 *         Changes a group's hyperparameters from the next step on. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND (no
 *         such group under this rule), INVALID_HYPERPARAMETER, INVALID_COMBINATION, INVALID_OPTION, OUT_OF_MEMORY (more
 *         state is needed; everything is as before), BUSY, FORKED.
 *     glissade_status glissade_optimizer_get_NAME(optimizer, group, options)
 *         Reads a group's hyperparameters. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND, BUSY, FORKED.
 *
 * Bytes per element, read plus written, when all is float: 12 and 8 for each array of state, unless the header says
 * otherwise; 4 more with zero_gradients. Passes: 1, unless the header says otherwise.
 */
#ifndef GLISSADE_RULE_H
#define GLISSADE_RULE_H

#include "glissade/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Declares the four calls. */
#define GLISSADE_RULE_CALLS(name)                                                                            \
    GLISSADE_API                                                                                             \
    void glissade_##name##_options_init(glissade_##name##_options *options, size_t size);                    \
    GLISSADE_API                                                                                             \
    glissade_status glissade_optimizer_add_##name(                                                           \
        glissade_optimizer *optimizer, const glissade_tensor *tensors, size_t count,                         \
        const glissade_##name##_options *options, uint32_t *group) GLISSADE_WARN_UNUSED_RESULT;              \
    GLISSADE_API                                                                                             \
    glissade_status glissade_optimizer_set_##name(glissade_optimizer *optimizer, uint32_t group,             \
                                                  const glissade_##name##_options *options)                  \
        GLISSADE_WARN_UNUSED_RESULT;                                                                         \
    GLISSADE_API                                                                                             \
    glissade_status glissade_optimizer_get_##name(glissade_optimizer *optimizer, uint32_t group,             \
                                                  glissade_##name##_options *options)                        \
        GLISSADE_WARN_UNUSED_RESULT

#ifdef __cplusplus
}
#endif

#endif
