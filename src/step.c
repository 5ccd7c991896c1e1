/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The passes over an optimizer's arrays: the step, zeroing gradients, and reading everything. Each is one job, run
 * on every shard by the engine, after all checks. Counts move on where a tensor is updated, or at the end.
 */
#include <math.h>
#include <stdatomic.h>
#include <time.h>

#include "optimizer.h"
#include "options.h"

static const gls_layout options_layout = {"glissade_step_options", {sizeof(glissade_step_options)}};
static const gls_layout report_layout = {
    "glissade_step_report", {offsetof(glissade_step_report, acted), sizeof(glissade_step_report)}};

static const glissade_step_options default_options = {.size = sizeof(glissade_step_options),
                                                      .gradient_scale = 1};

void glissade_step_options_init(glissade_step_options *options, size_t size) {
    gls_options_init(&options_layout, options, size, &default_options);
}

/* What a pass did. */
typedef struct workload {
    uint64_t tensors, elements, bytes, acted;
} workload;

struct pass {
    glissade_optimizer *optimizer;
    const glissade_tensor_ref *listed; /* or NULL: everything */
    size_t listed_count;
    gls_request request;
    gls_walk walk;
    size_t tile;
    _Atomic uint64_t tensors, elements, bytes, acted; /* done by the shards so far */
    _Atomic uint32_t digest;
};

/* ---- the step ---- */

/* A call prepared for tensors of one group with one pair of counts that all defer, or all do not; kept from
 * tensor to tensor while those agree. A tensor's own threshold is none of the call's. */
struct prepared {
    const gls_group *group; /* NULL: none yet */
    uint64_t t, k;
    bool momentum, deferred;
    gls_threshold threshold;
    uint32_t bytes; /* read and written for an element */
    gls_call call;
};

static void prepare(const struct pass *pass, const gls_group *group, uint32_t index,
                    struct prepared *prepared) {
    const gls_tensor *tensor = &group->tensors[index];
    const bool deferred = group->deferrals && group->deferrals[index].holds;
    if (prepared->group == group && prepared->t == tensor->t && prepared->k == tensor->k &&
        prepared->deferred == deferred)
        return;
    const gls_algorithm *algorithm = group->algorithm;
    prepared->group = group;
    prepared->t = tensor->t;
    prepared->k = tensor->k;
    prepared->deferred = deferred;
    prepared->momentum = algorithm->uses_momentum(group);
    prepared->threshold = algorithm->threshold(group);
    prepared->bytes = algorithm->bytes_per_element(group, &pass->request, tensor->k, deferred);
    algorithm->prepare(group, &pass->request, tensor->t, tensor->k, deferred, &prepared->call);
}

/* residual: of the run's first element, or NULL. Returns how many elements acted. */
static size_t update_run(const struct pass *pass, const gls_tensor *tensor, gls_range run,
                         const struct prepared *prepared, const gls_residual *residual) {
    const gls_algorithm *algorithm = prepared->group->algorithm;
    float *m = prepared->momentum ? tensor->m : NULL;
    size_t acted = 0;
    for (size_t i = run.begin; i < run.end; i += pass->tile) {
        const size_t n = run.end - i < pass->tile ? run.end - i : pass->tile, done = i - run.begin;
        gls_residual rest = {0};
        if (residual)
            rest = (gls_residual){
                .r = residual->r + done, .sums = residual->sums + done / GLS_SUM_UNIT, .tau = residual->tau};
        acted += algorithm->run(&prepared->call, tensor->p + i, tensor->g + i, m ? m + i : NULL,
                                residual ? &rest : NULL, n, &pass->walk);
    }
    return acted;
}

/* Block by block, so that the sums of a block's units never leave the first-level cache: a store of one that did
 * would hold up those of the update, 3 % of a step. The units of a block that a cut divides stay with the tensor. */
