/* SPDX-License-Identifier: Apache-2.0 */
/* The deferral study's tables. Must not compute what is in them, but for the shares along training. */
#include "deferral_report.h"

#include <math.h>
#include <stdlib.h>

static struct interval times(struct interval interval, double factor) {
    return (struct interval){interval.value * factor, interval.low * factor, interval.high * factor};
}

/* Acting ones of an element in the whole run: the mean over seeds, in all tables. */
static struct interval updates_of(const struct deferral_sample *sample) {
    return times(sample->acted, (double)sample->cell.steps);
}

static void comment_run(struct table *table, const struct deferral_design *design) {
    const struct run_settings *run = &design->run;
    table_comment(
        table,
        "targets: loss %g over the first training images, accuracy %g over the first test images; %llu "
        "training images, %llu seen by a run",
        run->loss_target, run->accuracy_target, (unsigned long long)run->images,
        (unsigned long long)design->images_seen);
    table_comment(
        table,
        "rates chosen over %llu tuning seeds by the steps to the loss, all else from %llu judging seeds",
        (unsigned long long)design->tuning.tuning_seeds, (unsigned long long)design->tuning.judging_seeds);
    table_comment(
        table, "_low and _high: bootstrap interval of 95 %% over seeds; inf: not reached; empty: not known");
}

static void write_group(struct table *table, const struct deferral_design *design, size_t network, size_t m) {
    table_text(table, design->networks[network]->name);
    table_number(table, design->momenta[m]);
}

/* ---- thresholds.csv and batches.csv ---- */

static const char sample_columns[] =
    "network,momentum,handling,threshold,batch,rate,edge,runs,diverged,reached_loss,reached_accuracy,"
    "acted,acted_low,acted_high,updates,updates_low,updates_high,"
    "final_accuracy,final_accuracy_low,final_accuracy_high,steps_to_loss,steps_to_loss_low,steps_to_loss_"
    "high,"
    "samples_to_loss,samples_to_loss_low,samples_to_loss_high,"
    "steps_to_accuracy,steps_to_accuracy_low,steps_to_accuracy_high,"
    "samples_to_accuracy,samples_to_accuracy_low,samples_to_accuracy_high,accurate_rate,tuning_accuracy";

static void comment_samples(struct table *table) {
    table_comment(
        table,
        "rate: effective, the fastest of powers of two; edge: where it lies among those that were tried");
    table_comment(
        table,
        "acted: mean share of elements that acted in a step; updates: acting ones of an element in the "
        "whole run; both means over seeds; final_accuracy: median, all test images");
    table_comment(
        table, "accurate_rate: the rate with the best median of final accuracies over tuning seeds, and that "
               "median, which the choice makes look too good");
}

static void write_sample(struct table *table, const struct deferral_design *design, size_t network, size_t m,
                         const struct deferral_sample *sample) {
    const struct run_settings *cell = &sample->cell;
    const double batch = (double)cell->batch;
    write_group(table, design, network, m);
    table_text(table, handling_name(cell->handling));
    table_number(table, cell->threshold);
    table_count(table, cell->batch);
    table_number(table, cell->rate > 0.0 ? cell->rate : NAN);
    table_text(table, cell->rate == 0.0 ? ""
                      : sample->lowest  ? "lowest"
                      : sample->highest ? "highest"
                                        : "inside");
    table_count(table, sample->runs);
    table_count(table, sample->diverged);
    table_count(table, sample->reached_loss);
    table_count(table, sample->reached_accuracy);
    table_interval(table, sample->acted);
    table_interval(table, updates_of(sample));
    table_interval(table, sample->final_accuracy);
    table_interval(table, sample->to_loss);
    table_interval(table, times(sample->to_loss, batch));
    table_interval(table, sample->to_accuracy);
    table_interval(table, times(sample->to_accuracy, batch));
    table_number(table, sample->accurate_rate);
    table_number(table, sample->tuning_accuracy);
    table_end_row(table);
}

static void write_thresholds(struct table *table, const struct deferral_findings *findings, size_t network,
                             size_t m) {
    const struct deferral_design *design = &findings->design;
    const struct deferral_group *group = &findings->groups[network][m];
    write_sample(table, design, network, m, &group->batches[0]);
    for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling)
        for (size_t i = 0; i < design->threshold_count; ++i)
            write_sample(table, design, network, m, &group->handled[handling][i]);
}

static void write_batches(struct table *table, const struct deferral_findings *findings, size_t network,
                          size_t m) {
    const struct deferral_group *group = &findings->groups[network][m];
    for (size_t i = 0; i < group->batch_count; ++i)
        write_sample(table, &findings->design, network, m, &group->batches[i]);
}

/* ---- comparisons.csv ---- */

