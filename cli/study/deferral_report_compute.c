/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of the deferral study. What is compared is compared within each seed, and seeds are what is resampled.
 * Must not print or write anything.
 */
#include "deferral_report.h"

#include <math.h>
#include <string.h>

static const uint64_t bootstrap_seed = 1;

static const struct interval nothing = {NAN, NAN, NAN};

/* ---- cells ---- */

/* The tuning runs: whether the fastest rate lies at an edge, and which rate ends with the best accuracy. The latter
 * looks as if chosen by accuracy, which judging does not do: it shows what the choice by speed costs. */
static void collect_tuning(const struct deferral_design *design, const struct results *results,
                           struct deferral_sample *sample) {
    const struct tuning *tuning = &design->tuning;
    bool larger = sample->cell.batch > design->run.batch;
    const double *rates = larger ? design->batch_rates : design->rates;
    const size_t count = larger ? design->batch_rate_count : design->rate_count;
    sample->lowest = sample->cell.rate == rates[0];
    sample->highest = sample->cell.rate == rates[count - 1];
    sample->accurate_rate = sample->tuning_accuracy = NAN;
    for (size_t i = 0; i < count && sample->cell.rate > 0.0; ++i) {
        double accuracies[TUNING_SEEDS_MAXIMUM];
        tuning_collect(results, &sample->cell, rates[i], tuning->first_seed, tuning->tuning_seeds,
                       outcome_final_accuracy, accuracies);
        double accuracy = inference_median(accuracies, tuning->tuning_seeds);
        if (i == 0 || accuracy > sample->tuning_accuracy) {
            sample->accurate_rate = rates[i];
            sample->tuning_accuracy = accuracy;
        }
    }
}

static double mean_updates(void *context, const size_t *indices, size_t n) {
    const struct deferral_sample *sample = context;
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i)
        sum += sample->updates[indices[i]];
    return sum / (double)n;
}

static void collect(const struct deferral_findings *findings, const struct results *results,
                    struct run_settings cell, struct deferral_sample *sample) {
    const struct deferral_design *design = &findings->design;
    const struct tuning *tuning = &design->tuning;
    const uint64_t first = tuning->first_seed + tuning->tuning_seeds, seeds = tuning->judging_seeds;
    double diverged[TUNING_SEEDS_MAXIMUM];
    cell.rate = deferral_best_rate(design, results, &cell);
    *sample = (struct deferral_sample){.cell = cell};
    collect_tuning(design, results, sample);
    sample->runs =
        tuning_collect(results, &cell, cell.rate, first, seeds, outcome_steps_to_loss, sample->loss_steps);
    tuning_collect(results, &cell, cell.rate, first, seeds, outcome_steps_to_accuracy,
                   sample->accuracy_steps);
    tuning_collect(results, &cell, cell.rate, first, seeds, outcome_final_accuracy, sample->final_accuracies);
    tuning_collect(results, &cell, cell.rate, first, seeds, outcome_acted, sample->updates);
    tuning_collect(results, &cell, cell.rate, first, seeds, outcome_diverged, diverged);
    for (size_t i = 0; i < seeds; ++i) {
        sample->updates[i] *= (double)cell.steps;
        sample->reached_loss += isfinite(sample->loss_steps[i]) != 0;
        sample->reached_accuracy += isfinite(sample->accuracy_steps[i]) != 0;
        sample->diverged += diverged[i] == 1.0;
    }
    struct interval updates =
        inference_bootstrap(seeds, findings->rounds, bootstrap_seed, mean_updates, sample);
    const double steps = (double)cell.steps;
    sample->acted = (struct interval){updates.value / steps, updates.low / steps, updates.high / steps};
    sample->to_loss = inference_bootstrap_median(sample->loss_steps, seeds, findings->rounds, bootstrap_seed);
    sample->to_accuracy =
        inference_bootstrap_median(sample->accuracy_steps, seeds, findings->rounds, bootstrap_seed);
    sample->final_accuracy =
        inference_bootstrap_median(sample->final_accuracies, seeds, findings->rounds, bootstrap_seed);
}

/* ---- comparisons ---- */

