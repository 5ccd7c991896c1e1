/* SPDX-License-Identifier: Apache-2.0 */
/* Number formats around the kernels of floats (see stage.h). Allocates nothing; knows no update rule. */
#include "stage.h"

#include <math.h>
#include <string.h>

#include "tuning.h"

_Static_assert(GLS_STAGE % GLS_SUM_UNIT == 0 && GLS_STAGE % GLS_CUT_UNIT == 0, "stretches divide no unit");

/* A stretch of a tensor: room for what is not float, and how far ahead reads are asked for. */
typedef struct stretch {
    const gls_stage *stage;
    size_t begin, n, lead;
    _Alignas(64) float p[GLS_STAGE], g[GLS_STAGE], s[GLS_STATES_MAX][GLS_STAGE];
} stretch;

bool gls_stage_needed(const gls_group *group, uint32_t tensor, const gls_request *request) {
    return request->clip_value > 0 || (group->storage && group->storage[tensor].staged);
}

/* ---- one array ---- */

/* n elements from `begin` on as floats: at their place if they are, else in `room`. */
static float *widen(const gls_format_kernels *k, void *array, gls_format format, bool is_unsigned,
                    gls_range run, size_t length, size_t lead, float *room) {
    const size_t n = run.end - run.begin;
    void *at = gls_element(array, format, run.begin);
    switch (format) {
    case GLS_BF16:
    case GLS_BF16_RANDOM:
        k->widen_bf16(room, at, n, lead);
        return room;
    case GLS_F16:
        k->widen_f16(room, at, n, lead);
        return room;
    case GLS_Q8:
        (is_unsigned ? k->expand_unsigned : k->expand_signed)(
            room, (uint8_t *)array + run.begin,
            gls_scales_of(array, length) + run.begin / GLS_QUANTISED_BLOCK, n, lead);
        return room;
    default:
        return at;
    }
}

/* Philox's counter beside the block: who the elements are. */
static gls_random random_of(const gls_stage *stage, gls_array array, size_t begin) {
    const gls_group *group = stage->group;
    const uint64_t t = group->tensors[stage->tensor].t;
    const uint32_t tensor = group->storage[stage->tensor].stream;
    return (gls_random){.key = {(uint32_t)stage->seed, (uint32_t)(stage->seed >> 32)},
                        .block = (uint32_t)(begin / 8),
                        .counter = {group->stream, tensor | (uint32_t)array << 24, (uint32_t)t}};
}

/* What widen gave, back into the array. */
static void narrow(const stretch *x, gls_array array, const float *from) {
    const gls_stage *stage = x->stage;
    const gls_format_kernels *k = stage->kernels->formats;
    const gls_format format = gls_group_format(stage->group, stage->tensor, array);
    void *base = gls_group_array(stage->group, stage->tensor, array);
    void *at = gls_element(base, format, x->begin);
    if (format == GLS_BF16) {
        k->narrow_bf16(at, from, x->n);
    } else if (format == GLS_F16) {
        k->narrow_f16(at, from, x->n);
    } else if (format == GLS_BF16_RANDOM) {
        const gls_random random = random_of(stage, array, x->begin);
        k->narrow_bf16_random(at, from, x->n, &random);
    } else if (format == GLS_Q8) {
        const gls_algorithm *algorithm = stage->group->algorithm;
        const bool is_unsigned = algorithm->unsigned_states >> (array - GLS_ARRAY_STATE) & 1;
        float *scales = gls_scales_of(base, stage->group->tensors[stage->tensor].n);
        (is_unsigned ? k->quantise_unsigned : k->quantise_signed)(
            (uint8_t *)base + x->begin, scales + x->begin / GLS_QUANTISED_BLOCK, from, x->n);
    }
}

/* ---- gradient ---- */

static float *gradient(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range run,
                       size_t lead, float *room) {
    const gls_tensor *t = &group->tensors[tensor];
    return widen(kernels->formats, t->g, gls_group_format(group, tensor, GLS_ARRAY_GRADIENT), false, run,
                 t->n, lead, room);
}