static void update_deferring(const struct pass *pass, const gls_tensor *tensor, gls_range range,
                             const struct prepared *prepared, gls_deferral *deferral) {
    const float tau = gls_deferral_tau(deferral, prepared->threshold);
    uint64_t acted = 0;
    for (gls_range run = {range.begin, 0}; run.begin < range.end; run.begin = run.end) {
        const size_t block = run.begin / GLS_BLOCK, block_end = (block + 1) * GLS_BLOCK;
        double units[GLS_BLOCK_UNITS];
        run.end = block_end < range.end ? block_end : range.end;
        const bool whole = run.begin % GLS_BLOCK == 0 && (run.end == block_end || run.end == tensor->n);
        const gls_residual residual = {.r = deferral->r + run.begin,
                                       .sums = whole ? units : deferral->units + run.begin / GLS_SUM_UNIT,
                                       .tau = tau};
        acted += update_run(pass, tensor, run, prepared, &residual);
        if (whole)
            gls_deferral_fold(deferral, block, units, tensor->n);
    }
    atomic_fetch_add_explicit(&deferral->acting, acted, memory_order_relaxed);
}

static void update(const struct pass *pass, const gls_group *group, uint32_t index, gls_range range,
                   struct prepared *prepared) {
    prepare(pass, group, index, prepared);
    if (prepared->deferred)
        update_deferring(pass, &group->tensors[index], range, prepared, &group->deferrals[index]);
    else
        (void)update_run(pass, &group->tensors[index], range, prepared, NULL);
}

/* Moves a tensor's counts on and adds it to what was done. Only while nobody else looks at the tensor. */
static void count(const struct pass *pass, const gls_group *group, uint32_t index,
                  const struct prepared *prepared, workload *done) {
    gls_tensor *tensor = &group->tensors[index];
    tensor->t++;
    tensor->k += prepared->momentum;
    tensor->counted = pass->optimizer->steps;
    done->tensors++;
    done->elements += tensor->n;
    done->bytes += tensor->n * prepared->bytes;
    done->acted += group->deferrals ? gls_deferral_settle(&group->deferrals[index], tensor->n,
                                                          prepared->deferred, prepared->threshold)
                                    : tensor->n;
}

static void add_to_pass(struct pass *pass, const workload *done) {
    if (!done->tensors)
        return;
    atomic_fetch_add_explicit(&pass->tensors, done->tensors, memory_order_relaxed);
    atomic_fetch_add_explicit(&pass->elements, done->elements, memory_order_relaxed);
    atomic_fetch_add_explicit(&pass->bytes, done->bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&pass->acted, done->acted, memory_order_relaxed);
}

/* A tensor that is this shard's alone is counted at once, while it is in the cache: of ten thousand small
 * tensors nearly all are. The others wait for count_rest. */
static void step_shard(void *context, uint32_t shard) {
    struct pass *pass = context;
    struct prepared prepared = {.group = NULL};
    workload done = {0};
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++) {
        const gls_group *group = pass->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_tensor *tensor = &group->tensors[c.tensor];
            if (!tensor->g)
                continue;
            const gls_range range = gls_cursor_range(&c, tensor->n);
            update(pass, group, c.tensor, range, &prepared);
            if (range.begin == 0 && range.end == tensor->n)
                count(pass, group, c.tensor, &prepared, &done);
        }
    }
    add_to_pass(pass, &done);
}

/* The references were checked, so that looking them up writes no message. */
static void step_listed_shard(void *context, uint32_t shard) {
    struct pass *pass = context;
    struct prepared prepared = {.group = NULL};
    workload done = {0};
    for (size_t i = 0; i < pass->listed_count; i++) {
        const glissade_tensor_ref ref = pass->listed[i];
        const gls_group *group = gls_optimizer_group(pass->optimizer, ref.group);
        const gls_tensor *tensor = &group->tensors[ref.index];
        const gls_range range = gls_plan_range(&group->plan, ref.index, tensor->n, shard);
        if (!tensor->g || range.begin == range.end)
            continue;
        update(pass, group, ref.index, range, &prepared);
        if (range.begin == 0 && range.end == tensor->n)
            count(pass, group, ref.index, &prepared, &done);
    }
    add_to_pass(pass, &done);
}

