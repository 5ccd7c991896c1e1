/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of the batch-size study. Seeds are what is resampled: judging seeds for steps, tuning seeds for rates.
 * All statistics of the same seeds share their resamples. Must not print or write anything.
 */
#include "batch_report.h"

#include <math.h>
#include <string.h>

const double batch_wasted = 1.2;

static const uint64_t bootstrap_seed = 1;

static const struct interval nothing = {NAN, NAN, NAN};

static double median_over(const double *values, const size_t *indices, size_t n) {
    double drawn[TUNING_SEEDS_MAXIMUM];
    for (size_t i = 0; i < n; ++i)
        drawn[i] = values[indices[i]];
    return inference_median(drawn, n);
}

static double slope(const double *x, const double *y, size_t n) {
    double mean_x = 0.0, mean_y = 0.0, products = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; ++i) {
        mean_x += x[i] / (double)n;
        mean_y += y[i] / (double)n;
    }
    for (size_t i = 0; i < n; ++i) {
        products += (x[i] - mean_x) * (y[i] - mean_y);
        squares += (x[i] - mean_x) * (x[i] - mean_x);
    }
    return n > 1 ? products / squares : NAN;
}

/* ---- cells ---- */

static void collect(const struct batch_findings *findings, const struct results *results,
                    const struct run_settings *cell, double rate, struct batch_sample *sample) {
    const struct tuning *tuning = &findings->design.tuning;
    const uint64_t first = tuning->first_seed + tuning->tuning_seeds, seeds = tuning->judging_seeds;
    double diverged[TUNING_SEEDS_MAXIMUM];
    *sample = (struct batch_sample){.rate = rate};
    sample->runs =
        tuning_collect(results, cell, rate, first, seeds, outcome_steps_to_loss, sample->loss_steps);
    tuning_collect(results, cell, rate, first, seeds, outcome_steps_to_accuracy, sample->accuracy_steps);
    tuning_collect(results, cell, rate, first, seeds, outcome_diverged, diverged);
    for (size_t i = 0; i < seeds; ++i) {
        sample->reached_loss += isfinite(sample->loss_steps[i]) != 0;
        sample->reached_accuracy += isfinite(sample->accuracy_steps[i]) != 0;
        sample->diverged += diverged[i] == 1.0;
    }
    sample->to_loss = inference_bootstrap_median(sample->loss_steps, seeds, findings->rounds, bootstrap_seed);
    sample->to_accuracy =
        inference_bootstrap_median(sample->accuracy_steps, seeds, findings->rounds, bootstrap_seed);
}

/* Of steps to the loss. A seed that reached it in neither sample says nothing; a lacking run leaves no ratio. */
static struct interval paired_ratio(const struct batch_findings *findings, const struct batch_sample *a,
                                    const struct batch_sample *b) {
    const size_t seeds = findings->design.tuning.judging_seeds;
    if (a->runs < seeds || b->runs < seeds)
        return nothing;
    return inference_bootstrap_ratio(a->loss_steps, b->loss_steps, seeds, findings->rounds, bootstrap_seed,
                                     NULL);
}

/* ---- the fastest rate ---- */

/* The tuning runs of a policy at a size. */
struct tuned {
    size_t rates;
    double rate[BATCH_RATES_MAXIMUM];
    double steps[BATCH_RATES_MAXIMUM][TUNING_SEEDS_MAXIMUM];
    double losses[BATCH_RATES_MAXIMUM][TUNING_SEEDS_MAXIMUM];
};

static void collect_tuning(const struct batch_design *design, const struct results *results,
                           const struct run_settings *cell, struct tuned *tuned) {
    const struct tuning *tuning = &design->tuning;
    tuned->rates = batch_rates(design, cell->batch, tuned->rate);
    for (size_t i = 0; i < tuned->rates; ++i) {
        tuning_collect(results, cell, tuned->rate[i], tuning->first_seed, tuning->tuning_seeds,
                       outcome_steps_to_loss, tuned->steps[i]);
        tuning_collect(results, cell, tuned->rate[i], tuning->first_seed, tuning->tuning_seeds,
                       outcome_final_loss, tuned->losses[i]);
    }
}

