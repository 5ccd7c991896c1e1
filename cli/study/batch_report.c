/* SPDX-License-Identifier: Apache-2.0 */
/* The batch-size study's tables. Must not compute what is in them. */
#include "batch_report.h"

#include <math.h>
#include <stdlib.h>

static struct interval times(struct interval interval, double factor) {
    return (struct interval){interval.value * factor, interval.low * factor, interval.high * factor};
}

static void comment_run(struct table *table, const struct batch_design *design) {
    for (size_t network = 0; network < design->network_count; ++network)
        table_comment(
            table,
            "targets of %s: loss %g over the first training images, accuracy %g over the first test images",
            design->networks[network]->name, design->loss_targets[network],
            design->accuracy_targets[network]);
    table_comment(table, "%llu training images", (unsigned long long)design->run.images);
    table_comment(table, "rates chosen over %llu tuning seeds, all else from %llu judging seeds",
                  (unsigned long long)design->tuning.tuning_seeds,
                  (unsigned long long)design->tuning.judging_seeds);
    table_comment(
        table, "_low and _high: bootstrap interval of 95 %% over seeds; inf: not reached; empty: not known");
}

/* ---- sizes.csv ---- */

static void write_sample(struct table *table, const struct batch_point *point,
                         const struct batch_sample *sample) {
    const double size = (double)point->size;
    table_count(table, sample->runs);
    table_count(table, sample->diverged);
    table_count(table, sample->reached_loss);
    table_count(table, sample->reached_accuracy);
    table_interval(table, sample->to_loss);
    table_interval(table, times(sample->to_loss, size));
    table_interval(table, sample->to_accuracy);
    table_interval(table, times(sample->to_accuracy, size));
}

static void write_points(struct table *table, const struct batch_design *design, size_t network,
                         enum batch_policy policy, const struct batch_scaling *scaling, bool linear) {
    double reference = NAN;
    for (size_t i = 0; i < design->size_count; ++i)
        if (scaling->points[i].size == design->reference_size)
            reference = scaling->points[i].rate.value;
    for (size_t i = 0; i < design->size_count; ++i) {
        const struct batch_point *point = &scaling->points[i];
        const double scale = (double)point->size / (double)design->reference_size;
        const struct interval rate = {point->linear.rate, NAN, NAN};
        table_text(table, design->networks[network]->name);
        table_text(table, batch_policy_names[policy]);
        table_text(table, linear ? "linear" : "fastest");
        table_count(table, point->size);
        table_number(table, point->momentum);
        table_interval(table, !linear            ? point->rate
                              : rate.value > 0.0 ? rate
                                                 : (struct interval){NAN, NAN, NAN});
        table_text(table, linear ? "" : point->lowest ? "lowest" : point->highest ? "highest" : "inside");
        table_number(table, linear ? NAN : point->rate.value / (reference * scale));
        table_number(table, linear ? NAN : point->rate.value / (reference * sqrt(scale)));
        write_sample(table, point, linear ? &point->linear : &point->tuned);
        table_interval(table, linear ? point->linear_ratio : (struct interval){NAN, NAN, NAN});
        table_end_row(table);
    }
}

