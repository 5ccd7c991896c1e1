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
    uint32_t product_threads;     /* of CBLAS, on which the last bits of its products depend; 0: unknown */
    uint64_t step;                /* steps made */
    uint64_t epoch;               /* under way, from 1; past the last when all are done */
    uint64_t image;               /* images of it that have been trained on */
    struct epoch_result sums;     /* over them */
    struct epoch_result *results; /* of the epochs that are done */
};

/* Called after every step; false: stop here. */
typedef bool trainer_watch(void *context);

/* Sets everything up; failures have been reported when it returns, and trainer_destroy is still due. */
enum exit_code trainer_create(struct trainer *trainer, const struct train_settings *settings,
                              const struct dataset *dataset);
void trainer_destroy(struct trainer *trainer);

/* "full", "bf16", ..., in the order of glissade_state_format; NULL after the last. */
const char *trainer_state_name(size_t place);

/* Steps of an epoch. */
uint64_t trainer_epoch_steps(const struct trainer *trainer);

/* The order of the images as it is after so many shuffles from the seed, and the random source with it. */
void trainer_shuffle_to(struct trainer *trainer, uint64_t shuffles);

/*
 * Trains on the rest of the epoch under way and tests, unless `watch` (NULL: nobody watches) stopped it before its end:
 * trainer->epoch is then still the same.
 */
enum exit_code trainer_run_epoch(struct trainer *trainer, struct progress *progress, trainer_watch *watch,
                                 void *context);

#endif