/* tuning_best_rate's rule, over resampled seeds. NAN while a run is lacking. */
static double best_rate(void *context, const size_t *indices, size_t n) {
    const struct tuned *tuned = context;
    double best = NAN, best_steps = INFINITY, best_loss = INFINITY;
    for (size_t i = 0; i < tuned->rates; ++i) {
        double steps = median_over(tuned->steps[i], indices, n),
               loss = median_over(tuned->losses[i], indices, n);
        if (isnan(steps))
            return NAN;
        if (isnan(best) || steps < best_steps || (isinf(best_steps) && loss < best_loss)) {
            best = tuned->rate[i];
            best_steps = steps;
            best_loss = loss;
        }
    }
    return best;
}

struct rate_line {
    struct tuned tuned[BATCH_SIZES_MAXIMUM];
    double sizes[BATCH_SIZES_MAXIMUM]; /* logarithms */
    size_t count;
};

static double rate_slope(void *context, const size_t *indices, size_t n) {
    struct rate_line *line = context;
    double rates[BATCH_SIZES_MAXIMUM];
    for (size_t i = 0; i < line->count; ++i)
        rates[i] = log(best_rate(&line->tuned[i], indices, n));
    return slope(line->sizes, rates, line->count);
}

static void compute_rates(const struct batch_findings *findings, const struct results *results,
                          size_t network, enum batch_policy policy, struct batch_scaling *scaling) {
    const struct batch_design *design = &findings->design;
    struct rate_line line = {.count = 0};
    for (size_t i = 0; i < design->size_count; ++i) {
        struct batch_point *point = &scaling->points[i];
        struct run_settings cell = batch_cell(design, network, policy, point->size);
        struct tuned *tuned = &line.tuned[i];
        collect_tuning(design, results, &cell, tuned);
        point->rate = inference_bootstrap(design->tuning.tuning_seeds, findings->fit_rounds, bootstrap_seed,
                                          best_rate, tuned);
        point->lowest = point->rate.value == tuned->rate[0];
        point->highest = point->rate.value == tuned->rate[tuned->rates - 1];
        line.sizes[i] = log((double)point->size);
        if ((double)point->size <= scaling->critical.value)
            line.count = i + 1;
    }
    scaling->rate_sizes = line.count;
    scaling->rate_slope = inference_bootstrap(design->tuning.tuning_seeds, findings->fit_rounds,
                                              bootstrap_seed, rate_slope, &line);
}

/* ---- steps against the batch size ---- */

enum { FIT_ROUNDS_MAXIMUM = 2000 };

/* The points of a curve of medians. The fits of all resamples are kept: what else is computed of the same resamples
 * asks for them one after the other, the sample itself first. */
struct curve {
    const struct batch_scaling *scaling;
    size_t from, to; /* sizes */
    bool fitted[BATCH_SIZES_MAXIMUM];
    double critical[FIT_ROUNDS_MAXIMUM], floor[FIT_ROUNDS_MAXIMUM];
    size_t round;
    struct batch_noise_sample *noise;
    double (*noise_scale)(void *sample, const size_t *indices, size_t n);
    double end; /* of perfect scaling, of the sample itself */
    size_t agreeing;
};

static double median_steps(const struct curve *curve, size_t size, const size_t *indices, size_t n) {
    return median_over(curve->scaling->points[size].tuned.loss_steps, indices, n);
}

/* A resample with an infinite median where the sample has a finite one has no fit: a curve through the rest would pass
 * below it. */
static double fit_critical(void *context, const size_t *indices, size_t n) {
    struct curve *curve = context;
    double batches[BATCH_SIZES_MAXIMUM], steps[BATCH_SIZES_MAXIMUM], critical = NAN, floor = NAN;
    size_t count = 0;
    for (size_t i = curve->from; i < curve->to; ++i) {
        if (!curve->fitted[i])
            continue;
        batches[count] = (double)curve->scaling->points[i].size;
        steps[count++] = median_steps(curve, i, indices, n);
    }
    inference_fit_batches(batches, steps, count, &floor, &critical);
    curve->critical[curve->round] = critical;
    curve->floor[curve->round++] = floor;
    return critical;
}

