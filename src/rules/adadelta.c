/* SPDX-License-Identifier: Apache-2.0 */
/* Adadelta: hyperparameters and scalars. */
#include "glissade/adadelta.h"

#include "rule.h"

static const glissade_adadelta_options defaults = {
    .size = sizeof(glissade_adadelta_options),
    .learning_rate = 1,
    .decay = GLISSADE_DECAY_COUPLED,
    .rho = 0.9,
    .eps = 1e-6,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_adadelta_options, rho, FRACTION),
    GLS_FIELD(glissade_adadelta_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_adadelta;
}

/* In the order of simd/rules/adadelta.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adadelta_options *adadelta = context->options;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = adadelta->rho;
    *own++ = 1 - adadelta->rho;
    *own++ = adadelta->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adadelta_options", {sizeof(glissade_adadelta_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adadelta",
    .options_size = sizeof(glissade_adadelta_options),
    .rule = &rule,
    .state_names = {"square_avg", "acc_delta"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 0 | 1u << 1,
    .is_timeless = gls_rule_is_timeless,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adadelta, algorithm);