static const char comparison_columns[] =
    "network,momentum,comparison,threshold,batch,difference,difference_low,difference_high,difference_p,"
    "difference_p_holm,ratio,ratio_low,ratio_high,ratio_p,ratio_p_holm";

static void comment_comparisons(struct table *table) {
    table_comment(
        table,
        "difference: median over seeds of the difference of final accuracies; ratio: median over seeds of "
        "the ratio of steps to the loss, without seeds that reached it in neither");
    table_comment(
        table,
        "p: exact Wilcoxon signed-rank test of the pairs; p_holm: corrected over the thresholds (batches) "
        "of a comparison, network and momentum");
    table_comment(table, "at the same threshold dropping acts on fewer elements than deferring: equal.csv "
                         "compares the two at as many acting updates");
}

static void write_comparison(struct table *table, const char *name, double threshold, uint64_t batch,
                             const struct deferral_comparison *comparison) {
    table_text(table, name);
    table_number(table, threshold);
    table_count(table, batch);
    table_interval(table, comparison->difference);
    table_number(table, comparison->difference_p);
    table_number(table, comparison->difference_holm);
    table_interval(table, comparison->ratio);
    table_number(table, comparison->ratio_p);
    table_number(table, comparison->ratio_holm);
    table_end_row(table);
}

static void write_comparisons(struct table *table, const struct deferral_findings *findings, size_t network,
                              size_t m) {
    static const char *const names[DEFERRAL_PAIR_COUNT] = {[DEFERRAL_DEFER_TO_ACT] = "defer to act",
                                                           [DEFERRAL_DROP_TO_ACT] = "drop to act",
                                                           [DEFERRAL_DEFER_TO_DROP] = "defer to drop"};
    const struct deferral_design *design = &findings->design;
    const struct deferral_group *group = &findings->groups[network][m];
    for (int pair = 0; pair < DEFERRAL_PAIR_COUNT; ++pair)
        for (size_t i = 0; i < design->threshold_count; ++i) {
            write_group(table, design, network, m);
            write_comparison(table, names[pair], design->thresholds[i], design->run.batch,
                             &group->pairs[pair][i]);
        }
    for (size_t i = 1; i < group->batch_count; ++i) {
        write_group(table, design, network, m);
        write_comparison(table, "larger batch to act", 0.0, group->batches[i].cell.batch, &group->larger[i]);
    }
}

/* ---- equal.csv ---- */

static const char equal_columns[] =
    "network,momentum,handling,threshold,against,updates,updates_low,updates_high,batch,final_accuracy,"
    "other_accuracy,difference,difference_low,difference_high,p,p_holm,ratio,ratio_low,ratio_high";

static void comment_equal(struct table *table) {
    table_comment(
        table,
        "a threshold against another way to as many acting updates of an element, between runs that were "
        "made: within each seed straight in log(updates)");
    table_comment(table, "against batch: larger batches, in which all elements act, and which see as many "
                         "images; batch: the median over seeds of that in between");
    table_comment(
        table,
        "against drop: the same batch, with elements dropped below another threshold; at the same threshold "
        "(comparisons.csv) dropping acts on fewer elements. Runs without a threshold are an end of both");
    table_comment(table,
                  "updates: acting ones of an element in the whole run, the mean over seeds as in "
                  "thresholds.csv; final_accuracy, other_accuracy: medians, the latter of what lies between");
    table_comment(
        table,
        "difference: median over seeds of the difference of final accuracies; ratio: of samples to the loss, "
        "whose logarithm is interpolated; empty where a seed's updates lie outside the range of the others");
    table_comment(table, "p: exact Wilcoxon signed-rank test; p_holm: corrected over the thresholds of a "
                         "handling, other way, network and momentum");
}

static void write_equal(struct table *table, const struct deferral_findings *findings, size_t network,
                        size_t m) {
    static const struct {
        enum handling handling;
        const char *against;
    } pairs[DEFERRAL_EQUAL_COUNT] = {[DEFERRAL_DEFER_TO_BATCH] = {HANDLING_DEFER, "batch"},
                                     [DEFERRAL_DROP_TO_BATCH] = {HANDLING_DROP, "batch"},
                                     [DEFERRAL_DEFER_TO_EQUAL_DROP] = {HANDLING_DEFER, "drop"}};
    const struct deferral_design *design = &findings->design;
    const struct deferral_group *group = &findings->groups[network][m];
    for (int pair = 0; pair < DEFERRAL_EQUAL_COUNT; ++pair)
        for (size_t i = 0; i < design->threshold_count; ++i) {
            const struct deferral_equal *equal = &group->equals[pair][i];
            const struct deferral_sample *sample = &group->handled[pairs[pair].handling][i];
            write_group(table, design, network, m);
            table_text(table, handling_name(pairs[pair].handling));
            table_number(table, design->thresholds[i]);
            table_text(table, pairs[pair].against);
            table_interval(table, updates_of(sample));
            table_number(table, equal->batch);
            table_number(table, sample->final_accuracy.value);
            table_number(table, equal->other_accuracy);
            table_interval(table, equal->difference);
            table_number(table, equal->p);
            table_number(table, equal->p_holm);
            table_interval(table, equal->ratio);
            table_end_row(table);
        }
}

