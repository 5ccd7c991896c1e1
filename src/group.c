/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding and freeing a group: every check first, then every allocation, then the commit, which cannot fail.
 */
#include <stdlib.h>
#include <string.h>

#include "optimizer.h"
#include "options.h"

/* What was published before today's size. */
static const size_t tensor_size_first = offsetof(glissade_tensor, residual);

/* ---- descriptors ---- */

static glissade_status check_alignment(const void *address, const char *array, uint32_t tensor,
                                       glissade_error *error) {
    if ((uintptr_t)address % sizeof(float) == 0)
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_MISALIGNED,
                         "%s of tensor %u is at %p; accepted: multiples of %zu", array, tensor, address,
                         sizeof(float));
}

/* Whether n floats at a and at b share bytes. */
static bool overlap(const void *a, const void *b, size_t n) {
    const uintptr_t distance =
        (uintptr_t)a > (uintptr_t)b ? (uintptr_t)a - (uintptr_t)b : (uintptr_t)b - (uintptr_t)a;
    return a && b && distance < n * sizeof(float);
}

glissade_status gls_group_check_gradient(glissade_optimizer *optimizer, const gls_group *group,
                                         uint32_t tensor, const void *gradient) {
    const gls_tensor *t = &group->tensors[tensor];
    const glissade_status status = check_alignment(gradient, "gradient", tensor, &optimizer->error);
    if (status)
        return status;
    const struct {
        const char *name;
        const float *address;
    } own[] = {{"parameter", t->p}, {"momentum", t->m}, {"residual", gls_group_residual(group, tensor)}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (overlap(gradient, own[i].address, t->n))
            return gls_error_set(&optimizer->error, GLISSADE_STATUS_OVERLAP,
                                 "gradient of tensor %u at %p overlaps its own %s at %p", tensor, gradient,
                                 own[i].name, (const void *)own[i].address);
    return GLISSADE_STATUS_OK;
}

void gls_group_set_gradient(gls_group *group, uint32_t tensor, void *gradient) {
    gls_tensor *t = &group->tensors[tensor];
    if (t->g)
        group->present -= t->n;
    if (gradient)
        group->present += t->n;
    t->g = gradient;
}

/* The i-th of the caller's descriptors, which may be shorter or longer than ours. */
static glissade_tensor read_descriptor(const glissade_tensor *tensors, size_t stride, size_t i) {
    glissade_tensor tensor = {0};
    memcpy(&tensor, (const char *)tensors + i * stride, stride < sizeof tensor ? stride : sizeof tensor);
    return tensor;
}

static glissade_status check_descriptor_size(const glissade_tensor *tensors, size_t stride, size_t count,
                                             glissade_error *error) {
    if (stride != tensor_size_first && (stride < sizeof(glissade_tensor) || stride > GLS_SIZE_MAX))
        return gls_error_set(
            error, GLISSADE_STATUS_INVALID_SIZE,
            "tensors[0].size is %zu; accepted: %zu, as glissade_tensor_init sets it, up to %d", stride,
            sizeof(glissade_tensor), GLS_SIZE_MAX);
    for (size_t i = 0; i < count; i++) {
        const unsigned char *bytes = (const unsigned char *)tensors + i * stride;
        size_t size;
        memcpy(&size, bytes, sizeof size);
        if (size != stride)
            return gls_error_set(error, GLISSADE_STATUS_INVALID_SIZE,
                                 "tensors[%zu].size is %zu, that of tensors[0] %zu; accepted: all the same",
                                 i, size, stride);
        for (size_t byte = sizeof(glissade_tensor); byte < stride; byte++)
            if (bytes[byte])
                return gls_error_set(
                    error, GLISSADE_STATUS_INVALID_SIZE,
                    "byte %zu of tensors[%zu], past the %zu that this version knows, is not zero", byte, i,
                    sizeof(glissade_tensor));
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status check_descriptor(glissade_optimizer *optimizer, const gls_group *group, uint32_t i) {
    const gls_tensor *tensor = &group->tensors[i];
    const float *residual = gls_group_residual(group, i);
    glissade_error *error = &optimizer->error;
    glissade_status status;
    if (tensor->n > PTRDIFF_MAX / sizeof(float))
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "length of tensor %u is %zu; accepted: up to %zu elements of %zu bytes", i,
                             tensor->n, PTRDIFF_MAX / sizeof(float), sizeof(float));
    if (tensor->n && !tensor->p)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT,
                             "parameter of tensor %u, of length %zu, is NULL", i, tensor->n);
    if ((status = check_alignment(tensor->p, "parameter", i, error)) ||
        (status = check_alignment(tensor->m, "momentum", i, error)) ||
        (status = check_alignment(residual, "residual", i, error)))
        return status;
    const char *refusal = residual ? group->algorithm->refuses_residual(group) : NULL;
    if (refusal)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                             "residual of tensor %u is given, but %s", i, refusal);
    const uintptr_t last = UINTPTR_MAX - tensor->n * sizeof(float);
    if ((uintptr_t)tensor->p > last || (uintptr_t)tensor->m > last || (uintptr_t)residual > last)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "tensor %u of %zu elements passes the last address", i, tensor->n);
    return GLISSADE_STATUS_OK;
}

