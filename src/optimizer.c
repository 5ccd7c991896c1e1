/* SPDX-License-Identifier: Apache-2.0 */
/* Life of an optimizer, entering and leaving a call, and the calls about single tensors. */
#include "optimizer.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "descriptor.h"
#include "fork.h"
#include "options.h"
#include "stage.h"
#include "state/spare.h"

static const gls_layout info_layout = {"glissade_tensor_info",
                                       {offsetof(glissade_tensor_info, residual),
                                        offsetof(glissade_tensor_info, parameter_dtype),
                                        sizeof(glissade_tensor_info)}};

/* ---- lifecycle ---- */

glissade_status glissade_optimizer_create(glissade_engine *engine, glissade_optimizer **optimizer,
                                          glissade_error *error) {
    gls_error_clear(error);
    if (!optimizer)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "optimizer is NULL");
    *optimizer = NULL;
    if (!engine)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "engine is NULL");
    const gls_guest guest = gls_guest_enter();
    glissade_optimizer *made = gls_alloc(1, sizeof *made);
    gls_guest_leave(&guest);
    if (!made)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for an optimizer");
    atomic_init(&made->inside, 0);
    gls_engine_hold(engine);
    made->engine = engine;
    *optimizer = made;
    return GLISSADE_STATUS_OK;
}

void glissade_optimizer_destroy(glissade_optimizer **optimizer) {
    if (!optimizer || !*optimizer)
        return;
    const gls_guest guest = gls_guest_enter();
    glissade_optimizer *o = *optimizer;
    for (uint32_t i = 0; i < o->group_count; i++)
        gls_group_free(o->groups[i]);
    gls_free(o->groups);
    gls_free(o->arrays.items);
    gls_spare_release(o->spare);
    glissade_engine_destroy(&o->engine);
    gls_free(o);
    *optimizer = NULL;
    gls_guest_leave(&guest);
}

const char *glissade_optimizer_message(const glissade_optimizer *optimizer) {
    return optimizer ? optimizer->error.message : "";
}

/* The generation tells a call of this process from one that a fork cut off: its thread does not exist here.
 */
glissade_status gls_optimizer_enter(glissade_optimizer *optimizer, gls_guest *guest) {
    if (!optimizer)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    const unsigned generation = gls_fork_generation();
    unsigned inside = 0;
    if (!atomic_compare_exchange_strong_explicit(&optimizer->inside, &inside, generation,
                                                 memory_order_acquire, memory_order_relaxed))
        return inside == generation ? GLISSADE_STATUS_BUSY : GLISSADE_STATUS_FORKED;
    *guest = gls_guest_enter();
    return GLISSADE_STATUS_OK;
}

glissade_status gls_optimizer_leave(glissade_optimizer *optimizer, const gls_guest *guest,
                                    glissade_status status) {
    gls_guest_leave(guest);
    atomic_store_explicit(&optimizer->inside, 0, memory_order_release);
    return status;
}

gls_group *gls_optimizer_group(glissade_optimizer *optimizer, uint32_t number) {
    uint32_t low = 0, high = optimizer->group_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (optimizer->groups[middle]->number < number)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < optimizer->group_count && optimizer->groups[low]->number == number)
        return optimizer->groups[low];
    gls_error_set(&optimizer->error, GLISSADE_STATUS_NOT_FOUND, "there is no group %u", number);
    return NULL;
}

gls_tensor *gls_optimizer_tensor(glissade_optimizer *optimizer, glissade_tensor_ref ref) {
    const gls_group *group = gls_optimizer_group(optimizer, ref.group);
    if (!group)
        return NULL;
    if (ref.index < group->count)
        return &group->tensors[ref.index];
    gls_error_set(&optimizer->error, GLISSADE_STATUS_NOT_FOUND, "group %u has no tensor %u, only %u",
                  ref.group, ref.index, group->count);
    return NULL;
}

/* ---- bodies of calls ---- */

static glissade_status remove_group(glissade_optimizer *optimizer, uint32_t number) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group)
        return GLISSADE_STATUS_NOT_FOUND;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        if (optimizer->groups[i] != group)
            optimizer->groups[kept++] = optimizer->groups[i];
    optimizer->group_count = kept;
    gls_intervals_remove_group(&optimizer->arrays, number);
    gls_group_free(group);
    return GLISSADE_STATUS_OK;
}

