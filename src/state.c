/* SPDX-License-Identifier: Apache-2.0 */
/* The library's own arrays of a group: allocated, placed and listed together, or not at all. */
#include <string.h>

#include "factors.h"
#include "optimizer.h"
#include "stage.h"

/* Arrays of one kind for those tensors that lack one. */
typedef struct provision {
    gls_array array;
    size_t *lengths, *offsets; /* by tensor; length 0: it has one, or needs none */
    gls_format *formats;
    gls_interval *added;
    gls_arena arena;
} provision;

uint32_t gls_group_needs(const gls_group *group) {
    const gls_algorithm *algorithm = group->algorithm;
    uint32_t needs = ((1u << algorithm->states(group)) - 1) << GLS_ARRAY_STATE;
    if (algorithm->threshold && algorithm->threshold(group).value != 0)
        needs |= 1u << GLS_ARRAY_RESIDUAL;
    if (group->storage)
        needs |= 1u << GLS_ARRAY_MASTER;
    if (group->average_weight != 0)
        needs |= 1u << GLS_ARRAY_AVERAGE;
    return needs;
}

static bool lacks(const gls_group *group, gls_array array, uint32_t tensor) {
    if (array == GLS_ARRAY_MASTER && group->storage[tensor].mastered == GLISSADE_MASTER_NONE)
        return false;
    if ((array == GLS_ARRAY_RESIDUAL || array == GLS_ARRAY_AVERAGE) && gls_group_is_wide(group, tensor))
        return false;
    return group->tensors[tensor].n && !*gls_group_slot(group, tensor, array);
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
    made->formats = gls_alloc(group->count, sizeof *made->formats);
    made->added = gls_alloc(group->count, sizeof *made->added);
    if (!made->lengths || !made->offsets || !made->formats || !made->added)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory to place the state of %u tensors", group->count);
    for (uint32_t i = 0; i < group->count; i++) {
        made->lengths[i] = lacks(group, made->array, i) ? gls_group_length(group, i, made->array) : 0;
        made->formats[i] = gls_group_format(group, i, made->array);
    }
    return gls_place_arrays(optimizer->engine, &group->plan, made->lengths, made->formats, &made->arena,
                            made->offsets, &optimizer->error);
}

/* Lists the arrays beside the caller's, so that nobody makes a parameter or a gradient of them. */
static void commit(glissade_optimizer *optimizer, gls_group *group, provision *made) {
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        if (made->lengths[i]) {
            char *array = (char *)made->arena.base + made->offsets[i];
            *gls_group_slot(group, i, made->array) = array;
            if (group->storage) {
                group->storage[i].fresh_master |= made->array == GLS_ARRAY_MASTER;
                group->storage[i].fresh_average |= made->array == GLS_ARRAY_AVERAGE;
            }
            made->added[count++] = gls_interval_make(group->number, i, made->array, array,
                                                     gls_format_bytes(made->formats[i], made->lengths[i]));
        }
    gls_intervals_add(&optimizer->arrays, made->added, count); /* an arena's arrays ascend */
    group->holdings[group->holding_count++] = (gls_holding){made->array, made->arena};
    made->arena = (gls_arena){0};
}

/* Makes sure of room for `count` more. */
static bool reserve_holdings(gls_group *group, size_t count) {
    if (!count)
        return true;
    gls_holding *holdings = gls_alloc(group->holding_count + count, sizeof *holdings);
    if (!holdings)
        return false;
    for (uint32_t i = 0; i < group->holding_count; i++)
        holdings[i] = group->holdings[i];
    gls_free(group->holdings);
    group->holdings = holdings;
    return true;
}

static void release(provision *made) {
    gls_arena_destroy(&made->arena);
    gls_free(made->lengths);
    gls_free(made->offsets);
    gls_free(made->formats);
    gls_free(made->added);
}

/* ---- records ---- */

gls_deferral *gls_group_deferrals(gls_group *group) {
    if (!group->deferrals && (group->deferrals = gls_alloc(group->count, sizeof *group->deferrals)))
        for (uint32_t i = 0; i < group->count; i++)
            group->deferrals[i].acted = group->tensors[i].counted ? group->tensors[i].n : 0;
    return group->deferrals;
}

gls_storage *gls_group_storage(gls_group *group) {
    if (!group->storage)
        group->storage = gls_alloc(group->count, sizeof *group->storage);
    return group->storage;
}

/* Room for one sum a unit and block of every tensor. */
static double *provide_sums(const gls_group *group) {
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        count += gls_sums_units(group->tensors[i].n) + gls_sums_blocks(group->tensors[i].n);
    return gls_alloc(count, sizeof(double));
}

/* Records of deferral with room for their sums. By themselves they change nothing. */
static bool provide_deferrals(gls_group *group) {
    if (!gls_group_deferrals(group))
        return false;
    if (group->deferral_sums)
        return true;
    double *at = group->deferral_sums = provide_sums(group);
    for (uint32_t i = 0; at && i < group->count; i++)
        at = gls_sums_take(&group->deferrals[i].sums, group->tensors[i].n, at);
    return at;
}

