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

/* ---- as many acting updates in another way ---- */

/* Another way to fewer updates: larger batches, or dropping below larger thresholds; runs in which all act are in both,
 * with the most updates. */
struct way {
    const struct deferral_sample *samples[DEFERRAL_BATCHES_MAXIMUM];
    size_t count;
};

_Static_assert(DEFERRAL_THRESHOLDS_MAXIMUM + 1 <= DEFERRAL_BATCHES_MAXIMUM, "a way has room for thresholds");

static struct way way_of_batches(const struct deferral_group *group) {
    struct way way = {.count = group->batch_count};
    for (size_t i = 0; i < way.count; ++i)
        way.samples[i] = &group->batches[i];
    return way;
}

static struct way way_of_drop(const struct deferral_group *group, size_t thresholds) {
    struct way way = {.samples = {&group->batches[0]}, .count = thresholds + 1};
    for (size_t i = 0; i < thresholds; ++i)
        way.samples[i + 1] = &group->handled[HANDLING_DROP][i];
    return way;
}

/* Where so many updates of an element lie on a seed's way: between two samples next to each other there, at `share` of
 * the distance in the logarithm. Rates differ from sample to sample, so nothing makes updates fall with the threshold:
 * neighbours are those in the order of this seed's updates. Returns false outside. */
static bool place_updates(const struct way *way, size_t seed, double updates,
                          const struct deferral_sample **more, const struct deferral_sample **fewer,
                          double *share) {
    *more = *fewer = NULL;
    for (size_t i = 0; i < way->count; ++i) {
        const struct deferral_sample *sample = way->samples[i];
        const double own = sample->updates[seed];
        if (own >= updates && (*more == NULL || own < (*more)->updates[seed]))
            *more = sample;
        if (own <= updates && (*fewer == NULL || own > (*fewer)->updates[seed]))
            *fewer = sample;
    }
    if (*more == NULL || *fewer == NULL || !(updates > 0.0))
        return false;
    const double most = (*more)->updates[seed], least = (*fewer)->updates[seed];
    *share = most > least ? log(most / updates) / log(most / least) : 0.0;
    return true;
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

static void compare_equal(const struct deferral_findings *findings, const struct way *way,
                          const struct deferral_sample *sample, struct deferral_equal *equal) {
    const size_t seeds = findings->design.tuning.judging_seeds;
    double differences[TUNING_SEEDS_MAXIMUM], accuracies[TUNING_SEEDS_MAXIMUM], batches[TUNING_SEEDS_MAXIMUM];
    double images_of_sample[TUNING_SEEDS_MAXIMUM], images_of_other[TUNING_SEEDS_MAXIMUM];
    *equal = (struct deferral_equal){.batch = NAN,
                                     .other_accuracy = NAN,
                                     .difference = nothing,
                                     .p = NAN,
                                     .p_holm = NAN,
                                     .ratio = nothing};
    if (sample->runs < seeds)
        return;
    for (size_t i = 0; i < way->count; ++i)
        if (way->samples[i]->runs < seeds)
            return;
    for (size_t i = 0; i < seeds; ++i) {
        const struct deferral_sample *more, *fewer;
        double share;
        if (!place_updates(way, i, sample->updates[i], &more, &fewer, &share))
            return;
        accuracies[i] = between(more->final_accuracies[i], fewer->final_accuracies[i], share);
        differences[i] = sample->final_accuracies[i] - accuracies[i];
        batches[i] = exp(between(log((double)more->cell.batch), log((double)fewer->cell.batch), share));
        images_of_sample[i] = images(sample, i);
        images_of_other[i] = exp(between(log(images(more, i)), log(images(fewer, i)), share));
        if (isnan(images_of_other[i]))
            images_of_other[i] =
                INFINITY; /* infinite less infinite: at least that of more updates did not get there */
    }
    equal->inside = true;
    equal->batch = inference_median(batches, seeds);
    equal->other_accuracy = inference_median(accuracies, seeds);
    equal->difference = inference_bootstrap_median(differences, seeds, findings->rounds, bootstrap_seed);
    equal->p = difference_test(differences, seeds);
    equal->ratio = inference_bootstrap_ratio(images_of_sample, images_of_other, seeds, findings->rounds,
                                             bootstrap_seed, NULL);
}

/* Corrects over the thresholds. */
static void compare_equals(const struct deferral_findings *findings, const struct way *way,
                           const struct deferral_sample *samples, struct deferral_equal *equals) {
    const size_t thresholds = findings->design.threshold_count;
    double p[DEFERRAL_THRESHOLDS_MAXIMUM];
    for (size_t i = 0; i < thresholds; ++i) {
        compare_equal(findings, way, &samples[i], &equals[i]);
        p[i] = equals[i].p;
    }
    inference_holm(p, thresholds);
    for (size_t i = 0; i < thresholds; ++i)
        equals[i].p_holm = p[i];
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
    const struct way batches = way_of_batches(group), drop = way_of_drop(group, thresholds);
    compare_equals(findings, &batches, group->handled[HANDLING_DEFER],
                   group->equals[DEFERRAL_DEFER_TO_BATCH]);
    compare_equals(findings, &batches, group->handled[HANDLING_DROP], group->equals[DEFERRAL_DROP_TO_BATCH]);
    compare_equals(findings, &drop, group->handled[HANDLING_DEFER],
                   group->equals[DEFERRAL_DEFER_TO_EQUAL_DROP]);
    /* All of these runs have the same batch. */
    for (size_t i = 0; i < thresholds; ++i)
        group->equals[DEFERRAL_DEFER_TO_EQUAL_DROP][i].batch = NAN;
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
