/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of predictions 8 to 10 of docs/studies/predictions.md held, by a margin that stands beside each row: half a
 * percentage point of final accuracy (an accuracy of 85 % over 10,000 images has a standard error of 0.36). "Costs
 * none" is where the interval of the difference excludes a loss of more, "costs" where it lies beyond that.
 */
#include "deferral_report.h"

#include <math.h>

static const double margin = 0.005;

struct writer {
    struct table table;
    bool quiet;
    const char *network;
    double momentum;
    int prediction;
};

static void write_row(struct writer *writer, const char *quantity, double threshold, struct interval interval,
                      const char *criterion, enum verdict verdict) {
    table_count(&writer->table, (uint64_t)writer->prediction);
    table_text(&writer->table, writer->network);
    table_number(&writer->table, writer->momentum);
    table_text(&writer->table, quantity);
    table_number(&writer->table, threshold);
    table_interval(&writer->table, interval);
    table_text(&writer->table, criterion);
    table_text(&writer->table, verdict_names[verdict]);
    table_end_row(&writer->table);
}

static void finish(struct writer *writer, const char *criterion, enum verdict verdict) {
    write_row(writer, "all", NAN, (struct interval){NAN, NAN, NAN}, criterion, verdict);
    if (!writer->quiet)
        printf("  prediction %d: %s\n", writer->prediction, verdict_names[verdict]);
}

/* 8: up to the root mean square none, at the largest threshold a cost. */
static void judge_defer(struct writer *writer, const struct deferral_design *design,
                        const struct deferral_group *group) {
    const struct deferral_comparison *pairs = group->pairs[DEFERRAL_DEFER_TO_ACT];
    enum verdict verdicts[DEFERRAL_THRESHOLDS_MAXIMUM + 1];
    size_t count = 0, last = design->threshold_count - 1;
    writer->prediction = 8;
    for (size_t i = 0; i <= last && design->thresholds[i] <= 1.0; ++i) {
        verdicts[count] = verdict_above(pairs[i].difference, -margin);
        write_row(writer, "final accuracy: defer - act", design->thresholds[i], pairs[i].difference,
                  "above -0.005", verdicts[count]);
        ++count;
    }
    verdicts[count] = verdict_below(pairs[last].difference, -margin);
    write_row(writer, "final accuracy: defer - act", design->thresholds[last], pairs[last].difference,
              "below -0.005", verdicts[count]);
    finish(writer, "each held", verdict_all(verdicts, count + 1));
}

/* 9: there is a threshold where deferring costs nothing and dropping does. */
static void judge_drop(struct writer *writer, const struct deferral_design *design,
                       const struct deferral_group *group) {
    size_t held = 0, failed = 0, lacking = 0;
    writer->prediction = 9;
    for (size_t i = 0; i < design->threshold_count; ++i) {
        struct interval defer = group->pairs[DEFERRAL_DEFER_TO_ACT][i].difference;
        struct interval drop = group->pairs[DEFERRAL_DROP_TO_ACT][i].difference;
        enum verdict parts[] = {verdict_above(defer, -margin), verdict_below(drop, -margin)};
        enum verdict both = verdict_all(parts, 2);
        write_row(writer, "final accuracy: drop - act", design->thresholds[i], drop,
                  "below -0.005; where defer - act is above", both);
        held += both == VERDICT_HELD;
        failed += both == VERDICT_FAILED;
        lacking += both == VERDICT_UNKNOWN;
    }
    enum verdict verdict = held > 0                            ? VERDICT_HELD
                           : failed == design->threshold_count ? VERDICT_FAILED
                           : lacking > 0                       ? VERDICT_UNKNOWN
                                                               : VERDICT_UNDECIDED;
    finish(writer, "one held", verdict);
}

