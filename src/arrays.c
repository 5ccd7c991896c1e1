/* SPDX-License-Identifier: Apache-2.0 */
/* Caller's arrays, placed as the next group of the optimizer will be divided. */
#include "optimizer.h"

struct glissade_arrays {
    gls_arena arena;
    size_t count;
    size_t *offsets; /* bytes from the arena's base */
};

static void release(glissade_arrays *arrays) {
    gls_arena_destroy(&arrays->arena);
    gls_free(arrays->offsets);
    gls_free(arrays);
}

/* Plans as gls_group_add would, on a copy of the rotation, and places by that plan. */
static glissade_status place(glissade_optimizer *optimizer, const size_t *lengths, glissade_arrays *arrays) {
    glissade_error *error = &optimizer->error;
    gls_rotation rotation = optimizer->rotation;
    gls_plan plan;
    if (!gls_plan_create(&plan, lengths, (uint32_t)arrays->count, optimizer->engine->threads.count,
                         &rotation))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to plan %zu arrays",
                             arrays->count);
    const glissade_status status =
        gls_place_arrays(optimizer->engine, &plan, lengths, NULL, &arrays->arena, arrays->offsets, error);
    gls_plan_destroy(&plan);
    return status;
}

static glissade_status create(glissade_optimizer *optimizer, const size_t *lengths, size_t count,
                              glissade_arrays **made) {
    glissade_error *error = &optimizer->error;
    if (!lengths || !made)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "%s is NULL",
                             lengths ? "arrays" : "lengths");
    if (count == 0)
        return gls_error_set(error, GLISSADE_STATUS_NO_TENSORS, "count is 0; accepted: at least 1");
    if (count > GLS_TENSOR_COUNT_MAX)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE, "count is %zu; accepted: up to %u arrays",
                             count, GLS_TENSOR_COUNT_MAX);
    glissade_arrays *arrays = gls_alloc(1, sizeof *arrays);
    if (!arrays)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu arrays", count);
    arrays->count = count;
    arrays->offsets = gls_alloc(count, sizeof *arrays->offsets);
    const glissade_status status = arrays->offsets ? place(optimizer, lengths, arrays)
                                                   : gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                                                                   "no memory to list %zu arrays", count);
    if (status)
        release(arrays);
    else
        *made = arrays;
    return status;
}

glissade_status glissade_arrays_create(glissade_optimizer *optimizer, const size_t *lengths, size_t count,
                                       glissade_arrays **arrays, glissade_error *error) {
    gls_error_clear(error);
    if (arrays)
        *arrays = NULL;
    gls_guest guest;
    const glissade_status entered = gls_optimizer_enter(optimizer, &guest);
    if (entered)
        return gls_error_set(error, entered, "%s",
                             optimizer ? glissade_status_text(entered) : "optimizer is NULL");
    const glissade_status status = create(optimizer, lengths, count, arrays);
    if (status && error)
        *error = optimizer->error;
    return gls_optimizer_leave(optimizer, &guest, status);
}

float *glissade_arrays_get(const glissade_arrays *arrays, size_t index) {
    if (!arrays || index >= arrays->count || !arrays->arena.base)
        return NULL;
    return (float *)((char *)arrays->arena.base + arrays->offsets[index]);
}

void glissade_arrays_destroy(glissade_arrays **arrays) {
    if (!arrays || !*arrays)
        return;
    const gls_guest guest = gls_guest_enter();
    release(*arrays);
    *arrays = NULL;
    gls_guest_leave(&guest);
}
