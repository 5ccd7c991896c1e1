/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The step: its options checked, the gradients measured if they must be, the passes of the rules, the report. All checks
 * come before the first write.
 */
#include <math.h>

#include "clock.h"
#include "factors.h"
#include "options.h"

static const gls_layout options_layout = {
    "glissade_step_options", {offsetof(glissade_step_options, clip_norm), sizeof(glissade_step_options)}};
static const gls_layout report_layout = {"glissade_step_report",
                                         {offsetof(glissade_step_report, acted),
                                          offsetof(glissade_step_report, norm),
                                          sizeof(glissade_step_report)}};

static const glissade_step_options default_options = {
    .size = sizeof(glissade_step_options), .gradient_scale = 1, .norm = -1, .accumulated = 1};

void glissade_step_options_init(glissade_step_options *options, size_t size) {
    gls_options_init(&options_layout, options, size, &default_options);
}

/* ---- what a step touches ---- */

/* Bytes of the arrays of so many elements of a group: decides on team, pinning and walk. */
static size_t footprint_of(const gls_group *group, size_t elements) {
    const gls_algorithm *algorithm = group->algorithm;
    const bool deferred = algorithm->threshold && algorithm->threshold(group).value != 0;
    return elements * (2u + algorithm->states(group) + deferred) * sizeof(float);
}

/* Checks the list and adds up what it touches. */
static glissade_status check_listed(glissade_optimizer *optimizer, const gls_pass *pass, size_t *footprint) {
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

/* ---- options ---- */

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
                items[count++] = gls_interval_make(
                    optimizer->groups[i]->number, j, GLS_ARRAY_GRADIENT, tensor->g,
                    gls_format_bytes(gls_group_format(optimizer->groups[i], j, GLS_ARRAY_GRADIENT),
                                     tensor->n));
        }
    gls_intervals_sort(items, count);
    const glissade_status status = gls_intervals_check(&optimizer->arrays, items, count, &optimizer->error);
    gls_free(items);
    return status;
}

static glissade_status check_limit(const char *name, double value, glissade_error *error) {
    if (value >= 0) /* false for a NaN */
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION, "%s is %s; accepted: above 0, or 0 for none",
                         name, gls_number_format(value).text);
}

static glissade_status check_scale(const glissade_step_options *options, glissade_error *error) {
    if (options->accumulated == 0)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION, "accumulated is 0; accepted: at least 1");
    const float inverse = (float)(1 / options->gradient_scale),
                of_all = (float)(1 / (options->gradient_scale * options->accumulated));
    if (!isfinite(options->gradient_scale) || !isfinite(inverse) || inverse == 0 || of_all == 0)
        return gls_error_set(
            error, GLISSADE_STATUS_INVALID_OPTION,
            "gradient_scale is %s, accumulated %u; accepted: finite, not 0, with an inverse that a float can "
            "hold, of their product too",
            gls_number_format(options->gradient_scale).text, options->accumulated);
    return GLISSADE_STATUS_OK;
}

static glissade_status check_clipping(const glissade_step_options *options, glissade_error *error) {
    glissade_status status;
    if ((status = check_limit("clip_norm", options->clip_norm, error)) ||
        (status = check_limit("clip_tensor_norm", options->clip_tensor_norm, error)) ||
        (status = check_limit("clip_value", options->clip_value, error)))
        return status;
    if (options->clip_value != 0 && !((float)options->clip_value > 0))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "clip_value is %s; accepted: 0, or what is above 0 as a float, too",
                             gls_number_format(options->clip_value).text);
    if (options->clip_norm != 0 && options->tensors && options->norm < 0)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                             "clip_norm is %s with a list of tensors and no norm; a step over some of the "
                             "tensors needs `norm`, that "
                             "over all",
                             gls_number_format(options->clip_norm).text);
    return GLISSADE_STATUS_OK;
}

static glissade_status read_options(glissade_optimizer *optimizer, const glissade_step_options *given,
                                    glissade_step_options *options, gls_pass *pass) {
    *options = default_options;
    glissade_error *error = &optimizer->error;
    glissade_status status =
        given ? gls_options_read(&options_layout, options, given, error) : GLISSADE_STATUS_OK;
    if (status)
        return status;
    if (!options->tensors && options->tensor_count)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "tensors is NULL with tensor_count %zu",
                             options->tensor_count);
    if ((status = check_scale(options, error)) || (status = check_clipping(options, error)))
        return status;
    pass->listed = options->tensors;
    pass->listed_count = options->tensors ? options->tensor_count : 0;
    pass->request.gradient_scale = options->gradient_scale * options->accumulated;
    pass->request.clip = 1;
    pass->request.clip_value = options->clip_value;
    pass->request.clip_tensor = options->clip_tensor_norm;
    pass->request.zero_gradients = options->zero_gradients;
    return options->check_overlap ? check_overlap(optimizer) : GLISSADE_STATUS_OK;
}

