/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of the convergence study that compare nothing: every rate of the grid, the fastest, how much the choice
 * matters, and the curves at the matched rate.
 */
#include "convergence_report.h"

#include <math.h>
#include <stdlib.h>

static const struct line *line_of(const struct findings *findings, size_t index) {
    const struct convergence_design *design = &findings->design;
    size_t network = index / ARM_COUNT / design->momentum_count;
    if (network >= design->network_count)
        return NULL;
    return &findings->lines[network][index / ARM_COUNT % design->momentum_count][index % ARM_COUNT];
}

static void write_key(const struct findings *findings, const struct line *line, struct table *table) {
    table_text(table, line_network(findings, line));
    table_text(table, arm_name(line->arm));
    table_number(table, line_momentum(findings, line));
}

/* ---- every rate ---- */

static void write_rates_of(const struct findings *findings, const struct line *line, struct table *table) {
    for (size_t i = 0; i < findings->design.rate_count; ++i) {
        const struct sample *sample = &line->tuned[i];
        double rate = findings->design.rates[i];
        write_key(findings, line, table);
        table_number(table, rate);
        table_number(table, line_learning_rate(findings, line, rate));
        table_count(table, sample_count(sample));
        table_count(table, sample_diverged(sample));
        table_count(table, sample_reached(sample, outcome_steps_to_loss));
        table_interval(table, sample_interval(findings, sample, outcome_steps_to_loss));
        table_count(table, sample_reached(sample, outcome_steps_to_accuracy));
        table_interval(table, sample_interval(findings, sample, outcome_steps_to_accuracy));
        table_number(table, sample_median(sample, outcome_final_loss));
        table_interval(table, sample_interval(findings, sample, outcome_final_accuracy));
        table_end_row(table);
    }
}

static void describe_targets(const struct findings *findings, struct table *table) {
    const struct run_settings *run = &findings->design.run;
    table_comment(
        table, "targets: training loss %g, test accuracy %g; batch %d, %d steps; inf: not reached in these",
        run->loss_target, run->accuracy_target, (int)run->batch, (int)run->steps);
    table_comment(
        table,
        "rate: effective, the length of a step under a constant gradient; learning_rate: the rule's own");
}

enum exit_code convergence_write_rates(const struct findings *findings) {
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "rates.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&table,
                  "every rate of the grid: medians over the %d tuning seeds, bootstrap intervals of 95 %%",
                  (int)findings->design.tuning.tuning_seeds);
    describe_targets(findings, &table);
    table_columns(&table, "network,arm,momentum,rate,learning_rate,runs,diverged,reached_loss,steps_to_loss,"
                          "steps_to_loss_low,steps_to_loss_high,reached_accuracy,steps_to_accuracy,"
                          "steps_to_accuracy_low,steps_to_accuracy_high,final_loss,final_accuracy,"
                          "final_accuracy_low,final_accuracy_high");
    const struct line *line;
    for (size_t i = 0; (line = line_of(findings, i)) != NULL; ++i)
        if (!line_repeats(line))
            write_rates_of(findings, line, &table);
    return table_close(&table);
}

/* ---- the fastest ---- */

static struct interval scaled(struct interval interval, double factor) {
    return (struct interval){interval.value * factor, interval.low * factor, interval.high * factor};
}

static void write_speed(const struct findings *findings, const struct sample *sample, outcome_quantity of,
                        struct table *table) {
    struct interval steps = sample_interval(findings, sample, of);
    table_count(table, sample_reached(sample, of));
    table_interval(table, steps);
    table_interval(table, scaled(steps, (double)findings->design.run.batch));
}

enum exit_code convergence_write_best(const struct findings *findings) {
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "best.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&table,
                  "every rule at the rate at which it was fastest to the loss target, by the tuning seeds:");
    table_comment(&table, "medians over the %d judging seeds, bootstrap intervals of 95 %%",
                  (int)findings->design.tuning.judging_seeds);
    describe_targets(findings, &table);
    table_columns(&table, "network,arm,momentum,rate,learning_rate,runs,diverged,reached_loss,steps_to_loss,"
                          "steps_to_loss_low,steps_to_loss_high,samples_to_loss,samples_to_loss_low,"
                          "samples_to_loss_high,reached_accuracy,steps_to_accuracy,steps_to_accuracy_low,"
                          "steps_to_accuracy_high,samples_to_accuracy,samples_to_accuracy_low,"
                          "samples_to_accuracy_high,final_loss,final_loss_low,final_loss_high,final_accuracy,"
                          "final_accuracy_low,final_accuracy_high");
    const struct line *line;
    for (size_t i = 0; (line = line_of(findings, i)) != NULL; ++i) {
        if (line_repeats(line) || line->best_rate == 0.0)
            continue;
        write_key(findings, line, &table);
        table_number(&table, line->best_rate);
        table_number(&table, line_learning_rate(findings, line, line->best_rate));
        table_count(&table, sample_count(&line->best));
        table_count(&table, sample_diverged(&line->best));
        write_speed(findings, &line->best, outcome_steps_to_loss, &table);
        write_speed(findings, &line->best, outcome_steps_to_accuracy, &table);
        table_interval(&table, sample_interval(findings, &line->best, outcome_final_loss));
        table_interval(&table, sample_interval(findings, &line->best, outcome_final_accuracy));
        table_end_row(&table);
    }
    return table_close(&table);
}

/* ---- how much the rate matters ---- */

