/* SPDX-License-Identifier: Apache-2.0 */
/* The adaptive family's common part (see rule.h). Knows none of its rules. */
#include "rule.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- scalars ---- */

void gls_rule_prepare(const gls_group *group, const gls_request *request, const gls_subject *subject,
                      gls_call *call) {
    const struct gls_rule_table *rule = group->algorithm->rule;
    const gls_rule_head *head = group->options;
    const bool keep = gls_engine_setting(request->engine, GLS_KEEP_SUBNORMALS);
    const double factor = gls_request_factor(request, subject);
    const bool coupled = head->decay == GLISSADE_DECAY_COUPLED;
    double *c = call->rule.scalars.f64;
    memset(&call->rule.scalars, 0, sizeof call->rule.scalars);
    c[GLS_SCALAR_S] = head->maximize ? -factor : factor;
    c[GLS_SCALAR_FLUSH] = keep ? 0 : subject->wide ? DBL_MIN : (double)FLT_MIN;
    c[GLS_SCALAR_COUPLED] = coupled ? head->weight_decay : 0;
    c[GLS_SCALAR_MINUS_LAMBDA] = coupled ? 0 : -(head->learning_rate * head->weight_decay);
    c[GLS_SCALAR_MINUS_ETA] = -head->learning_rate;
    const gls_rule_context context = {.options = head,
                                      .t = subject->t + 1,
                                      .phase = subject->phase,
                                      .numbers = subject->numbers,
                                      .norms = subject->norms,
                                      .factor = fabs(factor),
                                      .factored = subject->factored,
                                      .length = group->tensors[subject->tensor].n,
                                      .largest = subject->wide ? DBL_MAX : (double)FLT_MAX};
    rule->scalars(&context, c);
    for (size_t i = 0; i < GLS_SCALARS_MAX; i++)
        call->rule.scalars.f32[i] = (float)c[i];
    const gls_rule kernel = rule->kernel(head, subject->phase);
    const bool none = kernel == GLS_RULE_COUNT;
    call->rule.kernel = none ? NULL : call->kernels->rules->update[kernel][head->cautious][subject->zero];
    call->rule.measure = none ? NULL : call->kernels->rules->measure[kernel][head->cautious];
}

/* What measures sums up the squares of the parameter, and of the gradient or of what the rule's kernel leaves of it. */
static void measure(const gls_call *call, const gls_operands *arrays, const gls_gather *gather, size_t n,
                    const gls_walk *walk) {
    (void)call->kernels->squares(gather->sums[0], arrays->p, n, walk);
    if (call->rule.measure)
        call->rule.measure(&call->rule.scalars, arrays, gather->sums[1], n, walk);
    else
        (void)call->kernels->squares(gather->sums[1], arrays->g, n, walk);
}

size_t gls_rule_run(const gls_call *call, const gls_operands *arrays, const gls_gather *gather, size_t n,
                    const gls_walk *walk) {
    if (call->rule.kernel)
        call->rule.kernel(&call->rule.scalars, arrays, n, walk);
    else
        measure(call, arrays, gather, n, walk);
    return n;
}

double *gls_rule_learning_rate(gls_group *group) {
    return &((gls_rule_head *)group->options)->learning_rate;
}

bool gls_rule_is_timeless(const gls_group *group) {
    (void)group;
    return true;
}

/* ---- hyperparameters ---- */

const gls_field gls_rule_head_fields[] = {
    GLS_FIELD(gls_rule_head, learning_rate, FINITE),
    GLS_FIELD(gls_rule_head, weight_decay, FINITE),
    GLS_CHOICE(gls_rule_head, decay),
    GLS_FLAG(gls_rule_head, maximize),
    GLS_FLAG(gls_rule_head, cautious),
    {NULL, 0, 0},
};

static glissade_status check_field(const char *name, double value, gls_field_kind kind,
                                   glissade_error *error) {
    static const struct {
        double least, most;
        const char *text;
    } ranges[] = {
        [GLS_ACCEPT_FINITE] = {0, (double)FLT_MAX, "from 0 to the largest float"},
        [GLS_ACCEPT_POSITIVE] = {(double)FLT_MIN, (double)FLT_MAX,
                                 "from the smallest normal float to the largest"},
        [GLS_ACCEPT_FRACTION] = {0, 1 - DBL_EPSILON / 2, "at least 0 and below 1"},
        [GLS_ACCEPT_UNIT] = {0, 1, "from 0 to 1"},
        [GLS_ACCEPT_NEGATIVE] = {-(double)FLT_MAX, 0, "finite, at most 0"},
    };
    if (value >= ranges[kind].least && value <= ranges[kind].most) /* false for a NaN */
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_INVALID_HYPERPARAMETER, "%s is %s; accepted: %s", name,
                         gls_number_format(value).text, ranges[kind].text);
}

