/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Adding and freeing a group: every check first, then every allocation, then the commit, which cannot fail.
 */
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "options.h"
#include "state/labels.h"

/* What was published before today's size. */
static const size_t tensor_sizes_before[] = {offsetof(glissade_tensor, residual),
                                             offsetof(glissade_tensor, parameter_dtype)};

/* ---- descriptors ---- */

static glissade_status check_alignment(const gls_group *group, uint32_t tensor, gls_array array,
                                       const void *address, glissade_error *error) {
    const size_t alignment = gls_format_alignment(gls_group_format(group, tensor, array));
    if ((uintptr_t)address % alignment == 0)
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_MISALIGNED,
                         "%s of tensor %u is at %p; accepted: multiples of %zu", gls_array_name(array),
                         tensor, address, alignment);
}

glissade_status gls_group_check_gradient(glissade_optimizer *optimizer, const gls_group *group,
                                         uint32_t tensor, const void *gradient) {
    const glissade_status status =
        check_alignment(group, tensor, GLS_ARRAY_GRADIENT, gradient, &optimizer->error);
    if (status)
        return status;
    const uintptr_t begin = (uintptr_t)gradient, bytes = gls_group_bytes(group, tensor, GLS_ARRAY_GRADIENT);
    for (gls_array array = 0; gradient && array < GLS_ARRAY_GRADIENT; array++) {
        const void *own = gls_group_array(group, tensor, array);
        const uintptr_t own_begin = (uintptr_t)own;
        if (own && begin < own_begin + gls_group_bytes(group, tensor, array) && own_begin < begin + bytes)
            return gls_error_set(&optimizer->error, GLISSADE_STATUS_OVERLAP,
                                 "gradient of tensor %u at %p overlaps its own %s at %p", tensor, gradient,
                                 gls_array_name(array), own);
    }
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

static bool was_published(size_t stride) {
    for (size_t i = 0; i < sizeof tensor_sizes_before / sizeof *tensor_sizes_before; i++)
        if (stride == tensor_sizes_before[i])
            return true;
    return stride >= sizeof(glissade_tensor) && stride <= GLS_SIZE_MAX;
}

static glissade_status check_descriptor_size(const glissade_tensor *tensors, size_t stride, size_t count,
                                             glissade_error *error) {
    if (!was_published(stride))
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

static glissade_status check_addresses(const gls_group *group, uint32_t i, glissade_error *error) {
    const gls_tensor *tensor = &group->tensors[i];
    for (gls_array array = 0; array < GLS_ARRAY_GRADIENT; array++) {
        const void *address = gls_group_array(group, i, array);
        const glissade_status status = check_alignment(group, i, array, address, error);
        if (status)
            return status;
    }
    for (gls_array array = 0; array < GLS_ARRAY_GRADIENT; array++)
        if ((uintptr_t)gls_group_array(group, i, array) > UINTPTR_MAX - gls_group_bytes(group, i, array))
            return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                                 "tensor %u of %zu elements passes the last address", i, tensor->n);
    return GLISSADE_STATUS_OK;
}

static glissade_status check_descriptor(glissade_optimizer *optimizer, const gls_group *group, uint32_t i) {
    const gls_tensor *tensor = &group->tensors[i];
    glissade_error *error = &optimizer->error;
    const gls_algorithm *algorithm = group->algorithm;
    const size_t element = gls_format_element(gls_group_format(group, i, GLS_ARRAY_PARAMETER));
    const size_t widest = element > sizeof(float) ? element : sizeof(float);
    if (tensor->n > PTRDIFF_MAX / widest)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "length of tensor %u is %zu; accepted: up to %zu elements of %zu bytes", i,
                             tensor->n, PTRDIFF_MAX / widest, widest);
    if (tensor->n && !tensor->p)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT,
                             "parameter of tensor %u, of length %zu, is NULL", i, tensor->n);
    const glissade_status status = check_addresses(group, i, error);
    if (status || !gls_group_array(group, i, GLS_ARRAY_RESIDUAL))
        return status;
    const char *refusal = algorithm->refuses_residual ? algorithm->refuses_residual(group)
                                                      : "this rule defers nothing; sgd does";
    if (gls_group_is_wide(group, i))
        refusal = "its parameter is of double; parameters of float, bf16 and f16 can have one";
    if (refusal)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                             "residual of tensor %u is given, but %s", i, refusal);
    return GLISSADE_STATUS_OK;
}