/* The run of rates about the fastest at which the median of steps is within twice its own. */
static void find_range(const struct findings *findings, const struct line *line, size_t *lowest,
                       size_t *highest) {
    size_t count = findings->design.rate_count, best = 0;
    double medians[RATES_MAXIMUM] = {0.0};
    for (size_t i = 0; i < count; ++i) {
        medians[i] = sample_median(&line->tuned[i], outcome_steps_to_loss);
        if (findings->design.rates[i] == line->best_rate)
            best = i;
    }
    *lowest = *highest = best;
    while (*lowest > 0 && medians[*lowest - 1] <= 2.0 * medians[best])
        --*lowest;
    while (*highest + 1 < count && medians[*highest + 1] <= 2.0 * medians[best])
        ++*highest;
}

/* The largest rate at which more than half, or at least half, of the runs are as wanted; NaN if there is none. */
static double tolerated(const struct findings *findings, const struct line *line, bool reaching) {
    for (size_t i = findings->design.rate_count; i-- > 0;) {
        const struct sample *sample = &line->tuned[i];
        size_t count = sample_count(sample);
        if (count > 0 && (reaching ? 2 * sample_reached(sample, outcome_steps_to_loss) >= count
                                   : 2 * sample_diverged(sample) < count))
            return findings->design.rates[i];
    }
    return NAN;
}

static void write_sensitivity_of(const struct findings *findings, const struct line *line,
                                 struct table *table) {
    const struct convergence_design *design = &findings->design;
    size_t lowest, highest, last = design->rate_count - 1;
    find_range(findings, line, &lowest, &highest);
    double median = sample_median(&line->tuned[lowest], outcome_steps_to_loss);
    bool known = line->best_rate != 0.0 && isfinite(median);
    write_key(findings, line, table);
    table_number(table, line->best_rate != 0.0 ? line->best_rate : NAN);
    table_number(table, known ? design->rates[lowest] : NAN);
    table_number(table, known ? design->rates[highest] : NAN);
    table_number(table, known ? design->rates[highest] / design->rates[lowest] : NAN);
    table_text(table, !known                           ? ""
                      : lowest == 0 && highest == last ? "both"
                      : lowest == 0                    ? "low"
                      : highest == last                ? "high"
                                                       : "none");
    table_number(table, tolerated(findings, line, false));
    table_number(table, tolerated(findings, line, true));
    table_end_row(table);
}

enum exit_code convergence_write_sensitivity(const struct findings *findings) {
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "sensitivity.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(
        &table, "how much the rate matters, by the tuning seeds; rates from %g to %g were tried, %d of them",
        findings->design.rates[0], findings->design.rates[findings->design.rate_count - 1],
        (int)findings->design.rate_count);
    table_comment(&table,
                  "within_two: rates about the best with at most twice its median of steps to the loss, and");
    table_comment(
        &table,
        "their ratio; open_end: ends of the grid that this range touches, so that it may go on beyond.");
    table_comment(
        &table,
        "not_diverging: the largest rate at which fewer than half of the runs diverged; reaching: at");
    table_comment(&table, "which at least half met the loss target");
    table_columns(&table,
                  "network,arm,momentum,best_rate,within_two_low,within_two_high,within_two_factor,open_end,"
                  "not_diverging,reaching");
    const struct line *line;
    for (size_t i = 0; (line = line_of(findings, i)) != NULL; ++i)
        if (!line_repeats(line))
            write_sensitivity_of(findings, line, &table);
    return table_close(&table);
}

/* ---- the curves ---- */

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Median and quartiles; the quartiles are values of the sample, so that they may be infinite without a rule for means
 * of those. */
static struct interval quartiles(const struct sample *sample, size_t checkpoint, size_t *count) {
    double values[TUNING_SEEDS_MAXIMUM];
    *count = 0;
    for (size_t i = 0; i < sample->seeds; ++i)
        if (sample->outcomes[i] != NULL)
            values[(*count)++] = outcome_loss_at(sample->outcomes[i], checkpoint);
    if (*count == 0)
        return (struct interval){NAN, NAN, NAN};
    qsort(values, *count, sizeof *values, compare);
    size_t quarter = (*count - 1) / 4;
    return (struct interval){inference_median(values, *count), values[quarter], values[*count - 1 - quarter]};
}

static void write_curves_of(const struct findings *findings, const struct line *line, struct table *table) {
    uint64_t steps[CHECKPOINTS_MAXIMUM];
    size_t checkpoints = sample_checkpoints(&line->matched, steps), count;
    for (size_t i = 0; i < checkpoints; ++i) {
        struct interval loss = quartiles(&line->matched, i, &count);
        table_text(table, line_network(findings, line));
        table_text(table, arm_name(line->arm));
        /* Plain SGD too has a curve for every matched rate: the momentum says whose. */
        table_number(table, findings->design.momenta[line->momentum]);
        table_number(table, findings->matched_rates[line->network][line->momentum]);
        table_count(table, steps[i]);
        table_count(table, count);
        table_interval(table, loss);
        table_end_row(table);
    }
}

enum exit_code convergence_write_curves(const struct findings *findings) {
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "curves.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(
        &table, "evaluated training loss at the matched rate, the one at which the debiased average of this");
    table_comment(&table, "momentum was fastest: median and quartiles over the judging seeds; inf: diverged");
    table_columns(&table, "network,arm,momentum,rate,step,runs,loss,loss_quarter,loss_three_quarters");
    const struct line *line;
    for (size_t i = 0; (line = line_of(findings, i)) != NULL; ++i)
        write_curves_of(findings, line, &table);
    return table_close(&table);
}