const float *gls_stage_gradient(const gls_kernels *kernels, const gls_group *group, uint32_t tensor,
                                gls_range run, size_t lead, float *room) {
    return gradient(kernels, group, tensor, run, lead, room);
}

const float *gls_stage_scaled(const gls_kernels *kernels, const gls_group *group, uint32_t tensor,
                              gls_range run, double s, double limit, float *room) {
    const float *g = gradient(kernels, group, tensor, run, 0, room);
    kernels->formats->clamp(room, g, (float)s, limit > 0 ? (float)limit : INFINITY, run.end - run.begin, 0);
    return room;
}

static float *open_gradient(stretch *x) {
    const gls_stage *stage = x->stage;
    const gls_range run = {x->begin, x->begin + x->n};
    float *g = gradient(stage->kernels, stage->group, stage->tensor, run, x->lead, x->g);
    if (stage->clip_value > 0) {
        stage->kernels->formats->clamp(x->g, g, (float)stage->s, (float)stage->clip_value, x->n,
                                       g == x->g ? 0 : x->lead);
        g = x->g;
    }
    return g;
}

/* ---- parameter ---- */

static float *open_parameter(stretch *x) {
    const gls_stage *stage = x->stage;
    const gls_tensor *t = &stage->group->tensors[stage->tensor];
    const gls_storage *storage = stage->group->storage ? &stage->group->storage[stage->tensor] : NULL;
    const gls_range run = {x->begin, x->begin + x->n};
    if (storage && storage->mastered == GLISSADE_MASTER_F32)
        return (float *)storage->master + x->begin;
    if (storage && storage->mastered == GLISSADE_MASTER_SPLIT) {
        stage->kernels->formats->join(x->p, (const uint16_t *)t->p + x->begin,
                                      (const int16_t *)storage->master + x->begin, x->n, x->lead);
        return x->p;
    }
    const gls_format format = gls_group_format(stage->group, stage->tensor, GLS_ARRAY_PARAMETER);
    return widen(stage->kernels->formats, t->p, format, false, run, t->n, x->lead, x->p);
}

/* The average of the weights is not among what follows. */
static void round_parameter(const stretch *x, const float *p) {
    const gls_stage *stage = x->stage;
    const gls_tensor *t = &stage->group->tensors[stage->tensor];
    const gls_storage *storage = stage->group->storage ? &stage->group->storage[stage->tensor] : NULL;
    const gls_format_kernels *k = stage->kernels->formats;
    if (!storage)
        return;
    if (storage->mastered == GLISSADE_MASTER_SPLIT)
        k->split((uint16_t *)t->p + x->begin, (int16_t *)storage->master + x->begin, p, x->n);
    else
        narrow(x, GLS_ARRAY_PARAMETER, p);
    if (storage->copy)
        narrow(x, GLS_ARRAY_COPY, p);
}

static void close_parameter(const stretch *x, const float *p) {
    const gls_stage *stage = x->stage;
    const gls_group *group = stage->group;
    round_parameter(x, p);
    if (group->average_weight != 0)
        stage->kernels->formats->average((float *)group->storage[stage->tensor].average + x->begin, p,
                                         (float)group->average_weight, x->n, x->lead);
}

/* ---- one stretch ---- */

