/* SPDX-License-Identifier: Apache-2.0 */
/* The read-only pass over gradients: their norms, and whether all are finite. */
#include <math.h>

#include "pass.h"
#include "stage.h"
#include "tuning.h"

/* One array is read, where a step reads several. */
static gls_walk walk_alone(gls_walk walk) {
    return (gls_walk){.streams = walk.streams > 1 ? GLS_STREAMS_ALONE : 1,
                      .lead = walk.lead ? GLS_LEAD_ALONE : 0};
}

/* A run within a block: sums of its units. Returns how many elements are not finite. */
static uint64_t measure_run(const gls_pass *pass, const gls_visit *v, gls_range run, double *sums) {
    const gls_tensor *tensor = &v->group->tensors[v->tensor];
    const gls_kernels *kernels = pass->optimizer->engine->kernels;
    const gls_format format = gls_group_format(v->group, v->tensor, GLS_ARRAY_GRADIENT);
    const gls_walk straight = {.streams = 1}, alone = walk_alone(pass->walk);
    const void *at = gls_element(tensor->g, format, run.begin);
    if (format == GLS_F32)
        return kernels->squares(sums, at, run.end - run.begin, &alone);
    if (format == GLS_F64)
        return gls_kernels_f64.squares(sums, at, run.end - run.begin, &straight);
    uint64_t nonfinite = 0;
    for (size_t begin = run.begin; begin < run.end; begin += GLS_STAGE) {
        float room[GLS_STAGE];
        const gls_range part = {begin, run.end - begin < GLS_STAGE ? run.end : begin + GLS_STAGE};
        const float *g = gls_stage_gradient(kernels, v->group, v->tensor, part, alone.lead, room);
        nonfinite +=
            kernels->squares(sums + (begin - run.begin) / GLS_SUM_UNIT, g, part.end - part.begin, &straight);
    }
    return nonfinite;
}

static void measure_shard(void *context, uint32_t shard) {
    gls_pass *pass = context;
    uint64_t nonfinite = 0;
    for (gls_visit v = gls_visit_start(pass, shard); gls_visit_next(&v);) {
        const gls_sums *sums = &v.group->norms->channels[0][v.tensor];
        const size_t n = v.group->tensors[v.tensor].n;
        for (size_t begin = v.range.begin; begin < v.range.end;) {
            const gls_block_part part = gls_sums_part(v.range, begin, n);
            double units[GLS_BLOCK_UNITS];
            nonfinite +=
                measure_run(pass, &v, part.run, part.whole ? units : sums->units + begin / GLS_SUM_UNIT);
            if (part.whole)
                gls_sums_fold(sums, part.block, units, n);
            begin = part.run.end;
        }
    }
    atomic_fetch_add_explicit(&pass->nonfinite, nonfinite, memory_order_relaxed);
}

/* Whether what makes a tensor's sum infinite or NaN is an element, and not the squares of doubles that are all finite. */
static bool has_nonfinite(const gls_group *group, uint32_t tensor, double square) {
    bool any = !isfinite(square);
    if (!any || gls_group_format(group, tensor, GLS_ARRAY_GRADIENT) != GLS_F64)
        return any;
    const double *g = group->tensors[tensor].g;
    any = false;
    for (size_t i = 0; i < group->tensors[tensor].n && !any; i++)
        any = !isfinite(g[i]);
    return any;
}

/* Sums by tensor, in the order of groups and tensors; 0 where no gradient of the pass is. */
static void collect(gls_pass *pass, bool divided, double *sums, gls_measurement *found) {
    size_t place = 0;
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++) {
        gls_group *group = pass->optimizer->groups[i];
        for (uint32_t j = 0; j < group->count; j++)
            group->norms->values[j][GLS_NORM_GRADIENT] = 0;
    }
    for (gls_visit v = gls_visit_start(pass, GLS_ALL_SHARDS); gls_visit_next(&v);) {
        const gls_sums *of = &v.group->norms->channels[0][v.tensor];
        const size_t n = v.group->tensors[v.tensor].n;
        if (divided)
            gls_sums_fold_divided(of, &v.group->plan, v.tensor, n);
        v.group->norms->values[v.tensor][GLS_NORM_GRADIENT] = gls_sums_total(of, n);
    }
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++) {
        gls_group *group = pass->optimizer->groups[i];
        for (uint32_t j = 0; j < group->count; j++) {
            const double square = group->norms->values[j][GLS_NORM_GRADIENT];
            if (found->first.group == UINT32_MAX && has_nonfinite(group, j, square))
                found->first = (glissade_tensor_ref){group->number, j};
            sums[place++] = square;
            group->norms->values[j][GLS_NORM_GRADIENT] = sqrt(square);
        }
    }
    found->square = gls_sums_pairwise(sums, place);
}

glissade_status gls_norm_measure(gls_pass *pass, size_t footprint, gls_measurement *found) {
    glissade_optimizer *optimizer = pass->optimizer;
    size_t count = 0;
    bool room = true;
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        count += optimizer->groups[i]->count;
        room = room && gls_group_norms(optimizer->groups[i]);
    }
    double *sums = room ? gls_alloc(count, sizeof *sums) : NULL;
    if (!sums)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory for the norms of %zu tensors", count);
    *found = (gls_measurement){.first = {UINT32_MAX, 0}};
    pass->nonfinite = 0;
    const gls_execution execution = gls_engine_execute(optimizer->engine, footprint, measure_shard, pass);
    collect(pass, execution.planned > 1, sums, found);
    found->nonfinite = pass->nonfinite;
    if (!found->nonfinite)
        found->first = (glissade_tensor_ref){0, 0};
    gls_free(sums);
    return GLISSADE_STATUS_OK;
}
