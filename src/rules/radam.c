/* SPDX-License-Identifier: Apache-2.0 */
/* RAdam: hyperparameters and scalars. */
#include "glissade/radam.h"

#include <math.h>

#include "debias.h"
#include "elementary.h"
#include "rule.h"

static const glissade_radam_options defaults = {
    .size = sizeof(glissade_radam_options),
    .learning_rate = 0.001,
    .decay = GLISSADE_DECAY_COUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-8,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_radam_options, beta1, FRACTION),
    GLS_FIELD(glissade_radam_options, beta2, FRACTION),
    GLS_FIELD(glissade_radam_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    (void)phase;
    return GLS_RULE_radam;
}

/* r, or 0 where a step is not rectified. */
static double rectifier(double beta2, double t, double d2) {
    const double limit = 2 / (1 - beta2) - 1, rho = limit - 2 * t * gls_pow(beta2, t) / d2;
    if (!(rho > 5))
        return 0;
    return sqrt((rho - 4) / (limit - 4) * ((rho - 2) / (limit - 2)) * (limit / rho));
}

/* In the order of simd/rules/radam.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_radam_options *radam = context->options;
    const double d2 = gls_debias(radam->beta2, context->t);
    const double r = rectifier(radam->beta2, (double)context->t, d2);
    const double correction = r > 0 ? r * sqrt(d2) : 1;
    c[GLS_SCALAR_MINUS_ETA] = -radam->learning_rate * correction / gls_debias(radam->beta1, context->t);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = radam->beta1;
    *own++ = 1 - radam->beta1;
    *own++ = radam->beta2;
    *own++ = 1 - radam->beta2;
    *own++ = radam->eps;
    *own++ = r > 0;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_radam_options", {sizeof(glissade_radam_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "radam",
    .options_size = sizeof(glissade_radam_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq"},
    GLS_RULE_ONE_PASS,
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(radam, algorithm);