/* inference_paired_test ranks ratios. Of 1 + |d| and 1 the ratio orders as |d| does and ties where that does; rounded,
 * as accuracies are multiples of 1 / 10,000, and their differences only nearly. */
static double difference_test(const double *differences, size_t n) {
    double a[TUNING_SEEDS_MAXIMUM], b[TUNING_SEEDS_MAXIMUM];
    for (size_t i = 0; i < n; ++i) {
        double rounded = nearbyint(differences[i] * 0x1p30) * 0x1p-30;
        a[i] = 1.0 + fmax(rounded, 0.0);
        b[i] = 1.0 + fmax(-rounded, 0.0);
    }
    return inference_paired_test(a, b, n);
}

static void compare(const struct deferral_findings *findings, const struct deferral_sample *a,
                    const struct deferral_sample *b, struct deferral_comparison *comparison) {
    const size_t seeds = findings->design.tuning.judging_seeds;
    *comparison = (struct deferral_comparison){.difference = nothing,
                                               .ratio = nothing,
                                               .difference_p = NAN,
                                               .difference_holm = NAN,
                                               .ratio_p = NAN,
                                               .ratio_holm = NAN};
    if (a->runs < seeds || b->runs < seeds)
        return;
    double differences[TUNING_SEEDS_MAXIMUM];
    for (size_t i = 0; i < seeds; ++i)
        differences[i] = a->final_accuracies[i] - b->final_accuracies[i];
    comparison->difference = inference_bootstrap_median(differences, seeds, findings->rounds, bootstrap_seed);
    comparison->difference_p = difference_test(differences, seeds);
    comparison->ratio = inference_bootstrap_ratio(a->loss_steps, b->loss_steps, seeds, findings->rounds,
                                                  bootstrap_seed, NULL);
    comparison->ratio_p = inference_paired_test(a->loss_steps, b->loss_steps, seeds);
}

/* Over the comparisons of one kind in a group: its thresholds, or its batches. */
static void correct(struct deferral_comparison *comparisons, size_t n) {
    double differences[DEFERRAL_BATCHES_MAXIMUM], ratios[DEFERRAL_BATCHES_MAXIMUM];
    for (size_t i = 0; i < n; ++i) {
        differences[i] = comparisons[i].difference_p;
        ratios[i] = comparisons[i].ratio_p;
    }
    inference_holm(differences, n);
    inference_holm(ratios, n);
    for (size_t i = 0; i < n; ++i) {
        comparisons[i].difference_holm = differences[i];
        comparisons[i].ratio_holm = ratios[i];
    }
}

/* ---- as many acting updates with a larger batch ---- */

/* Where so many updates of an element lie among the batches, whose every step acts: between `place` and the next, at
 * `share` of the way in the logarithm. Returns false outside. */
static bool place_updates(const struct deferral_group *group, double updates, size_t *place, double *share) {
    for (size_t i = 0; i + 1 < group->batch_count; ++i) {
        double more = (double)group->batches[i].cell.steps, fewer = (double)group->batches[i + 1].cell.steps;
        if (updates > more || updates < fewer)
            continue;
        *place = i;
        *share = log(more / updates) / log(more / fewer);
        return true;
    }
    return false;
}

static double between(double a, double b, double share) {
    /* At the very place of one of them the other, which may be infinite, has no part. */
    if (share == 0.0 || share == 1.0)
        return share == 0.0 ? a : b;
    return a + (b - a) * share;
}

static double images(const struct deferral_sample *sample, size_t seed) {
    return sample->loss_steps[seed] * (double)sample->cell.batch;
}