static glissade_status set_gradient(glissade_optimizer *optimizer, glissade_tensor_ref ref, void *gradient) {
    if (!gls_optimizer_tensor(optimizer, ref))
        return GLISSADE_STATUS_NOT_FOUND;
    gls_group *group = gls_optimizer_group(optimizer, ref.group);
    const glissade_status status = gls_group_check_gradient(optimizer, group, ref.index, gradient);
    if (!status)
        gls_group_set_gradient(group, ref.index, gradient);
    return status;
}

static glissade_status set_gradients(glissade_optimizer *optimizer, uint32_t number, void *const *gradients,
                                     size_t count) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group)
        return GLISSADE_STATUS_NOT_FOUND;
    if (!gradients)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "gradients is NULL");
    if (count != group->count)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "count is %zu; accepted: %u, the tensors of group %u", count, group->count,
                             number);
    for (uint32_t i = 0; i < group->count; i++) {
        const glissade_status status = gls_group_check_gradient(optimizer, group, i, gradients[i]);
        if (status)
            return status;
    }
    for (uint32_t i = 0; i < group->count; i++)
        gls_group_set_gradient(group, i, gradients[i]);
    return GLISSADE_STATUS_OK;
}

static size_t parameter_bytes(const gls_group *group, uint32_t index) {
    return gls_format_bytes(gls_group_format(group, index, GLS_ARRAY_PARAMETER), group->tensors[index].n);
}

/* The old interval makes way for the new one, which may overlap it, and comes back if the new one is refused.
 */
static glissade_status move_parameter(glissade_optimizer *optimizer, const gls_group *group, uint32_t index,
                                      void *parameter) {
    gls_tensor *tensor = &group->tensors[index];
    const size_t bytes = parameter_bytes(group, index);
    const gls_interval old = gls_interval_make(group->number, index, GLS_ARRAY_PARAMETER, tensor->p, bytes);
    const gls_interval moved = gls_interval_make(group->number, index, GLS_ARRAY_PARAMETER, parameter, bytes);
    gls_intervals_remove(&optimizer->arrays, old.begin);
    const glissade_status status = gls_intervals_check(&optimizer->arrays, &moved, 1, &optimizer->error);
    gls_intervals_add(&optimizer->arrays, status ? &old : &moved, 1);
    if (!status)
        tensor->p = parameter;
    return status;
}

static glissade_status set_parameter(glissade_optimizer *optimizer, glissade_tensor_ref ref,
                                     void *parameter) {
    glissade_error *error = &optimizer->error;
    gls_tensor *tensor = gls_optimizer_tensor(optimizer, ref);
    if (!tensor)
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_group *group = gls_optimizer_group(optimizer, ref.group);
    const size_t alignment = gls_format_alignment(gls_group_format(group, ref.index, GLS_ARRAY_PARAMETER));
    if ((uintptr_t)parameter % alignment)
        return gls_error_set(error, GLISSADE_STATUS_MISALIGNED,
                             "parameter is at %p; accepted: multiples of %zu", parameter, alignment);
    if (tensor->n == 0) {
        tensor->p = parameter;
        return GLISSADE_STATUS_OK;
    }
    if (!parameter)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT,
                             "parameter is NULL for a tensor of length %zu", tensor->n);
    const uintptr_t begin = (uintptr_t)parameter, gradient = (uintptr_t)tensor->g,
                    bytes = parameter_bytes(group, ref.index),
                    gradient_bytes =
                        gls_format_bytes(gls_group_format(group, ref.index, GLS_ARRAY_GRADIENT), tensor->n);
    if (begin > UINTPTR_MAX - bytes)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "parameter at %p of %zu elements passes the last address", parameter, tensor->n);
    if (gradient && begin < gradient + gradient_bytes && gradient < begin + bytes)
        return gls_error_set(error, GLISSADE_STATUS_OVERLAP,
                             "parameter at %p overlaps its own gradient at %p", parameter, tensor->g);
    return move_parameter(optimizer, group, ref.index, parameter);
}

static glissade_status set_learning_rate(glissade_optimizer *optimizer, uint32_t number,
                                         double learning_rate) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group)
        return GLISSADE_STATUS_NOT_FOUND;
    if (!(learning_rate >= 0 && learning_rate <= (double)FLT_MAX))
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_HYPERPARAMETER,
                             "learning_rate is %s; accepted: from 0 to the largest float",
                             gls_number_format(learning_rate).text);
    *group->algorithm->learning_rate(group) = learning_rate;
    return GLISSADE_STATUS_OK;
}

