/* SPDX-License-Identifier: Apache-2.0 */
/* A training run: network, data and optimizer brought together. trainer.c computes, train.c talks. */
#ifndef GLISSADE_CLI_TRAINER_H
#define GLISSADE_CLI_TRAINER_H

#include "network.h"
#include "progress.h"
#include "report.h"

struct train_settings {
    uint64_t batch_size, epochs, seed;
    uint64_t threads;                 /* GLISSADE_UNSET: the library's choice */
    double learning_rate, final_rate; /* falls linearly to final_rate times itself by the last step */
    double momentum, dampening, weight_decay;
    bool debias, nesterov;
};

struct epoch_result {
    double loss;         /* mean over the training images, each seen before its own update */
    double accuracy;     /* share of the test images */
    double seconds;      /* training alone, without the test */
    double step_seconds; /* of these, inside the optimizer's calls */
};

struct trainer {
    struct train_settings settings;
    const struct dataset *dataset;
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    glissade_arrays *parameters, *gradients;
    uint32_t group;
    struct network network;
    uint32_t *order; /* the training images, shuffled anew each epoch */
    struct random_source shuffle;
    glissade_engine_info info;
};

/* Sets everything up; failures have been reported when it returns, and trainer_destroy is still due. */
enum exit_code trainer_create(struct trainer *trainer, const struct train_settings *settings,
                              const struct dataset *dataset);
void trainer_destroy(struct trainer *trainer);

/* Trains over all images once (epoch counts from 1) and tests. */
enum exit_code trainer_run_epoch(struct trainer *trainer, uint64_t epoch, struct progress *progress,
                                 struct epoch_result *result);

#endif
