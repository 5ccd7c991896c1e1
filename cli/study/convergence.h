/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The design of the convergence study, shared by the file that plans it and the file that reports on it.
 *
 * Every arm is tuned over the rates; then, with judging seeds, every arm runs at the rate at which it was fastest and at
 * the rate at which the debiased average was (the matched rate). Apart from that, short runs look at the first steps
 * over several batch sizes, where debiasing is all that differs.
 */
#ifndef GLISSADE_CLI_STUDY_CONVERGENCE_H
#define GLISSADE_CLI_STUDY_CONVERGENCE_H

#include "tuning.h"

struct convergence_design {
    const struct network_plan *networks[2];
    size_t network_count;
    double momenta[2]; /* of the arms that have one */
    size_t momentum_count;
    double rates[12]; /* effective; ascending */
    size_t rate_count;
    struct tuning tuning;
    struct run_settings run; /* what all long runs have in common */
    uint64_t early_batches[3];
    size_t early_batch_count;
    double early_rates[3];
    size_t early_rate_count;
};

void convergence_design(const struct study_settings *settings, struct convergence_design *design);

/* All runs of one network, arm and momentum, which ARM_PLAIN ignores. */
struct run_settings convergence_cell(const struct convergence_design *design, size_t network, enum arm arm,
                                     double momentum);

/* Short runs, judging seeds only. The early arms are ARM_UNDAMPENED and ARM_DEBIASED, on the first network. */
struct run_settings convergence_early_cell(const struct convergence_design *design, enum arm arm,
                                           double momentum, uint64_t batch);

/* 0 while a tuning run of the cell is lacking. */
double convergence_best_rate(const struct convergence_design *design, const struct results *results,
                             size_t network, enum arm arm, double momentum);

enum exit_code convergence_report(const struct study_settings *settings, const struct results *results);

#endif
