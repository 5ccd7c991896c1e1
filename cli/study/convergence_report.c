/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the convergence study's runs, has the tables and figures made, and prints the short of it. */
#include "convergence_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- samples ---- */

size_t sample_collect(const struct sample *sample, outcome_quantity of, double *values) {
    size_t found = 0;
    for (size_t i = 0; i < sample->seeds; ++i) {
        values[i] = sample->outcomes[i] != NULL ? of(sample->outcomes[i]) : NAN;
        found += sample->outcomes[i] != NULL;
    }
    return found;
}

/* Those that are there, side by side. */
static size_t collect_present(const struct sample *sample, outcome_quantity of, double *values) {
    size_t found = 0;
    for (size_t i = 0; i < sample->seeds; ++i)
        if (sample->outcomes[i] != NULL)
            values[found++] = of(sample->outcomes[i]);
    return found;
}

size_t sample_count(const struct sample *sample) {
    double values[TUNING_SEEDS_MAXIMUM];
    return collect_present(sample, outcome_diverged, values);
}

size_t sample_reached(const struct sample *sample, outcome_quantity of) {
    double values[TUNING_SEEDS_MAXIMUM];
    size_t reached = 0, count = collect_present(sample, of, values);
    for (size_t i = 0; i < count; ++i)
        reached += isfinite(values[i]) != 0;
    return reached;
}

size_t sample_diverged(const struct sample *sample) {
    double values[TUNING_SEEDS_MAXIMUM];
    size_t diverged = 0, count = collect_present(sample, outcome_diverged, values);
    for (size_t i = 0; i < count; ++i)
        diverged += values[i] != 0.0;
    return diverged;
}

double sample_median(const struct sample *sample, outcome_quantity of) {
    double values[TUNING_SEEDS_MAXIMUM];
    return inference_median(values, collect_present(sample, of, values));
}

struct interval sample_interval(const struct findings *findings, const struct sample *sample,
                                outcome_quantity of) {
    double values[TUNING_SEEDS_MAXIMUM];
    size_t count = collect_present(sample, of, values);
    return inference_bootstrap_median(values, count, findings->rounds, CONVERGENCE_BOOTSTRAP_SEED);
}

double outcome_loss_at(const struct run_outcome *outcome, size_t index) {
    if (outcome == NULL)
        return NAN;
    if (index >= outcome->checkpoint_count || !isfinite(outcome->checkpoints[index].loss))
        return INFINITY;
    return outcome->checkpoints[index].loss;
}

size_t sample_checkpoints(const struct sample *sample, uint64_t *steps) {
    const struct run_outcome *longest = NULL;
    for (size_t i = 0; i < sample->seeds; ++i) {
        const struct run_outcome *outcome = sample->outcomes[i];
        if (outcome != NULL && (longest == NULL || outcome->checkpoint_count > longest->checkpoint_count))
            longest = outcome;
    }
    if (longest == NULL)
        return 0;
    for (size_t i = 0; i < longest->checkpoint_count; ++i)
        steps[i] = longest->checkpoints[i].step;
    return longest->checkpoint_count;
}

/* ---- lines ---- */

double line_momentum(const struct findings *findings, const struct line *line) {
    return line->arm == ARM_PLAIN ? 0.0 : findings->design.momenta[line->momentum];
}

bool line_repeats(const struct line *line) {
    return line->arm == ARM_PLAIN && line->momentum > 0;
}

const char *line_network(const struct findings *findings, const struct line *line) {
    return findings->design.networks[line->network]->name;
}

double line_learning_rate(const struct findings *findings, const struct line *line, double rate) {
    return arm_options(line->arm, line_momentum(findings, line), rate).learning_rate;
}

/* ---- gathering ---- */

/* A rate of 0 is not known yet: its runs are lacking. */
static void gather_sample(const struct results *results, const struct run_settings *cell, double rate,
                          uint64_t first, uint64_t seeds, struct sample *sample) {
    sample->seeds = seeds;
    for (uint64_t i = 0; i < seeds && rate != 0.0; ++i) {
        struct run_settings run = *cell;
        run.rate = rate;
        run.seed = first + i;
        sample->outcomes[i] = results_find(results, &run);
    }
}