static double recall_floor(void *context, const size_t *indices, size_t n) {
    (void)indices;
    (void)n;
    struct curve *curve = context;
    return curve->floor[curve->round++];
}

static double critical_to_noise(void *context, const size_t *indices, size_t n) {
    struct curve *curve = context;
    return curve->critical[curve->round++] / curve->noise_scale(curve->noise, indices, n);
}

static double steps_slope(void *context, const size_t *indices, size_t n) {
    const struct curve *curve = context;
    double x[BATCH_SIZES_MAXIMUM], y[BATCH_SIZES_MAXIMUM];
    size_t count = 0;
    for (size_t i = curve->from; i < curve->to; ++i) {
        if (!curve->fitted[i])
            continue;
        x[count] = log((double)curve->scaling->points[i].size);
        y[count] = log(median_steps(curve, i, indices, n));
        if (!isfinite(y[count++]))
            return NAN;
    }
    return slope(x, y, count);
}

static double perfect_end(void *context, const size_t *indices, size_t n) {
    struct curve *curve = context;
    double least = INFINITY, end = NAN;
    for (size_t i = curve->from; i < curve->to; ++i) {
        double samples = median_steps(curve, i, indices, n) * (double)curve->scaling->points[i].size;
        if (isnan(samples))
            return NAN;
        least = fmin(least, samples);
        if (isfinite(samples) && samples <= batch_wasted * least)
            end = (double)curve->scaling->points[i].size;
    }
    if (curve->round++ == 0)
        curve->end = end;
    else
        curve->agreeing += end == curve->end;
    return end;
}

static double misfit(const struct curve *curve, const struct batch_scaling *scaling) {
    double squares = 0.0;
    for (size_t i = curve->from; i < curve->to; ++i) {
        if (!curve->fitted[i])
            continue;
        const struct batch_point *point = &scaling->points[i];
        double expected = scaling->floor.value * (1.0 + scaling->critical.value / (double)point->size);
        double error = log(point->tuned.to_loss.value / expected);
        squares += error * error / (double)scaling->fitted;
    }
    return expm1(sqrt(squares));
}

static struct interval resample(const struct batch_findings *findings, size_t rounds,
                                inference_statistic statistic, struct curve *curve) {
    curve->round = 0;
    return inference_bootstrap(findings->design.tuning.judging_seeds, rounds, bootstrap_seed, statistic,
                               curve);
}

static void compute_curve(const struct batch_findings *findings, struct curve *curve,
                          struct batch_scaling *scaling) {
    curve->to = findings->design.size_count;
    for (size_t i = 0; i < curve->to; ++i) {
        curve->fitted[i] = isfinite(scaling->points[i].tuned.to_loss.value);
        scaling->fitted += curve->fitted[i];
    }
    scaling->critical = resample(findings, findings->fit_rounds, fit_critical, curve);
    scaling->floor = resample(findings, findings->fit_rounds, recall_floor, curve);
    scaling->misfit = misfit(curve, scaling);
    scaling->perfect_end = resample(findings, findings->rounds, perfect_end, curve);
    scaling->perfect_agreeing = (double)curve->agreeing / (double)findings->rounds;
    scaling->critical_to_noise = scaling->critical_to_way = nothing;
    scaling->slope_below = scaling->slope_beyond = nothing;
}

/* After compute_curve, of whose fits this makes use. */
static void compare_with_noise(const struct batch_findings *findings, const struct batch_noise *noise,
                               struct curve *curve, struct batch_scaling *scaling) {
    curve->noise_scale = batch_noise_at_target;
    scaling->critical_to_noise = resample(findings, findings->fit_rounds, critical_to_noise, curve);
    curve->noise_scale = batch_noise_on_the_way;
    scaling->critical_to_way = resample(findings, findings->fit_rounds, critical_to_noise, curve);
    while (scaling->below < findings->design.size_count &&
           (double)scaling->points[scaling->below].size <= noise->at_target.value)
        ++scaling->below;
    curve->to = scaling->below;
    scaling->slope_below = resample(findings, findings->rounds, steps_slope, curve);
    curve->from = scaling->below;
    curve->to = findings->design.size_count;
    scaling->slope_beyond = resample(findings, findings->rounds, steps_slope, curve);
}

