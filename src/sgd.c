/* SPDX-License-Identifier: Apache-2.0 */
/* Stochastic gradient descent: its hyperparameters checked, its scalars rounded, its kernel chosen. */
#include "sgd.h"

#include <float.h>

#include "debias.h"
#include "optimizer.h"
#include "options.h"
#include "rule.h"

static const gls_layout layout = {
    "glissade_sgd_options", {offsetof(glissade_sgd_options, defer_threshold), sizeof(glissade_sgd_options)}};

static const glissade_sgd_options defaults = {
    .size = sizeof(glissade_sgd_options),
    .learning_rate = 0.001,
};

void glissade_sgd_options_init(glissade_sgd_options *options, size_t size) {
    gls_options_init(&layout, options, size, &defaults);
}

/* ---- rule ---- */

static uint32_t states(const gls_group *group) {
    return group->sgd.momentum != 0;
}

static gls_threshold threshold(const gls_group *group) {
    return (gls_threshold){.value = group->sgd.defer_threshold,
                           .relative = group->sgd.defer_unit == GLISSADE_DEFER_UNIT_GRADIENT_RMS};
}

/* An undampened first update has no kernel that defers. */
static const char *refuses_residual(const gls_group *group) {
    return group->sgd.first_step == GLISSADE_FIRST_STEP_UNDAMPENED
               ? "first_step is UNDAMPENED; it needs first_step DAMPENED"
               : NULL;
}

gls_sgd_scalars_f64 gls_sgd_compute(const glissade_sgd_options *sgd, double gradient_factor, double flush,
                                    uint64_t k) {
    const double beta = sgd->momentum, kappa = 1 - sgd->dampening;
    double eta = sgd->learning_rate, n1 = beta, n2 = kappa;
    if (sgd->debias && sgd->nesterov) {
        n1 = beta / gls_debias(beta, k + 2);
        n2 = kappa / gls_debias(beta, k + 1);
    } else if (sgd->debias) {
        eta = sgd->learning_rate / gls_debias(beta, k + 1);
    }
    return (gls_sgd_scalars_f64){
        .s = sgd->maximize ? -gradient_factor : gradient_factor,
        .weight_decay = sgd->weight_decay,
        .momentum = beta,
        .kappa = kappa,
        .flush = flush,
        .n1 = n1,
        .n2 = n2,
        .minus_lambda = -(sgd->learning_rate * sgd->weight_decay),
        .minus_eta = -eta,
    };
}

__attribute__((noinline)) gls_sgd_scalars
gls_sgd_round(const glissade_sgd_options *sgd, double gradient_factor, bool keep_subnormals, uint64_t k) {
    const gls_sgd_scalars_f64 c =
        gls_sgd_compute(sgd, gradient_factor, keep_subnormals ? 0 : (double)FLT_MIN, k);
    return (gls_sgd_scalars){
        .s = (float)c.s,
        .weight_decay = (float)c.weight_decay,
        .momentum = (float)c.momentum,
        .kappa = (float)c.kappa,
        .flush = (float)c.flush,
        .n1 = (float)c.n1,
        .n2 = (float)c.n2,
        .minus_lambda = (float)c.minus_lambda,
        .minus_eta = (float)c.minus_eta,
    };
}

static gls_momentum choose_momentum(const glissade_sgd_options *sgd, uint64_t k) {
    if (sgd->momentum == 0)
        return GLS_MOMENTUM_NONE;
    if (k > 0)
        return GLS_MOMENTUM_KEPT;
    return sgd->first_step == GLISSADE_FIRST_STEP_UNDAMPENED ? GLS_MOMENTUM_UNDAMPENED : GLS_MOMENTUM_NEW;
}

static gls_decay choose_decay(const glissade_sgd_options *sgd) {
    if (sgd->weight_decay == 0)
        return GLS_DECAY_NONE;
    return sgd->decay == GLISSADE_DECAY_DECOUPLED ? GLS_DECAY_DECOUPLED : GLS_DECAY_COUPLED;
}

static void prepare(const gls_group *group, const gls_request *request, const gls_subject *subject,
                    gls_call *call) {
    const glissade_sgd_options *sgd = &group->sgd;
    const bool keep = gls_engine_setting(request->engine, GLS_KEEP_SUBNORMALS);
    const bool nesterov = sgd->nesterov && sgd->momentum != 0;
    const double factor = gls_request_factor(request, subject);
    call->sgd.kernel = (*call->kernels->sgd)[subject->deferred][choose_momentum(sgd, subject->k)][nesterov]
                                            [choose_decay(sgd)][subject->zero];
    if (subject->wide)
        call->sgd.wide = gls_sgd_compute(sgd, factor, keep ? 0 : DBL_MIN, subject->k);
    else
        call->sgd.narrow = gls_sgd_round(sgd, factor, keep, subject->k);
}

static size_t run(const gls_call *call, const gls_operands *arrays, const gls_gather *gather, size_t n,
                  const gls_walk *walk) {
    /* Both kinds of scalars start at one address. */
    return call->sgd.kernel(&call->sgd.narrow, arrays->p, arrays->g, arrays->s[0], gather->residual, n, walk);
}