/* Takes over a descriptor as it is; false without memory. */
static bool take_descriptor(gls_group *group, uint32_t i, const glissade_tensor *tensor) {
    group->tensors[i] = (gls_tensor){.p = tensor->parameter, .m = tensor->momentum, .n = tensor->length};
    if (!tensor->residual)
        return true;
    if (!gls_group_deferrals(group))
        return false;
    group->deferrals[i].r = tensor->residual;
    group->deferrals[i].holds = tensor->length > 0;
    return true;
}

/* Copies the descriptors into group->tensors and checks each by itself. */
static glissade_status read_descriptors(glissade_optimizer *optimizer, gls_group *group,
                                        const glissade_tensor *tensors, size_t count) {
    glissade_error *error = &optimizer->error;
    if (!tensors)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "tensors is NULL");
    if (count == 0)
        return gls_error_set(error, GLISSADE_STATUS_NO_TENSORS,
                             "count is 0; a group needs at least one tensor");
    if (count > GLS_TENSOR_COUNT_MAX)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE, "count is %zu; accepted: up to %u tensors",
                             count, GLS_TENSOR_COUNT_MAX);
    size_t stride;
    memcpy(&stride, tensors, sizeof stride);
    glissade_status status = check_descriptor_size(tensors, stride, count, error);
    if (status)
        return status;
    group->tensors = gls_alloc(count, sizeof *group->tensors);
    group->count = (uint32_t)count;
    for (uint32_t i = 0; i < group->count; i++) {
        const glissade_tensor tensor = read_descriptor(tensors, stride, i);
        if (!group->tensors || !take_descriptor(group, i, &tensor))
            return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for %zu tensors", count);
        if ((status = check_descriptor(optimizer, group, i)) ||
            (status = gls_group_check_gradient(optimizer, group, i, tensor.gradient)))
            return status;
        gls_group_set_gradient(group, i, tensor.gradient);
    }
    return GLISSADE_STATUS_OK;
}

/* ---- overlaps ---- */

enum { ARRAYS_LISTED = 3 }; /* parameter, momentum, residual */

static gls_interval interval_of(const gls_group *group, uint32_t tensor, gls_array array,
                                const void *address) {
    return gls_interval_make(group->number, tensor, array, address, group->tensors[tensor].n);
}

/* The group's parameters and caller-owned state as sorted intervals; at most ARRAYS_LISTED a tensor. */
static size_t collect_intervals(const gls_group *group, gls_interval *items) {
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        const gls_tensor *tensor = &group->tensors[i];
        if (tensor->p && tensor->n)
            items[count++] = interval_of(group, i, GLS_ARRAY_PARAMETER, tensor->p);
        if (tensor->m && tensor->n)
            items[count++] = interval_of(group, i, GLS_ARRAY_MOMENTUM, tensor->m);
        if (gls_group_residual(group, i) && tensor->n)
            items[count++] = interval_of(group, i, GLS_ARRAY_RESIDUAL, gls_group_residual(group, i));
    }
    gls_intervals_sort(items, count);
    return count;
}