static void compare_equal(const struct deferral_findings *findings, const struct deferral_group *group,
                          const struct deferral_sample *sample, struct deferral_equal *equal) {
    const size_t seeds = findings->design.tuning.judging_seeds;
    double differences[TUNING_SEEDS_MAXIMUM], accuracies[TUNING_SEEDS_MAXIMUM], batches[TUNING_SEEDS_MAXIMUM];
    double images_of_sample[TUNING_SEEDS_MAXIMUM], images_of_batch[TUNING_SEEDS_MAXIMUM];
    *equal = (struct deferral_equal){.updates = NAN,
                                     .batch = NAN,
                                     .batch_accuracy = NAN,
                                     .difference = nothing,
                                     .p = NAN,
                                     .p_holm = NAN,
                                     .ratio = nothing};
    if (sample->runs < seeds)
        return;
    equal->updates = inference_median(sample->updates, seeds);
    for (size_t i = 0; i < seeds; ++i) {
        size_t place;
        double share;
        if (!place_updates(group, sample->updates[i], &place, &share))
            return;
        const struct deferral_sample *smaller = &group->batches[place], *larger = &group->batches[place + 1];
        if (smaller->runs < seeds || larger->runs < seeds)
            return;
        accuracies[i] = between(smaller->final_accuracies[i], larger->final_accuracies[i], share);
        differences[i] = sample->final_accuracies[i] - accuracies[i];
        batches[i] = exp(between(log((double)smaller->cell.batch), log((double)larger->cell.batch), share));
        images_of_sample[i] = images(sample, i);
        images_of_batch[i] = exp(between(log(images(smaller, i)), log(images(larger, i)), share));
        if (isnan(images_of_batch[i]))
            images_of_batch[i] =
                INFINITY; /* infinite less infinite: at least the smaller one did not get there */
    }
    equal->inside = true;
    equal->batch = inference_median(batches, seeds);
    equal->batch_accuracy = inference_median(accuracies, seeds);
    equal->difference = inference_bootstrap_median(differences, seeds, findings->rounds, bootstrap_seed);
    equal->p = difference_test(differences, seeds);
    equal->ratio = inference_bootstrap_ratio(images_of_sample, images_of_batch, seeds, findings->rounds,
                                             bootstrap_seed, NULL);
}

/* ---- all ---- */

static void compare_group(const struct deferral_findings *findings, struct deferral_group *group) {
    const size_t thresholds = findings->design.threshold_count;
    const struct deferral_sample *act = &group->batches[0];
    for (size_t i = 0; i < thresholds; ++i) {
        const struct deferral_sample *defer = &group->handled[HANDLING_DEFER][i];
        const struct deferral_sample *drop = &group->handled[HANDLING_DROP][i];
        compare(findings, defer, act, &group->pairs[DEFERRAL_DEFER_TO_ACT][i]);
        compare(findings, drop, act, &group->pairs[DEFERRAL_DROP_TO_ACT][i]);
        compare(findings, defer, drop, &group->pairs[DEFERRAL_DEFER_TO_DROP][i]);
    }
    for (int pair = 0; pair < DEFERRAL_PAIR_COUNT; ++pair)
        correct(group->pairs[pair], thresholds);
    for (size_t i = 1; i < group->batch_count; ++i)
        compare(findings, &group->batches[i], act, &group->larger[i]);
    correct(group->larger + 1, group->batch_count - 1);
    for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling) {
        double p[DEFERRAL_THRESHOLDS_MAXIMUM];
        for (size_t i = 0; i < thresholds; ++i) {
            compare_equal(findings, group, &group->handled[handling][i], &group->equals[handling][i]);
            p[i] = group->equals[handling][i].p;
        }
        inference_holm(p, thresholds);
        for (size_t i = 0; i < thresholds; ++i)
            group->equals[handling][i].p_holm = p[i];
    }
}

void deferral_compute(const struct study_settings *settings, const struct results *results,
                      struct deferral_findings *findings) {
    memset(findings, 0, sizeof *findings);
    struct deferral_design *design = &findings->design;
    deferral_design(settings, design);
    findings->rounds = settings->quick ? 999 : 9999;
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            struct deferral_group *group = &findings->groups[network][m];
            const double momentum = design->momenta[m];
            for (size_t i = 0; i < design->threshold_count; ++i)
                for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling)
                    collect(findings, results,
                            deferral_cell(design, network, momentum, (enum handling)handling,
                                          design->thresholds[i]),
                            &group->handled[handling][i]);
            group->batch_count = design->batch_count + 1;
            collect(findings, results, deferral_cell(design, network, momentum, HANDLING_ACT, 0.0),
                    &group->batches[0]);
            for (size_t i = 0; i < design->batch_count; ++i)
                collect(findings, results, deferral_batch_cell(design, network, momentum, design->batches[i]),
                        &group->batches[i + 1]);
            compare_group(findings, group);
        }
}
