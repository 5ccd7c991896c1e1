/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rates chosen on seeds of their own; tuning.h says how. */
#include "tuning.h"

#include "inference.h"

#include <math.h>

static bool add_seeds(struct run_plan *plan, const struct run_settings *cell, double rate, uint64_t first,
                      uint64_t count) {
    bool added = true;
    for (uint64_t i = 0; i < count && added; ++i) {
        struct run_settings run = *cell;
        run.rate = rate;
        run.seed = first + i;
        added = run_plan_add(plan, &run);
    }
    return added;
}

bool tuning_add(struct run_plan *plan, const struct tuning *tuning, const struct run_settings *cell,
                const double *rates, size_t rate_count) {
    bool added = true;
    for (size_t i = 0; i < rate_count && added; ++i)
        added = add_seeds(plan, cell, rates[i], tuning->first_seed, tuning->tuning_seeds);
    return added;
}

bool tuning_add_judging(struct run_plan *plan, const struct tuning *tuning, const struct run_settings *cell,
                        double rate) {
    return rate == 0.0 ||
           add_seeds(plan, cell, rate, tuning->first_seed + tuning->tuning_seeds, tuning->judging_seeds);
}

size_t tuning_collect(const struct results *results, const struct run_settings *cell, double rate,
                      uint64_t first, uint64_t count, double (*of)(const struct run_outcome *),
                      double *values) {
    size_t found = 0;
    for (uint64_t i = 0; i < count; ++i) {
        struct run_settings run = *cell;
        run.rate = rate;
        run.seed = first + i;
        const struct run_outcome *outcome = results_find(results, &run);
        values[i] = outcome != NULL ? of(outcome) : NAN;
        found += outcome != NULL;
    }
    return found;
}

double tuning_best_rate(const struct results *results, const struct tuning *tuning,
                        const struct run_settings *cell, const double *rates, size_t rate_count) {
    double best_rate = 0.0, best_steps = INFINITY, best_loss = INFINITY;
    const uint64_t seeds = tuning->tuning_seeds;
    for (size_t i = 0; i < rate_count; ++i) {
        double steps[TUNING_SEEDS_MAXIMUM], losses[TUNING_SEEDS_MAXIMUM];
        if (tuning_collect(results, cell, rates[i], tuning->first_seed, seeds, outcome_steps_to_loss, steps) <
            seeds)
            return 0.0;
        tuning_collect(results, cell, rates[i], tuning->first_seed, seeds, outcome_final_loss, losses);
        double median_steps = inference_median(steps, seeds), median_loss = inference_median(losses, seeds);
        if (best_rate == 0.0 || median_steps < best_steps || (isinf(best_steps) && median_loss < best_loss)) {
            best_rate = rates[i];
            best_steps = median_steps;
            best_loss = median_loss;
        }
    }
    return best_rate;
}

double outcome_steps_to_loss(const struct run_outcome *outcome) {
    return outcome->steps_to_loss;
}

double outcome_steps_to_accuracy(const struct run_outcome *outcome) {
    return outcome->steps_to_accuracy;
}

double outcome_final_loss(const struct run_outcome *outcome) {
    return outcome->final_loss;
}

double outcome_final_accuracy(const struct run_outcome *outcome) {
    return outcome->final_accuracy;
}

double outcome_acted(const struct run_outcome *outcome) {
    return outcome->acted;
}

double outcome_diverged(const struct run_outcome *outcome) {
    return outcome->diverged ? 1.0 : 0.0;
}
