/* SPDX-License-Identifier: Apache-2.0 */
/* A training run: network, data and optimizer brought together. trainer.c computes, train.c talks. */
#ifndef GLISSADE_CLI_TRAINER_H
#define GLISSADE_CLI_TRAINER_H

#include "optimizers.h"
#include "progress.h"

struct train_settings {
    uint64_t batch_size, epochs, seed;
    uint64_t threads; /* GLISSADE_UNSET: the library's choice */
    const struct optimizer *optimizer;
    struct hyperparameters hyperparameters; /* settled */
    enum schedule schedule;
    double final_rate; /* see struct course */
    uint64_t warm_up;
    double clip_norm; /* 0: none */
    bool bf16;
    glissade_state_format states;
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
    struct learner learner; /* whose order is shuffled anew each epoch */
    struct course course;
    uint64_t step; /* steps made */
};

/* Sets everything up; failures have been reported when it returns, and trainer_destroy is still due. */
enum exit_code trainer_create(struct trainer *trainer, const struct train_settings *settings,
                              const struct dataset *dataset);
void trainer_destroy(struct trainer *trainer);

/* Trains over all images once (epoch counts from 1) and tests. */
enum exit_code trainer_run_epoch(struct trainer *trainer, uint64_t epoch, struct progress *progress,
                                 struct epoch_result *result);

#endif
