/* SPDX-License-Identifier: Apache-2.0 */
/* The pass (see inside.h), on the engine's own execution and the groups' own plans. */
#include "inside.h"

#include "optimizer.h"

typedef struct job {
    const glissade_optimizer *optimizer;
    bench_visit *visit;
    void *context;
} job;

/* A matrix whose second moment is factored has a pass over its gradient before its rule's own. */
static bool is_factored(const gls_group *group, uint32_t tensor) {
    return group->storage && group->storage[tensor].factored;
}

static uint32_t phases_before(const gls_group *group) {
    for (uint32_t i = 0; i < group->count; i++)
        if (is_factored(group, i))
            return 1;
    return 0;
}

/* Whether one of the rule's passes has to read an array. What it only writes, a copy in half precision, it could write
 * past the caches without reading. */
static bool reads(const gls_group *group, uint32_t tensor, gls_array array, const gls_phase *phase) {
    const bool rounded = group->storage && group->storage[tensor].mastered == GLISSADE_MASTER_F32;
    switch (array) {
    case GLS_ARRAY_PARAMETER:
        return !rounded;
    case GLS_ARRAY_GRADIENT:
        return phase->reads_gradient;
    case GLS_ARRAY_COPY:
        return false;
    case GLS_ARRAY_AVERAGE:
        return phase->writes_parameter && group->average_weight != 0;
    case GLS_ARRAY_MASTER:
    case GLS_ARRAY_RESIDUAL:
        return true;
    default:
        return phase->reads_states || phase->writes_states;
    }
}

static uint32_t phases_of(const gls_group *group, uint32_t tensor, gls_array array) {
    const gls_algorithm *algorithm = group->algorithm;
    uint32_t phases = 0;
    for (uint32_t i = 0; i < algorithm->phases; i++)
        phases |= (uint32_t)reads(group, tensor, array, &algorithm->phase[i]) << i;
    phases <<= phases_before(group);
    return phases | (is_factored(group, tensor) && array == GLS_ARRAY_GRADIENT);
}

/* Scales of 8-bit codes are the second span of their array; averages of rows and columns have no block. */
static void add_spans(bench_part *part, const gls_group *group, gls_array array, gls_range range) {
    const char *at = gls_group_array(group, part->tensor, array);
    const uint32_t phases = at ? phases_of(group, part->tensor, array) : 0;
    if (!phases)
        return;
    const gls_format format = gls_group_format(group, part->tensor, array);
    gls_span spans[2];
    const uint32_t count = gls_group_spans(group, part->tensor, array, range, spans);
    for (uint32_t i = 0; i < count; i++) {
        size_t block = BENCH_READ_BLOCK * gls_format_element(format);
        if (format == GLS_Q8)
            block = i ? BENCH_READ_BLOCK / GLS_QUANTISED_BLOCK * sizeof(float) : BENCH_READ_BLOCK;
        if (gls_group_length(group, part->tensor, array) != group->tensors[part->tensor].n)
            block = 0;
        part->spans[part->span_count++] = (bench_span){at + spans[i].offset, spans[i].bytes, block, phases};
    }
}

static float *floats(const gls_group *group, uint32_t tensor, gls_array array, size_t begin) {
    float *at = gls_group_array(group, tensor, array);
    const bool one_each = gls_group_length(group, tensor, array) == group->tensors[tensor].n;
    return at && one_each && gls_group_format(group, tensor, array) == GLS_F32 ? at + begin : NULL;
}

_Static_assert(BENCH_SPANS_MAX >= GLS_ARRAY_COUNT + GLS_STATES_MAX, "an array of 8-bit state has two spans");

static void visit_part(const job *all, const gls_group *group, uint32_t tensor, gls_range range) {
    bench_part part = {.tensor = tensor,
                       .begin = range.begin,
                       .n = range.end - range.begin,
                       .p = floats(group, tensor, GLS_ARRAY_PARAMETER, range.begin),
                       .g = floats(group, tensor, GLS_ARRAY_GRADIENT, range.begin),
                       .m = floats(group, tensor, GLS_ARRAY_STATE, range.begin),
                       .v = floats(group, tensor, GLS_ARRAY_STATE + 1, range.begin),
                       .r = floats(group, tensor, GLS_ARRAY_RESIDUAL, range.begin),
                       .average = floats(group, tensor, GLS_ARRAY_AVERAGE, range.begin)};
    for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++)
        add_spans(&part, group, array, range);
    all->visit(all->context, &part);
}

static void visit_shard(void *context, uint32_t shard) {
    const job *all = context;
    for (uint32_t i = 0; i < all->optimizer->group_count; i++) {
        const gls_group *group = all->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_range range = gls_plan_range(&group->plan, c.tensor, group->tensors[c.tensor].n, shard);
            if (range.begin < range.end)
                visit_part(all, group, c.tensor, range);
        }
    }
}

/* ---- arrays as a whole ---- */

typedef void each_array(void *context, uint32_t phases, size_t bytes);

static void for_each_array(const glissade_optimizer *optimizer, each_array *each, void *context) {
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < optimizer->groups[i]->count; j++)
            for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++) {
                const gls_group *group = optimizer->groups[i];
                const uint32_t phases = gls_group_array(group, j, array) ? phases_of(group, j, array) : 0;
                each(context, phases, phases ? gls_group_bytes(group, j, array) : 0);
            }
}

static void add_bytes(void *context, uint32_t phases, size_t bytes) {
    (void)phases;
    *(size_t *)context += bytes;
}

size_t bench_bytes(const glissade_optimizer *optimizer) {
    size_t bytes = 0;
    for_each_array(optimizer, add_bytes, &bytes);
    return bytes;
}

/* A step of FNV-1a by words. */
static void mix(void *context, uint32_t phases, size_t bytes) {
    uint64_t *hash = context;
    *hash = (*hash ^ bytes) * UINT64_C(0x100000001B3);
    *hash = (*hash ^ phases) * UINT64_C(0x100000001B3);
}

uint64_t bench_layout(const glissade_optimizer *optimizer) {
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    for_each_array(optimizer, mix, &hash);
    return hash;
}

bool bench_floats(const glissade_optimizer *optimizer) {
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < optimizer->groups[i]->count; j++) {
            const gls_group *group = optimizer->groups[i];
            uint32_t count = 0;
            for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++) {
                if (!gls_group_array(group, j, array) || !phases_of(group, j, array))
                    continue;
                const bool known = array == GLS_ARRAY_PARAMETER || array == GLS_ARRAY_GRADIENT ||
                                   array == GLS_ARRAY_STATE || array == GLS_ARRAY_STATE + 1 ||
                                   array == GLS_ARRAY_RESIDUAL;
                if (!known || !floats(group, j, array, 0) || ++count > GLS_READ_ARRAYS_MAX)
                    return false;
            }
        }
    return true;
}

uint32_t bench_phases(const glissade_optimizer *optimizer) {
    uint32_t most = 1;
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        const gls_group *group = optimizer->groups[i];
        const uint32_t phases = group->algorithm->phases + phases_before(group);
        most = phases > most ? phases : most;
    }
    return most;
}

void bench_pass(glissade_optimizer *optimizer, bench_visit *visit, void *context) {
    job all = {.optimizer = optimizer, .visit = visit, .context = context};
    gls_engine_execute(optimizer->engine, bench_bytes(optimizer), visit_shard, &all);
}
