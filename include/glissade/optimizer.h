/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The optimizer: the model's side. It holds groups of tensors, their hyperparameters and their state, and
 * steps them. Update rules have headers of their own (glissade/sgd.h), each with the call that adds a group
 * under that rule.
 *
 *   Ownership    Parameters and gradients belong to the caller and must stay valid while registered. State
 *                belongs to the library unless the caller hands in its own memory with the tensor.
 *   Threads      One optimizer serves one thread at a time: a call that finds another inside returns BUSY and
 *                changes nothing. Different optimizers are independent, also when they share an engine.
 *   Fork         In a fork's child an optimizer goes on working, on the calling thread alone. If a call on it
 *                was in flight in another thread at the fork, its arrays are half updated: every call returns
 *                FORKED.
 *   Determinism  Results are the same bits for every instruction set, number of threads, plan, walk and
 *                alignment, and however a step is divided into calls. (Two tensors that share a gradient are
 *                the exception, if the step zeroes it; check_overlap finds them.)
 */
#ifndef GLISSADE_OPTIMIZER_H
#define GLISSADE_OPTIMIZER_H

#include "glissade/base.h"
#include "glissade/engine.h"
#include "glissade/format.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct glissade_optimizer glissade_optimizer;

/* ---- lifecycle ---- */

/*
 * Makes an optimizer without groups that keeps a reference to `engine`. `error` may be NULL.
 * Returns OK, NULL_ARGUMENT, OUT_OF_MEMORY. On failure *optimizer is NULL.
 */
