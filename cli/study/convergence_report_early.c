/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first steps: the debiased average against PyTorch's undampened first step, where nothing else differs. Ratios
 * of evaluated training losses, paired by seed; below 1 debiasing is ahead.
 */
#include "convergence_report.h"

#include <math.h>

/* Of 1 / (1 - momentum) steps. */
static const double moments[EARLY_MOMENTS] = {0.5, 1.0, 2.0, 3.0};

/* ---- ratios ---- */

static double reach(const struct findings *findings, size_t momentum) {
    return 1.0 / (1.0 - findings->design.momenta[momentum]);
}

static size_t checkpoints_of(const struct findings *findings, size_t momentum, size_t batch, size_t rate,
                             uint64_t *steps) {
    uint64_t others[CHECKPOINTS_MAXIMUM];
    const struct sample *samples = findings->early[momentum][batch][rate];
    size_t first = sample_checkpoints(&samples[0], steps), second = sample_checkpoints(&samples[1], others);
    for (size_t i = first; i < second; ++i)
        steps[i] = others[i];
    return first > second ? first : second;
}

/* The checkpoint nearest to the moment, by the ratio of steps. */
static size_t nearest(const struct findings *findings, size_t momentum, double moment, const uint64_t *steps,
                      size_t count) {
    size_t best = 0;
    double least = INFINITY;
    for (size_t i = 1; i < count; ++i) {
        double distance = fabs(log((double)steps[i] / (moment * reach(findings, momentum))));
        if (distance < least) {
            least = distance;
            best = i;
        }
    }
    return best;
}

/* Both losses of every seed. */
static void collect(const struct findings *findings, size_t momentum, size_t batch, size_t rate,
                    size_t checkpoint, double *debiased, double *undampened) {
    const struct sample *samples = findings->early[momentum][batch][rate];
    for (size_t seed = 0; seed < samples[0].seeds; ++seed) {
        undampened[seed] = outcome_loss_at(samples[0].outcomes[seed], checkpoint);
        debiased[seed] = outcome_loss_at(samples[1].outcomes[seed], checkpoint);
    }
}

size_t early_summarise(const struct findings *findings, size_t momentum, size_t batch, double *values) {
    const struct convergence_design *design = &findings->design;
    size_t known = 0;
    for (size_t seed = 0; seed < design->tuning.judging_seeds; ++seed) {
        double ratios[EARLY_RATES_MAXIMUM * EARLY_MOMENTS];
        size_t count = 0;
        for (size_t rate = 0; rate < design->early_rate_count; ++rate) {
            uint64_t steps[CHECKPOINTS_MAXIMUM];
            size_t checkpoints = checkpoints_of(findings, momentum, batch, rate, steps);
            const struct sample *samples = findings->early[momentum][batch][rate];
            for (size_t i = 0; i < EARLY_MOMENTS && checkpoints > 0; ++i) {
                size_t at = nearest(findings, momentum, moments[i], steps, checkpoints);
                double ratio = outcome_loss_at(samples[1].outcomes[seed], at) /
                               outcome_loss_at(samples[0].outcomes[seed], at);
                if (!isnan(ratio))
                    ratios[count++] = ratio;
            }
        }
        values[seed] = inference_median(ratios, count);
        known += count > 0;
    }
    return known;
}

/* ---- tables ---- */

struct early_row {
    size_t momentum, batch, rate;
    double moment;
    uint64_t step;
    size_t pairs;
    double debiased, undampened; /* medians */
    struct interval ratio;
    double p, p_holm;
};

enum { EARLY_ROWS_MAXIMUM = MOMENTA_MAXIMUM * BATCHES_MAXIMUM * EARLY_RATES_MAXIMUM * EARLY_MOMENTS };

static double median_known(const double *values, size_t n) {
    double known[TUNING_SEEDS_MAXIMUM];
    size_t count = 0;
    for (size_t i = 0; i < n; ++i)
        if (!isnan(values[i]))
            known[count++] = values[i];
    return inference_median(known, count);
}

static struct early_row compute_row(const struct findings *findings, size_t momentum, size_t batch,
                                    size_t rate, size_t moment) {
    struct early_row row = {.momentum = momentum, .batch = batch, .rate = rate, .moment = moments[moment]};
    size_t seeds = findings->design.tuning.judging_seeds;
    uint64_t steps[CHECKPOINTS_MAXIMUM];
    size_t checkpoints = checkpoints_of(findings, momentum, batch, rate, steps);
    size_t at = nearest(findings, momentum, row.moment, steps, checkpoints);
    double debiased[TUNING_SEEDS_MAXIMUM], undampened[TUNING_SEEDS_MAXIMUM];
    collect(findings, momentum, batch, rate, at, debiased, undampened);
    row.step = checkpoints > 0 ? steps[at] : 0;
    row.debiased = median_known(debiased, seeds);
    row.undampened = median_known(undampened, seeds);
    row.ratio = inference_bootstrap_ratio(debiased, undampened, seeds, findings->rounds,
                                          CONVERGENCE_BOOTSTRAP_SEED, &row.pairs);
    row.p = row.pairs > 0 ? inference_paired_test(debiased, undampened, seeds) : NAN;
    return row;
}

