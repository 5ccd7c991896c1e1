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

enum { TEST_BATCH = 500 };

const char *trainer_state_name(size_t place) {
    static const char *const names[] = {"full", "bf16", "bf16-stochastic", "q8", NULL};
    return names[place < 4 ? place : 4];
}

uint64_t trainer_epoch_steps(const struct trainer *trainer) {
    uint64_t batch_size = trainer->settings.batch_size;
    return (trainer->dataset->train.count + batch_size - 1) / batch_size;
}

enum exit_code trainer_create(struct trainer *trainer, const struct train_settings *settings,
                              const struct dataset *dataset) {
    *trainer = (struct trainer){.settings = *settings, .dataset = dataset, .epoch = 1};
    trainer->results = calloc(settings->epochs, sizeof *trainer->results);
    if (trainer->results == NULL) {
        report_error("train: out of memory");
        return EXIT_CODE_FAILED;
    }
    const struct optimizer *optimizer = settings->optimizer;
    uint64_t images = dataset->train.count, batch_size = settings->batch_size;
    batch_size = batch_size < images ? batch_size : images;
    trainer->settings.batch_size = batch_size;
    trainer->course = (struct course){.schedule = settings->schedule,
                                      .learning_rate = settings->hyperparameters.learning_rate,
                                      .final_rate = settings->final_rate,
                                      .warm_up = settings->warm_up,
                                      .steps = settings->epochs * trainer_epoch_steps(trainer)};
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
    enum exit_code exit_code = learner_create(&trainer->learner, &learner, dataset);
    trainer->product_threads = blas_threads(trainer->learner.info.threads);
    return exit_code;
}

void trainer_destroy(struct trainer *trainer) {
    learner_destroy(&trainer->learner);
    free(trainer->results);
    trainer->results = NULL;
}

void trainer_shuffle_to(struct trainer *trainer, uint64_t shuffles) {
    learner_begin_order(&trainer->learner, trainer->settings.seed, trainer->dataset->train.count);
    for (uint64_t i = 0; i < shuffles; ++i)
        random_shuffle(&trainer->learner.shuffle, trainer->learner.order, trainer->dataset->train.count);
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

/* One mini-batch of the epoch under way. */
static glissade_status train_batch(struct trainer *trainer, size_t count, double learning_rate) {
    struct learner *learner = &trainer->learner;
    struct network *network = &learner->network;
    network_load(network, &trainer->dataset->train, learner->order, trainer->image, count);
    network_forward(network, count);
    trainer->sums.loss += network_loss(network, count);
    network_backward(network, count);
    learner_give_gradients(learner);
    double before = clock_seconds();
    glissade_status status = make_step(trainer, learning_rate);
    trainer->sums.step_seconds += clock_seconds() - before;
    learner_take_parameters(learner);
    return status;
}

/* Trains on what is left of the epoch; the caller clears the progress bar. */
static glissade_status train_epoch(struct trainer *trainer, struct progress *progress, trainer_watch *watch,
                                   void *context) {
    const struct train_settings *settings = &trainer->settings;
    size_t image_count = trainer->dataset->train.count, batch_size = settings->batch_size;
    char label[64];
    snprintf(label, sizeof label, "epoch %" PRIu64 "/%" PRIu64, trainer->epoch, settings->epochs);
    double began = clock_seconds() - trainer->sums.seconds;
    if (trainer->image == 0)
        random_shuffle(&trainer->learner.shuffle, trainer->learner.order, image_count);
    while (trainer->image < image_count) {
        size_t left = image_count - trainer->image, count = left < batch_size ? left : batch_size;
        double passed = (double)trainer->image / (double)image_count;
        double done = ((double)(trainer->epoch - 1) + passed) / (double)settings->epochs;
        double rate = course_rate(&trainer->course, trainer->step, done);
        glissade_status status = train_batch(trainer, count, rate);
        if (status != GLISSADE_STATUS_OK)
            return status;
        ++trainer->step;
        trainer->image += count;
        trainer->sums.seconds = clock_seconds() - began;
        progress_update(progress, label, trainer->image, image_count);
        if (watch != NULL && !watch(context))
            break;
    }
    return GLISSADE_STATUS_OK;
}

/* Tests, and files what the epoch came to. */
static glissade_status end_epoch(struct trainer *trainer) {
    struct epoch_result result = trainer->sums;
    result.loss /= (double)trainer->dataset->train.count;
    glissade_status status = test(trainer, &result.accuracy);
    if (status != GLISSADE_STATUS_OK)
        return status;
    trainer->results[trainer->epoch++ - 1] = result;
    trainer->image = 0;
    trainer->sums = (struct epoch_result){.loss = 0.0};
    return GLISSADE_STATUS_OK;
}

enum exit_code trainer_run_epoch(struct trainer *trainer, struct progress *progress, trainer_watch *watch,
                                 void *context) {
    glissade_status status = train_epoch(trainer, progress, watch, context);
    progress_clear(progress);
    bool finite = isfinite(trainer->sums.loss);
    if (status == GLISSADE_STATUS_OK && finite && trainer->image == trainer->dataset->train.count)
        status = end_epoch(trainer);
    if (status != GLISSADE_STATUS_OK)
        return learner_failure(&trainer->learner, status);
    if (!finite) {
        report_error("train: the loss is no longer finite in epoch %" PRIu64
                     "; a lower '--learning-rate' may help",
                     trainer->epoch);
        return EXIT_CODE_FAILED;
    }
    return EXIT_CODE_OK;
}
