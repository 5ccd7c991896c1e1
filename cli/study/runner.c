/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a run. Every update of a parameter is made by glissade_optimizer_step; dropping small gradients,
 * which the library does not offer, changes gradients before it.
 */
#include "runner.h"

enum { STREAM_NOISE = 3 }; /* of the seed; learner.c uses the others */

static glissade_status add_sgd(glissade_optimizer *optimizer, const glissade_tensor *tensors, size_t count,
                               const void *options, uint32_t *group) {
    return glissade_optimizer_add_sgd(optimizer, tensors, count, options, group);
}

enum exit_code runner_create(struct runner *runner, const struct run_settings *settings,
                             const struct dataset *dataset, uint64_t capacity) {
    *runner = (struct runner){.settings = settings, .dataset = dataset, .used = settings->images};
    random_seed(&runner->noise, settings->seed, STREAM_NOISE);
    glissade_sgd_options options = arm_options(settings->arm, settings->momentum, settings->rate);
    if (settings->handling == HANDLING_DEFER) {
        options.defer_threshold = settings->threshold;
        options.defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS;
    }
    const struct learner_settings learner = {
        .command = "study",
        .plan = settings->network,
        .add = add_sgd,
        .options = &options,
        .seed = settings->seed,
        .images = settings->images,
        .capacity = settings->batch > capacity ? settings->batch : capacity,
        .threads = 1,
    };
    return learner_create(&runner->learner, &learner, dataset);
}

void runner_destroy(struct runner *runner) {
    learner_destroy(&runner->learner);
}

/* ---- training ---- */

/* The next batch's first place in the order. What is left of the images and fills no batch is passed over. */
static size_t next_batch(struct runner *runner) {
    const struct run_settings *settings = runner->settings;
    if (runner->used + settings->batch > settings->images) {
        random_shuffle(&runner->learner.shuffle, runner->learner.order, settings->images);
        runner->used = 0;
    }
    size_t first = runner->used;
    runner->used += settings->batch;
    return first;
}

enum exit_code runner_train_batch(struct runner *runner, double *loss, double *acted) {
    const struct run_settings *settings = runner->settings;
    struct network *network = &runner->learner.network;
    network_load(network, &runner->dataset->train, runner->learner.order, next_batch(runner),
                 settings->batch);
    network_forward(network, settings->batch);
    *loss = network_loss(network, settings->batch) / (double)settings->batch;
    network_backward(network, settings->batch);
    if (settings->handling == HANDLING_DROP)
        *acted = gradients_drop(network, &runner->history, settings->threshold);
    glissade_step_report report = {.size = sizeof report};
    glissade_status status = glissade_optimizer_step(runner->learner.optimizer, NULL, &report);
    if (settings->handling != HANDLING_DROP)
        *acted = (double)report.acted / (double)report.elements;
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK : learner_failure(&runner->learner, status);
}

const uint32_t *runner_last_batch(const struct runner *runner) {
    return runner->learner.order + (runner->used - runner->settings->batch);
}