static glissade_status check_fields(const gls_field *field, const void *options, glissade_error *error) {
    for (; field->name; field++) {
        double value;
        if (field->accepts >= GLS_ACCEPT_RANGES)
            continue;
        memcpy(&value, (const char *)options + field->offset, sizeof value);
        const glissade_status status = check_field(field->name, value, field->accepts, error);
        if (status)
            return status;
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status check_values(const struct gls_rule_table *rule, const void *options,
                                    glissade_error *error) {
    const gls_rule_head *head = options;
    glissade_status status;
    if ((status = check_fields(gls_rule_head_fields, options, error)) ||
        (status = check_fields(rule->fields, options, error)))
        return status;
    if ((unsigned)head->decay > GLISSADE_DECAY_DECOUPLED)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "decay is %d; accepted: 0 (coupled) and 1 (decoupled)", (int)head->decay);
    return rule->check ? rule->check(options, error) : GLISSADE_STATUS_OK;
}

glissade_status gls_rule_check(const gls_group *group, const void *options, glissade_error *error) {
    return check_values(group->algorithm->rule, options, error);
}

/* Reads the caller's struct over the defaults and checks every field. */
static glissade_status read_options(const gls_algorithm *algorithm, const void *given, void *options,
                                    glissade_error *error) {
    if (!given)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "options is NULL");
    memcpy(options, algorithm->rule->defaults, algorithm->options_size);
    const glissade_status status = gls_options_read(&algorithm->rule->layout, options, given, error);
    return status ? status : check_values(algorithm->rule, options, error);
}

/* ---- groups ---- */

static gls_group *make(const gls_algorithm *algorithm) {
    gls_group *group = gls_alloc(1, sizeof *group);
    if (!group)
        return NULL;
    group->algorithm = algorithm;
    group->options = gls_alloc(1, algorithm->options_size);
    if (group->options)
        return group;
    gls_free(group);
    return NULL;
}

glissade_status gls_rule_add(glissade_optimizer *optimizer, const gls_algorithm *algorithm,
                             const glissade_tensor *tensors, size_t count, const void *options,
                             uint32_t *number) {
    glissade_error *error = &optimizer->error;
    if (!number)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "group is NULL");
    gls_group *group = make(algorithm);
    if (!group)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for a group");
    const glissade_status status = read_options(algorithm, options, group->options, error);
    if (!status)
        return gls_group_add(optimizer, group, tensors, count, number);
    gls_free(group->options);
    gls_free(group);
    return status;
}

static gls_group *find(glissade_optimizer *optimizer, const gls_algorithm *algorithm, uint32_t number) {
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group || group->algorithm == algorithm)
        return group;
    gls_error_set(&optimizer->error, GLISSADE_STATUS_NOT_FOUND, "group %u is under the rule %s, not %s",
                  number, group->algorithm->name, algorithm->name);
    return NULL;
}

glissade_status gls_rule_set(glissade_optimizer *optimizer, const gls_algorithm *algorithm, uint32_t number,
                             const void *options) {
    gls_group *group = find(optimizer, algorithm, number);
    if (!group)
        return optimizer->error.status;
    void *changed = gls_alloc(1, algorithm->options_size), *before = group->options;
    if (!changed)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory for hyperparameters");
    glissade_status status = read_options(algorithm, options, changed, &optimizer->error);
    if (!status && algorithm->rule->change)
        status = algorithm->rule->change(group, changed, &optimizer->error);
    if (!status) {
        group->options = changed;
        status = gls_group_provide_state(optimizer, group, gls_group_needs(group));
    }
    group->options = status ? before : changed;
    gls_free(status ? changed : before);
    return status;
}

glissade_status gls_rule_get(glissade_optimizer *optimizer, const gls_algorithm *algorithm, uint32_t number,
                             void *options) {
    if (!options)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "options is NULL");
    const gls_group *group = find(optimizer, algorithm, number);
    if (!group)
        return optimizer->error.status;
    return gls_options_write(&algorithm->rule->layout, options, group->options, &optimizer->error);
}
