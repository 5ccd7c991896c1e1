/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One training run of a study: what it is made of, and what came out. Data of the run's own: weights and the
 * order of the images depend on the seed alone, so that runs of one seed differ in nothing but their settings.
 */
#ifndef GLISSADE_CLI_STUDY_RUN_H
#define GLISSADE_CLI_STUDY_RUN_H

#include "../dataset.h"
#include "../network.h"
#include "arms.h"

/* What becomes of elements of the gradient whose magnitude is below the threshold. */
enum handling {
    HANDLING_ACT,   /* all elements act; there is no threshold */
    HANDLING_DEFER, /* the library's deferral: they are gathered until they count */
    HANDLING_DROP,  /* they are lost, which is what deferral is compared with */
    HANDLING_COUNT
};

const char *handling_name(enum handling handling);
enum handling handling_find(const char *name); /* HANDLING_COUNT if there is none */

struct run_settings {
    const struct network_plan *network;
    enum arm arm;
    double momentum; /* beta */
    double rate;     /* effective rate: what the steps amount to under a constant gradient; see arms.h */
    uint64_t batch;  /* images a step */
    uint64_t seed;
    enum handling handling;
    double threshold; /* a multiple of the tensor's gradient RMS in the step before */
    bool noise;       /* measures the gradient noise scale on the way */
    uint64_t steps;   /* at most */
    uint64_t images;  /* of the training set that are used */
    double loss_target, accuracy_target;
    bool stop_at_targets; /* once both are reached */
};

enum { CHECKPOINTS_MAXIMUM = 160 };

/* Where a run stood at a checkpoint. Checkpoints lie at 0, 1, 2, ... and from 10 on 10 % apart. */
struct checkpoint {
    uint64_t step;
    double loss;     /* mean over the evaluated training images */
    double accuracy; /* share of the evaluated test images */
    double
        acted; /* mean share of elements that acted, over the steps since the last checkpoint; 1 without threshold */
    double gradient_square,
        noise_trace; /* unbiased estimates of |G|^2 and tr(covariance); 0 unless measured */
};

struct run_outcome {
    uint64_t steps;       /* made */
    double steps_to_loss; /* infinite: not reached (censored at `steps`) */
    double steps_to_accuracy;
    double final_loss;
    double final_accuracy; /* over all test images */
    double acted;          /* mean share over all steps */
    bool diverged;         /* a loss that is not finite, or at the end one no better than guessing */
    size_t checkpoint_count;
    struct checkpoint checkpoints[CHECKPOINTS_MAXIMUM];
};

/* Trains. Failures have been reported when it returns. The library and CBLAS use one thread. */
enum exit_code run_execute(const struct run_settings *settings, const struct dataset *dataset,
                           struct run_outcome *outcome);

#endif
