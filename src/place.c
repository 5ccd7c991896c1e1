/* SPDX-License-Identifier: Apache-2.0 */
/* Placement by first touch (see place.h): one region on the pinned team, in which owners write zero. */
#include "place.h"

#include <string.h>

static const size_t page = 4096, cache_line = 64;

static size_t round_up(size_t value, size_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/* Fills offsets; the bytes needed, or SIZE_MAX if they cannot be held. */
static size_t lay_out(const size_t *lengths, const gls_format *formats, size_t count, size_t *offsets) {
    size_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (lengths[i] > PTRDIFF_MAX / sizeof(double))
            return SIZE_MAX;
        const size_t bytes = gls_format_bytes(formats ? formats[i] : GLS_F32, lengths[i]);
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
    const gls_format *formats;
    char *base;
} touch_job;

static void touch_shard(void *context, uint32_t shard) {
    const touch_job *job = context;
    for (gls_cursor c = gls_plan_start(job->plan, shard); gls_plan_next(&c);) {
        gls_range range = gls_cursor_range(&c, job->lengths[c.tensor]);
        if (range.end > job->lengths[c.tensor]) /* an array that is shorter than its tensor */
            range.end = job->lengths[c.tensor];
        if (range.begin >= range.end)
            continue;
        gls_span spans[2];
        const uint32_t count = gls_format_spans(job->formats ? job->formats[c.tensor] : GLS_F32,
                                                job->lengths[c.tensor], range, spans);
        for (uint32_t i = 0; i < count; i++)
            memset(job->base + job->offsets[c.tensor] + spans[i].offset, 0, spans[i].bytes);
    }
}

glissade_status gls_place_arrays(glissade_engine *engine, const gls_plan *plan, const size_t *lengths,
                                 const gls_format *formats, gls_arena *arena, size_t *offsets,
                                 glissade_error *error) {
    const size_t bytes = lay_out(lengths, formats, plan->tensor_count, offsets);
    if (bytes == SIZE_MAX)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "arrays of %u tensors have more bytes than can be held", plan->tensor_count);
    if (!gls_arena_create(arena, bytes, gls_engine_setting(engine, GLS_HUGEPAGES)))
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for %zu bytes of arrays",
                             bytes);
    touch_job job = {
        .plan = plan, .lengths = lengths, .offsets = offsets, .formats = formats, .base = arena->base};
    /* With several nodes owners must touch their pages themselves, however small the group: the steps to come may be
     * over many of them. */
    gls_engine_execute(engine, engine->topology.node_count > 1 ? SIZE_MAX : bytes, touch_shard, &job);
    return GLISSADE_STATUS_OK;
}
