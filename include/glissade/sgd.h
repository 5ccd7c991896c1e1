/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic gradient descent: plain, with momentum, dampening, debiasing, Nesterov's look-ahead, coupled or
 * decoupled weight decay.
 *
 * Sources: Polyak 1964 (momentum), Sutskever et al. 2013 (Nesterov's as written here), torch.optim.SGD
 * (dampening, coupled decay, undampened first step), Loshchilov and Hutter 2019 (decoupled decay), Kingma and
 * Ba 2015 (division by 1 - beta^t), Dozat 2016 (look-ahead under debiasing).
 *
 * The update, to the rounding. Hyperparameters are double; the scalars are computed in double once per group
 * and step number and rounded once to float:
 *
 *     s       = (maximize ? -1 : 1) / gradient_scale
 *     kappa   = 1 - dampening
 *     lambda  = learning_rate * weight_decay
 *     D(k)    = 1 - momentum^k, relative error below 1.2e-16 (computed without pow, without cancellation)
 *     eta     = learning_rate / D(k) when debiasing without Nesterov, else learning_rate
 *     n1, n2  = momentum / D(k + 1), kappa / D(k) when debiasing with Nesterov, else momentum, kappa
 *
 * Then for every element, in this order, one rounding to nearest per operation; fma(a, b, c) is a b + c rounded
 * once:
 *
 *     g = s * gradient
 *     g = fma(weight_decay, p, g)        only with coupled decay
 *     m = fma(momentum, m, kappa * g)    only with momentum; at k = 1 the old m counts as +0,
 *                                        or, with first_step UNDAMPENED, m = g
 *     m = |m| < FLT_MIN ? +0 : m         unless the engine keeps subnormals; a NaN stays
 *     d = m                              g without momentum; with Nesterov fma(n1, m, n2 * g)
 *     q = fma(-lambda, p, p)             only with decoupled decay, else q = p
 *     p = fma(-eta, d, q)
 *
 * t counts the steps in which the tensor had a gradient; k counts the updates of its momentum since that was
 * created, this one included. With dampening = momentum and debias this is the debiased exponentially weighted
 * moving average,
 *     a_k = momentum a_(k-1) + (1 - momentum) g_k,   p -= learning_rate a_k / (1 - momentum^k).
 * When momentum is changed between steps D uses the current value, as torch.optim.Adam does; the correction
 * is then approximate. Setting momentum to 0 drops the momentum (k = 0); raising it again starts anew.
 * Scalars that exceed the largest float (a learning rate near it, divided by a small D) round to infinity.
 *
 * NaN and infinity propagate as IEEE 754 says; which NaN (payload and sign) is not promised.
 *
 * Bytes per element, read plus written: plain 12, with momentum 20 (16 in its first update, which does not
 * read it); 4 more with zero_gradients. Passes: 1.
 */
#ifndef GLISSADE_SGD_H
#define GLISSADE_SGD_H

#include "glissade/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum glissade_decay {
    GLISSADE_DECAY_COUPLED = 0,  /* added to the gradient (torch.optim.SGD's weight_decay) */
    GLISSADE_DECAY_DECOUPLED = 1 /* taken off the parameter, as AdamW does */
} glissade_decay;

typedef enum glissade_first_step {
    GLISSADE_FIRST_STEP_DAMPENED = 0,  /* m = kappa g: the moving average's own formula with a_0 = 0 */
    GLISSADE_FIRST_STEP_UNDAMPENED = 1 /* m = g: torch.optim.SGD's */
} glissade_first_step;

typedef struct glissade_sgd_options {
    size_t size;                    /* sizeof(glissade_sgd_options) */
    double learning_rate;           /* from 0 to FLT_MAX; default 0.001 */
    double momentum;                /* beta, in [0, 1); default 0: none */
    double dampening;               /* in [0, 1]; default 0 */
    double weight_decay;            /* from 0 to FLT_MAX; default 0 */
    glissade_decay decay;           /* how weight_decay acts; default COUPLED */
    glissade_first_step first_step; /* default DAMPENED */
    bool nesterov;                  /* needs momentum; default false */
    bool debias;                    /* needs momentum and a DAMPENED first step; default false */
    bool maximize;                  /* ascend instead of descend; default false */
} glissade_sgd_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_sgd_options_init(glissade_sgd_options *options, size_t size);

/*
 * Adds a group of `count` tensors under this rule and writes its number to *group. Lengths and addresses are
 * copied; the array of descriptors is not kept. Library-owned state is allocated and first touched by the
 * threads that will own it; how the group is divided among them never changes afterwards.
 *
 * Returns OK, NULL_ARGUMENT, INVALID_SIZE, NO_TENSORS, TOO_LARGE, MISALIGNED, OVERLAP, DUPLICATE_TENSOR,
 * INVALID_HYPERPARAMETER, INVALID_COMBINATION, INVALID_OPTION, OUT_OF_MEMORY, BUSY, FORKED. On failure the
 * optimizer is as before.
 */
GLISSADE_API
glissade_status glissade_optimizer_add_sgd(glissade_optimizer *optimizer, const glissade_tensor *tensors,
                                           size_t count, const glissade_sgd_options *options,
                                           uint32_t *group) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Changes a group's hyperparameters from the next step on. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND
 * (no such group under this rule), INVALID_HYPERPARAMETER, INVALID_COMBINATION, INVALID_OPTION, OUT_OF_MEMORY
 * (turning momentum on allocates it), BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_sgd(glissade_optimizer *optimizer, uint32_t group,
                                           const glissade_sgd_options *options) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Reads a group's hyperparameters; options->size says how much the caller can take.
 * Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_get_sgd(glissade_optimizer *optimizer, uint32_t group,
                                           glissade_sgd_options *options) GLISSADE_WARN_UNUSED_RESULT;

#ifdef __cplusplus
}
#endif

#endif
