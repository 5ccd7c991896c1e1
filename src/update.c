/* SPDX-License-Identifier: Apache-2.0 */
/* The updating pass: each run of each tensor by its rule's kernel. Counts move on where a tensor is updated, or at the
 * end. */
#include <math.h>
#include <string.h>

#include "pass.h"
#include "stage.h"

/* A call prepared for tensors that agree in all that it depends on, and kept from tensor to tensor while they do. A
 * tensor's own threshold is none of the call's. */
typedef struct prepared {
    const gls_group *group; /* NULL: none yet */
    gls_subject subject;
    double numbers[GLS_NUMBERS_MAX];  /* the tensor's, as they were, ... */
    double advanced[GLS_NUMBERS_MAX]; /* ... and will be */
    bool staged;
    gls_threshold threshold;
    uint32_t states;
    gls_phase phase;
    uint32_t bytes; /* read and written for an element, if it is not staged */
    gls_call call;
} prepared;

static bool is_last(const gls_pass *pass) {
    return pass->index + 1 == pass->count;
}

/* ---- bytes ---- */

/* How often a pass of the rule moves an array of the tensor: read, written, both. */
static size_t moves_of(const gls_pass *pass, const prepared *it, uint32_t index, gls_array array,
                       uint32_t phase) {
    const gls_group *group = it->group;
    const gls_algorithm *algorithm = group->algorithm;
    const gls_phase does = algorithm->phase[phase];
    const gls_storage *storage = group->storage ? &group->storage[index] : NULL;
    const bool last = phase + 1 == algorithm->phases, writes = does.writes_parameter;
    const bool afresh = algorithm->starts_afresh && it->subject.k == 0;
    switch (array) {
    case GLS_ARRAY_GRADIENT:
        return does.reads_gradient + (pass->request.zero_gradients && last);
    case GLS_ARRAY_PARAMETER: /* a rounded copy of a float master is written only */
        return !(storage && storage->mastered == GLISSADE_MASTER_F32) + writes;
    case GLS_ARRAY_MASTER:
        return storage && storage->mastered ? 1u + writes : 0;
    case GLS_ARRAY_COPY:
        return storage && storage->copy && writes;
    case GLS_ARRAY_AVERAGE:
        return group->average_weight != 0 && writes ? 2 : 0;
    case GLS_ARRAY_RESIDUAL:
        return it->subject.deferred ? 2 : 0;
    default:
        return array - GLS_ARRAY_STATE < it->states ? (does.reads_states && !afresh) + does.writes_states : 0;
    }
}

/* Bytes read and written for n elements of such a tensor, by all passes of its rule. */
static size_t bytes_of(const gls_pass *pass, const prepared *it, uint32_t index, size_t n) {
    const gls_group *group = it->group;
    const bool factored = group->storage && group->storage[index].factored;
    size_t bytes = 0;
    for (uint32_t phase = 0; phase < group->algorithm->phases; phase++)
        for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++) {
            const bool averages = factored && array == GLS_ARRAY_STATE;
            const size_t moved = averages ? gls_group_bytes(group, index, array)
                                          : gls_format_bytes(gls_group_format(group, index, array), n);
            bytes += moves_of(pass, it, index, array, phase) * moved;
        }
    /* The pass that averages rows and columns. */
    return bytes + (factored ? gls_group_bytes(group, index, GLS_ARRAY_GRADIENT) : 0);
}

/* The same for an element of a tensor whose arrays are all of the kernel's type, so that there are none but these. */
static uint32_t bytes_of_plain(const gls_pass *pass, const prepared *it) {
    const gls_algorithm *algorithm = it->group->algorithm;
    const bool afresh = algorithm->starts_afresh && it->subject.k == 0;
    uint32_t moves = it->subject.deferred * 2u + pass->request.zero_gradients;
    for (uint32_t phase = 0; phase < algorithm->phases; phase++) {
        const gls_phase does = algorithm->phase[phase];
        moves += 1u + does.reads_gradient + does.writes_parameter +
                 it->states * ((does.reads_states && !afresh) + does.writes_states);
    }
    return moves * (uint32_t)(it->subject.wide ? sizeof(double) : sizeof(float));
}

/* ---- preparing ---- */

