/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A training run of a study: where it stands at its checkpoints, when it ends, what came out. The steps are
 * runner.c's.
 */
#include "runner.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

enum { EVALUATION_BATCH = 500, EVALUATED_TRAINING_IMAGES = 1000, EVALUATED_TEST_IMAGES = 2000 };

/* A loss from here on tells the classes no better than guessing, whose loss is log(10) = 2.303. */
static const double guessing_loss = 2.2;

static uint64_t next_checkpoint(uint64_t step) {
    return step + (step < 20 ? 1 : step / 10);
}

/* Whether a run that goes all the way has room for its checkpoints: up to nine million steps. */
static bool checkpoints_fit(uint64_t steps) {
    size_t count = 1;
    for (uint64_t step = 0; step < steps && count <= CHECKPOINTS_MAXIMUM; step = next_checkpoint(step))
        ++count;
    return count <= CHECKPOINTS_MAXIMUM;
}

/* Mean loss and share of right answers over the first `count` images. */
static void evaluate(struct network *network, const struct labelled_images *images, size_t count,
                     double *loss, double *accuracy) {
    size_t correct = 0;
    *loss = 0.0;
    count = count < images->count ? count : images->count;
    for (size_t first = 0; first < count; first += EVALUATION_BATCH) {
        size_t part = count - first < EVALUATION_BATCH ? count - first : EVALUATION_BATCH;
        network_load(network, images, NULL, first, part);
        network_forward(network, part);
        correct += network_count_correct(network, part);
        *loss += network_loss(network, part);
    }
    *loss /= (double)count;
    *accuracy = (double)correct / (double)count;
}

/* `acted` is the sum of the shares of the steps since the last checkpoint. */
static void take_checkpoint(struct runner *runner, uint64_t step, double acted, struct run_outcome *outcome) {
    const struct run_settings *settings = runner->settings;
    uint64_t since = step;
    if (outcome->checkpoint_count > 0)
        since -= outcome->checkpoints[outcome->checkpoint_count - 1].step;
    assert(outcome->checkpoint_count < CHECKPOINTS_MAXIMUM); /* run_execute refuses longer runs */
    struct checkpoint *checkpoint = &outcome->checkpoints[outcome->checkpoint_count++];
    *checkpoint = (struct checkpoint){.step = step, .acted = since > 0 ? acted / (double)since : 1.0};
    double ignored;
    size_t images =
        settings->images < EVALUATED_TRAINING_IMAGES ? settings->images : EVALUATED_TRAINING_IMAGES;
    evaluate(&runner->learner.network, &runner->dataset->train, images, &checkpoint->loss, &ignored);
    evaluate(&runner->learner.network, &runner->dataset->test, EVALUATED_TEST_IMAGES, &ignored,
             &checkpoint->accuracy);
    if (settings->noise)
        gradients_measure_noise(&runner->learner.network, &runner->dataset->train, settings->images,
                                &runner->noise, &checkpoint->gradient_square, &checkpoint->noise_trace);
}

/* The step at which a quantity that went from `before` to `after` between two checkpoints met the target; the
 * time between checkpoints being a tenth of the time so far, straight in the logarithm of the step. */
static double crossing(const struct checkpoint *a, const struct checkpoint *b, double before, double after,
                       double target) {
    double share = before == after ? 1.0 : (before - target) / (before - after);
    if (a->step == 0)
        return share * (double)b->step;
    return (double)a->step * pow((double)b->step / (double)a->step, share);
}

static void look_for_targets(const struct run_settings *settings, struct run_outcome *outcome) {
    const struct checkpoint *now = &outcome->checkpoints[outcome->checkpoint_count - 1];
    const struct checkpoint *before = outcome->checkpoint_count > 1 ? now - 1 : now;
    if (isinf(outcome->steps_to_loss) && now->loss <= settings->loss_target)
        outcome->steps_to_loss = crossing(before, now, before->loss, now->loss, settings->loss_target);
    if (isinf(outcome->steps_to_accuracy) && now->accuracy >= settings->accuracy_target)
        outcome->steps_to_accuracy =
            crossing(before, now, before->accuracy, now->accuracy, settings->accuracy_target);
}

static bool may_stop(const struct run_settings *settings, const struct run_outcome *outcome) {
    return settings->stop_at_targets && isfinite(outcome->steps_to_loss) &&
           isfinite(outcome->steps_to_accuracy);
}

static enum exit_code train(struct runner *runner, struct run_outcome *outcome) {
    const struct run_settings *settings = runner->settings;
    uint64_t due = 0;
    double acted_since = 0.0, acted_sum = 0.0;
    for (uint64_t step = 0;; ++step) {
        if (step == due || step == settings->steps) {
            take_checkpoint(runner, step, acted_since, outcome);
            acted_since = 0.0;
            look_for_targets(settings, outcome);
            due = next_checkpoint(step);
            if (!isfinite(outcome->checkpoints[outcome->checkpoint_count - 1].loss))
                outcome->diverged = true;
        }
        outcome->steps = step;
        if (step == settings->steps || outcome->diverged || may_stop(settings, outcome))
            break;
        double loss, acted = 1.0;
        enum exit_code exit_code = runner_train_batch(runner, &loss, &acted);
        if (exit_code != EXIT_CODE_OK)
            return exit_code;
        acted_since += acted;
        acted_sum += acted;
        if (!isfinite(loss)) {
            outcome->steps = step + 1;
            outcome->diverged = true;
            break;
        }
    }
    outcome->acted = outcome->steps > 0 ? acted_sum / (double)outcome->steps : 1.0;
    return EXIT_CODE_OK;
}

/* A run whose weights are not finite has no loss or accuracy worth a number. */
static void conclude(struct runner *runner, struct run_outcome *outcome) {
    if (outcome->diverged) {
        outcome->final_loss = INFINITY;
        outcome->final_accuracy = 0.0;
        return;
    }
    double ignored;
    outcome->final_loss = outcome->checkpoints[outcome->checkpoint_count - 1].loss;
    evaluate(&runner->learner.network, &runner->dataset->test, runner->dataset->test.count, &ignored,
             &outcome->final_accuracy);
    outcome->diverged = outcome->final_loss >= guessing_loss;
}

static uint64_t needed_capacity(const struct run_settings *settings) {
    return settings->noise ? NOISE_LARGE_BATCH : EVALUATION_BATCH;
}

enum exit_code run_execute(const struct run_settings *settings, const struct dataset *dataset,
                           struct run_outcome *outcome) {
    *outcome = (struct run_outcome){.steps_to_loss = INFINITY, .steps_to_accuracy = INFINITY};
    if (!checkpoints_fit(settings->steps)) {
        report_error("study: a run of %" PRIu64 " steps has more than %d checkpoints", settings->steps,
                     CHECKPOINTS_MAXIMUM);
        return EXIT_CODE_FAILED;
    }
    struct runner runner;
    enum exit_code exit_code = runner_create(&runner, settings, dataset, needed_capacity(settings));
    if (exit_code == EXIT_CODE_OK)
        exit_code = train(&runner, outcome);
    if (exit_code == EXIT_CODE_OK)
        conclude(&runner, outcome);
    runner_destroy(&runner);
    return exit_code;
}
