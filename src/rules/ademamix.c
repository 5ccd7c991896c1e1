/* SPDX-License-Identifier: Apache-2.0 */
/* AdEMAMix: hyperparameters and scalars. */
#include "glissade/ademamix.h"

#include <math.h>

#include "debias.h"
#include "elementary.h"
#include "rule.h"

static const glissade_ademamix_options defaults = {
    .size = sizeof(glissade_ademamix_options),
    .learning_rate = 0.001,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .beta3 = 0.9999,
    .alpha = 5,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_ademamix_options, beta1, FRACTION),
    GLS_FIELD(glissade_ademamix_options, beta2, FRACTION),
    GLS_FIELD(glissade_ademamix_options, eps, FINITE),
    GLS_FIELD(glissade_ademamix_options, beta3, FRACTION),
    GLS_FIELD(glissade_ademamix_options, alpha, FINITE),
    GLS_COUNT(glissade_ademamix_options, warmup),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 3;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_ademamix;
}

typedef struct slow {
    double alpha, beta;
} slow;

/* log(0) is -infinity and its inverse a zero, as the header has it; if both are, the sum is -0 and the result exp of
 * -infinity, 0. */
static slow warm_up(const glissade_ademamix_options *mix, uint64_t t) {
    if (t >= mix->warmup)
        return (slow){mix->alpha, mix->beta3};
    const double part = (double)t / (double)mix->warmup;
    const double start = (1 - part) / gls_log(mix->beta1), end = part / gls_log(mix->beta3);
    return (slow){part * mix->alpha, gls_exp(1 / (start + end))};
}

/* In the order of simd/rules/ademamix.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_ademamix_options *mix = context->options;
    const double d1 = gls_debias(mix->beta1, context->t), d2 = gls_debias(mix->beta2, context->t);
    const slow now = warm_up(mix, context->t);
    c[GLS_SCALAR_MINUS_ETA] = -mix->learning_rate / d1;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = mix->beta1;
    *own++ = 1 - mix->beta1;
    *own++ = mix->beta2;
    *own++ = 1 - mix->beta2;
    *own++ = now.beta;
    *own++ = 1 - now.beta;
    *own++ = now.alpha * d1;
    *own++ = 1 / sqrt(d2);
    *own++ = mix->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_ademamix_options", {sizeof(glissade_ademamix_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "ademamix",
    .options_size = sizeof(glissade_ademamix_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq", "exp_avg_slow"},
    GLS_RULE_ONE_PASS,
    .most_states = 3,
    .unsigned_states = 1u << 1,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(ademamix, algorithm);
