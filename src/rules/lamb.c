/* SPDX-License-Identifier: Apache-2.0 */
/* LAMB: hyperparameters and scalars. */
#include "glissade/lamb.h"

#include <math.h>

#include "debias.h"
#include "rule.h"

static const glissade_lamb_options defaults = {
    .size = sizeof(glissade_lamb_options),
    .learning_rate = 0.001,
    .weight_decay = 0.01,
    .decay = GLISSADE_DECAY_DECOUPLED,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .eps = 1e-6,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_lamb_options, beta1, FRACTION),
    GLS_FIELD(glissade_lamb_options, beta2, FRACTION),
    GLS_FIELD(glissade_lamb_options, eps, FINITE),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    (void)group;
    return 2;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    return phase == 0 ? GLS_RULE_lamb_moments : GLS_RULE_lamb_apply;
}

/* In the order of simd/rules/lamb.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_lamb_options *lamb = context->options;
    const double d1 = gls_debias(lamb->beta1, context->t), d2 = gls_debias(lamb->beta2, context->t);
    if (context->phase == 1) {
        const double p = context->norms[0], u = context->norms[1];
        const double ratio = p > 0 && u > 0 ? p / u : p >= 0 && u >= 0 ? 1 : p + u;
        c[GLS_SCALAR_MINUS_ETA] = -(lamb->learning_rate * ratio);
    }
    c[GLS_SCALAR_MINUS_LAMBDA] = 0;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = lamb->beta1;
    *own++ = 1 - lamb->beta1;
    *own++ = lamb->beta2;
    *own++ = 1 - lamb->beta2;
    *own++ = d1 / sqrt(d2);
    *own++ = lamb->eps * d1;
    *own++ = lamb->decay == GLISSADE_DECAY_DECOUPLED ? lamb->weight_decay : 0;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_lamb_options", {sizeof(glissade_lamb_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "lamb",
    .options_size = sizeof(glissade_lamb_options),
    .rule = &rule,
    .state_names = {"exp_avg", "exp_avg_sq"},
    .phases = 2,
    .phase = {{.reads_gradient = true, .reads_states = true, .writes_states = true, .measures = true},
              {.reads_states = true, .writes_parameter = true}},
    .most_states = 2,
    .unsigned_states = 1u << 1,
    .own_norms = true,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(lamb, algorithm);