static void count_if_due(const struct pass *pass, const gls_group *group, uint32_t index,
                         struct prepared *prepared, workload *done) {
    const gls_tensor *tensor = &group->tensors[index];
    if (!tensor->g || tensor->counted == pass->optimizer->steps)
        return;
    prepare(pass, group, index, prepared);
    if (prepared->deferred)
        gls_deferral_fold_divided(&group->deferrals[index], &group->plan, index, tensor->n);
    count(pass, group, index, prepared, done);
}

/* Counts the tensors that no shard had to itself: those split, and those within which a packed piece ends. */
static void count_rest(struct pass *pass) {
    struct prepared prepared = {.group = NULL};
    workload done = {0};
    for (size_t i = 0; i < pass->listed_count; i++) {
        const gls_group *group = gls_optimizer_group(pass->optimizer, pass->listed[i].group);
        count_if_due(pass, group, pass->listed[i].index, &prepared, &done);
    }
    for (uint32_t i = 0; !pass->listed && i < pass->optimizer->group_count; i++) {
        const gls_group *group = pass->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start_shared(&group->plan); gls_plan_next_shared(&c);)
            count_if_due(pass, group, c.tensor, &prepared, &done);
    }
    add_to_pass(pass, &done);
}

/* Bytes of the arrays that a step touches: decides on team, pinning and walk. */
static size_t footprint_of(const gls_group *group, size_t elements) {
    const size_t arrays =
        2u + group->algorithm->uses_momentum(group) + (group->algorithm->threshold(group).value != 0);
    return elements * arrays * sizeof(float);
}

/* Checks the list and adds up what it touches. */
static glissade_status check_listed(glissade_optimizer *optimizer, const struct pass *pass,
                                    size_t *footprint) {
    for (size_t i = 0; i < pass->listed_count; i++) {
        const glissade_tensor_ref ref = pass->listed[i];
        gls_tensor *tensor = gls_optimizer_tensor(optimizer, ref);
        if (!tensor)
            return GLISSADE_STATUS_NOT_FOUND;
        if (tensor->listed == optimizer->steps)
            return gls_error_set(
                &optimizer->error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                "tensors[%zu] is tensor %u of group %u, listed before; accepted: each at most once", i,
                ref.index, ref.group);
        tensor->listed = optimizer->steps;
        *footprint += footprint_of(gls_optimizer_group(optimizer, ref.group), tensor->g ? tensor->n : 0);
    }
    return GLISSADE_STATUS_OK;
}

static size_t footprint_of_all(const glissade_optimizer *optimizer) {
    size_t footprint = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        footprint += footprint_of(optimizer->groups[i], optimizer->groups[i]->present);
    return footprint;
}

/* ---- checks, reports ---- */

/* Sorts all present gradients and compares them with one another and with all other arrays. */
static glissade_status check_overlap(glissade_optimizer *optimizer) {
    size_t room = 0, count = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        room += optimizer->groups[i]->count;
    gls_interval *items = gls_alloc(room, sizeof *items);
    if (!items)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory to check %zu gradients", room);
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < optimizer->groups[i]->count; j++) {
            const gls_tensor *tensor = &optimizer->groups[i]->tensors[j];
            if (tensor->g && tensor->n)
                items[count++] = gls_interval_make(optimizer->groups[i]->number, j, GLS_ARRAY_GRADIENT,
                                                   tensor->g, tensor->n);
        }
    gls_intervals_sort(items, count);
    const glissade_status status = gls_intervals_check(&optimizer->arrays, items, count, &optimizer->error);
    gls_free(items);
    return status;
}

