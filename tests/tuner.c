/* SPDX-License-Identifier: Apache-2.0 */
/* The search for the fastest walk, with invented times: it tries each candidate, keeps the best, and then
 * stays. */
#include "tuner.h"

#include <criterion/criterion.h>

static bool same(gls_walk a, gls_walk b) {
    return a.streams == b.streams && a.lead == b.lead;
}

/* Lets a tuner run through its trials; cost[i] is candidate i's time, and `disturbed` the trial that takes
 * ten times as long as it should. */
static gls_tuner run_trials(const double cost[GLS_TUNER_CANDIDATES], uint32_t disturbed) {
    gls_tuner tuner = {0};
    const size_t bytes = 1 << 30;
    for (uint32_t trial = 0; gls_tuner_is_trying(&tuner); trial++) {
        cr_assert_lt(trial, GLS_TUNER_CANDIDATES * GLS_TUNER_ROUNDS);
        const double seconds = cost[trial % GLS_TUNER_CANDIDATES];
        gls_tuner_learn(&tuner, trial == disturbed ? 10 * seconds : seconds, bytes);
    }
    return tuner;
}

Test(tuner, tries_every_candidate_once_a_round) {
    gls_tuner tuner = {0};
    gls_walk first_round[GLS_TUNER_CANDIDATES];
    for (uint32_t trial = 0; trial < GLS_TUNER_CANDIDATES * GLS_TUNER_ROUNDS; trial++) {
        const uint32_t candidate = trial % GLS_TUNER_CANDIDATES;
        const gls_walk walk = gls_tuner_walk(&tuner);
        cr_assert(gls_tuner_is_trying(&tuner));
        if (trial < GLS_TUNER_CANDIDATES)
            first_round[trial] = walk;
        cr_assert(same(walk, first_round[candidate]), "trial %u", trial);
        for (uint32_t other = 0; other < candidate; other++)
            cr_assert(!same(walk, first_round[other]), "candidates %u and %u are one", other, candidate);
        gls_tuner_learn(&tuner, 1, 1000);
    }
    cr_assert(!gls_tuner_is_trying(&tuner));
}

Test(tuner, keeps_the_fastest) {
    for (uint32_t best = 0; best < GLS_TUNER_CANDIDATES; best++) {
        double cost[GLS_TUNER_CANDIDATES] = {0.050, 0.051, 0.052};
        cost[best] = 0.045;
        const gls_tuner tuner = run_trials(cost, UINT32_MAX);
        cr_assert_eq(tuner.fastest, best);
        gls_tuner fresh = {.trials = best};
        cr_assert(same(gls_tuner_walk(&tuner), gls_tuner_walk(&fresh)), "the walk is not candidate %u's",
                  best);
    }
}

Test(tuner, forgives_one_slow_trial) {
    const double cost[GLS_TUNER_CANDIDATES] = {0.050, 0.045, 0.052};
    for (uint32_t disturbed = 0; disturbed < GLS_TUNER_CANDIDATES * GLS_TUNER_ROUNDS; disturbed++)
        cr_assert_eq(run_trials(cost, disturbed).fastest, 1, "trial %u was disturbed", disturbed);
}

Test(tuner, compares_time_per_byte) {
    gls_tuner tuner = {0};
    for (uint32_t trial = 0; gls_tuner_is_trying(&tuner);
         trial++) /* candidate 2: twice the time, four times the bytes */
        gls_tuner_learn(&tuner, trial % GLS_TUNER_CANDIDATES == 2 ? 2 : 1,
                        trial % GLS_TUNER_CANDIDATES == 2 ? 4000 : 1000);
    cr_assert_eq(tuner.fastest, 2);
}