static double *learning_rate(gls_group *group) {
    return &group->sgd.learning_rate;
}

/* To be saved and restored by. */
static const gls_field fields[] = {
    GLS_FIELD(glissade_sgd_options, learning_rate, FINITE),
    GLS_FIELD(glissade_sgd_options, momentum, FRACTION),
    GLS_FIELD(glissade_sgd_options, dampening, UNIT),
    GLS_FIELD(glissade_sgd_options, weight_decay, FINITE),
    GLS_CHOICE(glissade_sgd_options, decay),
    GLS_CHOICE(glissade_sgd_options, first_step),
    GLS_FLAG(glissade_sgd_options, nesterov),
    GLS_FLAG(glissade_sgd_options, debias),
    GLS_FLAG(glissade_sgd_options, maximize),
    GLS_FIELD(glissade_sgd_options, defer_threshold, FINITE),
    GLS_CHOICE(glissade_sgd_options, defer_unit),
    {NULL, 0, 0},
};

static glissade_status check(const gls_group *group, const void *options, glissade_error *error);

static bool is_timeless(const gls_group *group) {
    return !group->sgd.debias;
}

static const gls_algorithm algorithm = {
    .name = "sgd",
    .fields = fields,
    .state_names = {"momentum_buffer"},
    .phases = 1,
    .phase =
        {{.reads_gradient = true, .reads_states = true, .writes_states = true, .writes_parameter = true}},
    .most_states = 1,
    .starts_afresh = true,
    .states = states,
    .check = check,
    .is_timeless = is_timeless,
    .threshold = threshold,
    .refuses_residual = refuses_residual,
    .prepare = prepare,
    .run = run,
    .learning_rate = learning_rate,
};

/* ---- hyperparameters ---- */

static glissade_status check_range(const char *name, double value, double most, const char *accepted,
                                   glissade_error *error) {
    if (value >= 0 && value <= most) /* false for a NaN */
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_INVALID_HYPERPARAMETER, "%s is %s; accepted: %s", name,
                         gls_number_format(value).text, accepted);
}

static glissade_status check_combination(const glissade_sgd_options *sgd, glissade_error *error) {
    const glissade_status contradiction = GLISSADE_STATUS_INVALID_COMBINATION;
    if (sgd->nesterov && sgd->momentum == 0)
        return gls_error_set(error, contradiction,
                             "nesterov is true with momentum 0; it needs momentum above 0");
    if (sgd->debias && sgd->momentum == 0)
        return gls_error_set(error, contradiction,
                             "debias is true with momentum 0; it needs momentum above 0");
    if (sgd->debias && sgd->first_step == GLISSADE_FIRST_STEP_UNDAMPENED)
        return gls_error_set(
            error, contradiction,
            "debias is true with first_step UNDAMPENED, whose first update would be g / (1 - beta); "
            "it needs first_step DAMPENED");
    if (sgd->defer_threshold != 0 && sgd->first_step == GLISSADE_FIRST_STEP_UNDAMPENED)
        return gls_error_set(error, contradiction,
                             "defer_threshold is %s with first_step UNDAMPENED; it needs first_step DAMPENED",
                             gls_number_format(sgd->defer_threshold).text);
    return GLISSADE_STATUS_OK;
}

static glissade_status check_deferral(const glissade_sgd_options *sgd, glissade_error *error) {
    const double threshold = sgd->defer_threshold;
    if (threshold != 0 && !(threshold >= (double)FLT_MIN && threshold <= (double)FLT_MAX))
        return gls_error_set(
            error, GLISSADE_STATUS_INVALID_HYPERPARAMETER,
            "defer_threshold is %s; accepted: 0, or from the smallest normal float to the largest",
            gls_number_format(threshold).text);
    if ((unsigned)sgd->defer_unit > GLISSADE_DEFER_UNIT_GRADIENT_RMS)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "defer_unit is %d; accepted: 0 (absolute) and 1 (gradient RMS)",
                             (int)sgd->defer_unit);
    return GLISSADE_STATUS_OK;
}

static glissade_status check_values(const glissade_sgd_options *sgd, glissade_error *error) {
    glissade_status status;
    const char *finite = "from 0 to the largest float", *fraction = "at least 0 and below 1";
    const double below_one = 1 - DBL_EPSILON / 2;
    if ((status = check_range("learning_rate", sgd->learning_rate, (double)FLT_MAX, finite, error)) ||
        (status = check_range("momentum", sgd->momentum, below_one, fraction, error)) ||
        (status = check_range("dampening", sgd->dampening, 1, "from 0 to 1", error)) ||
        (status = check_range("weight_decay", sgd->weight_decay, (double)FLT_MAX, finite, error)))
        return status;
    if ((unsigned)sgd->decay > GLISSADE_DECAY_DECOUPLED)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "decay is %d; accepted: 0 (coupled) and 1 (decoupled)", (int)sgd->decay);
    if ((unsigned)sgd->first_step > GLISSADE_FIRST_STEP_UNDAMPENED)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "first_step is %d; accepted: 0 (dampened) and 1 (undampened)",
                             (int)sgd->first_step);
    if ((status = check_deferral(sgd, error)))
        return status;
    return check_combination(sgd, error);
}

