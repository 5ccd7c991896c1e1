/* SPDX-License-Identifier: Apache-2.0 */
/* Adam, AdamW and AMSGrad: hyperparameters and scalars. */
#include "glissade/adam.h"

#include <math.h>

#include "debias.h"
#include "rule.h"

static const glissade_adam_options defaults = {
    .size = sizeof(glissade_adam_options),
    .learning_rate = 0.001,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .debias = true,
};

static const gls_field fields[] = {
    GLS_FLAG(glissade_adam_options, amsgrad),          GLS_FLAG(glissade_adam_options, debias),
    GLS_FIELD(glissade_adam_options, beta1, FRACTION), GLS_FIELD(glissade_adam_options, beta2, FRACTION),
    GLS_FIELD(glissade_adam_options, eps, FINITE),     {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    return ((const glissade_adam_options *)group->options)->amsgrad ? 3 : 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)phase;
    return ((const glissade_adam_options *)options)->amsgrad ? GLS_RULE_amsgrad : GLS_RULE_adam;
}

/* In the order of simd/rules/adam.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adam_options *adam = context->options;
    const double d1 = adam->debias ? gls_debias(adam->beta1, context->t) : 1,
                 d2 = adam->debias ? gls_debias(adam->beta2, context->t) : 1;
    c[GLS_SCALAR_MINUS_ETA] = -adam->learning_rate / d1;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = adam->beta1;
    *own++ = 1 - adam->beta1;
    *own++ = adam->beta2;
    *own++ = 1 - adam->beta2;
    *own++ = 1 / sqrt(d2);
    *own++ = adam->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adam_options", {sizeof(glissade_adam_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adam",
    .options_size = sizeof(glissade_adam_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq", "max_exp_avg_sq"},
    GLS_RULE_ONE_PASS,
    .most_states = 3,
    .unsigned_states = 1u << 1 | 1u << 2,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adam, algorithm);