/* ---- plan ---- */

static glissade_status plan_group(glissade_optimizer *optimizer, gls_group *group, gls_rotation *rotation) {
    size_t *lengths = gls_alloc(group->count, sizeof *lengths);
    for (uint32_t i = 0; lengths && i < group->count; i++)
        lengths[i] = group->tensors[i].n;
    const bool planned = lengths && gls_plan_create(&group->plan, lengths, group->count,
                                                    optimizer->engine->threads.count, rotation);
    gls_free(lengths);
    return planned ? GLISSADE_STATUS_OK
                   : gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                                   "no memory to plan %u tensors", group->count);
}

/* ---- add ---- */

/* Everything that can fail, in an order that leaves only group-owned memory behind. */
static glissade_status prepare(glissade_optimizer *optimizer, gls_group *group,
                               const glissade_tensor *tensors, size_t count, gls_interval **added,
                               size_t *added_count, gls_rotation *rotation) {
    glissade_error *error = &optimizer->error;
    glissade_status status;
    if (optimizer->next_number == UINT32_MAX)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE, "all %u group numbers are used up",
                             UINT32_MAX);
    if ((status = read_descriptors(optimizer, group, tensors, count)))
        return status;

    const bool momentum = group->algorithm->uses_momentum(group),
               residual = group->algorithm->threshold(group).value != 0;
    const size_t listed = residual || group->deferrals ? ARRAYS_LISTED : ARRAYS_LISTED - 1;
    *added = gls_alloc(count, listed * sizeof **added);
    if (!*added)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to check %zu tensors", count);
    *added_count = collect_intervals(group, *added);
    /* The library's state among them: one allocation serves all that will be listed. */
    if (!gls_intervals_reserve(&optimizer->arrays, listed * count))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu tensors", count);
    if ((status = gls_intervals_check(&optimizer->arrays, *added, *added_count, error)) ||
        (status = plan_group(optimizer, group, rotation)) ||
        (status = gls_group_provide_state(optimizer, group, momentum, residual)))
        return status;

    gls_group **groups = gls_alloc(optimizer->group_count + 1, sizeof *groups);
    if (!groups)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list group %u",
                             group->number);
    if (optimizer->group_count)
        memcpy(groups, optimizer->groups, optimizer->group_count * sizeof *groups);
    gls_free(optimizer->groups);
    optimizer->groups = groups;
    return GLISSADE_STATUS_OK;
}

glissade_status gls_group_add(glissade_optimizer *optimizer, gls_group *group, const glissade_tensor *tensors,
                              size_t count, uint32_t *number) {
    gls_interval *added = NULL;
    size_t added_count = 0;
    gls_rotation rotation = optimizer->rotation;
    group->number = optimizer->next_number;
    const glissade_status status = prepare(optimizer, group, tensors, count, &added, &added_count, &rotation);
    if (status) {
        /* What prepare listed of its state, if it came so far. */
        gls_intervals_remove_group(&optimizer->arrays, group->number);
        gls_free(added);
        gls_group_free(group);
        return status;
    }
    gls_intervals_add(&optimizer->arrays, added, added_count);
    gls_free(added);
    optimizer->groups[optimizer->group_count++] = group;
    optimizer->next_number++;
    optimizer->rotation = rotation;
    *number = group->number;
    gls_engine_log(optimizer->engine, 2, "group %u: %s, %u tensors, %u of them split, %zu bytes of state",
                   group->number, group->algorithm->name, group->count, group->plan.split_count,
                   group->momenta.bytes + group->residuals.bytes);
    return GLISSADE_STATUS_OK;
}

void gls_group_free(gls_group *group) {
    gls_plan_destroy(&group->plan);
    gls_arena_destroy(&group->momenta);
    gls_arena_destroy(&group->residuals);
    gls_free(group->deferrals);
    gls_free(group->sums);
    gls_free(group->tensors);
    gls_free(group);
}