/* The second moments of a stretch of a factored tensor: row's average by column's, by the mean of rows. */
static void expand_factors(const gls_group *group, uint32_t tensor, gls_range run, void *room) {
    const size_t columns = group->storage[tensor].columns, rows = group->tensors[tensor].n / columns;
    const double mean = group->norms->values[tensor][GLS_NORM_ROWS],
                 least = group->algorithm->factor_floor(group);
    const double divisor = mean < least ? least : mean; /* a NaN stays */
    const bool wide = gls_group_is_wide(group, tensor);
    const void *averages = group->tensors[tensor].m;
    for (size_t i = run.begin; i < run.end;) {
        const size_t row = i / columns, row_end = (row + 1) * columns,
                     end = row_end < run.end ? row_end : run.end;
        if (wide) {
            const double *a = averages, by_row = a[row] / divisor;
            for (; i < end; i++)
                ((double *)room)[i - run.begin] = by_row * a[rows + i - row * columns];
        } else {
            const float *a = averages, by_row = (float)((double)a[row] / divisor);
            for (; i < end; i++)
                ((float *)room)[i - run.begin] = by_row * a[rows + i - row * columns];
        }
    }
}

/* In double nothing is converted; clipping by value needs a copy of the gradient all the same. */
static size_t run_wide(const gls_stage *stage, gls_range run, const gls_gather *gather,
                       const gls_walk *walk) {
    const gls_group *group = stage->group;
    const gls_tensor *t = &group->tensors[stage->tensor];
    double clipped[GLS_STAGE], moments[GLS_STAGE];
    const size_t n = run.end - run.begin;
    gls_operands arrays = {.p = (double *)t->p + run.begin, .g = (double *)t->g + run.begin};
    if (stage->clip_value > 0) {
        for (size_t i = 0; i < n; i++)
            clipped[i] = gls_clamp(stage->s * ((const double *)arrays.g)[i], stage->clip_value);
        arrays.g = clipped;
    }
    for (uint32_t s = 0; s < group->algorithm->states(group); s++)
        arrays.s[s] = (double *)gls_group_array(group, stage->tensor, GLS_ARRAY_STATE + s) + run.begin;
    if (group->storage[stage->tensor].factored) {
        expand_factors(group, stage->tensor, run, moments);
        arrays.s[0] = moments;
    }
    return group->algorithm->run(stage->call, &arrays, gather, n, walk);
}

static size_t run_stretch(stretch *x, const gls_gather *gather, const gls_walk *walk) {
    const gls_stage *stage = x->stage;
    const gls_group *group = stage->group;
    const gls_tensor *t = &group->tensors[stage->tensor];
    const uint32_t states = group->algorithm->states(group);
    const gls_range run = {x->begin, x->begin + x->n};
    gls_operands arrays = {.p = open_parameter(x), .g = open_gradient(x)};
    for (uint32_t s = 0; s < states; s++)
        arrays.s[s] =
            widen(stage->kernels->formats, gls_group_array(group, stage->tensor, GLS_ARRAY_STATE + s),
                  gls_group_format(group, stage->tensor, GLS_ARRAY_STATE + s),
                  group->algorithm->unsigned_states >> s & 1, run, t->n, x->lead, x->s[s]);
    if (group->storage && group->storage[stage->tensor].factored) {
        expand_factors(group, stage->tensor, run, x->s[0]);
        arrays.s[0] = x->s[0];
    }
    const size_t acted = group->algorithm->run(stage->call, &arrays, gather, x->n, walk);
    for (uint32_t s = 0; stage->phase.writes_states && s < states; s++)
        narrow(x, GLS_ARRAY_STATE + s, arrays.s[s]);
    if (stage->phase.writes_parameter)
        close_parameter(x, arrays.p);
    return acted;
}

static void zero_gradient(const gls_stage *stage, gls_range run) {
    const gls_format format = gls_group_format(stage->group, stage->tensor, GLS_ARRAY_GRADIENT);
    memset(gls_element(stage->group->tensors[stage->tensor].g, format, run.begin), 0,
           gls_format_bytes(format, run.end - run.begin));
}

