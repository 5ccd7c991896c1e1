/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The design of the deferral study, shared by the file that plans it and the file that reports on it.
 *
 * Small elements of the gradient are deferred by the library, or dropped, below several multiples of the gradient's
 * root mean square; or the batch is larger, so that as few updates act as with deferral. All see the same number of
 * images. Each is tuned, and judged at its fastest rate.
 */
#ifndef GLISSADE_CLI_STUDY_DEFERRAL_H
#define GLISSADE_CLI_STUDY_DEFERRAL_H

#include "tuning.h"

struct deferral_design {
    const struct network_plan *networks[2];
    size_t network_count;
    double momenta[2]; /* 0: ARM_PLAIN, else ARM_DEBIASED */
    size_t momentum_count;
    double thresholds[8]; /* multiples of the root mean square; ascending, above 0 */
    size_t threshold_count;
    uint64_t batches[8]; /* ascending, above that of the runs with a threshold */
    size_t batch_count;
    double rates[10], batch_rates[10]; /* of runs of the usual batch size, and of larger ones; ascending */
    size_t rate_count, batch_rate_count;
    uint64_t images_seen; /* by every run */
    struct tuning tuning;
    struct run_settings run;
};

void deferral_design(const struct study_settings *settings, struct deferral_design *design);

/* A cell with a threshold; HANDLING_ACT and 0 are what all others are compared with. */
struct run_settings deferral_cell(const struct deferral_design *design, size_t network, double momentum,
                                  enum handling handling, double threshold);
/* A cell of a larger batch, without a threshold. */
struct run_settings deferral_batch_cell(const struct deferral_design *design, size_t network, double momentum,
                                        uint64_t batch);

/* 0 while a tuning run of the cell is lacking. */
double deferral_best_rate(const struct deferral_design *design, const struct results *results,
                          const struct run_settings *cell);

enum exit_code deferral_report(const struct study_settings *settings, const struct results *results);

#endif
