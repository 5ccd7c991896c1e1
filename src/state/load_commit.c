/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a load: arrays that lack are provided, which can fail and is then taken back, and everything is taken over,
 * which cannot. */
#include <string.h>

#include "descriptor.h"
#include "load.h"
#include "stage.h"

/* ---- providing ---- */

static void set_options(gls_group *group, const void *options, double average_weight) {
    memcpy(gls_group_options(group), options, gls_options_bytes(group->algorithm));
    group->average_weight = average_weight;
}

static void remember(gls_loading *loading, uint32_t index) {
    const gls_group *group = loading->optimizer->groups[index];
    gls_group_arrival *it = &loading->groups[index];
    it->holding_count = group->holding_count;
    it->had_storage = group->storage;
    it->had_deferrals = group->deferrals;
    for (uint32_t i = 0; group->deferrals && i < group->count; i++)
        loading->tensors[it->first + i].held = group->deferrals[i].holds;
}

/* Whether a tensor of the group brings a root mean square, for which there must be a record. */
static bool brings_rms(const gls_loading *loading, const gls_group *group, const gls_group_arrival *it) {
    for (uint32_t i = 0; i < group->count; i++)
        if (loading->tensors[it->first + i].gradient_rms != 0) /* true for a NaN */
            return true;
    return false;
}

static glissade_status provide(gls_loading *loading, uint32_t index) {
    glissade_optimizer *optimizer = loading->optimizer;
    gls_group *group = optimizer->groups[index];
    const gls_group_arrival *it = &loading->groups[index];
    const bool averages = it->average_weight != 0 || gls_needs(it->wanted, GLS_ARRAY_AVERAGE);
    set_options(group, it->options, it->average_weight);
    if ((averages && !gls_group_storage(group)) ||
        (brings_rms(loading, group, it) && !gls_group_deferrals(group)))
        return gls_loading_fail(loading, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for records of %u tensors",
                                group->count);
    return gls_group_provide_state(optimizer, group, gls_group_needs(group) | it->wanted);
}

static void take_back(gls_loading *loading, uint32_t index) {
    gls_group *group = loading->optimizer->groups[index];
    const gls_group_arrival *it = &loading->groups[index];
    set_options(group, it->before, it->average_before);
    gls_group_withdraw_state(loading->optimizer, group, it->holding_count);
    if (!it->had_storage) {
        gls_free(group->storage);
        group->storage = NULL;
    }
    if (!it->had_deferrals) {
        gls_free(group->deferrals);
        gls_free(group->deferral_sums);
        group->deferrals = NULL;
        group->deferral_sums = NULL;
    }
    for (uint32_t i = 0; group->deferrals && i < group->count; i++)
        group->deferrals[i].holds = loading->tensors[it->first + i].held;
}

static glissade_status provide_all(gls_loading *loading) {
    const uint32_t count = loading->optimizer->group_count;
    glissade_status status = GLISSADE_STATUS_OK;
    uint32_t done = 0;
    for (; !status && done < count; done++)
        if (loading->groups[done].has_state) {
            remember(loading, done);
            status = provide(loading, done);
        }
    while (status && done-- > 0)
        if (loading->groups[done].has_state)
            take_back(loading, done);
    return status;
}

/* ---- zeros ---- */

static gls_transfer *find_transfer(gls_loading *loading, size_t tensor, gls_array array) {
    gls_arrival *it = &loading->tensors[tensor];
    for (size_t i = 0; i < it->count; i++)
        if (loading->transfers[it->first + i].array == array)
            return &loading->transfers[it->first + i];
    return NULL;
}

static void add_zeros(gls_loading *loading, size_t tensor, gls_array array) {
    gls_arrival *it = &loading->tensors[tensor];
    loading->transfers[it->first + it->count++] = (gls_transfer){.array = array, .entry = SIZE_MAX};
}

/* Arrays that the file does not have are as those of a tensor that was never stepped; so are those that it has of one
 * that never was, which PyTorch fills in advance. */
