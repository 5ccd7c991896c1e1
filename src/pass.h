/* SPDX-License-Identifier: Apache-2.0 */
/* What the passes over an optimizer's arrays share: which tensors they visit, and what they add up. */
#ifndef GLS_PASS_H
#define GLS_PASS_H

#include <stdatomic.h>

#include "optimizer.h"

/* What a pass did. */
typedef struct gls_workload {
    uint64_t tensors, elements, bytes, acted;
} gls_workload;

typedef struct gls_pass {
    glissade_optimizer *optimizer;
    const glissade_tensor_ref *listed; /* or NULL: everything */
    size_t listed_count;
    gls_request request;
    uint32_t index, count; /* the number of this pass among the updating ones, and how many those are */
    gls_walk walk;
    size_t tile;
    _Atomic uint64_t tensors, elements, bytes, acted; /* done by the shards so far */
    _Atomic uint64_t nonfinite;                       /* elements found so */
    _Atomic uint32_t digest;
} gls_pass;

/*
 * Goes over the pass's tensors with a gradient, of which a shard owns something, and that run:
 *     for (gls_visit v = gls_visit_start(pass, shard); gls_visit_next(&v);)
 *         ... v.group, v.tensor, v.range ...
 * Inline, as the cursor is. Listed references were checked, so that looking them up writes no message.
 */
typedef struct gls_visit {
    const gls_pass *pass;
    gls_group *group;
    uint32_t tensor, shard;
    gls_range range;
    size_t next; /* group or listed tensor */
    gls_cursor cursor;
} gls_visit;

static inline gls_visit gls_visit_start(const gls_pass *pass, uint32_t shard) {
    return (gls_visit){.pass = pass, .shard = shard};
}

static inline bool gls_visit_listed(gls_visit *v) {
    while (v->next < v->pass->listed_count) {
        const glissade_tensor_ref ref = v->pass->listed[v->next++];
        v->group = gls_optimizer_group(v->pass->optimizer, ref.group);
        v->tensor = ref.index;
        const gls_tensor *tensor = &v->group->tensors[ref.index];
        v->range = gls_plan_range(&v->group->plan, ref.index, tensor->n, v->shard);
        if (tensor->g && v->range.begin < v->range.end)
            return true;
    }
    return false;
}

static inline bool gls_visit_next(gls_visit *v) {
    if (v->pass->listed)
        return gls_visit_listed(v);
    for (;;) {
        while (v->group && gls_plan_next(&v->cursor)) {
            const gls_tensor *tensor = &v->group->tensors[v->cursor.tensor];
            if (!tensor->g)
                continue;
            v->tensor = v->cursor.tensor;
            v->range = gls_cursor_range(&v->cursor, tensor->n);
            return true;
        }
        if (v->next == v->pass->optimizer->group_count)
            return false;
        v->group = v->pass->optimizer->groups[v->next++];
        v->cursor = gls_plan_start(&v->group->plan, v->shard);
    }
}

/* The whole of such a run, and nothing of the tensor besides. */
static inline bool gls_visit_is_whole(const gls_visit *v) {
    return v->range.begin == 0 && v->range.end == v->group->tensors[v->tensor].n;
}

/* Which of its rule's passes a group has now; the rule of most passes sets their number, and the last is all groups'.
 * Negative: it has none yet. */
static inline int gls_pass_phase(const gls_pass *pass, const gls_group *group) {
    return (int)pass->index - (int)(pass->count - group->algorithm->phases);
}

/* ---- update.c ---- */

/* What a tensor's gradients are multiplied by in this step, but for the sign of maximize. */
double gls_update_factor(const gls_pass *pass, const gls_group *group, uint32_t tensor);

/* One updating pass over a shard. What it gathered is summed up by settle: `divided`, if shards were threads'. After
 * the last pass finish counts the tensors that no shard had whole. */
void gls_update_shard(void *pass, uint32_t shard);
void gls_update_settle(gls_pass *pass, bool divided);
void gls_update_finish(gls_pass *pass);

/* ---- step.c ---- */

/* The walk for so many bytes. */
gls_walk gls_pass_walk(const glissade_optimizer *optimizer, size_t footprint);

/* Whether a report can be written, and writing it; NULL is one, too. */
glissade_status gls_report_check(glissade_optimizer *optimizer, const glissade_step_report *report);
void gls_report_write(glissade_step_report *report, const glissade_step_report *known);

/* ---- passes.c ---- */

/* Writes zero to the gradients of the pass. */
void gls_zero_gradients(gls_pass *pass);

/* ---- norm.c ---- */

/* What is known of a step's gradients as they came in. */
typedef struct gls_measurement {
    double square; /* sum of the squares of all */
    uint64_t nonfinite;
    glissade_tensor_ref first;
} gls_measurement;

/* Reads all gradients of the pass and sums up their squares, by tensor into norms[..][0] too. Returns OK or
 * OUT_OF_MEMORY. */
glissade_status gls_norm_measure(gls_pass *pass, size_t footprint, gls_measurement *found);

#endif