GLISSADE_API
glissade_status glissade_optimizer_create(glissade_engine *engine, glissade_optimizer **optimizer,
                                          glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Frees the optimizer and the state it owns and sets *optimizer to NULL; NULL and a NULL handle are accepted.
 * No other thread may be inside a call on it.
 */
GLISSADE_API
void glissade_optimizer_destroy(glissade_optimizer **optimizer);

/* Message of the last failed call on this optimizer, "" if none failed; BUSY, FORKED and NULL_ARGUMENT for
 * the optimizer itself leave it alone. Valid until the next call on the optimizer. */
GLISSADE_API
const char *glissade_optimizer_message(const glissade_optimizer *optimizer);

/* ---- tensors and groups ---- */

/* Arrays of state that a tensor can have; each rule's header names its own. */
enum { GLISSADE_STATES = 4 };

/*
 * One parameter array with its gradient, their number formats (glissade/format.h) and, if the caller wants to own it,
 * its state. Arrays of these are given to the calls that add a group; all entries carry the same size.
 *
 * Addresses must be multiples of the element's size. Parameters, copies and caller-owned state must not overlap one
 * another or those of any other tensor of the optimizer; a gradient must not overlap its own parameter and
 * state.
 *
 * Combinations that exist: a parameter of double takes a gradient of double, full state and nothing else. Any other
 * parameter takes a gradient of float, bf16 or f16 and any state. A parameter of bf16 or f16 may have a master, split
 * only for bf16; one of float a copy in bf16 or f16.
 */

typedef struct glissade_tensor {
    size_t size;     /* sizeof(glissade_tensor) */
    void *parameter; /* `length` elements; may be NULL if length is 0 */
    void *gradient;  /* `length` elements, or NULL: absent until glissade_optimizer_set_gradient */
    size_t length;   /* elements; 0 is legal */
    void *momentum;  /* the first array of state, owned by the caller, or NULL: the library's. Under SGD the
                       first update overwrites it; other rules use what it holds: fill it with zeros, or
                       with what was saved */
    void *residual; /* `length` floats owned by the caller; or NULL: the library's, zeros, made when the group
                        gets a threshold. What they hold is added to the gradient in the tensor's first step,
                        whatever the threshold: fill them with zeros, or with what was saved. Refused together
                        with an undampened first step */
    glissade_dtype parameter_dtype, gradient_dtype;      /* default F32 */
    glissade_state_format state_format[GLISSADE_STATES]; /* by array of state; default FULL */
    void *state
        [GLISSADE_STATES];  /* arrays of state owned by the caller, glissade_state_bytes each; or NULL: the
                                     library's. state[0] is another name for `momentum`: give one of them */
    glissade_master master; /* of a parameter of bf16 or f16; default NONE */
    void *master_state;     /* `length` floats, or int16 for a split one, owned by the caller, whose content
                                     counts; or NULL: the library's, which starts at the parameter's value */
    glissade_dtype copy_dtype; /* BF16 or F16 of a copy of a float parameter ... */
    void *copy;                /* ... that each step writes, `length` elements; or NULL: none */
    float *average;            /* `length` floats owned by the caller, whose content counts, for
                                     glissade_optimizer_set_average; or NULL: the library's */
    size_t columns; /* of a matrix stored row by row, for rules that tell rows from columns; 0: a vector */
} glissade_tensor;

/* Zeroes the first `size` bytes and records the size; call it with size = sizeof *tensor. */
GLISSADE_API
void glissade_tensor_init(glissade_tensor *tensor, size_t size);

/*
 * A group is named by the number that its adding call returned; numbers are never reused. A tensor is named
 * by its group and its index in the array that the group was made from.
 */
typedef struct glissade_tensor_ref {
    uint32_t group;
    uint32_t index;
} glissade_tensor_ref;

/*
 * Removes a group and frees the state that the library owns for it. Caller-owned arrays are left as they are.
 * Returns OK, NULL_ARGUMENT, NOT_FOUND, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_remove_group(glissade_optimizer *optimizer,
                                                uint32_t group) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Sets where a tensor's gradient lies from now on; NULL makes it absent: steps skip the tensor and its counts
 * stay. Returns OK, NULL_ARGUMENT (optimizer), NOT_FOUND, MISALIGNED, OVERLAP (with its own parameter or
 * state), BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_gradient(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                                void *gradient) GLISSADE_WARN_UNUSED_RESULT;

/*
 * The same for all tensors of a group at once: gradients[i] belongs to tensor i, and count must be their
 * number. All or none are set. Returns as glissade_optimizer_set_gradient, and INVALID_OPTION for a wrong
 * count.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_gradients(glissade_optimizer *optimizer, uint32_t group,
                                                 void *const *gradients,
                                                 size_t count) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Tells that a tensor's parameter now lies at another address (the caller has moved the values). State and
 * counts stay. Returns OK, NULL_ARGUMENT, NOT_FOUND, MISALIGNED, TOO_LARGE (it passes the last address), OVERLAP,
 * DUPLICATE_TENSOR, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_parameter(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                                 void *parameter) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Sets the learning rate of a group, whatever its rule: from 0 to the largest float.
 * Returns OK, NULL_ARGUMENT, NOT_FOUND, INVALID_HYPERPARAMETER, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_learning_rate(glissade_optimizer *optimizer, uint32_t group,
                                                     double learning_rate) GLISSADE_WARN_UNUSED_RESULT;

/* What is known of a tensor, its state included. */
typedef struct glissade_tensor_info {
    size_t size; /* set by the caller to sizeof(glissade_tensor_info) */
    void *parameter, *gradient;
    size_t length;
    void *momentum; /* `length` floats, the caller's or the library's; NULL if the group never had any */
    uint64_t steps; /* t: steps in which this tensor had a gradient */
    uint64_t momentum_updates; /* k: updates of its momentum since that was created; while it is 0 the array's
                                  content means nothing */
    void *residual; /* `length` floats, the caller's or the library's; NULL if the group never had any */
    uint64_t acted; /* elements that acted in the tensor's last step: its length, but for those deferred; 0
                       before its first */
    double gradient_rms; /* root mean square of s * gradient in the tensor's last step, if the group had a
                            threshold then; else 0, which stands for "not known" */
    glissade_dtype parameter_dtype, gradient_dtype;
    glissade_state_format state_format[GLISSADE_STATES];
    void *state
        [GLISSADE_STATES]; /* as the rule names them, state[0] being `momentum`; NULL where there is none */
    glissade_master master;
    void *master_state;
    glissade_dtype copy_dtype;
    void *copy;
    float *average; /* NULL if the group never had one */
    size_t columns;
    double numbers[2]; /* that the rule keeps of the tensor beside its counts; see the rule's header */
} glissade_tensor_info;

/*
 * Reads a tensor's addresses, state and counts. Momentum and residual may be read and written between steps and
 * stay at their addresses until the group is removed; what is written to a residual counts while the group has
 * a threshold, and until the step that releases it. Returns OK, NULL_ARGUMENT, INVALID_SIZE, NOT_FOUND, BUSY,
 * FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_get_tensor(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                              glissade_tensor_info *info) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Sets a tensor's counts, for a caller who restores state: write the momentum array, then set the counts it
 * had. Returns OK, NULL_ARGUMENT, NOT_FOUND, INVALID_OPTION (steps above INT64_MAX,
 * momentum_updates above steps, or not 0 without momentum), BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_counts(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                              uint64_t steps,
                                              uint64_t momentum_updates) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Sets the numbers that a rule keeps of a tensor beside its counts, for a caller who restores state: what
 * glissade_optimizer_get_tensor gave. Returns OK, NULL_ARGUMENT, NOT_FOUND, INVALID_OPTION (not finite; or not 0 under
 * a rule that keeps none), BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_numbers(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                               double first, double second) GLISSADE_WARN_UNUSED_RESULT;

/* Bytes of an array of state of `length` elements; 0 if they cannot be held. `wide`: for a parameter of double. */
GLISSADE_API
size_t glissade_state_bytes(glissade_state_format format, size_t length, bool wide);

/*
 * Tells that the caller has written new values to a tensor's parameter: a master that the library keeps of it, the
 * caller's too, starts anew at these values (for a split one the lower halves become 0), and so does an average if
 * `average` is set. Without a master and `average` there is nothing to tell. Returns OK, NULL_ARGUMENT, NOT_FOUND, BUSY,
 * FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_parameter_written(glissade_optimizer *optimizer,
                                                     glissade_tensor_ref tensor,
                                                     bool average) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Keeps an exponential moving average of a group's weights from the next step on: after each step of a tensor
 *     average = fma(weight, p - average, average),    weight = 1 - decay, rounded once,
 * p being the parameter in full (of a half-precision one without a master, before it is rounded), in the same pass.
 * decay: in [0, 1), or 1 to stop averaging (the arrays stay, and go on from there if it is resumed). An average of the
 * library's starts at the parameters as they are at this call. Returns OK, NULL_ARGUMENT, NOT_FOUND,
 * INVALID_HYPERPARAMETER, INVALID_COMBINATION (a parameter of double), OUT_OF_MEMORY, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_average(glissade_optimizer *optimizer, uint32_t group,
                                               double decay) GLISSADE_WARN_UNUSED_RESULT;

/* Sets the seed of stochastic rounding, 0 by default; every seed is as good. Returns OK, NULL_ARGUMENT, BUSY, FORKED. */
GLISSADE_API
glissade_status glissade_optimizer_set_seed(glissade_optimizer *optimizer,
                                            uint64_t seed) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Sets the root mean square of a tensor's last gradient, for a caller who restores the state of a group whose
 * threshold is relative to it: what glissade_optimizer_get_tensor gave. Infinity and NaN, which a gradient can
 * have made, are accepted: everything acts in the next step then, as it does after 0. Returns OK, NULL_ARGUMENT,
 * NOT_FOUND, INVALID_OPTION (negative; or not 0 in a group that had neither a threshold nor a caller's residual),
 * BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_set_gradient_rms(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                                    double gradient_rms) GLISSADE_WARN_UNUSED_RESULT;

/* How weight decay acts, in every rule. */
typedef enum glissade_decay {
    GLISSADE_DECAY_COUPLED = 0,  /* added to the gradient (torch.optim.SGD's weight_decay) */
    GLISSADE_DECAY_DECOUPLED = 1 /* taken off the parameter, as AdamW does */
} glissade_decay;

/* ---- step ---- */

typedef struct glissade_step_options {
    size_t size;                        /* sizeof(glissade_step_options) */
    const glissade_tensor_ref *tensors; /* step only these, each at most once (as their gradients arrive);
                                           NULL: all tensors of all groups */
    size_t tensor_count;                /* length of `tensors`; 0 with a non-NULL list is a step of nothing */
    double gradient_scale; /* the gradients are this many times too large; default 1. Finite, and with
                              an inverse that a float can hold other than as 0 */
    bool zero_gradients;   /* write zero to each gradient as it is read */
    bool check_overlap;    /* check all present gradients against all parameters, states and one another
                              (sorts them: about 1 ms for 10,000 tensors) */
    double clip_norm; /* scale gradients down so that their norm over all tensors of the step is at most this;
                              0, the default: do not. One read-only pass. With `tensors` it needs `norm` */
    double norm;      /* the norm to clip by, for a caller who knows it; negative, the default: find it */
    double clip_tensor_norm; /* the same for each tensor by its own norm; 0, the default: do not */
    double clip_value;       /* limit each element of the gradient to +- this; 0, the default: do not */
    uint32_t accumulated;    /* the gradients are sums over so many batches, whose mean is meant; default 1 */
    bool skip_nonfinite;     /* if any gradient of the step is not finite, change no parameter, state or
                            count, but zero gradients if asked. One read-only pass, shared with clip_norm */
    bool count_nonfinite; /* look for elements that are not finite and report them, without skipping; the same
                                pass */
} glissade_step_options;

/*
 * Norms are Euclidean, of the gradients divided by gradient_scale and accumulated. Squares are summed in double by runs
 * of 256 elements from a tensor's start, in each run 16 lanes (element i feeds lane i mod 16 by a fused multiply-add),
 * lanes folded l + 8, l + 4, l + 2, l + 1; runs, then tensors in their order, are paired with their neighbour up a tree,
 * an odd last one passing up, an absent tensor counting 0; the square root of the sum divided by |gradient_scale *
 * accumulated|. All in double, and the same bits whatever the threads, instruction set and walk.
 *
 * Clipping by a norm gives the factor c = limit / (norm + 1e-6), used as 1 where it is 1 or more, NaN if the norm is,
 * which goes into s (a tensor's own limit, clip_tensor_norm, is for gradients that this factor has shrunk), the scalar
 * that every rule multiplies gradients with: s = (maximize ? -1 : 1) c / (gradient_scale accumulated), rounded once.
 * Clipping by value comes after s: |s * gradient| > limit becomes +-limit; a NaN stays.
 */

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_step_options_init(glissade_step_options *options, size_t size);

typedef struct glissade_step_report {
    size_t size;        /* set by the caller to sizeof(glissade_step_report) */
    uint64_t tensors;   /* tensors that were updated */
    uint64_t elements;  /* their elements */
    uint64_t bytes;     /* bytes read plus bytes written, as the rule's header documents them */
    uint32_t passes;    /* passes over the arrays: 1, or 0 if there was nothing to do */
    uint32_t threads;   /* threads that took part; fewer than `planned` if OpenMP delivered fewer */
    uint32_t planned;   /* threads that were to take part: the engine's, or 1 for small work */
    uint32_t streams;   /* pages walked in turn; 1: straight */
    bool pinned;        /* whether the threads were to be bound to their CPUs for this step */
    uint64_t acted;     /* of a step's elements those that acted: all but the deferred */
    double norm;        /* of all gradients, or of those listed, if it was found or given; else -1 */
    double clip;        /* factor that clipping by the norm over all tensors gave; 1: none */
    bool skipped;       /* nothing was updated, because of what follows */
    uint64_t nonfinite; /* elements of gradients that came in not finite, if they were looked at */
    glissade_tensor_ref first_nonfinite; /* the first tensor that has one, if there are any */
} glissade_step_report;

/*
 * Updates every listed tensor whose gradient is present, by its group's rule, in one pass: each byte is read
 * and written once. Clipping by a norm and skip_nonfinite add one read-only pass over the gradients, together; a rule
 * that needs norms of its own says in its header what it adds. Opens one parallel region of the engine's whole team, or none when the work is too small
 * to repay it (then it makes no system call). options NULL: the defaults. report may be NULL; it is written
 * on success only.
 *
 * Returns OK, NULL_ARGUMENT, INVALID_SIZE, INVALID_OPTION, INVALID_COMBINATION (a clip by the norm over some of the
 * tensors without `norm`; a group at its point of evaluation, glissade/schedule_free.h), NOT_FOUND, DUPLICATE_TENSOR, OVERLAP, OUT_OF_MEMORY (with check_overlap, or in the first step
 * that needs norms), BUSY, FORKED. All checks come before the first write.
 */
GLISSADE_API
glissade_status glissade_optimizer_step(glissade_optimizer *optimizer, const glissade_step_options *options,
                                        glissade_step_report *report) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Finds the norm of all present gradients, as a step with these options would (NULL: the defaults; of them gradient_scale,
 * accumulated and tensors count), and changes nothing. The report, which may be NULL, tells of elements that are not
 * finite. Returns OK, NULL_ARGUMENT, INVALID_SIZE, INVALID_OPTION, NOT_FOUND, DUPLICATE_TENSOR, OUT_OF_MEMORY, BUSY,
 * FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_grad_norm(glissade_optimizer *optimizer,
                                             const glissade_step_options *options, double *norm,
                                             glissade_step_report *report) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Writes zero to every present gradient, each by the thread that owns it in a step. A step with
 * zero_gradients does the same for nothing. Returns OK, NULL_ARGUMENT, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_zero_gradients(glissade_optimizer *optimizer) GLISSADE_WARN_UNUSED_RESULT;

/*
 * Reads every parameter, present gradient and state array of the optimizer once, as a step would with its
 * threads and walk, and writes nothing but *digest: the exclusive or of all their 32-bit words. It is the
 * read-only floor that a step cannot beat (what benchmarks compare with), and a cheap witness that no bit
 * changed. report (may be NULL) counts what was read. Returns OK, NULL_ARGUMENT, INVALID_SIZE, BUSY, FORKED.
 */
GLISSADE_API
glissade_status glissade_optimizer_read(glissade_optimizer *optimizer, uint32_t *digest,
                                        glissade_step_report *report) GLISSADE_WARN_UNUSED_RESULT;

/* ---- placement ---- */

/* Arrays of float placed as an optimizer's plan divides them. */
typedef struct glissade_arrays glissade_arrays;

/*
 * Allocates `count` zeroed arrays, lengths[i] floats long, placed as the next group added to `optimizer` with
 * tensors of these lengths will be divided: each page is first touched by the thread that will own it. Call
 * it once for the parameters, once for the gradients, then add the group. Each array starts on a multiple of
 * 64 bytes. `error` may be NULL. Returns OK, NULL_ARGUMENT, NO_TENSORS, TOO_LARGE, OUT_OF_MEMORY, BUSY,
 * FORKED.
 */
GLISSADE_API
glissade_status glissade_arrays_create(glissade_optimizer *optimizer, const size_t *lengths, size_t count,
                                       glissade_arrays **arrays,
                                       glissade_error *error) GLISSADE_WARN_UNUSED_RESULT;

/* Address of array `index`; NULL if there is no such array, or if all are of length 0. */
GLISSADE_API
float *glissade_arrays_get(const glissade_arrays *arrays, size_t index);

/* Frees the arrays and sets *arrays to NULL; NULL and a NULL handle are accepted. They may outlive the
 * optimizer, but no tensor that uses them may be stepped afterwards. */
GLISSADE_API
void glissade_arrays_destroy(glissade_arrays **arrays);

typedef struct glissade_placement_report {
    size_t size; /* set by the caller to sizeof(glissade_placement_report) */
    uint64_t
        pages; /* pages of parameters, present gradients and state; each belongs to the array that holds its middle */
    uint64_t misplaced;        /* of these, on another NUMA node than the thread that owns most of the page */
    uint64_t absent;           /* not yet touched, so on no node */
    glissade_tensor_ref worst; /* the tensor with the most misplaced pages, if any are */
} glissade_placement_report;

/*
 * Asks the kernel on which NUMA node each page lies, and compares with the node of the thread that owns it.
 * On a machine with one node, and when threads are not pinned, nothing is misplaced. Returns OK,
 * NULL_ARGUMENT, INVALID_SIZE, UNSUPPORTED (the kernel or a sandbox refuses), OUT_OF_MEMORY, BUSY, FORKED.
 */
GLISSADE_API
glissade_status
glissade_optimizer_get_placement(glissade_optimizer *optimizer,
                                 glissade_placement_report *report) GLISSADE_WARN_UNUSED_RESULT;

#ifdef __cplusplus
}
#endif

#endif
