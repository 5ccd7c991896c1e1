/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training run, epoch by epoch. Every update of a parameter is made by glissade_optimizer_step; nothing
 * here may touch one between its initialisation and the end.
 */
#include "trainer.h"

#include "blas.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TEST_BATCH = 500,
    STREAM_WEIGHTS = 1, /* streams of the seed */
    STREAM_ORDER = 2
};

static enum exit_code report_memory(void) {
    report_error("train: out of memory");
    return EXIT_CODE_FAILED;
}

static enum exit_code create_arrays(struct trainer *trainer) {
    struct network *network = &trainer->network;
    glissade_error error;
    glissade_status status = glissade_arrays_create(trainer->optimizer, network->lengths,
                                                    network->tensor_count, &trainer->parameters, &error);
    if (status == GLISSADE_STATUS_OK)
        status = glissade_arrays_create(trainer->optimizer, network->lengths, network->tensor_count,
                                        &trainer->gradients, &error);
    if (status != GLISSADE_STATUS_OK) {
        report_error("train: %s", error.message);
        return report_exit_code(status);
    }
    for (size_t i = 0; i < network->tensor_count; ++i) {
        network->parameters[i] = glissade_arrays_get(trainer->parameters, i);
        network->gradients[i] = glissade_arrays_get(trainer->gradients, i);
    }
    return EXIT_CODE_OK;
}

static enum exit_code add_group(struct trainer *trainer) {
    const struct network *network = &trainer->network;
    glissade_tensor tensors[TENSORS_MAXIMUM];
    for (size_t i = 0; i < network->tensor_count; ++i) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = network->parameters[i];
        tensors[i].gradient = network->gradients[i];
        tensors[i].length = network->lengths[i];
    }
    glissade_sgd_options options;
    glissade_sgd_options_init(&options, sizeof options);
    options.learning_rate = trainer->settings.learning_rate;
    options.momentum = trainer->settings.momentum;
    options.dampening = trainer->settings.dampening;
    options.weight_decay = trainer->settings.weight_decay;
    options.nesterov = trainer->settings.nesterov;
    options.debias = trainer->settings.debias;
    glissade_status status = glissade_optimizer_add_sgd(trainer->optimizer, tensors, network->tensor_count,
                                                        &options, &trainer->group);
    if (status != GLISSADE_STATUS_OK)
        return report_optimizer("train", trainer->optimizer, status);
    return EXIT_CODE_OK;
}

static enum exit_code create_optimizer(struct trainer *trainer) {
    enum exit_code exit_code =
        report_engine_create((uint32_t)trainer->settings.threads, GLISSADE_UNSET, &trainer->engine);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    glissade_error error;
    glissade_status status = glissade_optimizer_create(trainer->engine, &trainer->optimizer, &error);
    if (status != GLISSADE_STATUS_OK) {
        report_error("train: %s", error.message);
        return report_exit_code(status);
    }
    trainer->info.size = sizeof trainer->info;
    status = glissade_engine_get_info(trainer->engine, &trainer->info);
    if (status != GLISSADE_STATUS_OK) {
        report_error("train: the engine cannot be inspected: %s", glissade_status_text(status));
        return report_exit_code(status);
    }
    exit_code = create_arrays(trainer);
    return exit_code == EXIT_CODE_OK ? add_group(trainer) : exit_code;
}

enum exit_code trainer_create(struct trainer *trainer, const struct train_settings *settings,
                              const struct dataset *dataset) {
    memset(trainer, 0, sizeof *trainer);
    trainer->settings = *settings;
    trainer->dataset = dataset;
    if (trainer->settings.batch_size > dataset->train.count)
        trainer->settings.batch_size = dataset->train.count;
    size_t capacity = trainer->settings.batch_size > TEST_BATCH ? trainer->settings.batch_size : TEST_BATCH;
    trainer->order = malloc(dataset->train.count * sizeof *trainer->order);
    if (!network_create(&trainer->network, &network_mlp, capacity) || trainer->order == NULL)
        return report_memory();

    enum exit_code exit_code = create_optimizer(trainer);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    blas_set_threads(trainer->info.threads);
    struct random_source weights;
    random_seed(&weights, settings->seed, STREAM_WEIGHTS);
    network_initialise(&trainer->network, &weights);
    network_normalise(&trainer->network, &dataset->train);
    random_seed(&trainer->shuffle, settings->seed, STREAM_ORDER);
    for (size_t i = 0; i < dataset->train.count; ++i)
        trainer->order[i] = (uint32_t)i;
    return EXIT_CODE_OK;
}