/* ---- reports ---- */

/* A report that cannot be written must fail before anything is changed; it is written on success only. */
glissade_status gls_report_check(glissade_optimizer *optimizer, const glissade_step_report *report) {
    return report ? gls_options_check(&report_layout, report, &optimizer->error) : GLISSADE_STATUS_OK;
}

void gls_report_write(glissade_step_report *report, const glissade_step_report *known) {
    if (report)
        (void)gls_options_write(&report_layout, report, known, NULL); /* its size was checked */
}

/* ---- the step ---- */

gls_walk gls_pass_walk(const glissade_optimizer *optimizer, size_t footprint) {
    return gls_engine_tunes(optimizer->engine, footprint) ? gls_tuner_walk(&optimizer->tuner)
                                                          : gls_engine_walk(optimizer->engine, footprint);
}

/* One updating pass. The walk of a large step is found by trying, unless it was set. */
static gls_execution execute_pass(gls_pass *pass, size_t footprint) {
    glissade_optimizer *optimizer = pass->optimizer;
    const bool trial =
        gls_engine_tunes(optimizer->engine, footprint) && gls_tuner_is_trying(&optimizer->tuner);
    const double start = trial ? gls_seconds() : 0;
    const gls_execution execution = gls_engine_execute(optimizer->engine, footprint, gls_update_shard, pass);
    if (trial && pass->count == 1)
        gls_tuner_learn(&optimizer->tuner, gls_seconds() - start, footprint);
    return execution;
}

/* As many passes as the rules of what is stepped need. */
static void advise_passes(gls_pass *pass) {
    glissade_optimizer *optimizer = pass->optimizer;
    const size_t count = pass->listed ? pass->listed_count : optimizer->group_count;
    pass->count = 1;
    for (size_t i = 0; i < count; i++) {
        const gls_group *group =
            pass->listed ? gls_optimizer_group(optimizer, pass->listed[i].group) : optimizer->groups[i];
        if (group->present && group->algorithm->phases > pass->count)
            pass->count = group->algorithm->phases;
    }
}

/* The clip factor of design: limit / (norm + 1e-6), 1 where that is more, NaN kept. */
static double clip_factor(double limit, double norm) {
    const double c = limit / (norm + 1e-6);
    return c < 1 ? c : c >= 1 ? 1 : NAN;
}

/* Looks at the gradients if the step needs to know them, and decides what that means for it. */
static glissade_status measure(gls_pass *pass, const glissade_step_options *options, size_t footprint,
                               glissade_step_report *known) {
    const bool finds = options->clip_norm != 0 && options->norm < 0; /* false for a NaN, which is a norm */
    known->norm = options->clip_norm != 0 && !finds ? options->norm : -1;
    known->clip = 1;
    if (finds || options->skip_nonfinite || options->count_nonfinite || options->clip_tensor_norm != 0) {
        gls_measurement found;
        const glissade_status status = gls_norm_measure(pass, footprint, &found);
        if (status)
            return status;
        known->passes++;
        known->nonfinite = found.nonfinite;
        known->first_nonfinite = found.first;
        known->skipped = options->skip_nonfinite && found.nonfinite;
        if (known->norm < 0)
            known->norm = sqrt(found.square) / fabs(pass->request.gradient_scale);
    }
    if (options->clip_norm != 0)
        known->clip = clip_factor(options->clip_norm, known->norm);
    pass->request.clip = known->clip;
    return GLISSADE_STATUS_OK;
}

/* A point that is for evaluation has no gradients of its own. */
static glissade_status check_point(glissade_optimizer *optimizer, const gls_group *group) {
    if (!group->evaluates)
        return GLISSADE_STATUS_OK;
    return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_COMBINATION,
                         "group %u holds its point of evaluation; a step needs that of training "
                         "(glissade_optimizer_set_point)",
                         group->number);
}

