/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the convergence study's runs say, shared by the files that turn it into tables and figures:
 * convergence_report.c gathers the runs and drives the others, convergence_report_compare.c compares rules in pairs,
 * convergence_report_rates.c, convergence_report_early.c and convergence_report_predictions.c write tables,
 * convergence_report_joining.c measures for the last, and convergence_report_figures.c draws.
 *
 * Runs may be lacking: numbers are then of those that are there, and each table says of how many.
 */
#ifndef GLISSADE_CLI_STUDY_CONVERGENCE_REPORT_H
#define GLISSADE_CLI_STUDY_CONVERGENCE_REPORT_H

#include "convergence.h"
#include "inference.h"
#include "table.h"

enum {
    NETWORKS_MAXIMUM = 2,
    MOMENTA_MAXIMUM = 2,
    RATES_MAXIMUM = 12,
    BATCHES_MAXIMUM = 3,
    EARLY_RATES_MAXIMUM = 3,
    EARLY_MOMENTS = 4,
    COMPARED_QUANTITIES = 3,
    REFERENCES_MAXIMUM = 3, /* that a rule is compared against in one table */
    COMPARISONS_MAXIMUM =
        NETWORKS_MAXIMUM * MOMENTA_MAXIMUM * ARM_COUNT * REFERENCES_MAXIMUM * COMPARED_QUANTITIES
};

/* Runs that differ in nothing but the seed, in its order; NULL for one that is lacking. */
struct sample {
    const struct run_outcome *outcomes[TUNING_SEEDS_MAXIMUM];
    size_t seeds;
};

typedef double (*outcome_quantity)(const struct run_outcome *);

/* One network, rule and momentum. */
struct line {
    size_t network, momentum; /* indices of the design */
    enum arm arm;
    double best_rate;                   /* 0: not known, a tuning run is lacking */
    struct sample tuned[RATES_MAXIMUM]; /* tuning seeds */
    struct sample best, matched;        /* judging seeds */
};

/* The same of two samples of one network, seed by seed. */
struct comparison {
    const struct line *line, *reference;
    double rate, reference_rate;
    const struct sample *sample, *reference_sample;
    size_t quantity; /* index of compared_quantities */
    size_t pairs;
    struct interval ratio;      /* of the line's over the reference's, the median */
    struct interval mean_ratio; /* geometric */
    double p, p_holm;           /* the second over all comparisons of the table and the quantity */
};

struct comparisons {
    struct comparison rows[COMPARISONS_MAXIMUM];
    size_t count;
};

struct findings {
    const struct study_settings *settings;
    struct convergence_design design;
    size_t rounds; /* of the bootstrap */
    struct line lines[NETWORKS_MAXIMUM][MOMENTA_MAXIMUM][ARM_COUNT];
    double matched_rates[NETWORKS_MAXIMUM][MOMENTA_MAXIMUM]; /* 0: not known */
    /* Undampened first, then debiased. */
    struct sample early[MOMENTA_MAXIMUM][BATCHES_MAXIMUM][EARLY_RATES_MAXIMUM][2];
    struct comparisons at_best, at_matched;
};

/* Any number would do; it is fixed so that tables are the same whenever they are made. */
#define CONVERGENCE_BOOTSTRAP_SEED UINT64_C(20260101)

extern const struct compared_quantity {
    const char *name;
    outcome_quantity of;
} compared_quantities[COMPARED_QUANTITIES];

/* ---- samples, in convergence_report.c ---- */

size_t sample_count(const struct sample *sample);
/* Of every seed, NaN where the run is lacking. Returns how many were there. */
size_t sample_collect(const struct sample *sample, outcome_quantity of, double *values);
/* How many are finite. */
size_t sample_reached(const struct sample *sample, outcome_quantity of);
size_t sample_diverged(const struct sample *sample);
/* Medians of the runs that are there; NaN without any. */
double sample_median(const struct sample *sample, outcome_quantity of);
struct interval sample_interval(const struct findings *findings, const struct sample *sample,
                                outcome_quantity of);
/* The loss at the index-th checkpoint, which lie alike in all runs of a cell: INFINITY if the run had diverged by then,
 * NaN if it is lacking. */
double outcome_loss_at(const struct run_outcome *outcome, size_t index);
/* The steps of a cell's checkpoints, from a run that was not cut short; returns how many there are. */
size_t sample_checkpoints(const struct sample *sample, uint64_t *steps);

/* Momentum of a line as the tables give it: 0 for plain SGD, whose line of the first momentum stands for all. */
double line_momentum(const struct findings *findings, const struct line *line);
bool line_repeats(const struct line *line);
const char *line_network(const struct findings *findings, const struct line *line);
/* The rule's own learning rate. */
double line_learning_rate(const struct findings *findings, const struct line *line, double rate);

/* ---- comparisons, in convergence_report_compare.c ---- */

void convergence_compare(struct findings *findings);
/* NULL if there is none. */
const struct comparison *comparison_find(const struct comparisons *comparisons, const struct line *line,
                                         enum arm reference, size_t quantity);
enum exit_code convergence_write_comparisons(const struct findings *findings);

/* ---- tables and figures ---- */

enum exit_code convergence_write_rates(const struct findings *findings);
enum exit_code convergence_write_best(const struct findings *findings);
enum exit_code convergence_write_sensitivity(const struct findings *findings);
enum exit_code convergence_write_curves(const struct findings *findings);
enum exit_code convergence_write_early(const struct findings *findings);
enum exit_code convergence_write_predictions(const struct findings *findings);
enum exit_code convergence_draw(const struct findings *findings);

/* ---- the early runs, in convergence_report_early.c ---- */

/* Debiased over undampened, in evaluated training losses: each seed's median over the rates and the early moments, NaN
 * where there is none. Returns how many are not. */
size_t early_summarise(const struct findings *findings, size_t momentum, size_t batch, double *values);

/* ---- joining, in convergence_report_joining.c ---- */

#define CONVERGENCE_JOINED_WITHIN 0.05

struct joined {
    size_t seeds; /* at which both rules ran */
    struct interval
        step; /* from which on the losses differ by less than that for good; INFINITY: not even at the end */
    struct interval
        furthest; /* the ratio of the losses, debiased over undebiased, where it is furthest from 1 */
};

/* `lines` are those of one network and momentum. Returns false if memory is short. */
bool convergence_join(const struct findings *findings, const struct line *lines, struct joined *joined);

#endif