static glissade_status get_tensor(glissade_optimizer *optimizer, glissade_tensor_ref ref,
                                  glissade_tensor_info *info) {
    if (!info)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "info is NULL");
    const gls_tensor *tensor = gls_optimizer_tensor(optimizer, ref);
    if (!tensor)
        return GLISSADE_STATUS_NOT_FOUND;
    gls_group *group = gls_optimizer_group(optimizer, ref.group);
    group->written = true; /* by whom is told where they are */
    const gls_deferral never = {.acted = tensor->counted ? tensor->n : 0};
    const gls_deferral *deferral = group->deferrals ? &group->deferrals[ref.index] : &never;
    glissade_tensor_info known = {.parameter = tensor->p,
                                  .gradient = tensor->g,
                                  .length = tensor->n,
                                  .momentum = tensor->m,
                                  .steps = tensor->t,
                                  .momentum_updates = tensor->k,
                                  .residual = deferral->r,
                                  .acted = deferral->acted,
                                  .gradient_rms = deferral->rms};
    gls_storage_describe(group, ref.index, &known);
    return gls_options_write(&info_layout, info, &known, &optimizer->error);
}

static glissade_status set_counts(glissade_optimizer *optimizer, glissade_tensor_ref ref, uint64_t steps,
                                  uint64_t momentum_updates) {
    gls_tensor *tensor = gls_optimizer_tensor(optimizer, ref);
    if (!tensor)
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_group *group = gls_optimizer_group(optimizer, ref.group);
    if (steps > INT64_MAX)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "steps is %llu; accepted: up to %lld", (unsigned long long)steps,
                             (long long)INT64_MAX);
    const uint64_t most = group->algorithm->states(group) ? steps : 0;
    if (momentum_updates > most)
        return gls_error_set(
            &optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
            "momentum_updates is %llu; accepted: 0 to %llu (steps, or 0 in a group without momentum)",
            (unsigned long long)momentum_updates, (unsigned long long)most);
    tensor->t = steps;
    tensor->k = momentum_updates;
    return GLISSADE_STATUS_OK;
}

/* A NaN is what a gradient with one leaves behind. */
static glissade_status set_gradient_rms(glissade_optimizer *optimizer, glissade_tensor_ref ref, double rms) {
    if (!gls_optimizer_tensor(optimizer, ref))
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_group *group = gls_optimizer_group(optimizer, ref.group);
    if (rms < 0)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "gradient_rms is %s; accepted: 0 and above, infinity and NaN",
                             gls_number_format(rms).text);
    if (group->deferrals)
        group->deferrals[ref.index].rms = rms;
    else if (rms != 0)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "gradient_rms is %s; accepted: 0 in group %u, which never had a residual",
                             gls_number_format(rms).text, ref.group);
    return GLISSADE_STATUS_OK;
}

/* ---- numbers, averages, masters ---- */

static glissade_status set_numbers(glissade_optimizer *optimizer, glissade_tensor_ref ref, double first,
                                   double second) {
    if (!gls_optimizer_tensor(optimizer, ref))
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_group *group = gls_optimizer_group(optimizer, ref.group);
    if (!isfinite(first) || !isfinite(second))
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "numbers are %s and %s; accepted: finite ones", gls_number_format(first).text,
                             gls_number_format(second).text);
    if (!group->algorithm->own_numbers && (first != 0 || second != 0))
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "numbers are %s and %s; accepted: 0 under the rule %s, which keeps none",
                             gls_number_format(first).text, gls_number_format(second).text,
                             group->algorithm->name);
    if (group->storage) {
        group->storage[ref.index].numbers[0] = first;
        group->storage[ref.index].numbers[1] = second;
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status parameter_written(glissade_optimizer *optimizer, glissade_tensor_ref ref,
                                         bool average) {
    const gls_tensor *tensor = gls_optimizer_tensor(optimizer, ref);
    if (!tensor)
        return GLISSADE_STATUS_NOT_FOUND;
    const gls_group *group = gls_optimizer_group(optimizer, ref.group);
    if (group->storage)
        gls_stage_follow(optimizer->engine->kernels, group, ref.index, (gls_range){0, tensor->n}, true,
                         average && group->storage[ref.index].average);
    return GLISSADE_STATUS_OK;
}

static glissade_status set_average(glissade_optimizer *optimizer, uint32_t number, double decay) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    glissade_error *error = &optimizer->error;
    if (!group)
        return GLISSADE_STATUS_NOT_FOUND;
    if (!(decay >= 0 && decay <= 1))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_HYPERPARAMETER,
                             "decay is %s; accepted: from 0 to 1", gls_number_format(decay).text);
    for (uint32_t i = 0; decay != 1 && i < group->count; i++)
        if (gls_group_is_wide(group, i))
            return gls_error_set(
                error, GLISSADE_STATUS_INVALID_COMBINATION,
                "tensor %u of group %u is of double; averages are of float, bf16 and f16 ones", i, number);
    if (decay != 1) {
        if (!gls_group_storage(group))
            return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to average %u tensors",
                                 group->count);
        const glissade_status status =
            gls_group_provide_state(optimizer, group, gls_group_needs(group) | 1u << GLS_ARRAY_AVERAGE);
        if (status)
            return status;
    }
    group->average_weight = 1 - decay;
    for (uint32_t i = 0; group->storage && i < group->count; i++)
        gls_storage_settle(group, i);
    return GLISSADE_STATUS_OK;
}

