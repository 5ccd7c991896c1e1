/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runs of the deferral study say, shared by the files that compute it, write it, judge the predictions by it
 * and draw it. An interval is NaN as long as one of the runs behind it is lacking.
 */
#ifndef GLISSADE_CLI_STUDY_DEFERRAL_REPORT_H
#define GLISSADE_CLI_STUDY_DEFERRAL_REPORT_H

#include "deferral.h"
#include "table.h"

enum { DEFERRAL_THRESHOLDS_MAXIMUM = 8, DEFERRAL_BATCHES_MAXIMUM = 9, DEFERRAL_NETWORKS_MAXIMUM = 2 };

/* The judging runs of a cell at its fastest rate. */
struct deferral_sample {
    struct run_settings cell; /* its rate is 0 while that is not known */
    bool lowest, highest;     /* the rate is the least or greatest that was tried */
    size_t runs, reached_loss, reached_accuracy, diverged;
    double loss_steps[TUNING_SEEDS_MAXIMUM]; /* seed by seed */
    double accuracy_steps[TUNING_SEEDS_MAXIMUM];
    double final_accuracies[TUNING_SEEDS_MAXIMUM];
    double updates[TUNING_SEEDS_MAXIMUM]; /* acting ones of an element in the whole run */
    struct interval acted;                /* mean share of elements */
    struct interval to_loss, to_accuracy; /* medians, in steps */
    struct interval final_accuracy;       /* median */
    double accurate_rate,
        tuning_accuracy; /* the rate of the best median of final accuracies in tuning, and that */
};

/* Two samples, paired by seed. */
struct deferral_comparison {
    struct interval difference; /* median, of final accuracies */
    double difference_p, difference_holm;
    struct interval ratio; /* median, of steps to the loss */
    double ratio_p, ratio_holm;
};

enum deferral_pair {
    DEFERRAL_DEFER_TO_ACT,
    DEFERRAL_DROP_TO_ACT,
    DEFERRAL_DEFER_TO_DROP,
    DEFERRAL_PAIR_COUNT
};

/* Whose thresholds are compared at as many acting updates of an element, and with what. */
enum deferral_equal_pair {
    DEFERRAL_DEFER_TO_BATCH,
    DEFERRAL_DROP_TO_BATCH,
    DEFERRAL_DEFER_TO_EQUAL_DROP,
    DEFERRAL_EQUAL_COUNT
};

/* A threshold against what lies, at as many acting updates of an element, between batches that ran, or between
 * thresholds below which elements were dropped. */
struct deferral_equal {
    bool inside;                /* all seeds' updates lie between the fewest and the most of those that ran */
    double batch;               /* median over seeds; NaN against dropping */
    double other_accuracy;      /* median of the final accuracies in between */
    struct interval difference; /* median, of final accuracies: threshold - other */
    double p, p_holm;
    struct interval ratio; /* median, of images until the loss: threshold / other */
};

/* A network with a momentum. */
struct deferral_group {
    struct deferral_sample handled[HANDLING_COUNT][DEFERRAL_THRESHOLDS_MAXIMUM]; /* not of HANDLING_ACT */
    struct deferral_sample
        batches[DEFERRAL_BATCHES_MAXIMUM]; /* the first is that of all others, without threshold */
    size_t batch_count;
    struct deferral_comparison pairs[DEFERRAL_PAIR_COUNT][DEFERRAL_THRESHOLDS_MAXIMUM];
    struct deferral_comparison larger[DEFERRAL_BATCHES_MAXIMUM]; /* against the first */
    struct deferral_equal equals[DEFERRAL_EQUAL_COUNT][DEFERRAL_THRESHOLDS_MAXIMUM];
};

struct deferral_findings {
    struct deferral_design design;
    size_t rounds;
    struct deferral_group groups[DEFERRAL_NETWORKS_MAXIMUM][2]; /* by network and momentum */
};

/* deferral_report_compute.c; prints nothing. */
void deferral_compute(const struct study_settings *settings, const struct results *results,
                      struct deferral_findings *findings);

/* deferral_report_predictions.c: predictions.csv, and the verdicts on stdout unless settings->quiet. */
enum exit_code deferral_write_predictions(const struct study_settings *settings,
                                          const struct deferral_findings *findings);

/* deferral_report_figures.c */
enum exit_code deferral_draw(const struct study_settings *settings, const struct deferral_findings *findings);

#endif