static glissade_status read_options(glissade_optimizer *optimizer, const glissade_step_options *given,
                                    struct pass *pass) {
    glissade_step_options options = default_options;
    glissade_error *error = &optimizer->error;
    const glissade_status status =
        given ? gls_options_read(&options_layout, &options, given, error) : GLISSADE_STATUS_OK;
    if (status)
        return status;
    if (!options.tensors && options.tensor_count)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "tensors is NULL with tensor_count %zu",
                             options.tensor_count);
    const float scale = (float)(1 / options.gradient_scale);
    if (!isfinite(options.gradient_scale) || !isfinite(scale) || scale == 0)
        return gls_error_set(
            error, GLISSADE_STATUS_INVALID_OPTION,
            "gradient_scale is %s; accepted: finite, not 0, with an inverse that a float can hold",
            gls_number_format(options.gradient_scale).text);
    pass->listed = options.tensors;
    pass->listed_count = options.tensors ? options.tensor_count : 0;
    pass->request.gradient_scale = options.gradient_scale;
    pass->request.zero_gradients = options.zero_gradients;
    return options.check_overlap ? check_overlap(optimizer) : GLISSADE_STATUS_OK;
}

/* A report that cannot be written must fail before anything is changed; it is written on success only. */
static glissade_status check_report(glissade_optimizer *optimizer, const glissade_step_report *report) {
    return report ? gls_options_check(&report_layout, report, &optimizer->error) : GLISSADE_STATUS_OK;
}

static void write_report(glissade_step_report *report, const workload *work, const gls_execution *execution,
                         gls_walk walk) {
    const glissade_step_report known = {.tensors = work->tensors,
                                        .elements = work->elements,
                                        .bytes = work->bytes,
                                        .passes = work->elements > 0,
                                        .threads = execution->threads,
                                        .planned = execution->planned,
                                        .streams = (uint32_t)walk.streams,
                                        .pinned = execution->pinned,
                                        .acted = work->acted};
    if (report)
        (void)gls_options_write(&report_layout, report, &known, NULL); /* its size was checked */
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now); /* no system call on Linux */
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The walk of a large step is found by trying, unless it was set. */
static gls_walk choose_walk(const glissade_optimizer *optimizer, size_t footprint) {
    return gls_engine_tunes(optimizer->engine, footprint) ? gls_tuner_walk(&optimizer->tuner)
                                                          : gls_engine_walk(optimizer->engine, footprint);
}

static gls_execution execute_step(glissade_optimizer *optimizer, size_t footprint, gls_team_work *work,
                                  struct pass *pass) {
    const bool trial =
        gls_engine_tunes(optimizer->engine, footprint) && gls_tuner_is_trying(&optimizer->tuner);
    pass->walk = choose_walk(optimizer, footprint);
    const double start = trial ? seconds_now() : 0;
    const gls_execution execution = gls_engine_execute(optimizer->engine, footprint, work, pass);
    if (trial)
        gls_tuner_learn(&optimizer->tuner, seconds_now() - start, footprint);
    return execution;
}

static glissade_status step(glissade_optimizer *optimizer, const glissade_step_options *options,
                            glissade_step_report *report) {
    glissade_engine *engine = optimizer->engine;
    struct pass pass = {
        .optimizer = optimizer, .request.engine = engine, .tile = gls_engine_setting(engine, GLS_TILE)};
    glissade_status status;
    if ((status = read_options(optimizer, options, &pass)) || (status = check_report(optimizer, report)))
        return status;
    optimizer->steps++;
    size_t footprint = 0;
    if (!pass.listed)
        footprint = footprint_of_all(optimizer);
    else if ((status = check_listed(optimizer, &pass, &footprint)))
        return status;

    const gls_execution execution =
        execute_step(optimizer, footprint, pass.listed ? step_listed_shard : step_shard, &pass);
    count_rest(&pass);
    const workload work = {
        .tensors = pass.tensors, .elements = pass.elements, .bytes = pass.bytes, .acted = pass.acted};
    write_report(report, &work, &execution, pass.walk);
    gls_engine_log(engine, 3, "step %llu: %llu tensors, %llu elements, %u threads",
                   (unsigned long long)optimizer->steps, (unsigned long long)work.tensors,
                   (unsigned long long)work.elements, execution.threads);
    return GLISSADE_STATUS_OK;
}