/* What was made so far stays with the group, and is gone on from another time. */
bool gls_group_norms(gls_group *group) {
    if (!group->norms && !(group->norms = gls_alloc(1, sizeof *group->norms)))
        return false;
    gls_norms *norms = group->norms;
    for (size_t c = 0; c < GLS_CHANNELS; c++) {
        if (!norms->channels[c] &&
            !(norms->channels[c] = gls_alloc(group->count, sizeof *norms->channels[c])))
            return false;
        if (norms->room[c])
            continue;
        double *at = norms->room[c] = provide_sums(group);
        for (uint32_t i = 0; at && i < group->count; i++)
            at = gls_sums_take(&norms->channels[c][i], group->tensors[i].n, at);
        if (!at)
            return false;
    }
    return norms->values || (norms->values = gls_alloc(group->count, sizeof *norms->values));
}

/* Room for the sums of factored tensors. */
static bool provide_factors(gls_group *group) {
    size_t count = 0;
    for (uint32_t i = 0; i < group->count; i++)
        if (group->storage && group->storage[i].factored)
            count += gls_factors_room(group->tensors[i].n, group->storage[i].columns);
    if (!count || group->factor_sums)
        return true;
    double *at = group->factor_sums = gls_alloc(count, sizeof *at);
    for (uint32_t i = 0; at && i < group->count; i++)
        if (group->storage[i].factored) {
            group->storage[i].factor_sums = at;
            at += gls_factors_room(group->tensors[i].n, group->storage[i].columns);
        }
    return at;
}

/* ---- what follows the parameter ---- */

struct follow_job {
    const glissade_optimizer *optimizer;
    const gls_group *group;
};

static void follow_shard(void *context, uint32_t shard) {
    const struct follow_job *job = context;
    for (gls_cursor c = gls_plan_start(&job->group->plan, shard); gls_plan_next(&c);) {
        const gls_range range = gls_cursor_range(&c, job->group->tensors[c.tensor].n);
        const gls_storage *storage = &job->group->storage[c.tensor];
        gls_stage_follow(job->optimizer->engine->kernels, job->group, c.tensor, range, storage->fresh_master,
                         storage->fresh_average);
    }
}

/* A new master and average start at the parameter's value. */
static void initialise(glissade_optimizer *optimizer, gls_group *group) {
    struct follow_job job = {optimizer, group};
    size_t bytes = 0;
    for (uint32_t i = 0; i < group->count; i++)
        if (group->storage[i].fresh_master || group->storage[i].fresh_average)
            bytes += group->tensors[i].n * sizeof(float);
    if (!bytes)
        return;
    gls_engine_execute(optimizer->engine, bytes, follow_shard, &job);
    for (uint32_t i = 0; i < group->count; i++)
        group->storage[i].fresh_master = group->storage[i].fresh_average = false;
}

/* ---- provision ---- */

static void hold_residuals(gls_group *group) {
    for (uint32_t i = 0; i < group->count; i++)
        group->deferrals[i].holds = group->tensors[i].n > 0;
}

glissade_status gls_group_provide_state(glissade_optimizer *optimizer, gls_group *group, uint32_t needs) {
    glissade_error *error = &optimizer->error;
    const bool residual = gls_needs(needs, GLS_ARRAY_RESIDUAL);
    if ((residual || group->deferrals) && !provide_deferrals(group))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory to defer gradients of %u tensors", group->count);
    if (group->algorithm->own_norms && !gls_group_norms(group))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for norms of %u tensors",
                             group->count);
    if (!provide_factors(group))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory for rows and columns of %u tensors", group->count);
    provision made[GLS_ARRAY_COUNT] = {{0}};
    size_t count = 0;
    for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++)
        if (gls_needs(needs, array) && !is_complete(group, array))
            made[count++].array = array;
    glissade_status status = GLISSADE_STATUS_OK;
    if (!gls_intervals_reserve(&optimizer->arrays, count * group->count))
        status = gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                               "no memory to list the state of %u tensors", group->count);
    if (!status && !reserve_holdings(group, count))
        status = gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu kinds of state",
                               count);
    for (size_t i = 0; i < count && !status; i++)
        status = place(optimizer, group, &made[i]);
    for (size_t i = 0; i < count; i++) {
        if (!status)
            commit(optimizer, group, &made[i]);
        release(&made[i]);
    }
    if (status)
        return status;
    if (residual)
        hold_residuals(group);
    if (group->storage)
        initialise(optimizer, group);
    return GLISSADE_STATUS_OK;
}

void gls_group_withdraw_state(glissade_optimizer *optimizer, gls_group *group, uint32_t holding_count) {
    while (group->holding_count > holding_count) {
        gls_holding *holding = &group->holdings[--group->holding_count];
        const uintptr_t begin = (uintptr_t)holding->arena.base, end = begin + holding->arena.bytes;
        gls_intervals_remove_within(&optimizer->arrays, begin, end);
        for (uint32_t i = 0; i < group->count; i++) {
            void **slot = gls_group_slot(group, i, holding->array);
            if ((uintptr_t)*slot - begin < end - begin)
                *slot = NULL;
        }
        gls_arena_destroy(&holding->arena);
    }
}
