/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps of a run. Every update of a parameter is made by glissade_optimizer_step; dropping small gradients,
 * which the library does not offer, changes gradients before it.
 */
#include "runner.h"

#include "../blas.h"

#include <stdlib.h>

enum { STREAM_WEIGHTS = 1, STREAM_ORDER = 2, STREAM_NOISE = 3 }; /* of the seed */

static enum exit_code report_memory(void) {
    report_error("study: out of memory");
    return EXIT_CODE_FAILED;
}

static enum exit_code report_failure(const struct runner *runner, glissade_status status,
                                     const glissade_error *error) {
    if (error != NULL) {
        report_error("study: %s", error->message);
        return report_exit_code(status);
    }
    return report_optimizer("study", runner->optimizer, status);
}

/* ---- set-up ---- */

static enum exit_code create_arrays(struct runner *runner) {
    struct network *network = &runner->network;
    glissade_error error;
    glissade_status status = glissade_arrays_create(runner->optimizer, network->lengths,
                                                    network->tensor_count, &runner->parameters, &error);
    if (status == GLISSADE_STATUS_OK)
        status = glissade_arrays_create(runner->optimizer, network->lengths, network->tensor_count,
                                        &runner->gradients, &error);
    if (status != GLISSADE_STATUS_OK)
        return report_failure(runner, status, &error);
    for (size_t i = 0; i < network->tensor_count; ++i) {
        network->parameters[i] = glissade_arrays_get(runner->parameters, i);
        network->gradients[i] = glissade_arrays_get(runner->gradients, i);
    }
    return EXIT_CODE_OK;
}

static enum exit_code add_group(struct runner *runner) {
    const struct run_settings *settings = runner->settings;
    const struct network *network = &runner->network;
    glissade_tensor tensors[TENSORS_MAXIMUM];
    for (size_t i = 0; i < network->tensor_count; ++i) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = network->parameters[i];
        tensors[i].gradient = network->gradients[i];
        tensors[i].length = network->lengths[i];
    }
    glissade_sgd_options options = arm_options(settings->arm, settings->momentum, settings->rate);
    if (settings->handling == HANDLING_DEFER) {
        options.defer_threshold = settings->threshold;
        options.defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS;
    }
    glissade_status status = glissade_optimizer_add_sgd(runner->optimizer, tensors, network->tensor_count,
                                                        &options, &runner->group);
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK : report_failure(runner, status, NULL);
}

static enum exit_code create_optimizer(struct runner *runner) {
    enum exit_code exit_code = report_engine_create(1, GLISSADE_UNSET, &runner->engine);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    glissade_error error;
    glissade_status status = glissade_optimizer_create(runner->engine, &runner->optimizer, &error);
    if (status != GLISSADE_STATUS_OK)
        return report_failure(runner, status, &error);
    exit_code = create_arrays(runner);
    return exit_code == EXIT_CODE_OK ? add_group(runner) : exit_code;
}

enum exit_code runner_create(struct runner *runner, const struct run_settings *settings,
                             const struct dataset *dataset, uint64_t capacity) {
    *runner = (struct runner){.settings = settings, .dataset = dataset};
    blas_set_threads(1);
    runner->order = malloc(settings->images * sizeof *runner->order);
    if (!network_create(&runner->network, settings->network,
                        settings->batch > capacity ? settings->batch : capacity) ||
        runner->order == NULL)
        return report_memory();
    enum exit_code exit_code = create_optimizer(runner);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    struct random_source weights;
    random_seed(&weights, settings->seed, STREAM_WEIGHTS);
    network_initialise(&runner->network, &weights);
    network_normalise(&runner->network, &dataset->train);
    random_seed(&runner->shuffle, settings->seed, STREAM_ORDER);
    random_seed(&runner->noise, settings->seed, STREAM_NOISE);
    for (size_t i = 0; i < settings->images; ++i)
        runner->order[i] = (uint32_t)i;
    runner->used = settings->images;
    return EXIT_CODE_OK;
}

void runner_destroy(struct runner *runner) {
    glissade_optimizer_destroy(&runner->optimizer);
    glissade_arrays_destroy(&runner->parameters);
    glissade_arrays_destroy(&runner->gradients);
    glissade_engine_destroy(&runner->engine);
    network_destroy(&runner->network);
    free(runner->order);
}

/* ---- training ---- */

/* The next batch's first place in the order. What is left of the images and fills no batch is passed over. */
static size_t next_batch(struct runner *runner) {
    const struct run_settings *settings = runner->settings;
    if (runner->used + settings->batch > settings->images) {
        random_shuffle(&runner->shuffle, runner->order, settings->images);
        runner->used = 0;
    }
    size_t first = runner->used;
    runner->used += settings->batch;
    return first;
}

enum exit_code runner_train_batch(struct runner *runner, double *loss, double *acted) {
    const struct run_settings *settings = runner->settings;
    struct network *network = &runner->network;
    network_load(network, &runner->dataset->train, runner->order, next_batch(runner), settings->batch);
    network_forward(network, settings->batch);
    *loss = network_loss(network, settings->batch) / (double)settings->batch;
    network_backward(network, settings->batch);
    if (settings->handling == HANDLING_DROP)
        *acted = gradients_drop(network, &runner->history, settings->threshold);
    glissade_step_report report = {.size = sizeof report};
    glissade_status status = glissade_optimizer_step(runner->optimizer, NULL, &report);
    if (settings->handling != HANDLING_DROP)
        *acted = (double)report.acted / (double)report.elements;
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK : report_failure(runner, status, NULL);
}

const uint32_t *runner_last_batch(const struct runner *runner) {
    return runner->order + (runner->used - runner->settings->batch);
}
