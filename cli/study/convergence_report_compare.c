/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Comparisons of rules, paired by seed: two runs of one seed share their first weights and the order of their images.
 * Must not choose rates.
 */
#include "convergence_report.h"

#include <assert.h>
#include <math.h>

static double outcome_final_error(const struct run_outcome *outcome) {
    return 1.0 - outcome->final_accuracy;
}

const struct compared_quantity compared_quantities[COMPARED_QUANTITIES] = {
    {"steps_to_loss", outcome_steps_to_loss},
    {"steps_to_accuracy", outcome_steps_to_accuracy},
    {"final_error", outcome_final_error},
};

/* ---- computing ---- */

static void add(const struct findings *findings, struct comparisons *comparisons, const struct line *line,
                const struct line *reference, bool matched) {
    double matched_rate = findings->matched_rates[line->network][line->momentum];
    for (size_t quantity = 0; quantity < COMPARED_QUANTITIES; ++quantity) {
        assert(comparisons->count < COMPARISONS_MAXIMUM);
        struct comparison *row = &comparisons->rows[comparisons->count++];
        *row = (struct comparison){
            .line = line,
            .reference = reference,
            .rate = matched ? matched_rate : line->best_rate,
            .reference_rate = matched ? matched_rate : reference->best_rate,
            .sample = matched ? &line->matched : &line->best,
            .reference_sample = matched ? &reference->matched : &reference->best,
            .quantity = quantity,
        };
        outcome_quantity of = compared_quantities[quantity].of;
        double values[TUNING_SEEDS_MAXIMUM], references[TUNING_SEEDS_MAXIMUM];
        sample_collect(row->sample, of, values);
        sample_collect(row->reference_sample, of, references);
        row->ratio = inference_bootstrap_ratio(values, references, row->sample->seeds, findings->rounds,
                                               CONVERGENCE_BOOTSTRAP_SEED, &row->pairs);
        row->mean_ratio = inference_bootstrap_mean_ratio(values, references, row->sample->seeds,
                                                         findings->rounds, CONVERGENCE_BOOTSTRAP_SEED, NULL);
        row->p = row->pairs > 0 ? inference_paired_test(values, references, row->sample->seeds) : NAN;
    }
}

/* A family is one table's comparisons of one quantity. */
static void correct(struct comparisons *comparisons) {
    for (size_t quantity = 0; quantity < COMPARED_QUANTITIES; ++quantity) {
        double p[COMPARISONS_MAXIMUM];
        size_t count = 0;
        for (size_t i = 0; i < comparisons->count; ++i)
            if (comparisons->rows[i].quantity == quantity)
                p[count++] = comparisons->rows[i].p;
        inference_holm(p, count);
        count = 0;
        for (size_t i = 0; i < comparisons->count; ++i)
            if (comparisons->rows[i].quantity == quantity)
                comparisons->rows[i].p_holm = p[count++];
    }
}

void convergence_compare(struct findings *findings) {
    for (size_t network = 0; network < findings->design.network_count; ++network)
        for (size_t m = 0; m < findings->design.momentum_count; ++m) {
            const struct line *lines = findings->lines[network][m];
            for (int arm = 0; arm < ARM_COUNT; ++arm) {
                if (arm != ARM_HEAVY_BALL && arm != ARM_PLAIN)
                    add(findings, &findings->at_best, &lines[arm], &lines[ARM_HEAVY_BALL], false);
                if (arm != ARM_PLAIN)
                    add(findings, &findings->at_best, &lines[arm], &lines[ARM_PLAIN], false);
                if (arm != ARM_DEBIASED)
                    add(findings, &findings->at_matched, &lines[arm], &lines[ARM_DEBIASED], true);
            }
            add(findings, &findings->at_best, &lines[ARM_UNDAMPENED], &lines[ARM_DEBIASED], false);
            add(findings, &findings->at_best, &lines[ARM_EWMA], &lines[ARM_DEBIASED], false);
            add(findings, &findings->at_best, &lines[ARM_DEBIASED_NESTEROV], &lines[ARM_NESTEROV], false);
            add(findings, &findings->at_matched, &lines[ARM_EWMA], &lines[ARM_HEAVY_BALL], true);
        }
    correct(&findings->at_best);
    correct(&findings->at_matched);
}

const struct comparison *comparison_find(const struct comparisons *comparisons, const struct line *line,
                                         enum arm reference, size_t quantity) {
    for (size_t i = 0; i < comparisons->count; ++i) {
        const struct comparison *row = &comparisons->rows[i];
        if (row->line == line && row->reference->arm == reference && row->quantity == quantity)
            return row;
    }
    return NULL;
}

/* ---- writing ---- */

static void write_rows(const struct findings *findings, const struct comparisons *comparisons,
                       struct table *table) {
    table_comment(
        table, "ratio: median over the judging seeds of this rule's quantity over the reference's, paired");
    table_comment(
        table, "by seed, with its bootstrap interval of 95 %%; pairs: seeds with a ratio. A quantity never");
    table_comment(
        table, "reached counts as infinite, and a pair of two such says nothing. mean_ratio: geometric mean");
    table_comment(
        table, "of the same ratios, with its interval; empty where one is 0 and another infinite. p: exact");
    table_comment(table,
                  "signed-rank test; p_holm: Holm's correction over all comparisons of this table and the");
    table_comment(table, "same quantity.");
    table_columns(
        table,
        "network,momentum,arm,rate,reference,reference_rate,quantity,runs,reached,median,"
        "reference_reached,reference_median,pairs,ratio,ratio_low,ratio_high,mean_ratio,mean_ratio_low,"
        "mean_ratio_high,p,p_holm");
    for (size_t i = 0; i < comparisons->count; ++i) {
        const struct comparison *row = &comparisons->rows[i];
        outcome_quantity of = compared_quantities[row->quantity].of;
        table_text(table, line_network(findings, row->line));
        table_number(table, findings->design.momenta[row->line->momentum]);
        table_text(table, arm_name(row->line->arm));
        table_number(table, row->rate);
        table_text(table, arm_name(row->reference->arm));
        table_number(table, row->reference_rate);
        table_text(table, compared_quantities[row->quantity].name);
        table_count(table, sample_count(row->sample));
        table_count(table, sample_reached(row->sample, of));
        table_number(table, sample_median(row->sample, of));
        table_count(table, sample_reached(row->reference_sample, of));
        table_number(table, sample_median(row->reference_sample, of));
        table_count(table, row->pairs);
        table_interval(table, row->ratio);
        table_interval(table, row->mean_ratio);
        table_number(table, row->p);
        table_number(table, row->p_holm);
        table_end_row(table);
    }
}

enum exit_code convergence_write_comparisons(const struct findings *findings) {
    struct table table;
    enum exit_code exit_code = table_open(&table, findings->settings, "convergence", "best-ratios.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&table, "every rule at the rate at which it was fastest, by the tuning seeds");
    write_rows(findings, &findings->at_best, &table);
    exit_code = table_close(&table);
    if (exit_code == EXIT_CODE_OK)
        exit_code = table_open(&table, findings->settings, "convergence", "matched.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&table,
                  "every rule at one effective rate, the one at which the debiased average was fastest");
    write_rows(findings, &findings->at_matched, &table);
    return table_close(&table);
}
