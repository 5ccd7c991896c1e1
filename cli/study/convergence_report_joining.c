/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When the loss curve of the debiased average joins that of the undebiased one, at the matched rate. Must not judge
 * whether that is when it was predicted.
 */
#include "convergence_report.h"

#include <math.h>
#include <stdlib.h>

/* Checkpoints to either side that a smoothed one takes in. */
enum { SMOOTHED_CHECKPOINTS = 2 };

/*
 * Loss curves are noisy from checkpoint to checkpoint and from seed to seed, far beyond 5 %. So the ratio of the two
 * rules' losses is taken within each seed, its median over the seeds at each checkpoint, and the geometric mean of
 * those over five neighbouring checkpoints, about the time from 0.8 to 1.2 t. The bootstrap draws whole curves, so
 * that the noise that is left shows in the interval.
 */
struct joining {
    size_t seeds, checkpoints;
    uint64_t steps[CHECKPOINTS_MAXIMUM];
    double logarithms[CHECKPOINTS_MAXIMUM][TUNING_SEEDS_MAXIMUM]; /* of the ratio */
    size_t order[CHECKPOINTS_MAXIMUM][TUNING_SEEDS_MAXIMUM];      /* seeds by ascending ratio */
};

static bool fill_seed(struct joining *joining, const struct run_outcome *debiased,
                      const struct run_outcome *ewma) {
    for (size_t i = 0; i < joining->checkpoints; ++i) {
        double ratio = outcome_loss_at(debiased, i) / outcome_loss_at(ewma, i);
        if (isnan(ratio))
            return false;
        joining->logarithms[i][joining->seeds] = log(ratio);
    }
    return true;
}

static void sort_seeds(struct joining *joining, size_t checkpoint) {
    size_t *order = joining->order[checkpoint];
    const double *values = joining->logarithms[checkpoint];
    for (size_t i = 0; i < joining->seeds; ++i) {
        size_t at = i;
        for (; at > 0 && values[order[at - 1]] > values[i]; --at)
            order[at] = order[at - 1];
        order[at] = i;
    }
}

static void fill(struct joining *joining, const struct sample *debiased, const struct sample *ewma) {
    joining->seeds = 0;
    joining->checkpoints = sample_checkpoints(debiased, joining->steps);
    for (size_t seed = 0; seed < debiased->seeds; ++seed)
        if (fill_seed(joining, debiased->outcomes[seed], ewma->outcomes[seed]) && joining->checkpoints > 0)
            ++joining->seeds;
    for (size_t i = 0; i < joining->checkpoints; ++i)
        sort_seeds(joining, i);
}

/* Median at a checkpoint over seeds that were drawn counts[] times, n in all. */
static double drawn_median(const struct joining *joining, size_t checkpoint, const size_t *counts, size_t n) {
    const size_t *order = joining->order[checkpoint];
    double lower = NAN;
    size_t passed = 0;
    for (size_t i = 0; i < joining->seeds; ++i) {
        double value = joining->logarithms[checkpoint][order[i]];
        passed += counts[order[i]];
        if (isnan(lower) && passed > (n - 1) / 2)
            lower = value;
        if (passed > n / 2)
            return lower / 2.0 + value / 2.0;
    }
    return NAN;
}

/* The step of the first checkpoint from which on the smoothed ratio stays near 1; INFINITY if it ends elsewhere. */
static double joining_step(void *context, const size_t *indices, size_t n) {
    const struct joining *joining = context;
    size_t counts[TUNING_SEEDS_MAXIMUM] = {0}, joined = joining->checkpoints;
    double medians[CHECKPOINTS_MAXIMUM] = {0.0};
    for (size_t i = 0; i < n; ++i)
        ++counts[indices[i]];
    for (size_t i = 0; i < joining->checkpoints; ++i)
        medians[i] = drawn_median(joining, i, counts, n);
    while (joined > 0) {
        size_t at = joined - 1, first = at > SMOOTHED_CHECKPOINTS ? at - SMOOTHED_CHECKPOINTS : 0;
        double sum = 0.0, terms = 0.0;
        for (size_t i = first; i < joining->checkpoints && i <= at + SMOOTHED_CHECKPOINTS; ++i, terms += 1.0)
            sum += medians[i];
        /* Not >=: a sum that is NaN, of infinities of both signs, is not near 1 either. */
        if (!(fabs(sum / terms) < log1p(CONVERGENCE_JOINED_WITHIN)))
            break;
        --joined;
    }
    return joined < joining->checkpoints ? (double)joining->steps[joined] : INFINITY;
}

static double largest_departure(void *context, const size_t *indices, size_t n) {
    const struct joining *joining = context;
    size_t counts[TUNING_SEEDS_MAXIMUM] = {0};
    double furthest = 0.0;
    for (size_t i = 0; i < n; ++i)
        ++counts[indices[i]];
    for (size_t i = 0; i < joining->checkpoints; ++i) {
        double median = drawn_median(joining, i, counts, n);
        if (fabs(median) > fabs(furthest))
            furthest = median;
    }
    return exp(furthest);
}

static struct interval joining_interval(const struct findings *findings, struct joining *joining,
                                        inference_statistic statistic) {
    return inference_bootstrap(joining->seeds, findings->rounds, CONVERGENCE_BOOTSTRAP_SEED, statistic,
                               joining);
}

bool convergence_join(const struct findings *findings, const struct line *lines, struct joined *joined) {
    struct joining *joining = malloc(sizeof *joining);
    if (joining == NULL)
        return false;
    fill(joining, &lines[ARM_DEBIASED].matched, &lines[ARM_EWMA].matched);
    *joined = (struct joined){.seeds = joining->seeds,
                              .step = joining_interval(findings, joining, joining_step),
                              .furthest = joining_interval(findings, joining, largest_departure)};
    free(joining);
    return true;
}
