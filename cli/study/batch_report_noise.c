/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient noise scale tr(covariance) / |G|^2 (McCandlish et al. 2018, section 2.2). Numerator and denominator are
 * unbiased estimates each, so what is divided are their means over seeds: a mean of ratios would be biased, and of a
 * single seed |G|^2 may well be negative.
 */
#include "batch_report.h"

#include <math.h>

/* Seeds reach the target loss at steps of their own. The scale there is that of the checkpoints within this factor of
 * the step, about seven of them, since a single one has but four pairs of batches a seed. */
static const double window = 1.4142135623730951;

static const uint64_t bootstrap_seed = 1;

/* The seeds whose runs have a part: outcomes of the others are NULL, so that an index stays that of a seed, as in the
 * curves that are resampled along. */
static const struct run_outcome *first_outcome(const struct batch_noise_sample *sample) {
    for (size_t i = 0; i < sample->seeds; ++i)
        if (sample->outcomes[i] != NULL)
            return sample->outcomes[i];
    return NULL;
}

/*
 * Leaves out runs that diverged, even if in their last step, and any without the checkpoints that the others have:
 * what they lack would be averaged in as zero.
 */
static void leave_out(struct batch_noise_sample *sample) {
    size_t complete = 0;
    for (size_t i = 0; i < sample->seeds; ++i)
        if (!sample->outcomes[i]->diverged && sample->outcomes[i]->checkpoint_count > complete)
            complete = sample->outcomes[i]->checkpoint_count;
    for (size_t i = 0; i < sample->seeds; ++i)
        if (sample->outcomes[i]->diverged || sample->outcomes[i]->checkpoint_count != complete)
            sample->outcomes[i] = NULL;
}

/* Of the seeds that have a part; returns how many. */
static size_t collect(const struct batch_noise_sample *sample,
                      double (*of)(const struct run_outcome *, size_t), size_t checkpoint, double *values) {
    size_t count = 0;
    for (size_t i = 0; i < sample->seeds; ++i)
        if (sample->outcomes[i] != NULL)
            values[count++] = of(sample->outcomes[i], checkpoint);
    return count;
}

static double steps_to_loss(const struct run_outcome *outcome, size_t checkpoint) {
    (void)checkpoint;
    return outcome->steps_to_loss;
}

static double loss(const struct run_outcome *outcome, size_t checkpoint) {
    return outcome->checkpoints[checkpoint].loss;
}

bool batch_noise_collect(const struct batch_design *design, const struct results *results, size_t network,
                         struct batch_noise_sample *sample) {
    struct run_settings run = batch_noise_cell(design, network);
    run.rate = batch_best_rate(design, results, network, BATCH_KEPT, design->reference_size);
    *sample = (struct batch_noise_sample){.seeds = design->tuning.judging_seeds, .batch = (double)run.batch};
    for (size_t i = 0; i < sample->seeds; ++i) {
        run.seed = design->tuning.first_seed + design->tuning.tuning_seeds + i;
        sample->outcomes[i] = results_find(results, &run);
        if (sample->outcomes[i] == NULL)
            return false;
    }
    leave_out(sample);
    double steps[TUNING_SEEDS_MAXIMUM];
    size_t count = collect(sample, steps_to_loss, 0, steps);
    sample->target_step = inference_median(steps, count);
    return count > 0;
}

static double ratio(double trace, double square) {
    return square > 0.0 ? trace / square : INFINITY;
}

/* NaN if none of the seeds has a part. */

static double scale_at(const struct batch_noise_sample *sample, size_t checkpoint, const size_t *indices,
                       size_t n) {
    double trace = 0.0, square = 0.0;
    size_t found = 0;
    for (size_t i = 0; i < n; ++i) {
        const struct run_outcome *outcome = sample->outcomes[indices[i]];
        if (outcome == NULL)
            continue;
        trace += outcome->checkpoints[checkpoint].noise_trace;
        square += outcome->checkpoints[checkpoint].gradient_square;
        ++found;
    }
    return found > 0 ? ratio(trace, square) : NAN;
}

