/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training run, epoch by epoch. Every update of a parameter is made by glissade_optimizer_step; nothing
 * here may touch one between its initialisation and the end.
 */
#include "trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum { TEST_BATCH = 500 };

enum exit_code trainer_create(struct trainer *trainer, const struct train_settings *settings,
                              const struct dataset *dataset) {
    *trainer = (struct trainer){.settings = *settings, .dataset = dataset};
    const struct optimizer *optimizer = settings->optimizer;
    uint64_t images = dataset->train.count, batch_size = settings->batch_size;
    batch_size = batch_size < images ? batch_size : images;
    trainer->settings.batch_size = batch_size;
    trainer->course = (struct course){.schedule = settings->schedule,
                                      .learning_rate = settings->hyperparameters.learning_rate,
                                      .final_rate = settings->final_rate,
                                      .warm_up = settings->warm_up,
                                      .steps = settings->epochs * ((images + batch_size - 1) / batch_size)};
    union rule_options options;
    optimizer_configure(optimizer, &settings->hyperparameters, trainer->course.steps, &options);
    const struct learner_settings learner = {
        .command = "train",
        .plan = &network_mlp,
        .add = optimizer->add,
        .options = &options,
        .seed = settings->seed,
        .images = images,
        .capacity = batch_size > TEST_BATCH ? batch_size : TEST_BATCH,
        .threads = (uint32_t)settings->threads,
        .bf16 = settings->bf16,
        .states = settings->states,
        .full_states = optimizer->full_states,
    };
    return learner_create(&trainer->learner, &learner, dataset);
}

void trainer_destroy(struct trainer *trainer) {
    learner_destroy(&trainer->learner);
}

/* ---- testing ---- */

static double test_accuracy(struct trainer *trainer) {
    const struct labelled_images *images = &trainer->dataset->test;
    struct network *network = &trainer->learner.network;
    size_t correct = 0;
    for (size_t first = 0; first < images->count; first += TEST_BATCH) {
        size_t count = images->count - first < TEST_BATCH ? images->count - first : TEST_BATCH;
        network_load(network, images, NULL, first, count);
        network_forward(network, count);
        correct += network_count_correct(network, count);
    }
    return (double)correct / (double)images->count;
}

static glissade_status test_at_point(struct trainer *trainer, double *accuracy) {
    struct learner *learner = &trainer->learner;
    glissade_status status =
        glissade_optimizer_set_point(learner->optimizer, learner->group, GLISSADE_POINT_EVALUATION);
    if (status != GLISSADE_STATUS_OK)
        return status;
    learner_take_parameters(learner);
    *accuracy = test_accuracy(trainer);
    status = glissade_optimizer_set_point(learner->optimizer, learner->group, GLISSADE_POINT_TRAINING);
    learner_take_parameters(learner);
    return status;
}

static glissade_status test_state(struct trainer *trainer, double *accuracy) {
    struct learner *learner = &trainer->learner;
    struct network *network = &learner->network;
    for (uint32_t i = 0; i < network->tensor_count; ++i) {
        glissade_tensor_info info = {.size = sizeof info};
        glissade_status status = glissade_optimizer_get_tensor(
            learner->optimizer, (glissade_tensor_ref){.group = learner->group, .index = i}, &info);
        if (status != GLISSADE_STATUS_OK)
            return status;
        network->parameters[i] = info.state[0];
    }
    *accuracy = test_accuracy(trainer);
    for (size_t i = 0; i < network->tensor_count; ++i)
        network->parameters[i] = glissade_arrays_get(learner->parameters, i);
    return GLISSADE_STATUS_OK;
}

static glissade_status test(struct trainer *trainer, double *accuracy) {
    switch (trainer->settings.optimizer->evaluation) {
    case EVALUATE_POINT:
        return test_at_point(trainer, accuracy);
    case EVALUATE_STATE:
        return test_state(trainer, accuracy);
    default:
        *accuracy = test_accuracy(trainer);
        return GLISSADE_STATUS_OK;
    }
}

/* ---- training ---- */

static glissade_status make_step(struct trainer *trainer, double learning_rate) {
    struct learner *learner = &trainer->learner;
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.clip_norm = trainer->settings.clip_norm;
    glissade_status status =
        glissade_optimizer_set_learning_rate(learner->optimizer, learner->group, learning_rate);
    if (status == GLISSADE_STATUS_OK)
        status = glissade_optimizer_step(learner->optimizer, &options, NULL);
    return status;
}

/* One mini-batch: loss and step seconds are added to *result. */
static glissade_status train_batch(struct trainer *trainer, size_t first, size_t count, double learning_rate,
                                   struct epoch_result *result) {
    struct learner *learner = &trainer->learner;
    struct network *network = &learner->network;
    network_load(network, &trainer->dataset->train, learner->order, first, count);
    network_forward(network, count);
    result->loss += network_loss(network, count);
    network_backward(network, count);
    learner_give_gradients(learner);
    double before = clock_seconds();
    glissade_status status = make_step(trainer, learning_rate);
    result->step_seconds += clock_seconds() - before;
    learner_take_parameters(learner);
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
    random_shuffle(&trainer->learner.shuffle, trainer->learner.order, image_count);
    for (size_t first = 0; first < image_count; first += batch_size) {
        size_t count = image_count - first < batch_size ? image_count - first : batch_size;
        double done = ((double)(epoch - 1) + (double)first / (double)image_count) / (double)settings->epochs;
        double rate = course_rate(&trainer->course, trainer->step++, done);
        glissade_status status = train_batch(trainer, first, count, rate, result);
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
    if (status == GLISSADE_STATUS_OK && isfinite(result->loss))
        status = test(trainer, &result->accuracy);
    if (status != GLISSADE_STATUS_OK)
        return learner_failure(&trainer->learner, status);
    if (!isfinite(result->loss)) {
        report_error("train: the loss is no longer finite in epoch %" PRIu64
                     "; a lower '--learning-rate' may help",
                     epoch);
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}