/* The factor of a tensor's own norm, beside that of the norm over all. */
static double clip_of(const gls_pass *pass, const gls_group *group, uint32_t index) {
    const gls_request *request = &pass->request;
    if (request->clip_tensor == 0)
        return request->clip;
    const double norm =
        group->norms->values[index][GLS_NORM_GRADIENT] / fabs(request->gradient_scale) * request->clip;
    const double c = request->clip_tensor / (norm + 1e-6);
    return request->clip * (c < 1 ? c : c >= 1 ? 1 : NAN);
}

double gls_update_factor(const gls_pass *pass, const gls_group *group, uint32_t index) {
    return clip_of(pass, group, index) / pass->request.gradient_scale;
}

static gls_subject subject_of(const gls_pass *pass, const gls_group *group, uint32_t index, bool staged) {
    const gls_tensor *tensor = &group->tensors[index];
    const gls_algorithm *algorithm = group->algorithm;
    return (gls_subject){
        .t = tensor->t,
        .k = tensor->k,
        .tensor = index,
        .phase = (uint32_t)gls_pass_phase(pass, group),
        .deferred = group->deferrals && group->deferrals[index].holds,
        .wide = gls_group_is_wide(group, index),
        .zero = pass->request.zero_gradients && is_last(pass) && !staged,
        .scaled = pass->request.clip_value > 0,
        .clip = clip_of(pass, group, index),
        .factored = group->storage && group->storage[index].factored,
        .numbers = algorithm->own_numbers ? group->storage[index].numbers : NULL,
        .norms = algorithm->own_norms ? group->norms->values[index] : NULL,
    };
}

/* As they were when the call was prepared: they have moved on if the tensor was counted since. */
static bool same_numbers(const prepared *a, const gls_group *group, uint32_t b) {
    return !group->algorithm->own_numbers ||
           memcmp(a->numbers, group->storage[b].numbers, sizeof a->numbers) == 0;
}

/* Whether a call prepared for tensor `a` of the group serves tensor `b` as well. */
static bool alike(const gls_pass *pass, const prepared *a, const gls_group *group, uint32_t b, bool staged) {
    const gls_tensor *tensor = &group->tensors[b];
    return a->group == group && a->subject.t == tensor->t && a->subject.k == tensor->k &&
           a->staged == staged && a->subject.deferred == (group->deferrals && group->deferrals[b].holds) &&
           a->subject.wide == gls_group_is_wide(group, b) && pass->request.clip_tensor == 0 &&
           !group->algorithm->own_norms && same_numbers(a, group, b);
}

static void prepare(const gls_pass *pass, const gls_group *group, uint32_t index, prepared *it) {
    const bool staged = gls_stage_needed(group, index, &pass->request);
    if (alike(pass, it, group, index, staged))
        return;
    const gls_algorithm *algorithm = group->algorithm;
    it->group = group;
    it->subject = subject_of(pass, group, index, staged);
    if (algorithm->own_numbers) {
        memcpy(it->numbers, group->storage[index].numbers, sizeof it->numbers);
        memcpy(it->advanced, it->numbers, sizeof it->advanced);
        algorithm->advance(group, it->subject.t + 1, it->advanced);
    }
    it->staged = staged;
    it->phase = algorithm->phase[it->subject.phase];
    it->states = algorithm->states(group);
    it->threshold = algorithm->threshold ? algorithm->threshold(group) : (gls_threshold){0, false};
    it->call.kernels = it->subject.wide ? &gls_kernels_f64 : pass->optimizer->engine->kernels;
    it->bytes = staged ? 0 : bytes_of_plain(pass, it);
    algorithm->prepare(group, &pass->request, &it->subject, &it->call);
}

/* ---- updating ---- */

static gls_gather gather_from(const gls_gather *gather, size_t done, gls_residual *residual) {
    gls_gather rest = {.residual = NULL};
    if (gather->residual) {
        *residual = (gls_residual){.r = gather->residual->r + done,
                                   .sums = gather->residual->sums + done / GLS_SUM_UNIT,
                                   .tau = gather->residual->tau};
        rest.residual = residual;
    }
    for (size_t c = 0; c < GLS_CHANNELS; c++)
        rest.sums[c] = gather->sums[c] ? gather->sums[c] + done / GLS_SUM_UNIT : NULL;
    return rest;
}

