/* SPDX-License-Identifier: Apache-2.0 */
/* The batch-size study's design and plan. What its outcomes say is batch_report.c's. */
#include "batch.h"

#include <math.h>

const char *const batch_policy_names[BATCH_POLICY_COUNT] = {
    [BATCH_PLAIN] = "plain", [BATCH_KEPT] = "kept", [BATCH_SCALED] = "scaled"};

static const struct batch_design full = {
    .networks = {&network_small_mlp, &network_convolutional},
    .network_count = 2,
    .sizes = {2, 8, 32, 128, 512, 2048, 8192},
    .size_count = 7,
    .reference_size = 128,
    .reference_momentum = 0.9,
    .highest_exponent = 1,
    .octaves = 6,
    .images_least = 120000,
    .steps_least = 200,
    .tuning = {.tuning_seeds = 5, .judging_seeds = 10},
    .loss_targets = {0.45, 0.6},
    .accuracy_targets = {0.82, 0.76},
    .run = {.images = 60000, .stop_at_targets = true},
    .noise_steps = 600,
};

static const struct batch_design quick = {
    .networks = {&network_small_mlp},
    .network_count = 1,
    .sizes = {8, 32, 128},
    .size_count = 3,
    .reference_size = 32,
    .reference_momentum = 0.9,
    .highest_exponent = 0,
    .octaves = 3,
    .images_least = 2000,
    .steps_least = 30,
    .tuning = {.tuning_seeds = 2, .judging_seeds = 3},
    .loss_targets = {1.0},
    .accuracy_targets = {0.6},
    .run = {.images = 1000, .stop_at_targets = true},
    .noise_steps = 20,
};

/* At the reference size the highest rate tried is this power of two. It moves by an octave for a factor of four, as a
 * square root does; the lowest moves faster below the reference, where the linear-scaling line goes. */
static const int reference_exponent = 0;

void batch_design(const struct study_settings *settings, struct batch_design *design) {
    *design = settings->quick ? quick : full;
    design->tuning.first_seed = settings->seed;
}

size_t batch_rates(const struct batch_design *design, uint64_t size, double *rates) {
    double scale = log2((double)size / (double)design->reference_size);
    int highest = reference_exponent + (int)floor(scale / 2.0);
    highest = highest < design->highest_exponent ? highest : design->highest_exponent;
    int octaves = design->octaves + (scale < 0.0 ? (int)floor(-scale / 3.0) : 0);
    for (int i = 0; i < octaves; ++i)
        rates[i] = ldexp(1.0, highest - octaves + 1 + i);
    return (size_t)octaves;
}

struct run_settings batch_cell(const struct batch_design *design, size_t network, enum batch_policy policy,
                               uint64_t size) {
    struct run_settings cell = design->run;
    cell.network = design->networks[network];
    cell.loss_target = design->loss_targets[network];
    cell.accuracy_target = design->accuracy_targets[network];
    cell.batch = size;
    cell.arm = policy == BATCH_PLAIN ? ARM_PLAIN : ARM_DEBIASED;
    if (policy == BATCH_KEPT)
        cell.momentum = design->reference_momentum;
    else if (policy == BATCH_SCALED)
        cell.momentum = pow(design->reference_momentum, (double)size / (double)design->reference_size);
    uint64_t steps = design->images_least / size;
    cell.steps = steps > design->steps_least ? steps : design->steps_least;
    return cell;
}

struct run_settings batch_noise_cell(const struct batch_design *design, size_t network) {
    struct run_settings cell = batch_cell(design, network, BATCH_KEPT, design->reference_size);
    cell.noise = true;
    cell.stop_at_targets = false;
    cell.steps = design->noise_steps;
    return cell;
}

double batch_best_rate(const struct batch_design *design, const struct results *results, size_t network,
                       enum batch_policy policy, uint64_t size) {
    double rates[BATCH_RATES_MAXIMUM];
    size_t count = batch_rates(design, size, rates);
    struct run_settings cell = batch_cell(design, network, policy, size);
    return tuning_best_rate(results, &design->tuning, &cell, rates, count);
}

double batch_linear_rate(const struct batch_design *design, const struct results *results, size_t network,
                         enum batch_policy policy, uint64_t size) {
    double reference = batch_best_rate(design, results, network, policy, design->reference_size);
    return reference * (double)size / (double)design->reference_size;
}

static bool plan_cell(const struct batch_design *design, const struct results *results, size_t network,
                      enum batch_policy policy, uint64_t size, struct run_plan *plan) {
    double rates[BATCH_RATES_MAXIMUM];
    size_t count = batch_rates(design, size, rates);
    struct run_settings cell = batch_cell(design, network, policy, size);
    return tuning_add(plan, &design->tuning, &cell, rates, count) &&
           tuning_add_judging(plan, &design->tuning, &cell,
                              batch_best_rate(design, results, network, policy, size)) &&
           tuning_add_judging(plan, &design->tuning, &cell,
                              batch_linear_rate(design, results, network, policy, size));
}

static bool plan_all(const struct study_settings *settings, const struct results *results,
                     struct run_plan *plan) {
    struct batch_design design;
    batch_design(settings, &design);
    bool added = true;
    for (size_t network = 0; network < design.network_count && added; ++network) {
        for (int policy = 0; policy < BATCH_POLICY_COUNT; ++policy)
            for (size_t size = 0; size < design.size_count && added; ++size)
                added =
                    plan_cell(&design, results, network, (enum batch_policy)policy, design.sizes[size], plan);
        struct run_settings noise = batch_noise_cell(&design, network);
        double rate = batch_best_rate(&design, results, network, BATCH_KEPT, design.reference_size);
        added = added && tuning_add_judging(plan, &design.tuning, &noise, rate);
    }
    return added;
}

static const char *const file_names[] = {
    "sizes.csv", "comparisons.csv", "scaling.csv", "noise.csv", "predictions.csv",
    "steps.svg", "samples.svg",     "rates.svg",   "noise.svg",
};

const struct study batch_study = {
    .name = "batch",
    .command =
        {
            .name = "study batch",
            .summary = "how many steps a batch size takes, and where scaling ends",
            .description = "Trains two small networks on Fashion-MNIST with batches of 2 to 8,192 images, "
                           "without momentum, with a\n"
                           "debiased average of constant momentum, and with one over a constant number of "
                           "images, each with the\n"
                           "learning rate that suits it. Measures the gradient noise scale beside it.\n",
        },
    .plan = plan_all,
    .report = batch_report,
    .files = file_names,
    .file_count = sizeof file_names / sizeof file_names[0],
};
