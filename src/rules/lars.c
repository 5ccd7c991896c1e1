/* SPDX-License-Identifier: Apache-2.0 */
/* LARS: hyperparameters and scalars. */
#include "glissade/lars.h"

#include "rule.h"

static const glissade_lars_options defaults = {
    .size = sizeof(glissade_lars_options),
    .learning_rate = 0.1,
    .weight_decay = 1e-4,
    .decay = GLISSADE_DECAY_COUPLED,
    .momentum = 0.9,
    .trust = 0.001,
    .eps = 1e-8,
};

static const gls_field fields[] = {
    GLS_FIELD(glissade_lars_options, momentum, FRACTION),
    GLS_FIELD(glissade_lars_options, trust, FINITE),
    GLS_FIELD(glissade_lars_options, eps, FINITE),
    {NULL, 0, 0},
};

static glissade_status check(const void *options, glissade_error *error) {
    if (((const glissade_lars_options *)options)->decay == GLISSADE_DECAY_COUPLED)
        return GLISSADE_STATUS_OK;
    return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                         "decay is DECOUPLED; under lars, whose rate depends on the decay, it is COUPLED");
}

static uint32_t states(const gls_group *group) {
    (void)group;
    return 1;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    (void)options;
    return phase == 0 ? GLS_RULE_COUNT : GLS_RULE_lars;
}

/* In the order of simd/rules/lars.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_lars_options *lars = context->options;
    double local = 1;
    if (context->phase == 1) {
        const double p = context->norms[0], g = context->norms[1] * context->factor;
        if (p > 0 && g > 0)
            local = lars->trust * p / (g + lars->weight_decay * p + lars->eps);
        else if (!(p >= 0 && g >= 0))
            local = p + g; /* NaN */
    }
    double *own = c + GLS_SCALAR_OWN;
    *own++ = lars->momentum;
    *own++ = local;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_lars_options", {sizeof(glissade_lars_options)}},
    .defaults = &defaults,
    .fields = fields,
    .check = check,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "lars",
    .options_size = sizeof(glissade_lars_options),
    .rule = &rule,
    .state_names = {"momentum_buffer"},
    .phases = 2,
    .phase =
        {{.reads_gradient = true, .measures = true},
         {.reads_gradient = true, .reads_states = true, .writes_states = true, .writes_parameter = true}},
    .most_states = 1,
    .own_norms = true,
    .is_timeless = gls_rule_is_timeless,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(lars, algorithm);
