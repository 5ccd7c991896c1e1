/* SPDX-License-Identifier: Apache-2.0 */
/* The deferral study's design and plan. What its outcomes say is deferral_report.c's. */
#include "deferral.h"

static const struct deferral_design full = {
    .networks = {&network_small_mlp, &network_convolutional},
    .network_count = 2,
    .momenta = {0.0, 0.9},
    .momentum_count = 2,
    .thresholds = {0.25, 1.0, 2.0, 4.0, 8.0, 16.0},
    .threshold_count = 6,
    .batches = {128, 256, 512, 1024, 2048, 4096},
    .batch_count = 6,
    .rates = {1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2},
    .rate_count = 6,
    .batch_rates = {1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1.0, 2.0},
    .batch_rate_count = 6,
    .images_seen = 96000,
    .tuning = {.tuning_seeds = 5, .judging_seeds = 10},
    .run = {.batch = 64, .images = 20000, .loss_target = 0.45, .accuracy_target = 0.82},
};

static const struct deferral_design quick = {
    .networks = {&network_small_mlp},
    .network_count = 1,
    .momenta = {0.0, 0.9},
    .momentum_count = 2,
    .thresholds = {1.0, 4.0},
    .threshold_count = 2,
    .batches = {128},
    .batch_count = 1,
    .rates = {1.0 / 16, 1.0 / 4},
    .rate_count = 2,
    .batch_rates = {1.0 / 8, 1.0 / 2},
    .batch_rate_count = 2,
    .images_seen = 1600,
    .tuning = {.tuning_seeds = 2, .judging_seeds = 3},
    .run = {.batch = 32, .images = 1000, .loss_target = 1.2, .accuracy_target = 0.6},
};

void deferral_design(const struct study_settings *settings, struct deferral_design *design) {
    *design = settings->quick ? quick : full;
    design->tuning.first_seed = settings->seed;
}

static struct run_settings cell_of(const struct deferral_design *design, size_t network, double momentum,
                                   uint64_t batch) {
    struct run_settings cell = design->run;
    cell.network = design->networks[network];
    cell.arm = momentum == 0.0 ? ARM_PLAIN : ARM_DEBIASED;
    cell.momentum = momentum;
    cell.batch = batch;
    cell.steps = design->images_seen / batch;
    return cell;
}

struct run_settings deferral_cell(const struct deferral_design *design, size_t network, double momentum,
                                  enum handling handling, double threshold) {
    struct run_settings cell = cell_of(design, network, momentum, design->run.batch);
    cell.handling = handling;
    cell.threshold = threshold;
    return cell;
}

struct run_settings deferral_batch_cell(const struct deferral_design *design, size_t network, double momentum,
                                        uint64_t batch) {
    return cell_of(design, network, momentum, batch);
}

static const double *rates_of(const struct deferral_design *design, const struct run_settings *cell,
                              size_t *count) {
    bool larger = cell->batch > design->run.batch;
    *count = larger ? design->batch_rate_count : design->rate_count;
    return larger ? design->batch_rates : design->rates;
}

double deferral_best_rate(const struct deferral_design *design, const struct results *results,
                          const struct run_settings *cell) {
    size_t count;
    const double *rates = rates_of(design, cell, &count);
    return tuning_best_rate(results, &design->tuning, cell, rates, count);
}

static bool plan_cell(const struct deferral_design *design, const struct results *results,
                      struct run_settings cell, struct run_plan *plan) {
    size_t count;
    const double *rates = rates_of(design, &cell, &count);
    return tuning_add(plan, &design->tuning, &cell, rates, count) &&
           tuning_add_judging(plan, &design->tuning, &cell, deferral_best_rate(design, results, &cell));
}

static bool plan_momentum(const struct deferral_design *design, const struct results *results, size_t network,
                          double momentum, struct run_plan *plan) {
    bool added =
        plan_cell(design, results, deferral_cell(design, network, momentum, HANDLING_ACT, 0.0), plan);
    for (size_t i = 0; i < design->threshold_count && added; ++i) {
        double threshold = design->thresholds[i];
        added = plan_cell(design, results,
                          deferral_cell(design, network, momentum, HANDLING_DEFER, threshold), plan) &&
                plan_cell(design, results, deferral_cell(design, network, momentum, HANDLING_DROP, threshold),
                          plan);
    }
    for (size_t i = 0; i < design->batch_count && added; ++i)
        added = plan_cell(design, results, deferral_batch_cell(design, network, momentum, design->batches[i]),
                          plan);
    return added;
}

static bool plan_all(const struct study_settings *settings, const struct results *results,
                     struct run_plan *plan) {
    struct deferral_design design;
    deferral_design(settings, &design);
    bool added = true;
    for (size_t network = 0; network < design.network_count; ++network)
        for (size_t m = 0; m < design.momentum_count && added; ++m)
            added = plan_momentum(&design, results, network, design.momenta[m], plan);
    return added;
}

static const char *const file_names[] = {
    "thresholds.csv",  "batches.csv",  "comparisons.csv", "equal.csv",  "shares.csv",
    "predictions.csv", "accuracy.svg", "thresholds.svg",  "shares.svg",
};

const struct study deferral_study = {
    .name = "deferral",
    .command =
        {
            .name = "study deferral",
            .summary = "what gathering small gradients over several batches does",
            .description = "Trains two small networks on Fashion-MNIST while small elements of the gradient "
                           "are deferred until\n"
                           "they count, or dropped, below several thresholds; and with larger batches, which "
                           "also act more\n"
                           "seldom.\n",
        },
    .plan = plan_all,
    .report = deferral_report,
    .files = file_names,
    .file_count = sizeof file_names / sizeof file_names[0],
};
