/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The training behind a study's runs: the network, its optimizer and the order of the images, all made from the
 * settings and the seed; then step after step. Must not decide how many, nor measure anything but the step's loss.
 */
#ifndef GLISSADE_CLI_STUDY_RUNNER_H
#define GLISSADE_CLI_STUDY_RUNNER_H

#include "../learner.h"
#include "gradients.h"
#include "run.h"

struct runner {
    const struct run_settings *settings;
    const struct dataset *dataset;
    struct learner learner;          /* whose order is shuffled anew whenever it is used up */
    struct gradient_history history; /* of dropping */
    uint64_t used;                   /* of the images in order; the last batch is what they end in */
    struct random_source noise;
};

/*
 * Settings and data must outlive the runner, and the data hold as many images as the settings use. Buffers take the
 * batch, and up to `capacity` images if that is more. Failures have been reported when it returns, and runner_destroy
 * is still due.
 */
enum exit_code runner_create(struct runner *runner, const struct run_settings *settings,
                             const struct dataset *dataset, uint64_t capacity);
void runner_destroy(struct runner *runner);

/*
 * One step on the next batch. Writes its mean loss, before the update, and the share of elements that acted. Failures
 * have been reported.
 */
enum exit_code runner_train_batch(struct runner *runner, double *loss, double *acted);

/* The images of the last batch, settings->batch of them; until the next step. */
const uint32_t *runner_last_batch(const struct runner *runner);

#endif
