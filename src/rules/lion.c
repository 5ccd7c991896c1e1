/* SPDX-License-Identifier: Apache-2.0 */
/* Lion: hyperparameters and scalars. */
#include "glissade/lion.h"

#include "rule.h"

static const glissade_lion_options defaults = {
    .size = sizeof(glissade_lion_options),
    .learning_rate = 0.0001,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta1 = 0.9,
    .beta2 = 0.99,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_lion_options, beta1, FRACTION),
    GLS_FIELD(glissade_lion_options, beta2, FRACTION),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 1;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_lion;
}

/* In the order of simd/rules/lion.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_lion_options *lion = context->options;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = lion->beta1;
    *own++ = 1 - lion->beta1;
    *own++ = lion->beta2;
    *own++ = 1 - lion->beta2;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_lion_options", {sizeof(glissade_lion_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "lion",
    .options_size = sizeof(glissade_lion_options),
    .rule = &rule,
    .state_names = {"exp_avg"},
    GLS_RULE_ONE_PASS,
    .most_states = 1,
    .is_timeless = gls_rule_is_timeless,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(lion, algorithm);