/* All arrays are of the type that the kernel works on. */
static size_t update_plain(const gls_pass *pass, uint32_t index, gls_range run, const prepared *it,
                           const gls_gather *gather) {
    const gls_group *group = it->group;
    const gls_tensor *tensor = &group->tensors[index];
    const size_t element = it->subject.wide ? sizeof(double) : sizeof(float);
    const gls_walk straight = {.streams = 1}, *walk = it->subject.wide ? &straight : &pass->walk;
    size_t acted = 0;
    for (size_t i = run.begin; i < run.end; i += pass->tile) {
        const size_t n = run.end - i < pass->tile ? run.end - i : pass->tile;
        gls_residual residual;
        const gls_gather rest = gather_from(gather, i - run.begin, &residual);
        gls_operands arrays = {.p = (char *)tensor->p + i * element, .g = (char *)tensor->g + i * element};
        if (it->states)
            arrays.s[0] = (char *)tensor->m + i * element;
        for (uint32_t s = 1; s < it->states; s++)
            arrays.s[s] = (char *)group->storage[index].states[s - 1] + i * element;
        acted += group->algorithm->run(&it->call, &arrays, &rest, n, walk);
    }
    return acted;
}

static size_t update_run(const gls_pass *pass, uint32_t index, gls_range run, const prepared *it,
                         const gls_gather *gather) {
    if (!it->staged)
        return update_plain(pass, index, run, it, gather);
    const gls_stage stage = {
        .group = it->group,
        .tensor = index,
        .call = &it->call,
        .phase = it->phase,
        .kernels = pass->optimizer->engine->kernels,
        .clip_value = pass->request.clip_value,
        .s = it->subject.clip / pass->request.gradient_scale,
        .zero = pass->request.zero_gradients && is_last(pass),
        .seed = pass->optimizer->seed,
    };
    return gls_stage_run(&stage, run, gather, &pass->walk);
}

/* Block by block, so that the sums of a block's units never leave the first-level cache: a store of one that did
 * would hold up those of the update, 3 % of a step. The units of a block that a cut divides stay with the tensor. */
static void update_gathering(const gls_pass *pass, uint32_t index, gls_range range, const prepared *it) {
    const gls_group *group = it->group;
    const size_t n = group->tensors[index].n;
    gls_deferral *deferral = it->subject.deferred ? &group->deferrals[index] : NULL;
    const float tau = deferral ? gls_deferral_tau(deferral, it->threshold) : 0;
    const gls_sums *all[1 + GLS_CHANNELS] = {deferral ? &deferral->sums : NULL};
    for (size_t c = 0; it->phase.measures && c < GLS_CHANNELS; c++)
        all[1 + c] = &group->norms->channels[c][index];
    uint64_t acted = 0;
    for (size_t begin = range.begin; begin < range.end;) {
        const gls_block_part part = gls_sums_part(range, begin, n);
        double units[(1 + GLS_CHANNELS) * GLS_BLOCK_UNITS] = {0}, *sums[1 + GLS_CHANNELS] = {NULL};
        for (size_t i = 0; i < 1 + GLS_CHANNELS; i++)
            if (all[i])
                sums[i] = part.whole ? units + i * GLS_BLOCK_UNITS : all[i]->units + begin / GLS_SUM_UNIT;
        const gls_residual residual = {
            .r = deferral ? (float *)deferral->r + begin : NULL, .sums = sums[0], .tau = tau};
        const gls_gather gather = {.residual = deferral ? &residual : NULL, .sums = {sums[1], sums[2]}};
        acted += update_run(pass, index, part.run, it, &gather);
        for (size_t i = 0; part.whole && i < 1 + GLS_CHANNELS; i++)
            if (all[i])
                gls_sums_fold(all[i], part.block, units + i * GLS_BLOCK_UNITS, n);
        begin = part.run.end;
    }
    if (deferral)
        atomic_fetch_add_explicit(&deferral->acting, acted, memory_order_relaxed);
}

static void update(const gls_pass *pass, const gls_visit *v, prepared *it) {
    static const gls_gather nothing = {.residual = NULL};
    prepare(pass, v->group, v->tensor, it);
    if (it->subject.deferred || it->phase.measures)
        update_gathering(pass, v->tensor, v->range, it);
    else
        (void)update_run(pass, v->tensor, v->range, it, &nothing);
}

