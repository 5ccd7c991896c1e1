/* SPDX-License-Identifier: Apache-2.0 */
/* Adagrad: hyperparameters and scalars. */
#include "glissade/adagrad.h"

#include "rule.h"

static const glissade_adagrad_options defaults = {
    .size = sizeof(glissade_adagrad_options),
    .learning_rate = 0.01,
    .decay = GLISSADE_DECAY_COUPLED,
    .eps = 1e-10,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_adagrad_options, lr_decay, FINITE),
    GLS_FIELD(glissade_adagrad_options, initial_accumulator, FINITE),
    GLS_FIELD(glissade_adagrad_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 1;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_adagrad;
}

/* In the order of simd/rules/adagrad.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adagrad_options *adagrad = context->options;
    c[GLS_SCALAR_MINUS_ETA] = -adagrad->learning_rate / (1 + (double)(context->t - 1) * adagrad->lr_decay);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = context->t == 1 ? adagrad->initial_accumulator : 0;
    *own++ = adagrad->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adagrad_options", {sizeof(glissade_adagrad_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adagrad",
    .options_size = sizeof(glissade_adagrad_options),
    .rule = &rule,
    .state_names = {"sum"},
    GLS_RULE_ONE_PASS,
    .most_states = 1,
    .unsigned_states = 1u << 0,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adagrad, algorithm);
