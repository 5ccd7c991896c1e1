/* SPDX-License-Identifier: Apache-2.0 */
/* RMSprop: hyperparameters and scalars. */
#include "glissade/rmsprop.h"

#include "rule.h"

static const glissade_rmsprop_options defaults = {
    .size = sizeof(glissade_rmsprop_options),
    .learning_rate = 0.01,
    .decay = GLISSADE_DECAY_COUPLED,
    .alpha = 0.99,
    .eps = 1e-8,
};

static const gls_field fields[] = {
    GLS_FLAG(glissade_rmsprop_options, centered),
    GLS_FIELD(glissade_rmsprop_options, alpha, FRACTION),
    GLS_FIELD(glissade_rmsprop_options, eps, FINITE),
    GLS_FIELD(glissade_rmsprop_options, momentum, FRACTION),
    {NULL, 0, 0},
};

static uint32_t states(const gls_group *group) {
    const glissade_rmsprop_options *rmsprop = group->options;
    return rmsprop->centered ? 3 : rmsprop->momentum != 0 ? 2 : 1;
}

static const char *refuses_torch(const gls_group *group) {
    return ((const glissade_rmsprop_options *)group->options)->centered
               ? "with centered, torch.optim's square_avg is the average of squares, here it is the variance"
               : NULL;
}

static gls_rule kernel(const void *options, uint32_t phase) {
    const glissade_rmsprop_options *rmsprop = options;
    (void)phase;
    return rmsprop->centered        ? GLS_RULE_rmsprop_centered
           : rmsprop->momentum != 0 ? GLS_RULE_rmsprop_momentum
                                    : GLS_RULE_rmsprop;
}

/* In the order of simd/rules/rmsprop.h. */
static void scalars(const gls_rule_context *context, double *c) {
    const glissade_rmsprop_options *rmsprop = context->options;
    const double kappa = 1 - rmsprop->alpha;
    double *own = c + GLS_SCALAR_OWN;
    *own++ = rmsprop->alpha;
    *own++ = kappa;
    *own++ = rmsprop->alpha * kappa;
    *own++ = rmsprop->eps;
    *own++ = rmsprop->momentum;
}

static const struct gls_rule_table rule = {
    .layout = {"glissade_rmsprop_options", {sizeof(glissade_rmsprop_options)}},
    .defaults = &defaults,
    .fields = fields,
    .kernel = kernel,
    .scalars = scalars,
};

static const gls_algorithm algorithm = {
    .name = "rmsprop",
    .options_size = sizeof(glissade_rmsprop_options),
    .rule = &rule,
    .state_names = {"square_avg", "momentum_buffer", "grad_avg"},
    GLS_RULE_ONE_PASS,
    .most_states = 3,
    .unsigned_states = 1u << 0,
    .is_timeless = gls_rule_is_timeless,
    .refuses_torch = refuses_torch,
    .states = states,
    GLS_RULE_MEMBERS,
};

GLS_RULE_CALLS(rmsprop, algorithm);
