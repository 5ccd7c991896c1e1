/* SPDX-License-Identifier: Apache-2.0 */
/* The convergence study's design and plan. What its outcomes say is convergence_report.c's. */
#include "convergence.h"

static const struct convergence_design full = {
    .networks = {&network_small_mlp, &network_convolutional},
    .network_count = 2,
    .momenta = {0.9, 0.99},
    .momentum_count = 2,
    .rates = {1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 1.0, 2.0, 4.0},
    .rate_count = 9,
    .tuning = {.tuning_seeds = 5, .judging_seeds = 20},
    .run = {.batch = 64, .steps = 1500, .images = 20000, .loss_target = 0.45, .accuracy_target = 0.82},
    .early_batches = {8, 64, 512},
    .early_batch_count = 3,
    .early_rates = {1.0 / 32, 1.0 / 8, 1.0 / 2},
    .early_rate_count = 3,
};

static const struct convergence_design quick = {
    .networks = {&network_small_mlp, &network_convolutional},
    .network_count = 2,
    .momenta = {0.9},
    .momentum_count = 1,
    .rates = {1.0 / 8, 1.0 / 2, 8.0},
    .rate_count = 3,
    .tuning = {.tuning_seeds = 2, .judging_seeds = 3},
    .run = {.batch = 32, .steps = 60, .images = 1000, .loss_target = 1.2, .accuracy_target = 0.6},
    .early_batches = {8, 64},
    .early_batch_count = 2,
    .early_rates = {1.0 / 8},
    .early_rate_count = 1,
};

/* The debiasing has had its effect after a few times 1 / (1 - momentum) steps. */
static const double early_spans = 4.0;

void convergence_design(const struct study_settings *settings, struct convergence_design *design) {
    *design = settings->quick ? quick : full;
    design->tuning.first_seed = settings->seed;
}

struct run_settings convergence_cell(const struct convergence_design *design, size_t network, enum arm arm,
                                     double momentum) {
    struct run_settings cell = design->run;
    cell.network = design->networks[network];
    cell.arm = arm;
    cell.momentum = arm == ARM_PLAIN ? 0.0 : momentum;
    return cell;
}

struct run_settings convergence_early_cell(const struct convergence_design *design, enum arm arm,
                                           double momentum, uint64_t batch) {
    struct run_settings cell = convergence_cell(design, 0, arm, momentum);
    cell.batch = batch;
    cell.steps = (uint64_t)(early_spans / (1.0 - momentum) + 0.5);
    return cell;
}

double convergence_best_rate(const struct convergence_design *design, const struct results *results,
                             size_t network, enum arm arm, double momentum) {
    struct run_settings cell = convergence_cell(design, network, arm, momentum);
    return tuning_best_rate(results, &design->tuning, &cell, design->rates, design->rate_count);
}

/* ---- the plan ---- */

static bool plan_cell(const struct convergence_design *design, const struct results *results, size_t network,
                      enum arm arm, double momentum, struct run_plan *plan) {
    struct run_settings cell = convergence_cell(design, network, arm, momentum);
    double own = convergence_best_rate(design, results, network, arm, momentum);
    double matched = convergence_best_rate(design, results, network, ARM_DEBIASED, momentum);
    return tuning_add(plan, &design->tuning, &cell, design->rates, design->rate_count) &&
           tuning_add_judging(plan, &design->tuning, &cell, own) &&
           tuning_add_judging(plan, &design->tuning, &cell, matched);
}

static bool plan_early(const struct convergence_design *design, double momentum, struct run_plan *plan) {
    static const enum arm compared[] = {ARM_UNDAMPENED, ARM_DEBIASED};
    bool added = true;
    for (size_t arm = 0; arm < 2; ++arm)
        for (size_t batch = 0; batch < design->early_batch_count; ++batch)
            for (size_t rate = 0; rate < design->early_rate_count && added; ++rate) {
                struct run_settings cell =
                    convergence_early_cell(design, compared[arm], momentum, design->early_batches[batch]);
                added = tuning_add_judging(plan, &design->tuning, &cell, design->early_rates[rate]);
            }
    return added;
}

static bool plan_all(const struct study_settings *settings, const struct results *results,
                     struct run_plan *plan) {
    struct convergence_design design;
    convergence_design(settings, &design);
    bool added = true;
    for (size_t network = 0; network < design.network_count; ++network)
        for (size_t m = 0; m < design.momentum_count; ++m)
            for (int arm = 0; arm < ARM_COUNT && added; ++arm)
                added = plan_cell(&design, results, network, (enum arm)arm, design.momenta[m], plan);
    for (size_t m = 0; m < design.momentum_count && added; ++m)
        added = plan_early(&design, design.momenta[m], plan);
    return added;
}

static const char *const files[] = {
    "rates.csv",       "best.csv",   "best-ratios.csv",   "matched.csv",      "sensitivity.csv",
    "curves.csv",      "early.csv",  "early-summary.csv", "early-curves.csv", "predictions.csv",
    "steps-rates.svg", "curves.svg", "best.svg",          "early.svg",
};

const struct study convergence_study = {
    .name = "convergence",
    .command =
        {
            .name = "study convergence",
            .summary = "how fast seven kinds of momentum train, over learning rates",
            .description =
                "Trains two small networks on Fashion-MNIST under seven rules, from plain SGD to the "
                "debiased average\n"
                "with Nesterov's look-ahead, over a grid of learning rates, and compares the steps that they "
                "need to\n"
                "a training loss and a test accuracy, on seeds that had no part in choosing the rates.\n",
        },
    .plan = plan_all,
    .report = convergence_report,
    .files = files,
    .file_count = sizeof files / sizeof files[0],
};
