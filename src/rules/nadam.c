/* SPDX-License-Identifier: Apache-2.0 */
/* NAdam: hyperparameters and scalars. */
#include "glissade/nadam.h"

#include <math.h>

#include "debias.h"
#include "elementary.h"
#include "rule.h"

static const glissade_nadam_options defaults = {
    .size = sizeof(glissade_nadam_options),
    .learning_rate = 0.002,
    .decay = GLISSADE_DECAY_COUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
    .momentum_decay = 0.004,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_nadam_options, beta1, FRACTION),
    GLS_FIELD(glissade_nadam_options, beta2, FRACTION),
    GLS_FIELD(glissade_nadam_options, eps, FINITE),
    GLS_FIELD(glissade_nadam_options, momentum_decay, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_nadam;
}

/* mu(t) and 1 - mu(t); the latter as a sum, which cancels nothing. */
typedef struct momentum {
    double mu, rest;
} momentum;

static momentum momentum_at(const glissade_nadam_options *nadam, double t) {
    const double half = gls_pow(0.96, t * nadam->momentum_decay) / 2;
    return (momentum){nadam->beta1 * (1 - half), (1 - nadam->beta1) + nadam->beta1 * half};
}

/* E(t) from E(t - 1): 1 - mu (1 - e). Not the product itself, which would have to be 1 before the first step, cancels
 * while it is near 1, and underflows. */
static double joined(double e, momentum at) {
    return at.rest + at.mu * e;
}

static void advance(const gls_group *group, uint64_t t, double *numbers) {
    numbers[0] = joined(numbers[0], momentum_at(group->options, (double)t));
}

/* In the order of simd/rules/nadam.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_nadam_options *nadam = context->options;
    const double t = (double)context->t;
    const momentum now = momentum_at(nadam, t), next = momentum_at(nadam, t + 1);
    const double e = joined(context->numbers[0], now);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = nadam->beta1;
    *own++ = 1 - nadam->beta1;
    *own++ = nadam->beta2;
    *own++ = 1 - nadam->beta2;
    *own++ = next.mu / joined(e, next);
    *own++ = now.rest / e;
    *own++ = 1 / sqrt(gls_debias(nadam->beta2, context->t));
    *own++ = nadam->eps;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_nadam_options", {sizeof(glissade_nadam_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "nadam",
    .options_size = sizeof(glissade_nadam_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq"},
    .rest_name = "mu_product",
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .own_numbers = true,
    .states = states,
    .advance = advance,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(nadam, algorithm);
