/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the runs of the batch-size study say, shared by the files that compute it, write it, judge the predictions by
 * it and draw it. An interval is NaN as long as one of the runs behind it is lacking.
 */
#ifndef GLISSADE_CLI_STUDY_BATCH_REPORT_H
#define GLISSADE_CLI_STUDY_BATCH_REPORT_H

#include "batch.h"
#include "table.h"

enum { BATCH_SIZES_MAXIMUM = 8, BATCH_NETWORKS_MAXIMUM = 2 };

/* The judging runs of a cell at one rate. */
struct batch_sample {
    double rate; /* 0: not known yet */
    size_t runs, reached_loss, reached_accuracy, diverged;
    double loss_steps[TUNING_SEEDS_MAXIMUM]; /* seed by seed */
    double accuracy_steps[TUNING_SEEDS_MAXIMUM];
    struct interval to_loss, to_accuracy; /* medians, in steps */
};

/* A policy at a batch size. */
struct batch_point {
    uint64_t size;
    double momentum;
    struct batch_sample tuned, linear; /* at the fastest rate; at that of the linear-scaling line */
    bool lowest, highest;              /* the fastest rate is the least or greatest that was tried */
    struct interval rate;              /* the fastest, over resampled tuning seeds */
    struct interval linear_ratio;      /* steps to the loss at the linear rate over those at the fastest */
};

/* A policy over all batch sizes. */
struct batch_scaling {
    struct batch_point points[BATCH_SIZES_MAXIMUM];
    size_t fitted;                   /* sizes with a finite median of steps to the loss */
    struct interval critical, floor; /* steps = floor (1 + critical / batch) */
    double misfit;                   /* root mean square of the fit's relative errors: e^rms - 1 */
    struct interval
        perfect_end;            /* the largest size that takes few more samples than the best size up to it */
    double perfect_agreeing;    /* share of the resamples with that very size */
    size_t rate_sizes;          /* sizes up to the critical one */
    struct interval rate_slope; /* of log(fastest rate) against log(batch) over them */
    size_t below;               /* sizes up to the noise scale at the target */
    struct interval slope_below;       /* of log(steps to the loss) against log(batch) over them */
    struct interval slope_beyond;      /* over the others */
    struct interval critical_to_noise; /* critical size over the noise scale at the target */
    struct interval critical_to_way;   /* and over that on the way to it */
};

struct batch_noise_point {
    uint64_t step;
    double loss;          /* median over seeds */
    double square, trace; /* means over seeds: |G|^2 and tr(covariance) */
    struct interval scale;
};

struct batch_noise {
    size_t seeds, count; /* of checkpoints; 0 while a run is lacking */
    struct batch_noise_point points[CHECKPOINTS_MAXIMUM];
    double target_step;                    /* median over seeds */
    struct interval at_target, on_the_way; /* to the target loss; batch_report_noise.c says how */
};

/* One policy against the kept one at a batch size: steps to the loss, paired by seed. */
struct batch_comparison {
    struct interval ratio;
    double p, p_holm; /* NaN where both are the same runs */
};

struct batch_findings {
    struct batch_design design;
    size_t rounds, fit_rounds;
    struct {
        struct batch_scaling policies[BATCH_POLICY_COUNT];
        struct batch_comparison against_kept[BATCH_POLICY_COUNT]
                                            [BATCH_SIZES_MAXIMUM]; /* but of the kept itself */
        struct batch_noise noise;
    } networks[BATCH_NETWORKS_MAXIMUM];
};

/* Scaling counts as perfect up to the largest size that takes at most so many times the samples of the best size up to
 * it: a checkpoint's distance, 10 %, twice over. */
extern const double batch_wasted;

/* batch_report_compute.c: all of the findings; prints nothing. */
void batch_compute(const struct study_settings *settings, const struct results *results,
                   struct batch_findings *findings);

/* ---- batch_report_noise.c: the gradient noise scale along the runs at the reference size ---- */

/* The runs, seed by seed, and which part of them the statistics below are of. */
struct batch_noise_sample {
    const struct run_outcome *outcomes[TUNING_SEEDS_MAXIMUM];
    size_t seeds;
    double batch;       /* of these runs */
    double target_step; /* median over the seeds */
    size_t checkpoint;
};

/* Returns false while a run is lacking, or if none has a part. */
bool batch_noise_collect(const struct batch_design *design, const struct results *results, size_t network,
                         struct batch_noise_sample *sample);

/* Statistics of seeds, for inference_bootstrap; the context is a batch_noise_sample. INFINITY where the estimate of
 * |G|^2 is not positive. The scale at the checkpoint; about the target; on the way to it. */
double batch_noise_at_checkpoint(void *sample, const size_t *indices, size_t n);
double batch_noise_at_target(void *sample, const size_t *indices, size_t n);
double batch_noise_on_the_way(void *sample, const size_t *indices, size_t n);

void batch_compute_noise(struct batch_noise_sample *sample, size_t rounds, struct batch_noise *noise);

/* batch_report_predictions.c: predictions.csv, and the verdicts on stdout unless settings->quiet. */
enum exit_code batch_write_predictions(const struct study_settings *settings,
                                       const struct batch_findings *findings);

/* batch_report_figures.c */
enum exit_code batch_draw(const struct study_settings *settings, const struct batch_findings *findings);

#endif