static void fill_up(gls_loading *loading, size_t tensor) {
    const gls_name *name = &loading->names.items[tensor];
    const gls_group *group = gls_loading_group(loading, tensor);
    gls_arrival *it = &loading->tensors[tensor];
    if (!it->has_state || !group->tensors[name->tensor].n)
        return;
    it->holds = it->holds || loading->groups[name->group].defers;
    if (it->holds && !find_transfer(loading, tensor, GLS_ARRAY_RESIDUAL))
        add_zeros(loading, tensor, GLS_ARRAY_RESIDUAL);
    if (group->algorithm->starts_afresh)
        return;
    for (size_t i = 0; i < it->count && !it->steps; i++)
        if (gls_array_is_state(loading->transfers[it->first + i].array))
            loading->transfers[it->first + i].entry = SIZE_MAX;
    for (uint32_t s = 0; s < group->algorithm->most_states; s++)
        if (gls_group_array(group, name->tensor, GLS_ARRAY_STATE + s) &&
            !find_transfer(loading, tensor, GLS_ARRAY_STATE + s))
            add_zeros(loading, tensor, GLS_ARRAY_STATE + s);
}

/* ---- arrays ---- */

static void transfer(const gls_loading *loading, const gls_group *group, uint32_t tensor,
                     const gls_transfer *it, gls_range range) {
    const gls_algorithm *algorithm = group->algorithm;
    char *array = gls_group_array(group, tensor, it->array);
    if (it->entry == SIZE_MAX) {
        gls_span spans[2];
        const uint32_t count = gls_group_spans(group, tensor, it->array, range, spans);
        for (uint32_t i = 0; i < count; i++)
            memset(array + spans[i].offset, 0, spans[i].bytes);
        return;
    }
    if (it->home) /* it is there already */
        return;
    const gls_kept to = {.format = gls_group_format(group, tensor, it->array),
                         .is_unsigned = gls_array_is_state(it->array) &&
                                        algorithm->unsigned_states >> (it->array - GLS_ARRAY_STATE) & 1,
                         .elements = array + it->part.offset,
                         .length = it->part.elements};
    if (it->part.kind != GLS_PART_ELEMENTS) /* averages of rows and columns go with the first element */
        range = (gls_range){0, range.begin ? 0 : it->part.elements};
    if (range.begin < range.end)
        gls_convert(loading->optimizer->engine->kernels->formats, &it->from, &to, range, it->same);
}

/* What depends on a tensor's parameter comes after it. */
static void take_range(const gls_loading *loading, const gls_group *group, size_t tensor, gls_range range) {
    const gls_arrival *it = &loading->tensors[tensor];
    const uint32_t index = loading->names.items[tensor].tensor;
    const gls_kernels *kernels = loading->optimizer->engine->kernels;
    for (size_t i = 0; i < it->count; i++)
        transfer(loading, group, index, &loading->transfers[it->first + i], range);
    if (!group->storage)
        return;
    if (group->storage[index].mastered != GLISSADE_MASTER_NONE && !it->has_master &&
        (it->has_state || it->has_parameter))
        gls_stage_follow(kernels, group, index, range, true, false);
    if (group->storage[index].copy && it->has_parameter)
        gls_stage_copy(kernels, group, index, range);
}

/* Each array by the threads that own it. */
static void take_shard(void *context, uint32_t shard) {
    const gls_loading *loading = context;
    for (uint32_t i = 0; i < loading->optimizer->group_count; i++) {
        const gls_group *group = loading->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_range range = gls_cursor_range(&c, group->tensors[c.tensor].n);
            if (range.begin < range.end)
                take_range(loading, group, loading->groups[i].first + c.tensor, range);
        }
    }
}

/* ---- everything else ---- */