/* Takes over a descriptor as it is; false without memory. */
static bool take_descriptor(gls_group *group, uint32_t i, const glissade_tensor *tensor) {
    group->tensors[i] = (gls_tensor){.p = tensor->parameter, .m = tensor->momentum, .n = tensor->length};
    if (tensor->residual) {
        if (!gls_group_deferrals(group))
            return false;
        group->deferrals[i].r = tensor->residual;
        group->deferrals[i].holds = tensor->length > 0;
    }
    return !gls_storage_wanted(group, tensor) ||
           (gls_group_storage(group) && (gls_storage_take(group, i, tensor), true));
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
        if ((status = gls_storage_check(group, i, &tensor, error)))
            return status;
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

/* How many arrays a tensor of the group can have listed: parameter and what the group needs or was given. */
static size_t arrays_listed(const gls_group *group, uint32_t needs) {
    if (group->storage)
        return GLS_ARRAY_GRADIENT;
    const bool residual = gls_needs(needs, GLS_ARRAY_RESIDUAL) || group->deferrals;
    return 2 + residual; /* parameter, momentum */
}

/* The group's parameters and caller-owned state as sorted intervals. */
static size_t collect_intervals(const gls_group *group, gls_interval *items) {
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        for (gls_array array = 0; group->tensors[i].n && array < GLS_ARRAY_GRADIENT; array++) {
            const void *address = gls_group_array(group, i, array);
            if (address)
                items[count++] =
                    gls_interval_make(group->number, i, array, address, gls_group_bytes(group, i, array));
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

    const uint32_t needs = gls_group_needs(group);
    const size_t listed = arrays_listed(group, needs);
    *added = gls_alloc(count, listed * sizeof **added);
    if (!*added)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to check %zu tensors", count);
    *added_count = collect_intervals(group, *added);
    /* The library's state among them: one allocation serves all that will be listed. */
    if (!gls_intervals_reserve(&optimizer->arrays, listed * count))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu tensors", count);
    if ((status = gls_intervals_check(&optimizer->arrays, *added, *added_count, error)) ||
        (status = plan_group(optimizer, group, rotation)) ||
        (status = gls_group_provide_state(optimizer, group, needs)))
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
    group->stream = optimizer->next_stream;
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
    optimizer->next_stream++;
    optimizer->rotation = rotation;
    *number = group->number;
    size_t bytes = 0;
    for (uint32_t i = 0; i < group->holding_count; i++)
        bytes += group->holdings[i].arena.bytes;
    gls_engine_log(optimizer->engine, 2, "group %u: %s, %u tensors, %u of them split, %zu bytes of state",
                   group->number, group->algorithm->name, group->count, group->plan.split_count, bytes);
    return GLISSADE_STATUS_OK;
}

void gls_group_free(gls_group *group) {
    gls_plan_destroy(&group->plan);
    for (uint32_t i = 0; i < group->holding_count; i++)
        gls_arena_destroy(&group->holdings[i].arena);
    gls_free(group->holdings);
    if (group->norms) {
        for (size_t c = 0; c < GLS_CHANNELS; c++) {
            gls_free(group->norms->channels[c]);
            gls_free(group->norms->room[c]);
        }
        gls_free(group->norms->values);
        gls_free(group->norms);
    }
    if (group->algorithm->options_size)
        gls_free(group->options);
    gls_labels_free(group->labels);
    gls_free(group->storage);
    gls_free(group->deferrals);
    gls_free(group->deferral_sums);
    gls_free(group->factor_sums);
    gls_free(group->tensors);
    gls_free(group);
}