/* ---- other passes ---- */

static void zero_shard(void *context, uint32_t shard) {
    const struct pass *pass = context;
    const gls_kernels *kernels = pass->optimizer->engine->kernels;
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++) {
        const gls_group *group = pass->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_tensor *tensor = &group->tensors[c.tensor];
            const gls_range range = gls_cursor_range(&c, tensor->n);
            if (tensor->g && range.begin < range.end)
                kernels->zero(tensor->g + range.begin, range.end - range.begin);
        }
    }
}

/* A tensor's arrays that a read touches; how many. */
static size_t list_arrays(const gls_group *group, uint32_t index, size_t begin,
                          const float *arrays[GLS_READ_ARRAYS_MAX]) {
    const gls_tensor *tensor = &group->tensors[index];
    const float *const all[] = {tensor->p, tensor->g, tensor->m, gls_group_residual(group, index)};
    size_t count = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i])
            arrays[count++] = all[i] + begin;
    return count;
}

static void read_shard(void *context, uint32_t shard) {
    struct pass *pass = context;
    const gls_kernels *kernels = pass->optimizer->engine->kernels;
    uint32_t digest = 0;
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++) {
        const gls_group *group = pass->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_tensor *tensor = &group->tensors[c.tensor];
            const gls_range range = gls_cursor_range(&c, tensor->n);
            if (range.begin == range.end)
                continue;
            const float *arrays[GLS_READ_ARRAYS_MAX];
            const size_t count = list_arrays(group, c.tensor, range.begin, arrays);
            digest ^= kernels->read(arrays, count, range.end - range.begin, &pass->walk);
        }
    }
    atomic_fetch_xor_explicit(&pass->digest, digest, memory_order_relaxed);
}

/* The arrays that a zeroing or a reading pass is over. */
static workload count_arrays(const glissade_optimizer *optimizer, bool gradients_only) {
    workload work = {0};
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < optimizer->groups[i]->count; j++) {
            const gls_tensor *tensor = &optimizer->groups[i]->tensors[j];
            const float *arrays[GLS_READ_ARRAYS_MAX];
            const size_t count =
                gradients_only ? tensor->g != NULL : list_arrays(optimizer->groups[i], j, 0, arrays);
            work.tensors += count > 0;
            work.elements += count ? tensor->n : 0;
            work.bytes += tensor->n * count * sizeof(float);
        }
    return work;
}

static glissade_status zero_gradients(glissade_optimizer *optimizer) {
    const workload work = count_arrays(optimizer, true);
    struct pass pass = {.optimizer = optimizer};
    gls_engine_execute(optimizer->engine, work.bytes, zero_shard, &pass);
    return GLISSADE_STATUS_OK;
}

static glissade_status read_all(glissade_optimizer *optimizer, uint32_t *digest,
                                glissade_step_report *report) {
    if (!digest)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "digest is NULL");
    const glissade_status status = check_report(optimizer, report);
    if (status)
        return status;
    const workload work = count_arrays(optimizer, false);
    struct pass pass = {.optimizer = optimizer, .walk = choose_walk(optimizer, work.bytes)};
    const gls_execution execution = gls_engine_execute(optimizer->engine, work.bytes, read_shard, &pass);
    *digest = pass.digest;
    write_report(report, &work, &execution, pass.walk);
    return GLISSADE_STATUS_OK;
}

/* ---- calls ---- */

glissade_status glissade_optimizer_step(glissade_optimizer *optimizer, const glissade_step_options *options,
                                        glissade_step_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, step(optimizer, options, report));
}

glissade_status glissade_optimizer_zero_gradients(glissade_optimizer *optimizer) {
    GLS_OPTIMIZER_CALL(optimizer, zero_gradients(optimizer));
}

glissade_status glissade_optimizer_read(glissade_optimizer *optimizer, uint32_t *digest,
                                        glissade_step_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, read_all(optimizer, digest, report));
}