/* Reads the caller's struct over the defaults and checks every field. */
static glissade_status read_options(const glissade_sgd_options *given, glissade_sgd_options *sgd,
                                    glissade_error *error) {
    *sgd = defaults;
    if (!given)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "options is NULL");
    const glissade_status status = gls_options_read(&layout, sgd, given, error);
    return status ? status : check_values(sgd, error);
}

/* ---- calls ---- */

static glissade_status add(glissade_optimizer *optimizer, const glissade_tensor *tensors, size_t count,
                           const glissade_sgd_options *options, uint32_t *number) {
    if (!number)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "group is NULL");
    glissade_sgd_options sgd;
    const glissade_status status = read_options(options, &sgd, &optimizer->error);
    if (status)
        return status;
    gls_group *group = gls_alloc(1, sizeof *group);
    if (!group)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for a group");
    group->algorithm = &algorithm;
    group->sgd = sgd;
    return gls_group_add(optimizer, group, tensors, count, number);
}

glissade_status glissade_optimizer_add_sgd(glissade_optimizer *optimizer, const glissade_tensor *tensors,
                                           size_t count, const glissade_sgd_options *options,
                                           uint32_t *group) {
    GLS_OPTIMIZER_CALL(optimizer, add(optimizer, tensors, count, options, group));
}

static gls_group *find(glissade_optimizer *optimizer, uint32_t number) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group || group->algorithm == &algorithm)
        return group;
    gls_error_set(&optimizer->error, GLISSADE_STATUS_NOT_FOUND, "group %u is under the rule %s, not sgd",
                  number, group->algorithm->name);
    return NULL;
}

/* What was deferred is taken by a deferring step alone, and an undampened first update has none. */
static glissade_status check_released(const gls_group *group, const glissade_sgd_options *sgd,
                                      glissade_error *error) {
    if (!group->deferrals || sgd->first_step != GLISSADE_FIRST_STEP_UNDAMPENED)
        return GLISSADE_STATUS_OK;
    for (uint32_t i = 0; i < group->count; i++)
        if (group->deferrals[i].holds)
            return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                                 "first_step is UNDAMPENED while tensor %u holds a residual; a step with "
                                 "defer_threshold 0 and first_step DAMPENED must release it first",
                                 i);
    return GLISSADE_STATUS_OK;
}

/* Gradients of double are not deferred. */
static glissade_status check_wide(const gls_group *group, const glissade_sgd_options *sgd,
                                  glissade_error *error) {
    for (uint32_t i = 0; sgd->defer_threshold != 0 && i < group->count; i++)
        if (gls_group_is_wide(group, i))
            return gls_error_set(
                error, GLISSADE_STATUS_INVALID_COMBINATION,
                "defer_threshold is %s while tensor %u is of double; it needs float, bf16 or f16",
                gls_number_format(sgd->defer_threshold).text, i);
    return GLISSADE_STATUS_OK;
}

static glissade_status check(const gls_group *group, const void *options, glissade_error *error) {
    const glissade_status status = check_values(options, error);
    return status ? status : check_wide(group, options, error);
}

/* The arrays that the group will need under new hyperparameters. */
static glissade_status provide(glissade_optimizer *optimizer, gls_group *group,
                               const glissade_sgd_options *sgd) {
    const glissade_sgd_options before = group->sgd;
    group->sgd = *sgd;
    const uint32_t needs = gls_group_needs(group);
    group->sgd = before;
    return gls_group_provide_state(optimizer, group, needs);
}

static glissade_status set(glissade_optimizer *optimizer, uint32_t number,
                           const glissade_sgd_options *options) {
    gls_group *group = find(optimizer, number);
    if (!group)
        return optimizer->error.status;
    glissade_sgd_options sgd;
    glissade_status status = read_options(options, &sgd, &optimizer->error);
    if (status || (status = check_released(group, &sgd, &optimizer->error)) ||
        (status = check_wide(group, &sgd, &optimizer->error)) || (status = provide(optimizer, group, &sgd)))
        return status;
    if (sgd.momentum == 0)
        for (uint32_t i = 0; i < group->count; i++)
            group->tensors[i].k = 0;
    group->sgd = sgd;
    return GLISSADE_STATUS_OK;
}

glissade_status glissade_optimizer_set_sgd(glissade_optimizer *optimizer, uint32_t group,
                                           const glissade_sgd_options *options) {
    GLS_OPTIMIZER_CALL(optimizer, set(optimizer, group, options));
}

static glissade_status get(glissade_optimizer *optimizer, uint32_t number, glissade_sgd_options *options) {
    if (!options)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "options is NULL");
    const gls_group *group = find(optimizer, number);
    if (!group)
        return optimizer->error.status;
    return gls_options_write(&layout, options, &group->sgd, &optimizer->error);
}

glissade_status glissade_optimizer_get_sgd(glissade_optimizer *optimizer, uint32_t group,
                                           glissade_sgd_options *options) {
    GLS_OPTIMIZER_CALL(optimizer, get(optimizer, group, options));
}
