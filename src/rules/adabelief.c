/* SPDX-License-Identifier: Apache-2.0 */
/* AdaBelief: hyperparameters and scalars. */
#include "glissade/adabelief.h"

#include <math.h>

#include "debias.h"
#include "rule.h"

static const glissade_adabelief_options defaults = {
    .size = sizeof(glissade_adabelief_options),
    .learning_rate = 0.001,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-16,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_adabelief_options, beta1, FRACTION),
    GLS_FIELD(glissade_adabelief_options, beta2, FRACTION),
    GLS_FIELD(glissade_adabelief_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options, (void)phase;
    return GLS_RULE_adabelief;
}

/* In the order of simd/rules/adabelief.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adabelief_options *adabelief = context->options;
    c[GLS_SCALAR_MINUS_ETA] = -adabelief->learning_rate / gls_debias(adabelief->beta1, context->t);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = adabelief->beta1;
    *own++ = 1 - adabelief->beta1;
    *own++ = adabelief->beta2;
    *own++ = 1 - adabelief->beta2;
    *own++ = 1 / sqrt(gls_debias(adabelief->beta2, context->t));
    *own++ = adabelief->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adabelief_options", {sizeof(glissade_adabelief_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adabelief",
    .options_size = sizeof(glissade_adabelief_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adabelief, algorithm);
