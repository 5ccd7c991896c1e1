/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning rates chosen fairly: every rate of a grid is tried with the tuning seeds, and what is reported of the
 * fastest is measured with judging seeds that had no part in the choice.
 *
 * A cell is a run whose rate and seed are still open.
 */
#ifndef GLISSADE_CLI_STUDY_TUNING_H
#define GLISSADE_CLI_STUDY_TUNING_H

#include "results.h"

struct tuning {
    uint64_t first_seed;                  /* the tuning seeds start here, the judging seeds follow */
    uint64_t tuning_seeds, judging_seeds; /* how many, at most TUNING_SEEDS_MAXIMUM each */
};

enum { TUNING_SEEDS_MAXIMUM = 24 };

/* Adds the tuning runs of a cell. Returns false if memory is short. */
bool tuning_add(struct run_plan *plan, const struct tuning *tuning, const struct run_settings *cell,
                const double *rates, size_t rate_count);

/* Adds the judging runs of a cell at one rate; nothing if the rate is 0, that is not known yet. */
bool tuning_add_judging(struct run_plan *plan, const struct tuning *tuning, const struct run_settings *cell,
                        double rate);

/*
 * The rate at which the median of steps to the loss target is least over the tuning seeds, a seed that never reached
 * it counting as infinite; where that is infinite at every rate, the one of the least median of final losses.
 * Returns 0 while a run is lacking.
 */
double tuning_best_rate(const struct results *results, const struct tuning *tuning,
                        const struct run_settings *cell, const double *rates, size_t rate_count);

/*
 * Collects of(outcome) over `count` seeds from `first` on into values[]. Returns how many runs were there; a lacking
 * one leaves NAN in its place.
 */
size_t tuning_collect(const struct results *results, const struct run_settings *cell, double rate,
                      uint64_t first, uint64_t count, double (*of)(const struct run_outcome *),
                      double *values);

/* Quantities to collect. */
double outcome_steps_to_loss(const struct run_outcome *outcome);
double outcome_steps_to_accuracy(const struct run_outcome *outcome);
double outcome_final_loss(const struct run_outcome *outcome);
double outcome_final_accuracy(const struct run_outcome *outcome);
double outcome_acted(const struct run_outcome *outcome);
double outcome_diverged(const struct run_outcome *outcome); /* 1 or 0 */

#endif
