/* SPDX-License-Identifier: Apache-2.0 */
/* Schedule-free SGD and AdamW: hyperparameters, weights, scalars; and turning y into x and back. */
#include "glissade/schedule_free.h"

#include <float.h>
#include <math.h>

#include "debias.h"
#include "elementary.h"
#include "rule.h"
#include "stage.h"

typedef glissade_schedule_free_sgd_options sgd_options;
typedef glissade_schedule_free_adamw_options adamw_options;

static const sgd_options sgd_defaults = {
    .size = sizeof(sgd_options),
    .learning_rate = 1,
    .decay = GLISSADE_DECAY_COUPLED,
    .beta = 0.9,
    .weight_lr_power = 2,
};

static const adamw_options adamw_defaults = {
    .size = sizeof(adamw_options),
    .learning_rate = 0.0025,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .weight_lr_power = 2,
};

static const gls_field sgd_fields[] = {
    GLS_FIELD(sgd_options, beta, UNIT),
    GLS_COUNT(sgd_options, warmup_steps),
    GLS_FIELD(sgd_options, r, FINITE),
    GLS_FIELD(sgd_options, weight_lr_power, FINITE),
    {NULL, 0, 0},
};

static const gls_field adamw_fields[] = {
    GLS_FIELD(adamw_options, beta1, UNIT),
    GLS_FIELD(adamw_options, beta2, FRACTION),
    GLS_FIELD(adamw_options, eps, FINITE),
    GLS_COUNT(adamw_options, warmup_steps),
    GLS_FIELD(adamw_options, r, FINITE),
    GLS_FIELD(adamw_options, weight_lr_power, FINITE),
    {NULL, 0, 0},
};

/* ---- weights ---- */

/* What both rules go by. */
typedef struct course {
    double learning_rate, beta, r, weight_lr_power;
    uint64_t warmup_steps;
} course;

static course sgd_course(const void *options) {
    const sgd_options *sgd = options;
    return (course){sgd->learning_rate, sgd->beta, sgd->r, sgd->weight_lr_power, sgd->warmup_steps};
}

static course adamw_course(const void *options) {
    const adamw_options *adamw = options;
    return (course){adamw->learning_rate, adamw->beta1, adamw->r, adamw->weight_lr_power,
                    adamw->warmup_steps};
}

/* Places among a tensor's numbers. */
enum { SUM, LARGEST };

typedef struct weighing {
    double rate, largest, sum, part;
} weighing;

/* The default power takes no time. */
static double power(double x, double exponent) {
    return exponent == 2 ? x * x : gls_pow(x, exponent);
}

/* Numbers stay finite, so that they can be restored: where t^r overflows, the newest z is the whole mean. */
static weighing weigh(course by, uint64_t t, const double *numbers) {
    weighing w = {.rate = by.learning_rate};
    if (t < by.warmup_steps)
        w.rate *= (double)t / (double)by.warmup_steps;
    w.largest = w.rate > numbers[LARGEST] ? w.rate : numbers[LARGEST];
    const double product = power((double)t, by.r) * power(w.largest, by.weight_lr_power);
    const double weight = product <= DBL_MAX ? product : DBL_MAX;
    w.sum = numbers[SUM] + weight <= DBL_MAX ? numbers[SUM] + weight : DBL_MAX;
    w.part = w.sum > 0 ? weight / w.sum : 0;
    return w;
}

static void keep(weighing w, double *numbers) {
    numbers[SUM] = w.sum;
    numbers[LARGEST] = w.largest;
}

static void sgd_advance(const gls_group *group, uint64_t t, double *numbers) {
    keep(weigh(sgd_course(group->options), t, numbers), numbers);
}

static void adamw_advance(const gls_group *group, uint64_t t, double *numbers) {
    keep(weigh(adamw_course(group->options), t, numbers), numbers);
}

/* ---- scalars, in the order of simd/rules/schedule_free.h ---- */

static double *shared_scalars(const gls_rule_context *context, course by, double *c) {
    const gls_rule_head *head = context->options;
    const weighing w = weigh(by, context->t, context->numbers);
    c[GLS_SCALAR_MINUS_ETA] = -w.rate * (1 - by.beta * (1 - w.part));
    c[GLS_SCALAR_MINUS_LAMBDA] = 0;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = context->t == 1;
    *own++ = w.part;
    *own++ = -w.rate;
    *own++ = head->decay == GLISSADE_DECAY_DECOUPLED ? head->weight_decay : 0;
    return own;
}

static void sgd_scalars(const gls_rule_context *context, double *c) {
    (void)shared_scalars(context, sgd_course(context->options), c);
}

static void adamw_scalars(const gls_rule_context *context, double *c) {
    const adamw_options *adamw = context->options;
    double *own = shared_scalars(context, adamw_course(adamw), c);
    *own++ = adamw->beta2;
    *own++ = 1 - adamw->beta2;
    *own++ = 1 / sqrt(gls_debias(adamw->beta2, context->t));
    *own++ = adamw->eps;
}

/* ---- checks ---- */

static glissade_status check_beta(const char *name, double beta, glissade_error *error) {
    if (beta >= (double)FLT_MIN)
        return GLISSADE_STATUS_OK;
    return gls_error_set(
        error, GLISSADE_STATUS_INVALID_HYPERPARAMETER,
        "%s is %s; accepted: from the smallest normal float to 1 (at 0 the parameter would say "
        "nothing of the mean)",
        name, gls_number_format(beta).text);
}