static glissade_status set_seed(glissade_optimizer *optimizer, uint64_t seed) {
    optimizer->seed = seed;
    return GLISSADE_STATUS_OK;
}

/* ---- calls ---- */

void glissade_tensor_init(glissade_tensor *tensor, size_t size) {
    static const gls_layout layout = {"glissade_tensor",
                                      {offsetof(glissade_tensor, residual),
                                       offsetof(glissade_tensor, parameter_dtype), sizeof(glissade_tensor)}};
    const glissade_tensor empty = {.size = sizeof empty};
    gls_options_init(&layout, tensor, size, &empty);
}

glissade_status glissade_optimizer_remove_group(glissade_optimizer *optimizer, uint32_t group) {
    GLS_OPTIMIZER_CALL(optimizer, remove_group(optimizer, group));
}

glissade_status glissade_optimizer_set_gradient(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                                void *gradient) {
    GLS_OPTIMIZER_CALL(optimizer, set_gradient(optimizer, tensor, gradient));
}

glissade_status glissade_optimizer_set_gradients(glissade_optimizer *optimizer, uint32_t group,
                                                 void *const *gradients, size_t count) {
    GLS_OPTIMIZER_CALL(optimizer, set_gradients(optimizer, group, gradients, count));
}

glissade_status glissade_optimizer_set_parameter(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                                 void *parameter) {
    GLS_OPTIMIZER_CALL(optimizer, set_parameter(optimizer, tensor, parameter));
}

glissade_status glissade_optimizer_set_learning_rate(glissade_optimizer *optimizer, uint32_t group,
                                                     double learning_rate) {
    GLS_OPTIMIZER_CALL(optimizer, set_learning_rate(optimizer, group, learning_rate));
}

glissade_status glissade_optimizer_get_tensor(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                              glissade_tensor_info *info) {
    GLS_OPTIMIZER_CALL(optimizer, get_tensor(optimizer, tensor, info));
}

glissade_status glissade_optimizer_set_counts(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                              uint64_t steps, uint64_t momentum_updates) {
    GLS_OPTIMIZER_CALL(optimizer, set_counts(optimizer, tensor, steps, momentum_updates));
}

glissade_status glissade_optimizer_set_gradient_rms(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                                    double gradient_rms) {
    GLS_OPTIMIZER_CALL(optimizer, set_gradient_rms(optimizer, tensor, gradient_rms));
}

glissade_status glissade_optimizer_set_numbers(glissade_optimizer *optimizer, glissade_tensor_ref tensor,
                                               double first, double second) {
    GLS_OPTIMIZER_CALL(optimizer, set_numbers(optimizer, tensor, first, second));
}

glissade_status glissade_optimizer_parameter_written(glissade_optimizer *optimizer,
                                                     glissade_tensor_ref tensor, bool average) {
    GLS_OPTIMIZER_CALL(optimizer, parameter_written(optimizer, tensor, average));
}

glissade_status glissade_optimizer_set_average(glissade_optimizer *optimizer, uint32_t group, double decay) {
    GLS_OPTIMIZER_CALL(optimizer, set_average(optimizer, group, decay));
}

glissade_status glissade_optimizer_set_seed(glissade_optimizer *optimizer, uint64_t seed) {
    GLS_OPTIMIZER_CALL(optimizer, set_seed(optimizer, seed));
}