static enum exit_code write_moments(const struct findings *findings) {
    const struct convergence_design *design = &findings->design;
    struct early_row rows[EARLY_ROWS_MAXIMUM];
    double p[EARLY_ROWS_MAXIMUM];
    size_t count = 0;
    for (size_t m = 0; m < design->momentum_count; ++m)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch)
            for (size_t rate = 0; rate < design->early_rate_count; ++rate)
                for (size_t i = 0; i < EARLY_MOMENTS; ++i) {
                    rows[count] = compute_row(findings, m, batch, rate, i);
                    p[count] = rows[count].p;
                    ++count;
                }
    inference_holm(p, count);
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "early.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(
        &table,
        "evaluated training loss of the debiased average over that with PyTorch's undampened first step,");
    table_comment(
        &table,
        "at the checkpoints nearest to 0.5, 1, 2 and 3 / (1 - momentum) steps: median over the judging");
    table_comment(
        &table,
        "seeds, paired, with its bootstrap interval of 95 %%; inf: diverged, and a pair of two such says");
    table_comment(&table, "nothing. p: exact signed-rank test; p_holm: Holm's correction over this table");
    table_columns(
        &table, "network,momentum,batch,rate,moment,step,loss_debiased,loss_undampened,pairs,ratio,ratio_low,"
                "ratio_high,p,p_holm");
    for (size_t i = 0; i < count; ++i) {
        table_text(&table, design->networks[0]->name);
        table_number(&table, design->momenta[rows[i].momentum]);
        table_count(&table, design->early_batches[rows[i].batch]);
        table_number(&table, design->early_rates[rows[i].rate]);
        table_number(&table, rows[i].moment);
        table_count(&table, rows[i].step);
        table_number(&table, rows[i].debiased);
        table_number(&table, rows[i].undampened);
        table_count(&table, rows[i].pairs);
        table_interval(&table, rows[i].ratio);
        table_number(&table, rows[i].p);
        table_number(&table, p[i]);
        table_end_row(&table);
    }
    return table_close(&table);
}

static enum exit_code write_summary(const struct findings *findings) {
    const struct convergence_design *design = &findings->design;
    size_t seeds = design->tuning.judging_seeds, count = 0;
    double p[MOMENTA_MAXIMUM * BATCHES_MAXIMUM], plain[MOMENTA_MAXIMUM * BATCHES_MAXIMUM];
    double values[MOMENTA_MAXIMUM * BATCHES_MAXIMUM][TUNING_SEEDS_MAXIMUM], ones[TUNING_SEEDS_MAXIMUM];
    for (size_t i = 0; i < seeds; ++i)
        ones[i] = 1.0;
    for (size_t m = 0; m < design->momentum_count; ++m)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch, ++count) {
            size_t known = early_summarise(findings, m, batch, values[count]);
            p[count] = plain[count] = known > 0 ? inference_paired_test(values[count], ones, seeds) : NAN;
        }
    inference_holm(p, count);
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "early-summary.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(
        &table,
        "the ratios of early.csv: each seed's median over rates and moments, and the median of those over");
    table_comment(
        &table,
        "the seeds with its bootstrap interval of 95 %%; p: exact signed-rank test against 1, and by Holm");
    table_columns(&table, "network,momentum,batch,pairs,ratio,ratio_low,ratio_high,p,p_holm");
    for (size_t i = 0; i < count; ++i) {
        size_t pairs;
        struct interval ratio = inference_bootstrap_ratio(values[i], ones, seeds, findings->rounds,
                                                          CONVERGENCE_BOOTSTRAP_SEED, &pairs);
        table_text(&table, design->networks[0]->name);
        table_number(&table, design->momenta[i / design->early_batch_count]);
        table_count(&table, design->early_batches[i % design->early_batch_count]);
        table_count(&table, pairs);
        table_interval(&table, ratio);
        table_number(&table, plain[i]);
        table_number(&table, p[i]);
        table_end_row(&table);
    }
    return table_close(&table);
}

static void write_curve(const struct findings *findings, size_t momentum, size_t batch, size_t rate,
                        struct table *table) {
    const struct convergence_design *design = &findings->design;
    size_t seeds = design->tuning.judging_seeds, pairs;
    uint64_t steps[CHECKPOINTS_MAXIMUM];
    size_t checkpoints = checkpoints_of(findings, momentum, batch, rate, steps);
    for (size_t i = 1; i < checkpoints; ++i) {
        double debiased[TUNING_SEEDS_MAXIMUM], undampened[TUNING_SEEDS_MAXIMUM];
        collect(findings, momentum, batch, rate, i, debiased, undampened);
        struct interval ratio =
            inference_bootstrap_ratio(debiased, undampened, seeds, 999, CONVERGENCE_BOOTSTRAP_SEED, &pairs);
        table_number(table, design->momenta[momentum]);
        table_count(table, design->early_batches[batch]);
        table_number(table, design->early_rates[rate]);
        table_count(table, steps[i]);
        table_number(table, (double)steps[i] / reach(findings, momentum));
        table_count(table, pairs);
        table_interval(table, ratio);
        table_end_row(table);
    }
}

enum exit_code convergence_write_early(const struct findings *findings) {
    const struct convergence_design *design = &findings->design;
    enum exit_code exit_code = write_moments(findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_summary(findings);
    struct table table;
    if (exit_code == EXIT_CODE_OK)
        exit_code = table_open(&table, findings->settings, "convergence", "early-curves.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&table, "early.csv at every checkpoint, for the figure; scaled_step: step (1 - momentum)");
    table_columns(&table, "momentum,batch,rate,step,scaled_step,pairs,ratio,ratio_low,ratio_high");
    for (size_t m = 0; m < design->momentum_count; ++m)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch)
            for (size_t rate = 0; rate < design->early_rate_count; ++rate)
                write_curve(findings, m, batch, rate, &table);
    return table_close(&table);
}