size_t gls_stage_run(const gls_stage *stage, gls_range run, const gls_gather *gather, const gls_walk *walk) {
    const bool wide = gls_group_is_wide(stage->group, stage->tensor);
    const gls_walk straight = {.streams = 1, .lead = wide || !walk->lead ? 0 : GLS_LEAD_STAGED};
    stretch x; /* 24 KiB of which only what is used is touched */
    x.stage = stage;
    x.lead = straight.lead;
    size_t acted = 0;
    for (x.begin = run.begin; x.begin < run.end; x.begin += x.n) {
        x.n = run.end - x.begin < GLS_STAGE ? run.end - x.begin : GLS_STAGE;
        const gls_range part = {x.begin, x.begin + x.n};
        const size_t done = x.begin - run.begin;
        gls_gather rest = {.residual = NULL};
        gls_residual residual;
        if (gather->residual) {
            residual = (gls_residual){.r = gather->residual->r + done,
                                      .sums = gather->residual->sums + done / GLS_SUM_UNIT,
                                      .tau = gather->residual->tau};
            rest.residual = &residual;
        }
        for (size_t c = 0; c < GLS_CHANNELS; c++)
            rest.sums[c] = gather->sums[c] ? gather->sums[c] + done / GLS_SUM_UNIT : NULL;
        acted += wide ? run_wide(stage, part, &rest, &straight) : run_stretch(&x, &rest, &straight);
        if (stage->zero)
            zero_gradient(stage, part);
    }
    return acted;
}

static void blend_wide(double *p, const double *state, double weight, size_t n) {
    for (size_t i = 0; i < n; i++)
        p[i] = fma(weight, state[i] - p[i], p[i]);
}

void gls_stage_blend(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range range,
                     uint32_t state, double weight) {
    const gls_stage stage = {.group = group, .tensor = tensor, .kernels = kernels};
    void *p = group->tensors[tensor].p, *s = gls_group_array(group, tensor, GLS_ARRAY_STATE + state);
    if (gls_group_is_wide(group, tensor)) {
        blend_wide((double *)p + range.begin, (double *)s + range.begin, weight, range.end - range.begin);
        return;
    }
    stretch x;
    x.stage = &stage;
    x.lead = 0;
    for (x.begin = range.begin; x.begin < range.end; x.begin += x.n) {
        x.n = range.end - x.begin < GLS_STAGE ? range.end - x.begin : GLS_STAGE;
        float *full = open_parameter(&x);
        kernels->formats->average(full, (const float *)s + x.begin, (float)weight, x.n, 0);
        round_parameter(&x, full);
    }
}

void gls_stage_copy(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range range) {
    const gls_stage stage = {.group = group, .tensor = tensor, .kernels = kernels};
    stretch x;
    x.stage = &stage;
    x.begin = range.begin;
    x.n = range.end - range.begin;
    narrow(&x, GLS_ARRAY_COPY, (const float *)group->tensors[tensor].p + range.begin);
}

void gls_stage_follow(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range range,
                      bool master, bool average) {
    const gls_storage *storage = &group->storage[tensor];
    const gls_format format = gls_group_format(group, tensor, GLS_ARRAY_PARAMETER);
    const gls_stage stage = {.group = group, .tensor = tensor, .kernels = kernels};
    stretch x;
    x.stage = &stage;
    x.lead = 0;
    for (x.begin = range.begin; x.begin < range.end; x.begin += x.n) {
        x.n = range.end - x.begin < GLS_STAGE ? range.end - x.begin : GLS_STAGE;
        const gls_range run = {x.begin, x.begin + x.n};
        /* An average follows the parameter in full, which a master that is not written anew holds. */
        const float *p = master ? widen(kernels->formats, group->tensors[tensor].p, format, false, run,
                                        group->tensors[tensor].n, 0, x.p)
                                : open_parameter(&x);
        if (master && storage->mastered == GLISSADE_MASTER_F32)
            memcpy((float *)storage->master + x.begin, p, x.n * sizeof *p);
        else if (master && storage->mastered == GLISSADE_MASTER_SPLIT)
            memset((int16_t *)storage->master + x.begin, 0, x.n * sizeof(int16_t));
        if (average)
            memcpy((float *)storage->average + x.begin, p, x.n * sizeof *p);
    }
}
