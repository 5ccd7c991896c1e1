/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic gradient descent: plain, with momentum, dampening, debiasing, Nesterov's look-ahead, coupled or
 * decoupled weight decay, deferral of small gradients.
 *
 * Sources: Polyak 1964 (momentum), Sutskever et al. 2013 (Nesterov's as written here), torch.optim.SGD
 * (dampening, coupled decay, undampened first step), Loshchilov and Hutter 2019 (decoupled decay), Kingma and
 * Ba 2015 (division by 1 - beta^t), Dozat 2016 (look-ahead under debiasing).
 *
 * The update, to the rounding. Hyperparameters are double; the scalars are computed in double once per group
 * and step number and rounded once to float:
 *
 *     s       = (maximize ? -1 : 1) clip / (gradient_scale accumulated), clip being 1 unless a norm was clipped
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
 *     u = r + g                          only with a threshold, or to release r, when tau = 0:
 *         |u| < tau:  r = u,  g = 0      deferred
 *         else:       r = 0,  g = u      acts; so does a NaN
 *     r = |r| < FLT_MIN ? +0 : r         unless the engine keeps subnormals
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
 * Deferred small gradients. What is too small to act on collects in a residual r, one float an element, until the
 * collected sum u reaches tau; then all of u acts, once. A deferred element goes through its step with g = 0:
 * momentum decays, decay and momentum still move the parameter. r is in units of s * gradient, so what was collected
 * keeps the direction in which it came in when maximize or gradient_scale change. tau is a float, rounded once:
 *
 *     defer_unit ABSOLUTE        tau = defer_threshold, in units of s * gradient
 *     defer_unit GRADIENT_RMS    tau = defer_threshold * RMS, above FLT_MAX made FLT_MAX, below FLT_MIN made 0;
 *                                RMS: root mean square of s * gradient over the tensor, in the last step in which
 *                                it had a gradient. 0, and everything acts, in a tensor's first step and wherever
 *                                that step had no threshold or an RMS that is not finite.
 *
 * Nothing is dropped: per element, the sum of all g that acted plus r differs from the sum of all s * gradient by at
 * most the sum over the steps of ulp(u) / 2, plus FLT_MIN a step for what is flushed (not if the engine keeps
 * subnormals), as long as u is finite.
 * A threshold of 0 is no threshold: a tensor that never had one is updated without r. Lowering it to 0 releases r in
 * the tensor's next step with a gradient, where all of u acts; from then on it is updated without r again. A residual
 * array is kept, and counts again, if the threshold is raised again.
 *
 * The RMS is the same bits for any instruction set, number of threads, walk and alignment: squares are summed in
 * double by runs of 256 elements from the tensor's start, in each run 16 lanes (element i feeds lane i mod 16 by a
 * fused multiply-add), lanes folded l + 8, l + 4, l + 2, l + 1; runs are paired with their neighbour up a tree, an odd
 * last one passing up; the square root of the sum divided by the length. All in double.
 *
 * Sources of deferral, all of which do it to send less between machines: Seide et al. 2014, "1-bit stochastic gradient
 * descent" (the error of quantising to one bit is fed back into the next gradient; here nothing is quantised); Strom
 * 2015, "Scalable distributed DNN training using commodity GPU cloud computing" (a fixed tau: what reaches it sends
 * +-tau and keeps the rest; here all of u acts); Stich, Cordonnier and Jaggi 2018, "Sparsified SGD with memory" (the k
 * largest act, of a memory of gradients times learning rate; here tau decides, and r holds gradients, so that a new
 * learning rate applies to what was collected, too); Lin et al. 2018, "Deep gradient compression" (momentum is applied
 * before selection, and masked where an element acted; here selection comes before momentum, which then decays on as
 * usual).
 *
 * NaN and infinity propagate as IEEE 754 says; which NaN (payload and sign) is not promised. Neither enters a
 * residual: where u is not finite it acts at once and r = 0.
 *
 * Bytes per element, read plus written: plain 12, with momentum 20 (16 in its first update, which does not
 * read it); 4 more with zero_gradients; 8 more with a threshold, or where r is released. Passes: 1.
 */
#ifndef GLISSADE_SGD_H
#define GLISSADE_SGD_H

#include "glissade/optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum glissade_first_step {
    GLISSADE_FIRST_STEP_DAMPENED = 0,  /* m = kappa g: the moving average's own formula with a_0 = 0 */
    GLISSADE_FIRST_STEP_UNDAMPENED = 1 /* m = g: torch.optim.SGD's */
} glissade_first_step;

typedef enum glissade_defer_unit {
    GLISSADE_DEFER_UNIT_ABSOLUTE = 0,    /* a magnitude of s * gradient */
    GLISSADE_DEFER_UNIT_GRADIENT_RMS = 1 /* a multiple of the RMS of the tensor's last gradient */
} glissade_defer_unit;

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
    double defer_threshold;         /* elements below it are deferred: from FLT_MIN to FLT_MAX, in defer_unit;
                                       needs a DAMPENED first step; or 0, the default: none are */
    glissade_defer_unit defer_unit; /* default ABSOLUTE */
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
 * (no such group under this rule), INVALID_HYPERPARAMETER, INVALID_COMBINATION (they contradict each other; or
 * first_step UNDAMPENED while a tensor holds a residual: first lower the threshold to 0 and make a step in which
 * each has a gradient), INVALID_OPTION, OUT_OF_MEMORY (turning momentum or the threshold on allocates state;
 * everything is as before), BUSY, FORKED.
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
