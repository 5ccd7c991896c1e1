/* SPDX-License-Identifier: Apache-2.0 */
/* Adamax: hyperparameters and scalars. */
#include "glissade/adamax.h"

#include "debias.h"
#include "rule.h"

static const glissade_adamax_options defaults = {
    .size = sizeof(glissade_adamax_options),
    .learning_rate = 0.002,
    .decay = GLISSADE_DECAY_COUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_adamax_options, beta1, FRACTION),
    GLS_FIELD(glissade_adamax_options, beta2, FRACTION),
    GLS_FIELD(glissade_adamax_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_adamax;
}

/* In the order of simd/rules/adamax.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adamax_options *adamax = context->options;
    c[GLS_SCALAR_MINUS_ETA] = -adamax->learning_rate / gls_debias(adamax->beta1, context->t);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = adamax->beta1;
    *own++ = 1 - adamax->beta1;
    *own++ = -(1 - adamax->beta2);
    *own++ = adamax->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adamax_options", {sizeof(glissade_adamax_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adamax",
    .options_size = sizeof(glissade_adamax_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_inf"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adamax, algorithm);