/* 10: nowhere does deferral gain on the batch of as many acting updates. */
static void judge_equal(struct writer *writer, const struct deferral_design *design,
                        const struct deferral_group *group) {
    enum verdict verdicts[DEFERRAL_THRESHOLDS_MAXIMUM];
    size_t count = 0;
    writer->prediction = 10;
    for (size_t i = 0; i < design->threshold_count; ++i) {
        const struct deferral_equal *equal = &group->equals[DEFERRAL_DEFER_TO_BATCH][i];
        if (!equal->inside)
            continue;
        verdicts[count] = verdict_below(equal->difference, margin);
        write_row(writer, "final accuracy: defer - batch of as many updates", design->thresholds[i],
                  equal->difference, "below 0.005", verdicts[count]);
        ++count;
    }
    finish(writer, "each held", verdict_all(verdicts, count));
}

static void print_sample(const struct deferral_sample *sample, const struct deferral_comparison *comparison) {
    char acted[TABLE_INTERVAL_SIZE], accuracy[TABLE_INTERVAL_SIZE], difference[TABLE_INTERVAL_SIZE],
        steps[TABLE_INTERVAL_SIZE];
    const struct run_settings *cell = &sample->cell;
    printf("  %-5s %8g %6llu  %8.4g%c  %-24s  %-24s  %-28s  %s\n", handling_name(cell->handling),
           cell->threshold, (unsigned long long)cell->batch, cell->rate,
           sample->lowest || sample->highest ? '*' : ' ', table_format_interval(acted, sample->acted, 3),
           table_format_interval(accuracy, sample->final_accuracy, 4),
           comparison != NULL ? table_format_interval(difference, comparison->difference, 2) : "",
           table_format_interval(steps, sample->to_loss, 3));
}

static void print_group(const struct deferral_findings *findings, size_t network, size_t m) {
    const struct deferral_design *design = &findings->design;
    const struct deferral_group *group = &findings->groups[network][m];
    printf("%s, momentum %g\n  %-5s %8s %6s  %8s   %-24s  %-24s  %-28s  %s\n",
           design->networks[network]->name, design->momenta[m], "", "x RMS", "batch", "rate", "share acting",
           "final accuracy", "less that of act", "steps to the loss (*: rate at an edge of those tried)");
    print_sample(&group->batches[0], NULL);
    for (size_t i = 0; i < design->threshold_count; ++i)
        print_sample(&group->handled[HANDLING_DEFER][i], &group->pairs[DEFERRAL_DEFER_TO_ACT][i]);
    for (size_t i = 0; i < design->threshold_count; ++i)
        print_sample(&group->handled[HANDLING_DROP][i], &group->pairs[DEFERRAL_DROP_TO_ACT][i]);
    for (size_t i = 1; i < group->batch_count; ++i)
        print_sample(&group->batches[i], &group->larger[i]);
}

enum exit_code deferral_write_predictions(const struct study_settings *settings,
                                          const struct deferral_findings *findings) {
    const struct deferral_design *design = &findings->design;
    struct writer writer = {.quiet = settings->quiet};
    enum exit_code exit_code = table_open(&writer.table, settings, "deferral", "predictions.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&writer.table, "predictions 8 to 10 of docs/studies/predictions.md");
    table_comment(&writer.table,
                  "held: the whole interval of 95 %% meets the criterion; failed: the whole interval misses "
                  "it; accuracies count from half a percentage point on");
    table_columns(
        &writer.table,
        "prediction,network,momentum,quantity,threshold,value,value_low,value_high,criterion,verdict");
    for (size_t network = 0; network < design->network_count; ++network)
        for (size_t m = 0; m < design->momentum_count; ++m) {
            const struct deferral_group *group = &findings->groups[network][m];
            writer.network = design->networks[network]->name;
            writer.momentum = design->momenta[m];
            if (!settings->quiet)
                print_group(findings, network, m);
            judge_defer(&writer, design, group);
            judge_drop(&writer, design, group);
            judge_equal(&writer, design, group);
        }
    return table_close(&writer.table);
}