/* ---- shares.csv ---- */

static const char share_columns[] = "network,momentum,handling,threshold,step,acted";

/* Checkpoints lie at the same steps in all runs but those that ended early, which end the row of them. */
static void write_shares_of(struct table *table, const struct deferral_findings *findings,
                            const struct results *results, const struct deferral_sample *sample,
                            size_t network, size_t m) {
    const struct tuning *tuning = &findings->design.tuning;
    const struct run_outcome *outcomes[TUNING_SEEDS_MAXIMUM];
    size_t shortest = CHECKPOINTS_MAXIMUM;
    if (sample->runs < tuning->judging_seeds)
        return;
    for (size_t i = 0; i < tuning->judging_seeds; ++i) {
        struct run_settings run = sample->cell;
        run.seed = tuning->first_seed + tuning->tuning_seeds + i;
        outcomes[i] = results_find(results, &run);
        shortest = outcomes[i]->checkpoint_count < shortest ? outcomes[i]->checkpoint_count : shortest;
    }
    for (size_t j = 1; j < shortest; ++j) {
        double shares[TUNING_SEEDS_MAXIMUM];
        for (size_t i = 0; i < tuning->judging_seeds; ++i)
            shares[i] = outcomes[i]->checkpoints[j].acted;
        write_group(table, &findings->design, network, m);
        table_text(table, handling_name(sample->cell.handling));
        table_number(table, sample->cell.threshold);
        table_count(table, outcomes[0]->checkpoints[j].step);
        table_number(table, inference_median(shares, tuning->judging_seeds));
        table_end_row(table);
    }
}

static enum exit_code write_shares(const struct study_settings *settings,
                                   const struct deferral_findings *findings, const struct results *results) {
    const struct deferral_design *design = &findings->design;
    struct table table;
    enum exit_code exit_code = table_open(&table, settings, "deferral", "shares.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    comment_run(&table, design);
    table_comment(
        &table,
        "acted: median over seeds of the mean share of elements that acted since the last checkpoint");
    table_columns(&table, share_columns);
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m)
            for (int handling = HANDLING_DEFER; handling <= HANDLING_DROP; ++handling)
                for (size_t i = 0; i < design->threshold_count; ++i)
                    write_shares_of(&table, findings, results,
                                    &findings->groups[network][m].handled[handling][i], network, m);
    return table_close(&table);
}

/* ---- all ---- */

/* A table of rows group by group. */
struct grouped_table {
    const char *name, *columns;
    void (*comment)(struct table *table);
    void (*write)(struct table *table, const struct deferral_findings *findings, size_t network, size_t m);
};

static const struct grouped_table grouped_tables[] = {
    {"thresholds.csv", sample_columns, comment_samples, write_thresholds},
    {"batches.csv", sample_columns, comment_samples, write_batches},
    {"comparisons.csv", comparison_columns, comment_comparisons, write_comparisons},
    {"equal.csv", equal_columns, comment_equal, write_equal},
};

static enum exit_code write_grouped(const struct study_settings *settings,
                                    const struct deferral_findings *findings,
                                    const struct grouped_table *grouped) {
    const struct deferral_design *design = &findings->design;
    struct table table;
    enum exit_code exit_code = table_open(&table, settings, "deferral", grouped->name);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    comment_run(&table, design);
    grouped->comment(&table);
    table_columns(&table, grouped->columns);
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m)
            grouped->write(&table, findings, network, m);
    return table_close(&table);
}

enum exit_code deferral_report(const struct study_settings *settings, const struct results *results) {
    struct deferral_findings *findings = calloc(1, sizeof *findings);
    enum exit_code exit_code = findings != NULL ? EXIT_CODE_OK : EXIT_CODE_FAILED;
    if (findings == NULL)
        report_error("study deferral: out of memory");
    else
        deferral_compute(settings, results, findings);
    for (size_t i = 0; i < sizeof grouped_tables / sizeof grouped_tables[0] && exit_code == EXIT_CODE_OK; ++i)
        exit_code = write_grouped(settings, findings, &grouped_tables[i]);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_shares(settings, findings, results);
    if (exit_code == EXIT_CODE_OK)
        exit_code = deferral_write_predictions(settings, findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = deferral_draw(settings, findings);
    free(findings);
    return exit_code;
}