static glissade_status check_points(glissade_optimizer *optimizer, const gls_pass *pass) {
    glissade_status status = GLISSADE_STATUS_OK;
    for (size_t i = 0; pass->listed && i < pass->listed_count && !status; i++)
        status = check_point(optimizer, gls_optimizer_group(optimizer, pass->listed[i].group));
    for (uint32_t i = 0; !pass->listed && i < optimizer->group_count && !status; i++)
        status = check_point(optimizer, optimizer->groups[i]);
    return status;
}

static void update_all(gls_pass *pass, size_t footprint, glissade_step_report *known) {
    gls_execution execution = {0};
    advise_passes(pass);
    known->passes += gls_factors_pass(pass, footprint);
    for (pass->index = 0; pass->index < pass->count; pass->index++) {
        execution = execute_pass(pass, footprint);
        if (pass->count > 1)
            gls_update_settle(pass, execution.planned > 1);
        known->passes += pass->index > 0;
    }
    pass->index = pass->count - 1;
    gls_update_finish(pass);
    known->tensors = pass->tensors;
    known->elements = pass->elements;
    known->bytes = pass->bytes;
    known->acted = pass->acted;
    known->passes = pass->elements ? known->passes + 1 : 0;
    known->threads = execution.threads;
    known->planned = execution.planned;
    known->pinned = execution.pinned;
}

static glissade_status step(glissade_optimizer *optimizer, const glissade_step_options *given,
                            glissade_step_report *report) {
    glissade_engine *engine = optimizer->engine;
    gls_pass pass = {
        .optimizer = optimizer, .request.engine = engine, .tile = gls_engine_setting(engine, GLS_TILE)};
    glissade_step_options options;
    glissade_status status;
    if ((status = read_options(optimizer, given, &options, &pass)) ||
        (status = gls_report_check(optimizer, report)))
        return status;
    optimizer->steps++;
    size_t footprint = 0;
    if (!pass.listed)
        footprint = footprint_of_all(optimizer);
    else if ((status = check_listed(optimizer, &pass, &footprint)))
        return status;
    if ((status = check_points(optimizer, &pass)))
        return status;

    pass.walk = gls_pass_walk(optimizer, footprint);
    glissade_step_report known = {.streams = (uint32_t)pass.walk.streams};
    if ((status = measure(&pass, &options, footprint, &known)))
        return status;
    if (!known.skipped)
        update_all(&pass, footprint, &known);
    else if (pass.request.zero_gradients)
        gls_zero_gradients(&pass);
    gls_report_write(report, &known);
    gls_engine_log(engine, 3, "step %llu: %llu tensors, %llu elements, %u threads",
                   (unsigned long long)optimizer->steps, (unsigned long long)known.tensors,
                   (unsigned long long)known.elements, known.threads);
    return GLISSADE_STATUS_OK;
}

static glissade_status grad_norm(glissade_optimizer *optimizer, const glissade_step_options *given,
                                 double *norm, glissade_step_report *report) {
    gls_pass pass = {.optimizer = optimizer};
    glissade_step_options options;
    glissade_status status;
    if (!norm)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "norm is NULL");
    if ((status = read_options(optimizer, given, &options, &pass)) ||
        (status = gls_report_check(optimizer, report)))
        return status;
    optimizer->steps++; /* finds what is listed twice */
    size_t footprint = 0;
    if (!pass.listed)
        footprint = footprint_of_all(optimizer);
    else if ((status = check_listed(optimizer, &pass, &footprint)))
        return status;
    pass.walk = gls_pass_walk(optimizer, footprint);
    gls_measurement found;
    if ((status = gls_norm_measure(&pass, footprint, &found)))
        return status;
    *norm = sqrt(found.square) / fabs(pass.request.gradient_scale);
    const glissade_step_report known = {.passes = 1,
                                        .streams = (uint32_t)pass.walk.streams,
                                        .norm = *norm,
                                        .clip = 1,
                                        .nonfinite = found.nonfinite,
                                        .first_nonfinite = found.first};
    gls_report_write(report, &known);
    return GLISSADE_STATUS_OK;
}

/* ---- calls ---- */

glissade_status glissade_optimizer_step(glissade_optimizer *optimizer, const glissade_step_options *options,
                                        glissade_step_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, step(optimizer, options, report));
}

glissade_status glissade_optimizer_grad_norm(glissade_optimizer *optimizer,
                                             const glissade_step_options *options, double *norm,
                                             glissade_step_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, grad_norm(optimizer, options, norm, report));
}
