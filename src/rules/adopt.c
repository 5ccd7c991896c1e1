/* SPDX-License-Identifier: Apache-2.0 */
/* ADOPT: hyperparameters and scalars. */
#include "glissade/adopt.h"

#include <math.h>

#include "rule.h"

static const glissade_adopt_options defaults = {
    .size = sizeof(glissade_adopt_options),
    .learning_rate = 0.001,
    .decay = GLISSADE_DECAY_COUPLED,
    .clip = true,
    .beta1 = 0.9,
    .beta2 = 0.9999,
    .eps = 1e-6,
};

static const gls_field fields[] = {
    GLS_FLAG(glissade_adopt_options, clip),
    GLS_FIELD(glissade_adopt_options, beta1, FRACTION),
    GLS_FIELD(glissade_adopt_options, beta2, FRACTION),
    GLS_FIELD(glissade_adopt_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_adopt;
}

/* In the order of simd/rules/adopt.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adopt_options *adopt = context->options;
    const bool first = context->t == 1;
    const double bound = adopt->clip ? sqrt(sqrt((double)(context->t - 1))) : HUGE_VAL;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = first;
    *own++ = adopt->beta1;
    *own++ = 1 - adopt->beta1;
    *own++ = first ? 0 : adopt->beta2;
    *own++ = first ? 1 : 1 - adopt->beta2;
    *own++ = adopt->eps;
    *own++ = bound;
    *own++ = -bound;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adopt_options", {sizeof(glissade_adopt_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adopt",
    .options_size = sizeof(glissade_adopt_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adopt, algorithm);
