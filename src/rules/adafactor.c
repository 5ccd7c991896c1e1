/* SPDX-License-Identifier: Apache-2.0 */
/* Adafactor: hyperparameters and scalars. The averages of rows and columns are in factors.c. */
#include "glissade/adafactor.h"

#include <math.h>

#include "elementary.h"
#include "rule.h"

static const glissade_adafactor_options defaults = {
    .size = sizeof(glissade_adafactor_options),
    .learning_rate = 0.01,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta2_decay = -0.8,
    .eps1 = 0x1p-23,
    .eps2 = 0.001,
    .d = 1,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_adafactor_options, beta2_decay, NEGATIVE),
    GLS_FIELD(glissade_adafactor_options, eps1, FINITE),
    GLS_FIELD(glissade_adafactor_options, eps2, FINITE),
    GLS_FIELD(glissade_adafactor_options, d, POSITIVE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 1;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    return phase == 0 ? GLS_RULE_adafactor_moments : GLS_RULE_adafactor_apply;
}

static double factor_weight(const gls_group *group, uint64_t t) {
    return gls_pow((double)t, ((const glissade_adafactor_options *)group->options)->beta2_decay);
}

static double factor_floor(const gls_group *group) {
    return ((const glissade_adafactor_options *)group->options)->eps1;
}

/* max(a, b), NaN if b is. */
static double largest(double a, double b) {
    return b <= a ? a : b;
}

/* Norms are those of the parameter and of the direction. */
static double rate(const glissade_adafactor_options *adafactor, const gls_rule_context *context) {
    const double elements = sqrt((double)context->length), t = (double)context->t;
    const double p = context->norms[0] / elements, u = context->norms[1] / elements, bound = 1 / sqrt(t);
    const double relative = bound < adafactor->learning_rate ? bound : adafactor->learning_rate;
    return largest(adafactor->eps2, p) * relative / largest(1, u / adafactor->d);
}

/* In the order of simd/rules/adafactor.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_adafactor_options *adafactor = context->options;
    const double new = gls_pow((double)context->t, adafactor->beta2_decay);
    if (context->phase == 1)
        c[GLS_SCALAR_MINUS_ETA] = -rate(adafactor, context);
    double *own = c + GLS_SCALAR_OWN;
    *own++ = new;
    *own++ = 1 - new;
    *own++ = adafactor->eps1 * adafactor->eps1;
    *own++ = context->factored;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_adafactor_options", {sizeof(glissade_adafactor_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "adafactor",
    .options_size = sizeof(glissade_adafactor_options),
    .rule = &rule,
    .state_names = {"variance"},
    .phases = 2,
    .phase = {{.reads_gradient = true, .reads_states = true, .writes_states = true, .measures = true},
              {.reads_gradient = true, .reads_states = true, .writes_parameter = true}},
    .most_states = 1,
    .unsigned_states = 1u << 0,
    .own_norms = true,
    .states = states,
    .factor_weight = factor_weight,
    .factor_floor = factor_floor,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(adafactor, algorithm);