/* ---- all ---- */

static void compute_points(const struct batch_findings *findings, const struct results *results,
                           size_t network, enum batch_policy policy, struct batch_scaling *scaling) {
    const struct batch_design *design = &findings->design;
    for (size_t i = 0; i < design->size_count; ++i) {
        struct batch_point *point = &scaling->points[i];
        struct run_settings cell = batch_cell(design, network, policy, design->sizes[i]);
        point->size = design->sizes[i];
        point->momentum = cell.momentum;
        collect(findings, results, &cell, batch_best_rate(design, results, network, policy, point->size),
                &point->tuned);
        collect(findings, results, &cell, batch_linear_rate(design, results, network, policy, point->size),
                &point->linear);
        point->linear_ratio = paired_ratio(findings, &point->linear, &point->tuned);
    }
}

static void compare_with_kept(const struct batch_findings *findings, enum batch_policy policy,
                              const struct batch_scaling *scaling, const struct batch_scaling *kept,
                              struct batch_comparison *comparisons) {
    const struct batch_design *design = &findings->design;
    const size_t seeds = design->tuning.judging_seeds;
    double p[BATCH_SIZES_MAXIMUM];
    size_t tests = 0;
    for (size_t i = 0; i < design->size_count; ++i) {
        const double *a = scaling->points[i].tuned.loss_steps, *b = kept->points[i].tuned.loss_steps;
        /* At the reference size the scaled momentum is the kept one: the same runs, which are no test. */
        bool same = policy == BATCH_SCALED && design->sizes[i] == design->reference_size;
        comparisons[i].ratio = paired_ratio(findings, &scaling->points[i].tuned, &kept->points[i].tuned);
        comparisons[i].p =
            same || isnan(comparisons[i].ratio.value) ? NAN : inference_paired_test(a, b, seeds);
        if (!same)
            p[tests++] = comparisons[i].p;
    }
    inference_holm(p, tests);
    for (size_t i = 0, test = 0; i < design->size_count; ++i) {
        bool same = policy == BATCH_SCALED && design->sizes[i] == design->reference_size;
        comparisons[i].p_holm = same ? NAN : p[test++];
    }
}

void batch_compute(const struct study_settings *settings, const struct results *results,
                   struct batch_findings *findings) {
    memset(findings, 0, sizeof *findings);
    batch_design(settings, &findings->design);
    findings->rounds = settings->quick ? 999 : 9999;
    findings->fit_rounds = settings->quick ? 999 : FIT_ROUNDS_MAXIMUM - 1;
    for (size_t network = 0; network < findings->design.network_count; ++network) {
        struct batch_noise *noise = &findings->networks[network].noise;
        struct batch_scaling *policies = findings->networks[network].policies;
        struct batch_noise_sample sample;
        bool measured = batch_noise_collect(&findings->design, results, network, &sample);
        noise->at_target = noise->on_the_way = nothing;
        noise->target_step = NAN;
        if (measured)
            batch_compute_noise(&sample, findings->rounds, noise);
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy) {
            struct batch_scaling *scaling = &policies[policy];
            struct curve curve = {.scaling = scaling, .noise = &sample};
            compute_points(findings, results, network, (enum batch_policy)policy, scaling);
            compute_curve(findings, &curve, scaling);
            if (measured)
                compare_with_noise(findings, noise, &curve, scaling);
            compute_rates(findings, results, network, (enum batch_policy)policy, scaling);
        }
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            compare_with_kept(findings, (enum batch_policy)policy, &policies[policy], &policies[BATCH_KEPT],
                              findings->networks[network].against_kept[policy]);
    }
}
