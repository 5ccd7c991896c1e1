/* SPDX-License-Identifier: Apache-2.0 */
/* The cases of the bits program: every combination of hyperparameters that chooses another kernel or other
 * scalars. */
#include "bits_cases.h"

const size_t bits_lengths[BITS_TENSORS] = {0, 1, 7, 255, 1000, 16384, 16385, 100000, 300007, 3};

#define COUPLED    .decay = GLISSADE_DECAY_COUPLED, .weight_decay = 0.013
#define DECOUPLED  .decay = GLISSADE_DECAY_DECOUPLED, .weight_decay = 0.31
#define UNDAMPENED .first_step = GLISSADE_FIRST_STEP_UNDAMPENED
#define DEFERRED   .defer_threshold = 0.5
#define RELATIVE   .defer_threshold = 1.25, .defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS
#define EWMA       .momentum = 0.9, .dampening = 0.9, .debias = true

bits_case bits_cases[] = {
    {"model-plain", {.learning_rate = 0.1}, 1, FILL_SPRINKLED, 0},
    {"model-plain-coupled", {COUPLED}, 3, FILL_SPRINKLED, 0},
    {"model-plain-decoupled-maximize", {DECOUPLED, .maximize = true}, 1, FILL_SPRINKLED, 0},
    {"model-momentum", {.momentum = 0.9}, 1, FILL_SPRINKLED, 0},
    {"model-momentum-dampened", {.momentum = 0.99, .dampening = 0.3}, -7, FILL_SPRINKLED, 0},
    {"model-momentum-coupled", {.momentum = 0.9, COUPLED}, 1, FILL_SPRINKLED, 0},
    {"model-momentum-decoupled", {.momentum = 0.9, DECOUPLED}, 1, FILL_SPRINKLED, 0},
    {"model-undampened", {.momentum = 0.9, .dampening = 0.5, UNDAMPENED}, 1, FILL_SPRINKLED, 0},
    {"model-undampened-coupled",
     {.momentum = 0.9, .dampening = 0.4, UNDAMPENED, COUPLED},
     1,
     FILL_SPRINKLED,
     0},
    {"model-undampened-decoupled",
     {.momentum = 0.9, .dampening = 0.6, UNDAMPENED, DECOUPLED},
     1,
     FILL_SPRINKLED,
     0},
    {"model-ewma", {EWMA}, 1, FILL_SPRINKLED, 0},
    {"model-ewma-coupled", {EWMA, COUPLED}, 65536, FILL_SPRINKLED, 0},
    {"model-ewma-decoupled", {EWMA, DECOUPLED}, 1, FILL_SPRINKLED, 0},
    {"model-ewma-flushing", {EWMA}, 1, FILL_NEAR_MIN, 0},
    {"model-ewma-keeping", {EWMA}, 1, FILL_NEAR_MIN, 1},
    {"model-deferred", {DEFERRED}, 1, FILL_ORDINARY, 0},
    {"model-deferred-relative-coupled", {RELATIVE, COUPLED}, -3, FILL_ORDINARY, 0},
    {"model-deferred-momentum-decoupled", {.momentum = 0.9, DEFERRED, DECOUPLED}, 1, FILL_SPRINKLED, 0},
    {"model-deferred-ewma-relative", {EWMA, RELATIVE, .maximize = true}, 1, FILL_ORDINARY, 0},
    {"model-deferred-ewma-keeping", {EWMA, .defer_threshold = 0x1p-126}, 1, FILL_NEAR_MIN, 1},
    {"model-deferred-nesterov-relative-coupled",
     {.momentum = 0.9, .nesterov = true, RELATIVE, COUPLED},
     1,
     FILL_ORDINARY,
     0},
    {"model-nesterov", {.momentum = 0.9, .nesterov = true}, 1, FILL_SPRINKLED, 0},
    {"model-nesterov-coupled", {.momentum = 0.9, .nesterov = true, COUPLED}, 1, FILL_MIXED, 0},
    {"model-nesterov-undampened",
     {.momentum = 0.9, .dampening = 0.3, .nesterov = true, UNDAMPENED},
     1,
     FILL_SPRINKLED,
     0},
    {"model-nesterov-debiased", {EWMA, .nesterov = true}, 1, FILL_SPRINKLED, 0},
    {"model-nesterov-debiased-decoupled", {EWMA, .nesterov = true, DECOUPLED}, 1, FILL_SPRINKLED, 0},
};

const size_t bits_case_count = sizeof bits_cases / sizeof *bits_cases;

glissade_sgd_options bits_flat_options = {EWMA, COUPLED};

static void complete(glissade_sgd_options *options) {
    glissade_sgd_options defaults;
    glissade_sgd_options_init(&defaults, sizeof defaults);
    options->size = defaults.size;
    if (options->learning_rate == 0)
        options->learning_rate = 0.017;
}

void bits_cases_init(void) {
    for (size_t i = 0; i < bits_case_count; i++)
        complete(&bits_cases[i].options);
    complete(&bits_flat_options);
}
