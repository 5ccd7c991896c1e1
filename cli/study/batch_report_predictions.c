/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which of predictions 5 to 7 of docs/studies/predictions.md held, by margins that stand beside each row. A prediction
 * holds for a network and policy if each of its parts does.
 */
#include "batch_report.h"

#include <math.h>

/* "Of the order of": within half an order of magnitude either way. */
static const double order = 3.1622776601683795;
/* "As 1 / batch": a slope nearer to -1 than to -1/2, or as far on the other side. */
static const double falling = -0.75, falling_least = -1.25;
/* "Hardly": less than the square root. */
static const double hardly = -0.5;
/* "Follows the line": a slope nearer to linear scaling, 1, than to the square root's, 1/2. */
static const double following = 0.75, following_most = 1.25;
/* "No more steps": not a checkpoint's distance, 10 %, more. */
static const double no_more = 1.1;

struct writer {
    struct table table;
    bool quiet;
    const char *network, *policy;
    int prediction;
    enum verdict verdicts[2 * BATCH_SIZES_MAXIMUM]; /* of the parts so far */
    size_t parts;
};

static void begin(struct writer *writer, int prediction, const char *policy) {
    writer->prediction = prediction;
    writer->policy = policy;
    writer->parts = 0;
}

static void write_row(struct writer *writer, const char *quantity, struct interval interval,
                      const char *criterion, enum verdict verdict) {
    table_count(&writer->table, (uint64_t)writer->prediction);
    table_text(&writer->table, writer->network);
    table_text(&writer->table, writer->policy);
    table_text(&writer->table, quantity);
    table_interval(&writer->table, interval);
    table_text(&writer->table, criterion);
    table_text(&writer->table, verdict_names[verdict]);
    table_end_row(&writer->table);
}

static void part(struct writer *writer, const char *quantity, struct interval interval, const char *criterion,
                 enum verdict verdict) {
    write_row(writer, quantity, interval, criterion, verdict);
    writer->verdicts[writer->parts++] = verdict;
}

static void finish(struct writer *writer) {
    enum verdict verdict = verdict_all(writer->verdicts, writer->parts);
    write_row(writer, "all parts", (struct interval){NAN, NAN, NAN}, "each held", verdict);
    if (!writer->quiet)
        printf("  prediction %d, %s: %s\n", writer->prediction, writer->policy, verdict_names[verdict]);
}

static void judge_steps(struct writer *writer, const struct batch_scaling *scaling, const char *policy) {
    begin(writer, 5, policy);
    part(writer, "slope of log(steps) against log(batch) up to the noise scale", scaling->slope_below,
         "between -1.25 and -0.75", verdict_within(scaling->slope_below, falling_least, falling));
    part(writer, "slope of log(steps) against log(batch) beyond the noise scale", scaling->slope_beyond,
         "above -0.5", verdict_above(scaling->slope_beyond, hardly));
    part(writer, "critical batch size over noise scale at the target", scaling->critical_to_noise,
         "between 1/sqrt(10) and sqrt(10)", verdict_within(scaling->critical_to_noise, 1.0 / order, order));
    finish(writer);
}

/* The line passes through the fastest rate of the reference size, whatever that is: only larger sizes can tell whether
 * the rate stays below it. */
static void judge_rates(struct writer *writer, const struct batch_design *design,
                        const struct batch_scaling *scaling, const char *policy) {
    begin(writer, 6, policy);
    part(writer, "slope of log(fastest rate) against log(batch) up to the critical size", scaling->rate_slope,
         "between 0.75 and 1.25", verdict_within(scaling->rate_slope, following, following_most));
    for (size_t i = 0; i < design->size_count; ++i) {
        const struct batch_point *point = &scaling->points[i];
        char quantity[96];
        if ((double)point->size <= scaling->critical.value || point->size <= design->reference_size)
            continue;
        snprintf(quantity, sizeof quantity, "steps at the linear rate over steps at the fastest; batch %llu",
                 (unsigned long long)point->size);
        enum verdict verdict = verdict_above(point->linear_ratio, 1.0);
        if (point->tuned.rate >= point->linear.rate && point->linear.rate > 0.0)
            verdict = VERDICT_FAILED;
        part(writer, quantity, point->linear_ratio, "above 1; and the fastest rate below the linear one",
             verdict);
    }
    finish(writer);
}