static glissade_status sgd_check(const void *options, glissade_error *error) {
    return check_beta("beta", ((const sgd_options *)options)->beta, error);
}

static glissade_status adamw_check(const void *options, glissade_error *error) {
    return check_beta("beta1", ((const adamw_options *)options)->beta1, error);
}

/* x is made of y and z by beta: none but that of the steps before gives it. */
static glissade_status check_change(const gls_group *group, const char *name, double before, double beta,
                                    glissade_error *error) {
    bool stepped = false;
    for (uint32_t i = 0; i < group->count; i++)
        stepped = stepped || group->tensors[i].t;
    if (beta == before || group->evaluates || !stepped)
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                         "%s is %s in group %u, which has stepped with %s; set it at the point of evaluation "
                         "(glissade_optimizer_set_point)",
                         name, gls_number_format(beta).text, group->number, gls_number_format(before).text);
}

static glissade_status sgd_change(const gls_group *group, const void *options, glissade_error *error) {
    return check_change(group, "beta", sgd_course(group->options).beta, sgd_course(options).beta, error);
}

static glissade_status adamw_change(const gls_group *group, const void *options, glissade_error *error) {
    return check_change(group, "beta1", adamw_course(group->options).beta, adamw_course(options).beta, error);
}

/* ---- the rules ---- */

static uint32_t sgd_states(const gls_group *group) {
    (void)group;
    return 1;
}

static uint32_t adamw_states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule sgd_kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_schedule_free_sgd;
}

static gls_rule adamw_kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_schedule_free_adamw;
}

static const struct gls_rule_table sgd_rule = {
    .layout = {"glissade_schedule_free_sgd_options", {sizeof(sgd_options)}},
    .defaults = &sgd_defaults,
    .fields = sgd_fields,
    .check = sgd_check,
    .change = sgd_change,
    .kernel = sgd_kernel,
    .scalars = sgd_scalars,
};

static const struct gls_rule_table adamw_rule = {
    .layout = {"glissade_schedule_free_adamw_options", {sizeof(adamw_options)}},
    .defaults = &adamw_defaults,
    .fields = adamw_fields,
    .check = adamw_check,
    .change = adamw_change,
    .kernel = adamw_kernel,
    .scalars = adamw_scalars,
};

static const gls_algorithm sgd = {
    .name = "schedule_free_sgd",
    .options_size = sizeof(sgd_options),
    .rule = &sgd_rule,
    .state_names = {"z"},
    GLS_RULE_ONE_PASS,
    .most_states = 1,
    .plain_states = 1u << 0,
    .own_numbers = true,
    .has_points = true,
    .states = sgd_states,
    .advance = sgd_advance,
    GLS_RULE_MEMBERS,
};

static const gls_algorithm adamw = {
    .name = "schedule_free_adamw",
    .options_size = sizeof(adamw_options),
    .rule = &adamw_rule,
    .state_names = {"z", "exp_avg_sq"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .plain_states = 1u << 0,
    .own_numbers = true,
    .has_points = true,
    .states = adamw_states,
    .advance = adamw_advance,
    GLS_RULE_MEMBERS,
};

/* ---- points ---- */

struct blend_job {
    const glissade_optimizer *optimizer;
    const gls_group *group;
    double weight;
};

static void blend_shard(void *context, uint32_t shard) {
    const struct blend_job *job = context;
    const gls_group *group = job->group;
    for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);)
        if (group->tensors[c.tensor].t) /* else there is no z yet */
            gls_stage_blend(job->optimizer->engine->kernels, group, c.tensor,
                            gls_cursor_range(&c, group->tensors[c.tensor].n), 0, job->weight);
}

static size_t bytes_to_blend(const gls_group *group) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < group->count; i++)
        for (gls_array array = GLS_ARRAY_PARAMETER; array <= GLS_ARRAY_STATE; array++)
            bytes += gls_format_bytes(gls_group_format(group, i, array), group->tensors[i].n);
    return bytes;
}

static glissade_status set_point(glissade_optimizer *optimizer, uint32_t number, glissade_point point) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group)
        return GLISSADE_STATUS_NOT_FOUND;
    if (!group->algorithm->has_points)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NOT_FOUND,
                             "group %u is under the rule %s; points have schedule_free_sgd and "
                             "schedule_free_adamw",
                             number, group->algorithm->name);
    if ((unsigned)point > GLISSADE_POINT_EVALUATION)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_INVALID_OPTION,
                             "point is %d; accepted: 0 (training) and 1 (evaluation)", (int)point);
    const bool evaluates = point == GLISSADE_POINT_EVALUATION;
    if (group->evaluates == evaluates)
        return GLISSADE_STATUS_OK;
    const double beta = (group->algorithm == &sgd ? sgd_course : adamw_course)(group->options).beta;
    struct blend_job job = {optimizer, group, evaluates ? (beta - 1) / beta : 1 - beta};
    gls_engine_execute(optimizer->engine, bytes_to_blend(group), blend_shard, &job);
    group->evaluates = evaluates;
    return GLISSADE_STATUS_OK;
}

/* ---- calls ---- */

GLS_RULE_CALLS(schedule_free_sgd, sgd);
GLS_RULE_CALLS(schedule_free_adamw, adamw);

glissade_status glissade_optimizer_set_point(glissade_optimizer *optimizer, uint32_t group,
                                             glissade_point point) {
    GLS_OPTIMIZER_CALL(optimizer, set_point(optimizer, group, point));
}