/* ---- counting ---- */

/* Moves a tensor's counts on and adds it to what was done. Only while nobody else looks at the tensor. */
static void count(const gls_pass *pass, uint32_t index, const prepared *it, gls_workload *done) {
    const gls_group *group = it->group;
    const gls_algorithm *algorithm = group->algorithm;
    gls_tensor *tensor = &group->tensors[index];
    done->bytes += it->staged ? bytes_of(pass, it, index, tensor->n) : tensor->n * it->bytes;
    tensor->t++;
    tensor->k += it->states > 0;
    if (algorithm->own_numbers)
        memcpy(group->storage[index].numbers, it->advanced, sizeof it->advanced);
    tensor->counted = pass->optimizer->steps;
    done->tensors++;
    done->elements += tensor->n;
    done->acted += group->deferrals ? gls_deferral_settle(&group->deferrals[index], tensor->n,
                                                          it->subject.deferred, it->threshold)
                                    : tensor->n;
}

static void add_to_pass(gls_pass *pass, const gls_workload *done) {
    if (!done->tensors)
        return;
    atomic_fetch_add_explicit(&pass->tensors, done->tensors, memory_order_relaxed);
    atomic_fetch_add_explicit(&pass->elements, done->elements, memory_order_relaxed);
    atomic_fetch_add_explicit(&pass->bytes, done->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&pass->acted, done->acted, memory_order_relaxed);
}

/* A tensor that is this shard's alone is counted at once, while it is in the cache: of ten thousand small
 * tensors nearly all are. The others wait for the end. */
void gls_update_shard(void *context, uint32_t shard) {
    gls_pass *pass = context;
    prepared it = {.group = NULL};
    gls_workload done = {0};
    for (gls_visit v = gls_visit_start(pass, shard); gls_visit_next(&v);) {
        if (gls_pass_phase(pass, v.group) < 0)
            continue;
        update(pass, &v, &it);
        if (gls_visit_is_whole(&v) && is_last(pass))
            count(pass, v.tensor, &it, &done);
    }
    add_to_pass(pass, &done);
}

/* ---- after a pass ---- */

void gls_update_settle(gls_pass *pass, bool divided) {
    for (gls_visit v = gls_visit_start(pass, GLS_ALL_SHARDS); gls_visit_next(&v);) {
        const int phase = gls_pass_phase(pass, v.group);
        const size_t n = v.group->tensors[v.tensor].n;
        if (phase < 0 || !v.group->algorithm->phase[phase].measures)
            continue;
        for (size_t c = 0; c < GLS_CHANNELS; c++) {
            const gls_sums *sums = &v.group->norms->channels[c][v.tensor];
            if (divided)
                gls_sums_fold_divided(sums, &v.group->plan, v.tensor, n);
            v.group->norms->values[v.tensor][c] = sqrt(gls_sums_total(sums, n));
        }
    }
}

static void count_if_due(const gls_pass *pass, const gls_group *group, uint32_t index, prepared *it,
                         gls_workload *done) {
    const gls_tensor *tensor = &group->tensors[index];
    if (!tensor->g || tensor->counted == pass->optimizer->steps)
        return;
    prepare(pass, group, index, it);
    if (it->subject.deferred)
        gls_sums_fold_divided(&group->deferrals[index].sums, &group->plan, index, tensor->n);
    count(pass, index, it, done);
}

/* Counts the tensors that no shard had to itself: those split, and those within which a packed piece ends. */
void gls_update_finish(gls_pass *pass) {
    prepared it = {.group = NULL};
    gls_workload done = {0};
    for (size_t i = 0; i < pass->listed_count; i++) {
        const gls_group *group = gls_optimizer_group(pass->optimizer, pass->listed[i].group);
        count_if_due(pass, group, pass->listed[i].index, &it, &done);
    }
    for (uint32_t i = 0; !pass->listed && i < pass->optimizer->group_count; i++) {
        const gls_group *group = pass->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start_shared(&group->plan); gls_plan_next_shared(&c);)
            count_if_due(pass, group, c.tensor, &it, &done);
    }
    add_to_pass(pass, &done);
}
