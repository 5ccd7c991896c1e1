/* SPDX-License-Identifier: Apache-2.0 */
/* Averaged SGD: hyperparameters and scalars. */
#include "glissade/asgd.h"

#include "elementary.h"
#include "rule.h"

static const glissade_asgd_options defaults = {
    .size = sizeof(glissade_asgd_options),
    .learning_rate = 0.01,
    .decay = GLISSADE_DECAY_COUPLED,
    .lambd = 0.0001,
    .alpha = 0.75,
    .t0 = 1e6,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_asgd_options, lambd, FINITE),
    GLS_FIELD(glissade_asgd_options, alpha, FINITE),
    GLS_FIELD(glissade_asgd_options, t0, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 1;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_asgd;
}

/* In the order of simd/rules/asgd.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_asgd_options *asgd = context->options;
    const double before = (double)(context->t - 1), averaged = before - asgd->t0;
    c[GLS_SCALAR_MINUS_ETA] =
        -asgd->learning_rate / gls_pow(1 + asgd->lambd * asgd->learning_rate * before, asgd->alpha);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = asgd->lambd;
    *own++ = averaged > 1 ? 1 / averaged : 1;
    *own++ = averaged <= 1;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_asgd_options", {sizeof(glissade_asgd_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "asgd",
    .options_size = sizeof(glissade_asgd_options),
    .rule = &rule,
    .state_names = {"ax"},
    GLS_RULE_ONE_PASS,
    .most_states = 1,
    .plain_states = 1u << 0,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(asgd, algorithm);