double batch_noise_at_checkpoint(void *context, const size_t *indices, size_t n) {
    const struct batch_noise_sample *sample = context;
    return scale_at(sample, sample->checkpoint, indices, n);
}

double batch_noise_at_target(void *context, const size_t *indices, size_t n) {
    const struct batch_noise_sample *sample = context;
    double trace = 0.0, square = 0.0;
    size_t found = 0;
    for (size_t i = 0; i < n; ++i) {
        /* A seed that never got there is at no checkpoint, and has no part. */
        const struct run_outcome *outcome = sample->outcomes[indices[i]];
        for (size_t j = 0; outcome != NULL && j < outcome->checkpoint_count; ++j) {
            const struct checkpoint *at = &outcome->checkpoints[j];
            if ((double)at->step < outcome->steps_to_loss / window ||
                (double)at->step > outcome->steps_to_loss * window)
                continue;
            trace += at->noise_trace;
            square += at->gradient_square;
            ++found;
        }
    }
    return found > 0 ? ratio(trace, square) : NAN;
}

/*
 * What a critical batch size over a whole way is a mean of. A step of B images at the noise scale N gets as far as
 * 1 / (1 + N / B) steps without noise (McCandlish et al. 2018, section 2.2), so over a way of M noiseless steps the
 * batch size b takes the integral of (1 + N / b) dM = M (1 + mean(N) / b) steps: the mean is over noiseless steps.
 */
double batch_noise_on_the_way(void *context, const size_t *indices, size_t n) {
    const struct batch_noise_sample *sample = context;
    const struct run_outcome *first = first_outcome(sample);
    double noise = 0.0, noiseless = 0.0;
    for (size_t j = 1; j < first->checkpoint_count; ++j) {
        if ((double)first->checkpoints[j].step > sample->target_step)
            break;
        double steps = (double)(first->checkpoints[j].step - first->checkpoints[j - 1].step);
        double scale = scale_at(sample, j, indices, n);
        noise += isinf(scale) ? steps * sample->batch : steps * scale / (1.0 + scale / sample->batch);
        noiseless += steps / (1.0 + scale / sample->batch);
    }
    return noiseless > 0.0 ? noise / noiseless : NAN;
}

static double loss_at(const struct batch_noise_sample *sample, size_t checkpoint) {
    double losses[TUNING_SEEDS_MAXIMUM];
    return inference_median(losses, collect(sample, loss, checkpoint, losses));
}

void batch_compute_noise(struct batch_noise_sample *sample, size_t rounds, struct batch_noise *noise) {
    const struct run_outcome *first = first_outcome(sample);
    noise->seeds = 0;
    for (size_t i = 0; i < sample->seeds; ++i)
        noise->seeds += sample->outcomes[i] != NULL;
    noise->count = first->checkpoint_count;
    noise->target_step = sample->target_step;
    for (size_t j = 0; j < noise->count; ++j) {
        struct batch_noise_point *point = &noise->points[j];
        sample->checkpoint = j;
        *point = (struct batch_noise_point){
            .step = first->checkpoints[j].step,
            .loss = loss_at(sample, j),
            .scale =
                inference_bootstrap(sample->seeds, rounds, bootstrap_seed, batch_noise_at_checkpoint, sample),
        };
        for (size_t i = 0; i < sample->seeds; ++i) {
            if (sample->outcomes[i] == NULL)
                continue;
            point->square += sample->outcomes[i]->checkpoints[j].gradient_square / (double)noise->seeds;
            point->trace += sample->outcomes[i]->checkpoints[j].noise_trace / (double)noise->seeds;
        }
    }
    noise->at_target =
        inference_bootstrap(sample->seeds, rounds, bootstrap_seed, batch_noise_at_target, sample);
    noise->on_the_way =
        inference_bootstrap(sample->seeds, rounds, bootstrap_seed, batch_noise_on_the_way, sample);
}