static void judge_momentum(struct writer *writer, const struct batch_design *design,
                           const struct batch_comparison *comparisons) {
    begin(writer, 7, batch_policy_names[BATCH_SCALED]);
    for (size_t i = 0; i < design->size_count; ++i) {
        char quantity[96];
        if (design->sizes[i] == design->reference_size)
            continue;
        snprintf(quantity, sizeof quantity, "steps with scaled momentum over steps with kept; batch %llu",
                 (unsigned long long)design->sizes[i]);
        part(writer, quantity, comparisons[i].ratio, "below 1.1",
             verdict_below(comparisons[i].ratio, no_more));
    }
    finish(writer);
}

static void print_policy(const struct batch_scaling *scaling, const char *policy) {
    char text[TABLE_INTERVAL_SIZE];
    printf("  %s\n    critical batch size %s\n", policy, table_format_interval(text, scaling->critical, 3));
    printf("    over the noise scale at that loss %s\n",
           table_format_interval(text, scaling->critical_to_noise, 2));
    printf("    over its mean on the way there %s\n",
           table_format_interval(text, scaling->critical_to_way, 2));
    printf("    no images wasted up to a batch of %s\n",
           table_format_interval(text, scaling->perfect_end, 4));
    printf("    slope of the rate up to the critical size %s\n",
           table_format_interval(text, scaling->rate_slope, 2));
}

static void print_network(const struct batch_findings *findings, size_t network) {
    const struct batch_design *design = &findings->design;
    char text[TABLE_INTERVAL_SIZE];
    printf("%s: median steps to a loss of %g, at the fastest rate\n  %8s", design->networks[network]->name,
           design->loss_targets[network], "batch");
    for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
        printf("  %-24s", batch_policy_names[policy]);
    for (size_t i = 0; i < design->size_count; ++i) {
        printf("\n  %8llu", (unsigned long long)design->sizes[i]);
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            printf("  %-24s",
                   table_format_interval(
                       text, findings->networks[network].policies[policy].points[i].tuned.to_loss, 3));
    }
    printf("\n  gradient noise scale at that loss %s",
           table_format_interval(text, findings->networks[network].noise.at_target, 3));
    printf(", on the way there %s\n",
           table_format_interval(text, findings->networks[network].noise.on_the_way, 3));
    for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
        print_policy(&findings->networks[network].policies[policy], batch_policy_names[policy]);
}

enum exit_code batch_write_predictions(const struct study_settings *settings,
                                       const struct batch_findings *findings) {
    const struct batch_design *design = &findings->design;
    struct writer writer = {.quiet = settings->quiet};
    enum exit_code exit_code = table_open(&writer.table, settings, "batch", "predictions.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    table_comment(&writer.table, "predictions 5 to 7 of docs/studies/predictions.md");
    table_comment(&writer.table,
                  "held: the whole interval of 95 %% meets the criterion; failed: the whole interval "
                  "misses it; what the quantities are: see scaling.csv, sizes.csv, comparisons.csv");
    table_columns(&writer.table,
                  "prediction,network,policy,quantity,value,value_low,value_high,criterion,verdict");
    for (size_t network = 0; network < design->network_count; ++network) {
        writer.network = design->networks[network]->name;
        if (!settings->quiet)
            print_network(findings, network);
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy) {
            const struct batch_scaling *scaling = &findings->networks[network].policies[policy];
            judge_steps(&writer, scaling, batch_policy_names[policy]);
            judge_rates(&writer, design, scaling, batch_policy_names[policy]);
        }
        judge_momentum(&writer, design, findings->networks[network].against_kept[BATCH_SCALED]);
    }
    return table_close(&writer.table);
}