static void take_tensor(const gls_loading *loading, gls_group *group, size_t tensor) {
    const gls_arrival *it = &loading->tensors[tensor];
    const uint32_t index = loading->names.items[tensor].tensor;
    const gls_group_arrival *of = &loading->groups[loading->names.items[tensor].group];
    if (group->deferrals)
        group->deferrals[index].holds =
            group->tensors[index].n && (of->defers || (it->has_state ? it->holds : it->held));
    if (!of->states) /* momentum that is turned off is gone */
        group->tensors[index].k = 0;
    if (!it->has_state)
        return;
    group->tensors[index].t = it->steps;
    group->tensors[index].k = it->updates;
    if (group->deferrals)
        group->deferrals[index].rms = it->gradient_rms;
    if (!group->storage)
        return;
    if (loading->native)
        group->storage[index].stream = it->stream;
    memcpy(group->storage[index].numbers, it->numbers, sizeof it->numbers);
}

static void take_group(const gls_loading *loading, uint32_t index) {
    gls_group *group = loading->optimizer->groups[index];
    const gls_group_arrival *it = &loading->groups[index];
    if (!it->has_state)
        return;
    for (uint32_t i = 0; i < group->count; i++) {
        take_tensor(loading, group, it->first + i);
        if (group->storage)
            gls_storage_settle(group, i);
    }
    group->stream = it->stream;
    group->evaluates = it->evaluates;
    group->written = true;
}

/* Whether a tensor of a group, of those that the file brought or of all, has a number. */
static bool is_taken(const gls_loading *loading, uint32_t group, uint32_t number, bool brought) {
    const gls_group *of = loading->optimizer->groups[group];
    const gls_arrival *arrivals = &loading->tensors[loading->groups[group].first];
    for (uint32_t i = 0; i < of->count; i++)
        if (of->storage[i].stream == number && (arrivals[i].has_state || !brought))
            return true;
    return false;
}

/* Tensors that the file says nothing of make way for those of their group that it brought. The number after the highest
 * is free unless the numbers have come to their end. */
static void part_tensors(const gls_loading *loading, uint32_t group) {
    const uint32_t end = 1u << 24;
    const gls_group *of = loading->optimizer->groups[group];
    const gls_arrival *arrivals = &loading->tensors[loading->groups[group].first];
    uint32_t next = 0;
    for (uint32_t i = 0; of->storage && i < of->count; i++)
        next = of->storage[i].stream >= next ? of->storage[i].stream + 1 : next;
    for (uint32_t i = 0; of->storage && i < of->count; i++) {
        if (arrivals[i].has_state || !is_taken(loading, group, of->storage[i].stream, true))
            continue;
        while (next >= end || is_taken(loading, group, next, false))
            next = next >= end ? 0 : next + 1;
        of->storage[i].stream = next++;
    }
}

/* Groups that the file says nothing of make way, and those to come, so that none has the random bits of another. */
static void part_streams(const gls_loading *loading) {
    glissade_optimizer *optimizer = loading->optimizer;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        if (optimizer->groups[i]->stream >= optimizer->next_stream)
            optimizer->next_stream = optimizer->groups[i]->stream + 1;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; !loading->groups[i].has_state && j < optimizer->group_count; j++)
            if (loading->groups[j].has_state && optimizer->groups[i]->stream == optimizer->groups[j]->stream)
                optimizer->groups[i]->stream = optimizer->next_stream++;
}

glissade_status gls_loading_commit(gls_loading *loading) {
    const glissade_status status = provide_all(loading);
    if (status)
        return status;
    for (size_t i = 0; i < loading->names.count; i++)
        fill_up(loading, i);
    gls_engine_execute(loading->optimizer->engine, 2 * loading->staged.bytes, take_shard, loading);
    for (uint32_t i = 0; i < loading->optimizer->group_count; i++)
        take_group(loading, i);
    if (loading->native) {
        loading->optimizer->seed = loading->seed;
        part_streams(loading);
        for (uint32_t i = 0; i < loading->optimizer->group_count; i++)
            part_tensors(loading, i);
    }
    return GLISSADE_STATUS_OK;
}
