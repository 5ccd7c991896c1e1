/* SPDX-License-Identifier: Apache-2.0 */
/* The rules that are compared, as settings of the library's SGD. Must not compute an update. */
#include "arms.h"

#include <string.h>

static const struct {
    const char *name;
    bool averages; /* dampening = momentum, so that the momentum is a weighted mean of gradients */
    bool nesterov, debias;
    glissade_first_step first_step;
} arms[ARM_COUNT] = {
    [ARM_PLAIN] = {.name = "plain"},
    [ARM_HEAVY_BALL] = {.name = "heavy-ball"},
    [ARM_UNDAMPENED] = {.name = "undampened", .averages = true, .first_step = GLISSADE_FIRST_STEP_UNDAMPENED},
    [ARM_EWMA] = {.name = "ewma", .averages = true},
    [ARM_DEBIASED] = {.name = "debiased", .averages = true, .debias = true},
    [ARM_NESTEROV] = {.name = "nesterov", .nesterov = true},
    [ARM_DEBIASED_NESTEROV] = {.name = "debiased-nesterov",
                               .averages = true,
                               .nesterov = true,
                               .debias = true},
};

const char *arm_name(enum arm arm) {
    return arms[arm].name;
}

enum arm arm_find(const char *name) {
    int arm = 0;
    while (arm < ARM_COUNT && strcmp(arms[arm].name, name) != 0)
        ++arm;
    return (enum arm)arm;
}

glissade_sgd_options arm_options(enum arm arm, double momentum, double rate) {
    glissade_sgd_options options;
    glissade_sgd_options_init(&options, sizeof options);
    options.learning_rate = rate;
    if (arm == ARM_PLAIN)
        return options;
    options.momentum = momentum;
    options.nesterov = arms[arm].nesterov;
    options.debias = arms[arm].debias;
    options.first_step = arms[arm].first_step;
    if (arms[arm].averages)
        options.dampening = momentum;
    else
        options.learning_rate = rate * (1.0 - momentum);
    return options;
}
