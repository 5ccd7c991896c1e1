/* SPDX-License-Identifier: Apache-2.0 */
/* Quasi-hyperbolic momentum: hyperparameters and scalars. */
#include "glissade/qhm.h"

#include "rule.h"

static const glissade_qhm_options defaults = {
    .size = sizeof(glissade_qhm_options),
    .learning_rate = 0.01,
    .decay = GLISSADE_DECAY_COUPLED,
    .beta = 0.9,
    .nu = 0.7,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_qhm_options, beta, FRACTION),
    GLS_FIELD(glissade_qhm_options, nu, UNIT),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 1;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_qhm;
}

/* In the order of simd/rules/qhm.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_qhm_options *qhm = context->options;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = qhm->beta;
    *own++ = 1 - qhm->beta;
    *own++ = qhm->nu;
    *own++ = 1 - qhm->nu;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_qhm_options", {sizeof(glissade_qhm_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "qhm",
    .options_size = sizeof(glissade_qhm_options),
    .rule = &rule,
    .state_names = {"momentum_buffer"},
    GLS_RULE_ONE_PASS,
    .most_states = 1,
    .is_timeless = gls_rule_is_timeless,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(qhm, algorithm);
