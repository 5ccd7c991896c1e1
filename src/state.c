/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own state arrays of a group: allocated, placed and listed together, or not at all. */
#include "optimizer.h"

/* Arrays of one kind for those tensors that lack one. */
typedef struct provision {
    gls_array array;
    size_t *lengths, *offsets; /* by tensor; length 0: it has one, or needs none */
    gls_interval *added;
    gls_arena arena;
} provision;

static float **state_of(const gls_group *group, gls_array array, uint32_t tensor) {
    return array == GLS_ARRAY_MOMENTUM ? &group->tensors[tensor].m : &group->deferrals[tensor].r;
}

static bool lacks(const gls_group *group, gls_array array, uint32_t tensor) {
    return group->tensors[tensor].n && !*state_of(group, array, tensor);
}

static bool is_complete(const gls_group *group, gls_array array) {
    for (uint32_t i = 0; i < group->count; i++)
        if (lacks(group, array, i))
            return false;
    return true;
}

static glissade_status place(glissade_optimizer *optimizer, const gls_group *group, provision *made) {
    made->lengths = gls_alloc(group->count, sizeof *made->lengths);
    made->offsets = gls_alloc(group->count, sizeof *made->offsets);
    made->added = gls_alloc(group->count, sizeof *made->added);
    if (!made->lengths || !made->offsets || !made->added)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory to place the state of %u tensors", group->count);
    for (uint32_t i = 0; i < group->count; i++)
        made->lengths[i] = lacks(group, made->array, i) ? group->tensors[i].n : 0;
    return gls_place_arrays(optimizer->engine, &group->plan, made->lengths, &made->arena, made->offsets,
                            &optimizer->error);
}

/* Lists the arrays beside the caller's, so that nobody makes a parameter or a gradient of them. */
static void commit(glissade_optimizer *optimizer, gls_group *group, provision *made) {
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        if (made->lengths[i]) {
            float *array = (float *)((char *)made->arena.base + made->offsets[i]);
            *state_of(group, made->array, i) = array;
            made->added[count++] = gls_interval_make(group->number, i, made->array, array, made->lengths[i]);
        }
    gls_intervals_add(&optimizer->arrays, made->added, count); /* an arena's arrays ascend */
    *(made->array == GLS_ARRAY_MOMENTUM ? &group->momenta : &group->residuals) = made->arena;
    made->arena = (gls_arena){0};
}

static void release(provision *made) {
    gls_arena_destroy(&made->arena);
    gls_free(made->lengths);
    gls_free(made->offsets);
    gls_free(made->added);
}

gls_deferral *gls_group_deferrals(gls_group *group) {
    if (!group->deferrals && (group->deferrals = gls_alloc(group->count, sizeof *group->deferrals)))
        for (uint32_t i = 0; i < group->count; i++)
            group->deferrals[i].acted = group->tensors[i].counted ? group->tensors[i].n : 0;
    return group->deferrals;
}

/* Records of deferral with room for their sums. By themselves they change nothing. */
static bool provide_records(gls_group *group) {
    if (!gls_group_deferrals(group))
        return false;
    if (group->sums)
        return true;
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        count += gls_deferral_units(group->tensors[i].n) + gls_deferral_blocks(group->tensors[i].n);
    double *at = group->sums = gls_alloc(count, sizeof *group->sums);
    for (uint32_t i = 0; at && i < group->count; i++) {
        group->deferrals[i].units = at;
        group->deferrals[i].blocks = at += gls_deferral_units(group->tensors[i].n);
        at += gls_deferral_blocks(group->tensors[i].n);
    }
    return at;
}

static void hold_residuals(gls_group *group) {
    for (uint32_t i = 0; i < group->count; i++)
        group->deferrals[i].holds = group->tensors[i].n > 0;
}

glissade_status gls_group_provide_state(glissade_optimizer *optimizer, gls_group *group, bool momentum,
                                        bool residual) {
    if ((residual || group->deferrals) && !provide_records(group))
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory to defer gradients of %u tensors", group->count);
    provision made[2] = {{0}, {0}};
    size_t count = 0;
    if (momentum && !is_complete(group, GLS_ARRAY_MOMENTUM))
        made[count++].array = GLS_ARRAY_MOMENTUM;
    if (residual && !is_complete(group, GLS_ARRAY_RESIDUAL))
        made[count++].array = GLS_ARRAY_RESIDUAL;
    glissade_status status = GLISSADE_STATUS_OK;
    if (!gls_intervals_reserve(&optimizer->arrays, count * group->count))
        status = gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                               "no memory to list the state of %u tensors", group->count);
    for (size_t i = 0; i < count && !status; i++)
        status = place(optimizer, group, &made[i]);
    for (size_t i = 0; i < count; i++) {
        if (!status)
            commit(optimizer, group, &made[i]);
        release(&made[i]);
    }
    if (!status && residual)
        hold_residuals(group);
    return status;
}