void trainer_destroy(struct trainer *trainer) {
    glissade_optimizer_destroy(&trainer->optimizer);
    glissade_arrays_destroy(&trainer->parameters);
    glissade_arrays_destroy(&trainer->gradients);
    glissade_engine_destroy(&trainer->engine);
    network_destroy(&trainer->network);
    free(trainer->order);
    trainer->order = NULL;
}

static double test_accuracy(struct trainer *trainer) {
    const struct labelled_images *images = &trainer->dataset->test;
    size_t correct = 0;
    for (size_t first = 0; first < images->count; first += TEST_BATCH) {
        size_t count = images->count - first < TEST_BATCH ? images->count - first : TEST_BATCH;
        network_load(&trainer->network, images, NULL, first, count);
        network_forward(&trainer->network, count);
        correct += network_count_correct(&trainer->network, count);
    }
    return (double)correct / (double)images->count;
}

/* The rate of a step, `progress` (0 to 1) of the whole run being done. */
static double scheduled_rate(const struct train_settings *settings, double progress) {
    return settings->learning_rate * (1.0 + (settings->final_rate - 1.0) * progress);
}

/* One mini-batch: loss and step seconds are added to *result. */
static glissade_status train_batch(struct trainer *trainer, size_t first, size_t count, double learning_rate,
                                   struct epoch_result *result) {
    struct network *network = &trainer->network;
    network_load(network, &trainer->dataset->train, trainer->order, first, count);
    network_forward(network, count);
    result->loss += network_loss(network, count);
    network_backward(network, count);
    double before = clock_seconds();
    glissade_status status =
        glissade_optimizer_set_learning_rate(trainer->optimizer, trainer->group, learning_rate);
    if (status == GLISSADE_STATUS_OK)
        status = glissade_optimizer_step(trainer->optimizer, NULL, NULL);
    result->step_seconds += clock_seconds() - before;
    return status;
}

/* Trains over all images once; the caller clears the progress bar. */
static glissade_status train_epoch(struct trainer *trainer, uint64_t epoch, struct progress *progress,
                                   struct epoch_result *result) {
    const struct train_settings *settings = &trainer->settings;
    size_t image_count = trainer->dataset->train.count, batch_size = settings->batch_size;
    char label[64];
    snprintf(label, sizeof label, "epoch %" PRIu64 "/%" PRIu64, epoch, settings->epochs);
    double before = clock_seconds();
    random_shuffle(&trainer->shuffle, trainer->order, image_count);
    for (size_t first = 0; first < image_count; first += batch_size) {
        size_t count = image_count - first < batch_size ? image_count - first : batch_size;
        double done = ((double)(epoch - 1) + (double)first / (double)image_count) / (double)settings->epochs;
        glissade_status status = train_batch(trainer, first, count, scheduled_rate(settings, done), result);
        if (status != GLISSADE_STATUS_OK)
            return status;
        progress_update(progress, label, first + count, image_count);
    }
    result->seconds = clock_seconds() - before;
    result->loss /= (double)image_count;
    return GLISSADE_STATUS_OK;
}

enum exit_code trainer_run_epoch(struct trainer *trainer, uint64_t epoch, struct progress *progress,
                                 struct epoch_result *result) {
    *result = (struct epoch_result){.loss = 0.0};
    glissade_status status = train_epoch(trainer, epoch, progress, result);
    progress_clear(progress);
    if (status != GLISSADE_STATUS_OK)
        return report_optimizer("train", trainer->optimizer, status);
    if (!isfinite(result->loss)) {
        report_error("train: the loss is no longer finite in epoch %" PRIu64
                     "; a lower '--learning-rate' may help",
                     epoch);
        return EXIT_CODE_FAILED;
    }
    result->accuracy = test_accuracy(trainer);
    return EXIT_CODE_OK;
}
