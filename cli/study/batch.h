/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The design of the batch-size study, shared by the file that plans it and the file that reports on it.
 *
 * Every policy is tuned at every batch size and judged at its fastest rate, and at the rate of the linear-scaling line:
 * the fastest at the reference batch size, times the batch size over it. Runs end when both targets are reached. Runs
 * at the reference batch size measure the gradient noise scale on their way.
 */
#ifndef GLISSADE_CLI_STUDY_BATCH_H
#define GLISSADE_CLI_STUDY_BATCH_H

#include "tuning.h"

/* What happens to the momentum when the batch size changes. */
enum batch_policy {
    BATCH_PLAIN,  /* there is none */
    BATCH_KEPT,   /* debiased average of the reference momentum at every size */
    BATCH_SCALED, /* debiased average over as many images: momentum^(batch / reference batch) */
    BATCH_POLICY_COUNT
};

extern const char *const batch_policy_names[BATCH_POLICY_COUNT];

struct batch_design {
    const struct network_plan *networks[2];
    size_t network_count;
    uint64_t sizes[8]; /* ascending */
    size_t size_count;
    uint64_t reference_size;
    double reference_momentum;
    int highest_exponent, octaves; /* rates at a size: see batch_rates */
    uint64_t images_least,
        steps_least; /* a run may go on for so many images, or steps if those are more images */
    /* One of each a network, such that a run of the largest size can meet them within steps_least. */
    double loss_targets[2], accuracy_targets[2];
    struct tuning tuning;
    struct run_settings run;
    uint64_t noise_steps;
};

enum { BATCH_RATES_MAXIMUM = 16 };

void batch_design(const struct study_settings *settings, struct batch_design *design);

/* The rates tried at a size, powers of two, ascending; BATCH_RATES_MAXIMUM at most. Returns how many. */
size_t batch_rates(const struct batch_design *design, uint64_t size, double *rates);

struct run_settings batch_cell(const struct batch_design *design, size_t network, enum batch_policy policy,
                               uint64_t size);

/* The runs that measure the noise scale, of the kept policy at the reference size; judging seeds. */
struct run_settings batch_noise_cell(const struct batch_design *design, size_t network);

/* 0 while a tuning run of the cell is lacking. */
double batch_best_rate(const struct batch_design *design, const struct results *results, size_t network,
                       enum batch_policy policy, uint64_t size);
/* The linear-scaling line; 0 while it is not known. */
double batch_linear_rate(const struct batch_design *design, const struct results *results, size_t network,
                         enum batch_policy policy, uint64_t size);

enum exit_code batch_report(const struct study_settings *settings, const struct results *results);

#endif