static enum exit_code write_sizes(const struct study_settings *settings,
                                  const struct batch_findings *findings) {
    const struct batch_design *design = &findings->design;
    struct table table;
    enum exit_code exit_code = table_open(&table, settings, "batch", "sizes.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    comment_run(&table, design);
    table_comment(&table,
                  "at: the fastest rate of those tried, or that of the linear-scaling line through the "
                  "fastest at %llu images",
                  (unsigned long long)design->reference_size);
    table_comment(&table,
                  "rate_low and rate_high: over resampled tuning seeds; edge: where it lies among the rates "
                  "that were tried, powers of two");
    table_comment(&table, "rate_to_linear, rate_to_sqrt: the rate over those lines' through the same point");
    table_comment(&table,
                  "slower: median over seeds of the steps to the loss over those at the fastest rate");
    table_columns(&table,
                  "network,policy,at,batch,momentum,rate,rate_low,rate_high,edge,rate_to_linear,rate_to_sqrt,"
                  "runs,diverged,reached_loss,reached_accuracy,"
                  "steps_to_loss,steps_to_loss_low,steps_to_loss_high,"
                  "samples_to_loss,samples_to_loss_low,samples_to_loss_high,"
                  "steps_to_accuracy,steps_to_accuracy_low,steps_to_accuracy_high,"
                  "samples_to_accuracy,samples_to_accuracy_low,samples_to_accuracy_high,"
                  "slower,slower_low,slower_high");
    for (size_t network = 0; network < design->network_count; ++network)
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            for (int linear = 0; linear < 2; ++linear)
                write_points(&table, design, network, (enum batch_policy)policy,
                             &findings->networks[network].policies[policy], linear != 0);
    return table_close(&table);
}

/* ---- comparisons.csv ---- */

static enum exit_code write_comparisons(const struct study_settings *settings,
                                        const struct batch_findings *findings) {
    const struct batch_design *design = &findings->design;
    struct table table;
    enum exit_code exit_code = table_open(&table, settings, "batch", "comparisons.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    comment_run(&table, design);
    table_comment(
        &table, "ratio: median over seeds of the steps to the loss over those of the kept momentum, each at "
                "its fastest rate");
    table_comment(
        &table,
        "p: exact Wilcoxon signed-rank test of the pairs; p_holm: corrected over the sizes of a network "
        "and policy");
    table_columns(&table, "network,policy,batch,ratio,ratio_low,ratio_high,p,p_holm");
    for (size_t network = 0; network < design->network_count; ++network)
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            for (size_t i = 0; i < design->size_count && policy != BATCH_KEPT; ++i) {
                const struct batch_comparison *comparison =
                    &findings->networks[network].against_kept[policy][i];
                table_text(&table, design->networks[network]->name);
                table_text(&table, batch_policy_names[policy]);
                table_count(&table, design->sizes[i]);
                table_interval(&table, comparison->ratio);
                table_number(&table, comparison->p);
                table_number(&table, comparison->p_holm);
                table_end_row(&table);
            }
    return table_close(&table);
}

/* ---- scaling.csv ---- */

static void write_scaling_row(struct table *table, const struct batch_findings *findings, size_t network,
                              enum batch_policy policy) {
    const struct batch_scaling *scaling = &findings->networks[network].policies[policy];
    size_t edges = 0;
    for (size_t i = 0; i < scaling->rate_sizes; ++i)
        edges += scaling->points[i].lowest || scaling->points[i].highest;
    table_text(table, findings->design.networks[network]->name);
    table_text(table, batch_policy_names[policy]);
    table_count(table, scaling->fitted);
    table_interval(table, scaling->critical);
    table_interval(table, scaling->floor);
    table_number(table, scaling->misfit);
    table_interval(table, scaling->perfect_end);
    table_number(table, isnan(scaling->perfect_end.value) ? NAN : scaling->perfect_agreeing);
    table_count(table, scaling->rate_sizes);
    table_count(table, edges);
    table_interval(table, scaling->rate_slope);
    table_count(table, scaling->below);
    table_interval(table, scaling->slope_below);
    table_interval(table, scaling->slope_beyond);
    table_interval(table, findings->networks[network].noise.at_target);
    table_interval(table, scaling->critical_to_noise);
    table_interval(table, findings->networks[network].noise.on_the_way);
    table_interval(table, scaling->critical_to_way);
    table_end_row(table);
}

static enum exit_code write_scaling(const struct study_settings *settings,
                                    const struct batch_findings *findings) {
    struct table table;
    enum exit_code exit_code = table_open(&table, settings, "batch", "scaling.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    comment_run(&table, &findings->design);
    table_comment(
        &table,
        "steps = floor (1 + critical / batch), fitted to the logarithms of the median steps to the loss "
        "over all sizes that reached it (fitted: how many);");
    table_comment(&table, "misfit: root mean square of the relative errors");
    table_comment(
        &table,
        "perfect: the largest batch whose median samples to the loss are at most %g times the least of "
        "all sizes up to it; agreeing: share of the resamples that name the same size",
        batch_wasted);
    table_comment(
        &table, "rate_slope: of log(fastest rate) against log(batch), over the sizes up to the critical one "
                "(rate_sizes; of these rate_edges at an edge of what was tried):");
    table_comment(
        &table,
        "linear scaling is 1, square root 1/2; rates are powers of two, and the interval is of tuning seeds "
        "alone");
    table_comment(
        &table,
        "slope_below, slope_beyond: of log(steps) against log(batch), over the sizes up to noise_target "
        "(sizes_below: how many), and the others");
    table_comment(
        &table,
        "noise_target: gradient noise scale about the step that reached the loss; noise_way: its mean on "
        "the way there, over what would be noiseless steps");
    table_comment(&table, "to_target, to_way: critical over these");
    table_columns(
        &table,
        "network,policy,fitted,critical,critical_low,critical_high,floor,floor_low,floor_high,misfit,"
        "perfect,perfect_low,perfect_high,agreeing,rate_sizes,rate_edges,rate_slope,rate_slope_low,"
        "rate_slope_high,sizes_below,slope_below,slope_below_low,slope_below_high,slope_beyond,"
        "slope_beyond_low,slope_beyond_high,noise_target,noise_target_low,noise_target_high,to_target,"
        "to_target_low,to_target_high,noise_way,noise_way_low,noise_way_high,to_way,to_way_low,to_way_high");
    for (size_t network = 0; network < findings->design.network_count; ++network)
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            write_scaling_row(&table, findings, network, (enum batch_policy)policy);
    return table_close(&table);
}

/* ---- noise.csv ---- */

static enum exit_code write_noise(const struct study_settings *settings,
                                  const struct batch_findings *findings) {
    const struct batch_design *design = &findings->design;
    struct table table;
    enum exit_code exit_code = table_open(&table, settings, "batch", "noise.csv");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    comment_run(&table, design);
    table_comment(
        &table,
        "along runs of the kept policy at %llu images; gradient_square, noise_trace: means over seeds of "
        "unbiased estimates of |G|^2 and tr(covariance);",
        (unsigned long long)design->reference_size);
    table_comment(&table, "scale: the one over the other, inf where |G|^2 is not above 0; loss: median");
    for (size_t network = 0; network < design->network_count; ++network) {
        const struct batch_noise *noise = &findings->networks[network].noise;
        char target[TABLE_INTERVAL_SIZE], way[TABLE_INTERVAL_SIZE];
        table_comment(&table, "%s: loss reached at step %.0f; scale there %s; on the way there %s",
                      design->networks[network]->name, noise->target_step,
                      table_format_interval(target, noise->at_target, 3),
                      table_format_interval(way, noise->on_the_way, 3));
    }
    table_columns(&table, "network,step,loss,seeds,gradient_square,noise_trace,scale,scale_low,scale_high");
    for (size_t network = 0; network < design->network_count; ++network) {
        const struct batch_noise *noise = &findings->networks[network].noise;
        for (size_t i = 0; i < noise->count; ++i) {
            table_text(&table, design->networks[network]->name);
            table_count(&table, noise->points[i].step);
            table_number(&table, noise->points[i].loss);
            table_count(&table, noise->seeds);
            table_number(&table, noise->points[i].square);
            table_number(&table, noise->points[i].trace);
            table_interval(&table, noise->points[i].scale);
            table_end_row(&table);
        }
    }
    return table_close(&table);
}

/* ---- all ---- */

enum exit_code batch_report(const struct study_settings *settings, const struct results *results) {
    struct batch_findings *findings = calloc(1, sizeof *findings);
    if (findings == NULL) {
        report_error("study batch: out of memory");
        return EXIT_CODE_FAILED;
    }
    batch_compute(settings, results, findings);
    enum exit_code exit_code = write_sizes(settings, findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_comparisons(settings, findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_scaling(settings, findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_noise(settings, findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = batch_write_predictions(settings, findings);
    if (exit_code == EXIT_CODE_OK)
        exit_code = batch_draw(settings, findings);
    free(findings);
    return exit_code;
}