static void gather_line(struct findings *findings, const struct results *results, struct line *line) {
    const struct convergence_design *design = &findings->design;
    const struct tuning *tuning = &design->tuning;
    struct run_settings cell =
        convergence_cell(design, line->network, line->arm, design->momenta[line->momentum]);
    for (size_t i = 0; i < design->rate_count; ++i)
        gather_sample(results, &cell, design->rates[i], tuning->first_seed, tuning->tuning_seeds,
                      &line->tuned[i]);
    uint64_t judging = tuning->first_seed + tuning->tuning_seeds;
    line->best_rate =
        convergence_best_rate(design, results, line->network, line->arm, design->momenta[line->momentum]);
    gather_sample(results, &cell, line->best_rate, judging, tuning->judging_seeds, &line->best);
    gather_sample(results, &cell, findings->matched_rates[line->network][line->momentum], judging,
                  tuning->judging_seeds, &line->matched);
}

static void gather_early(struct findings *findings, const struct results *results) {
    static const enum arm arms[2] = {ARM_UNDAMPENED, ARM_DEBIASED};
    const struct convergence_design *design = &findings->design;
    const struct tuning *tuning = &design->tuning;
    for (size_t m = 0; m < design->momentum_count; ++m)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch)
            for (size_t i = 0; i < 2; ++i) {
                struct run_settings cell =
                    convergence_early_cell(design, arms[i], design->momenta[m], design->early_batches[batch]);
                for (size_t rate = 0; rate < design->early_rate_count; ++rate)
                    gather_sample(results, &cell, design->early_rates[rate],
                                  tuning->first_seed + tuning->tuning_seeds, tuning->judging_seeds,
                                  &findings->early[m][batch][rate][i]);
            }
}

static void gather(struct findings *findings, const struct results *results) {
    const struct convergence_design *design = &findings->design;
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            findings->matched_rates[network][m] =
                convergence_best_rate(design, results, network, ARM_DEBIASED, design->momenta[m]);
            for (int arm = 0; arm < ARM_COUNT; ++arm) {
                struct line *line = &findings->lines[network][m][arm];
                *line = (struct line){.network = network, .momentum = m, .arm = (enum arm)arm};
                gather_line(findings, results, line);
            }
        }
    gather_early(findings, results);
}

/* ---- on the screen ---- */

static void print_line(const struct findings *findings, const struct line *line) {
    char loss[TABLE_INTERVAL_SIZE], accuracy[TABLE_INTERVAL_SIZE], ratio[TABLE_INTERVAL_SIZE];
    table_format_interval(loss, sample_interval(findings, &line->best, outcome_steps_to_loss), 3);
    table_format_interval(accuracy, sample_interval(findings, &line->best, outcome_steps_to_accuracy), 3);
    printf("  %-18s %8.4g %8.4g  %-22s %-22s", arm_name(line->arm), line->best_rate,
           line_learning_rate(findings, line, line->best_rate), loss, accuracy);
    const struct comparison *comparison = comparison_find(&findings->at_best, line, ARM_HEAVY_BALL, 0);
    if (comparison != NULL && comparison->pairs > 0)
        printf(" %-22s %.2g", table_format_interval(ratio, comparison->ratio, 3), comparison->p_holm);
    printf("\n");
}

static void print_summary(const struct findings *findings) {
    const struct convergence_design *design = &findings->design;
    printf("Each rule at its fastest rate; medians over %zu seeds with intervals of 95 %%\n",
           (size_t)design->tuning.judging_seeds);
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            printf("\n%s, momentum %g\n  %-18s %8s %8s  %-22s %-22s %-22s %s\n",
                   design->networks[network]->name, design->momenta[m], "arm", "rate", "lr", "steps to loss",
                   "steps to accuracy", "loss: / heavy ball", "p (Holm)");
            for (int arm = 0; arm < ARM_COUNT; ++arm)
                print_line(findings, &findings->lines[network][m][arm]);
        }
    printf("\n");
}

enum exit_code convergence_report(const struct study_settings *settings, const struct results *results) {
    static enum exit_code (*const writers[])(const struct findings *) = {
        convergence_write_rates,       convergence_write_best,   convergence_write_comparisons,
        convergence_write_sensitivity, convergence_write_curves, convergence_write_early,
        convergence_write_predictions, convergence_draw,
    };
    struct findings *findings = calloc(1, sizeof *findings);
    if (findings == NULL) {
        report_error("study: out of memory for the report");
        return EXIT_CODE_FAILED;
    }
    findings->settings = settings;
    findings->rounds = settings->quick ? 999 : 9999;
    convergence_design(settings, &findings->design);
    gather(findings, results);
    convergence_compare(findings);
    if (!settings->quiet)
        print_summary(findings);
    enum exit_code exit_code = EXIT_CODE_OK;
    for (size_t i = 0; i < sizeof writers / sizeof writers[0] && exit_code == EXIT_CODE_OK; ++i)
        exit_code = writers[i](findings);
    free(findings);
    return exit_code;
}
