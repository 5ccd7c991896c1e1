/* SPDX-License-Identifier: Apache-2.0 */
/* Rprop: hyperparameters and scalars. */
#include "glissade/rprop.h"

#include "rule.h"

static const glissade_rprop_options defaults = {
    .size = sizeof(glissade_rprop_options),
    .learning_rate = 0.01,
    .decay = GLISSADE_DECAY_COUPLED,
    .eta_minus = 0.5,
    .eta_plus = 1.2,
    .step_min = 1e-6,
    .step_max = 50,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_rprop_options, eta_minus, FRACTION),
    GLS_FIELD(glissade_rprop_options, eta_plus, FINITE),
    GLS_FIELD(glissade_rprop_options, step_min, FINITE),
    GLS_FIELD(glissade_rprop_options, step_max, FINITE),
    {NULL, 0, 0},
};

static glissade_status check(const void *options, glissade_error *error) {
    const glissade_rprop_options *rprop = options;
    if (rprop->eta_plus < 1)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_HYPERPARAMETER,
                             "eta_plus is %s; accepted: from 1 to the largest float",
                             gls_number_format(rprop->eta_plus).text);
    if (rprop->step_min > rprop->step_max)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                             "step_min is %s and step_max %s; accepted: step_min up to step_max",
                             gls_number_format(rprop->step_min).text,
                             gls_number_format(rprop->step_max).text);
    return GLISSADE_STATUS_OK;
}

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_rprop;
}

/* In the order of simd/rules/rprop.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_rprop_options *rprop = context->options;
    c[GLS_SCALAR_MINUS_ETA] = -1;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = context->t == 1;
    *own++ = rprop->learning_rate;
    *own++ = rprop->eta_minus;
    *own++ = rprop->eta_plus;
    *own++ = rprop->step_min;
    *own++ = rprop->step_max;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_rprop_options", {sizeof(glissade_rprop_options)}},
    .defaults = &defaults,
    .fields = fields,
    .check = check,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "rprop",
    .options_size = sizeof(glissade_rprop_options),
    .rule = &rule,
    .state_names = {"prev", "step_size"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .plain_states = 1u << 1,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(rprop, algorithm);
