/* SPDX-License-Identifier: Apache-2.0 */
/* The passes that update nothing: zeroing gradients, and reading everything. */
#include <string.h>

#include "pass.h"

/* ---- zeroing ---- */

static void zero_shard(void *context, uint32_t shard) {
    const gls_pass *pass = context;
    const gls_kernels *kernels = pass->optimizer->engine->kernels;
    for (gls_visit v = gls_visit_start(pass, shard); gls_visit_next(&v);) {
        const gls_format format = gls_group_format(v.group, v.tensor, GLS_ARRAY_GRADIENT);
        void *at = gls_element(v.group->tensors[v.tensor].g, format, v.range.begin);
        const size_t n = v.range.end - v.range.begin;
        if (format == GLS_F32)
            kernels->zero(at, n);
        else
            memset(at, 0, gls_format_bytes(format, n));
    }
}

void gls_zero_gradients(gls_pass *pass) {
    size_t bytes = 0;
    for (gls_visit v = gls_visit_start(pass, GLS_ALL_SHARDS); gls_visit_next(&v);)
        bytes += gls_format_bytes(gls_group_format(v.group, v.tensor, GLS_ARRAY_GRADIENT),
                                  v.group->tensors[v.tensor].n);
    gls_engine_execute(pass->optimizer->engine, bytes, zero_shard, pass);
}

static glissade_status zero_gradients(glissade_optimizer *optimizer) {
    gls_pass pass = {.optimizer = optimizer};
    gls_zero_gradients(&pass);
    return GLISSADE_STATUS_OK;
}

/* ---- reading ---- */

/* Exclusive or of the 32-bit words of bytes that are not all floats' own, the last filled up with zeros. */
static uint32_t read_bytes(const char *at, size_t bytes) {
    uint32_t digest = 0;
    for (size_t i = 0; i < bytes; i += sizeof digest) {
        uint32_t word = 0;
        memcpy(&word, at + i, bytes - i < sizeof word ? bytes - i : sizeof word);
        digest ^= word;
    }
    return digest;
}

/* One after the other, in stretches that stay within the reach of the prefetchers. */
static uint32_t read_spans(const gls_pass *pass, const gls_group *group, uint32_t index, gls_array array,
                           gls_range range) {
    const gls_kernels *kernels = pass->optimizer->engine->kernels;
    const gls_walk ahead = {.streams = 1, .lead = pass->walk.lead};
    gls_span spans[2];
    const uint32_t count = gls_group_spans(group, index, array, range, spans);
    uint32_t digest = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *at = (const char *)gls_group_array(group, index, array) + spans[i].offset;
        size_t whole = 0;
        if ((uintptr_t)at % sizeof(float) == 0) {
            const float *words = (const float *)(const void *)at;
            whole = spans[i].bytes / sizeof *words;
            digest ^= kernels->read(&words, 1, whole, &ahead);
        }
        digest ^= read_bytes(at + whole * sizeof(float), spans[i].bytes - whole * sizeof(float));
    }
    return digest;
}

static uint32_t read_mixed(const gls_pass *pass, const gls_group *group, uint32_t index, gls_range range) {
    uint32_t digest = 0;
    for (size_t begin = range.begin; begin < range.end; begin += GLS_BLOCK) {
        const gls_range part = {begin, range.end - begin < GLS_BLOCK ? range.end : begin + GLS_BLOCK};
        for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++)
            if (gls_group_array(group, index, array))
                digest ^= read_spans(pass, group, index, array, part);
    }
    return digest;
}

/* A tensor's arrays of floats; how many, or none if there are others, too. */
static size_t list_floats(const gls_group *group, uint32_t index, size_t begin,
                          const float *arrays[GLS_READ_ARRAYS_MAX]) {
    size_t count = 0;
    for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++) {
        const float *at = gls_group_array(group, index, array);
        if (!at)
            continue;
        if (gls_group_format(group, index, array) != GLS_F32 || count == GLS_READ_ARRAYS_MAX ||
            gls_group_length(group, index, array) != group->tensors[index].n)
            return 0;
        arrays[count++] = at + begin;
    }
    return count;
}

static void read_shard(void *context, uint32_t shard) {
    gls_pass *pass = context;
    const gls_kernels *kernels = pass->optimizer->engine->kernels;
    uint32_t digest = 0;
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++) {
        const gls_group *group = pass->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_range range = gls_cursor_range(&c, group->tensors[c.tensor].n);
            if (range.begin == range.end)
                continue;
            const float *arrays[GLS_READ_ARRAYS_MAX];
            const size_t count = list_floats(group, c.tensor, range.begin, arrays);
            digest ^= count ? kernels->read(arrays, count, range.end - range.begin, &pass->walk)
                            : read_mixed(pass, group, c.tensor, range);
        }
    }
    atomic_fetch_xor_explicit(&pass->digest, digest, memory_order_relaxed);
}

static gls_workload count_arrays(const glissade_optimizer *optimizer) {
    gls_workload work = {0};
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < optimizer->groups[i]->count; j++) {
            const gls_group *group = optimizer->groups[i];
            const size_t n = group->tensors[j].n;
            bool any = false;
            for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++)
                if (gls_group_array(group, j, array)) {
                    any = true;
                    work.bytes += gls_group_bytes(group, j, array);
                }
            work.tensors += any;
            work.elements += any ? n : 0;
        }
    return work;
}

static glissade_status read_all(glissade_optimizer *optimizer, uint32_t *digest,
                                glissade_step_report *report) {
    if (!digest)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "digest is NULL");
    const glissade_status status = gls_report_check(optimizer, report);
    if (status)
        return status;
    const gls_workload work = count_arrays(optimizer);
    gls_pass pass = {.optimizer = optimizer, .walk = gls_pass_walk(optimizer, work.bytes)};
    const gls_execution execution = gls_engine_execute(optimizer->engine, work.bytes, read_shard, &pass);
    *digest = pass.digest;
    const glissade_step_report known = {.tensors = work.tensors,
                                        .elements = work.elements,
                                        .bytes = work.bytes,
                                        .passes = work.elements > 0,
                                        .threads = execution.threads,
                                        .planned = execution.planned,
                                        .streams = (uint32_t)pass.walk.streams,
                                        .pinned = execution.pinned,
                                        .norm = -1,
                                        .clip = 1};
    gls_report_write(report, &known);
    return GLISSADE_STATUS_OK;
}

/* ---- calls ---- */

glissade_status glissade_optimizer_zero_gradients(glissade_optimizer *optimizer) {
    GLS_OPTIMIZER_CALL(optimizer, zero_gradients(optimizer));
}

glissade_status glissade_optimizer_read(glissade_optimizer *optimizer, uint32_t *digest,
                                        glissade_step_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, read_all(optimizer, digest, report));
}
