/* SPDX-License-Identifier: Apache-2.0 */
/* Placement by first touch (see place.h): one region on the pinned team, in which owners write zero. */
#include "place.h"

#include <string.h>

static const size_t page = 4096, cache_line = 64;

static size_t round_up(size_t value, size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/* Fills offsets; the bytes needed, or SIZE_MAX if they cannot be held. */
static size_t lay_out(const size_t *lengths, size_t count, size_t *offsets) {
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        if (__builtin_mul_overflow(lengths[i], sizeof(float), &bytes))
            return SIZE_MAX;
        end = round_up(end, lengths[i] >= GLS_BLOCK ? page : cache_line);
        offsets[i] = end;
        if (__builtin_add_overflow(end, bytes, &end) || end > PTRDIFF_MAX - page)
            return SIZE_MAX;
    }
    return end;
}

typedef struct touch_job {
    const gls_plan *plan;
    const size_t *lengths, *offsets;
    char *base;
} touch_job;

static void touch_shard(void *context, uint32_t shard) {
    const touch_job *job = context;
    for (gls_cursor c = gls_plan_start(job->plan, shard); gls_plan_next(&c);) {
        const gls_range range = gls_cursor_range(&c, job->lengths[c.tensor]);
        if (range.begin < range.end)
            memset(job->base + job->offsets[c.tensor] + range.begin * sizeof(float), 0,
                   (range.end - range.begin) * sizeof(float));
    }
}

glissade_status gls_place_arrays(glissade_engine *engine, const gls_plan *plan, const size_t *lengths,
                                 gls_arena *arena, size_t *offsets, glissade_error *error) {
    const size_t bytes = lay_out(lengths, plan->tensor_count, offsets);
    if (bytes == SIZE_MAX)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "arrays of %u tensors have more bytes than can be held", plan->tensor_count);
    if (!gls_arena_create(arena, bytes, gls_engine_setting(engine, GLS_HUGEPAGES)))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for %zu bytes of arrays",
                             bytes);
    touch_job job = {.plan = plan, .lengths = lengths, .offsets = offsets, .base = arena->base};
    /* With several nodes owners must touch their pages themselves, however small the group: the steps to come may be
     * over many of them. */
    gls_engine_execute(engine, engine->topology.node_count > 1 ? SIZE_MAX : bytes, touch_shard, &job);
    return GLISSADE_STATUS_OK;
}
