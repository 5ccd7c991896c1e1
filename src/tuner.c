/* SPDX-License-Identifier: Apache-2.0 */
/* Trying walks and keeping the fastest (see tuner.h). Reads no clock. */
#include "tuner.h"

#include "tuning.h"

static const gls_walk candidates[GLS_TUNER_CANDIDATES] = {
    {.streams = 1, .lead = GLS_LEAD},
    {.streams = 4, .lead = GLS_LEAD},
    {.streams = 2, .lead = GLS_LEAD},
};

bool gls_tuner_is_trying(const gls_tuner *tuner) {
    return tuner->trials < GLS_TUNER_CANDIDATES * GLS_TUNER_ROUNDS;
}

gls_walk gls_tuner_walk(const gls_tuner *tuner) {
    return candidates[gls_tuner_is_trying(tuner) ? tuner->trials % GLS_TUNER_CANDIDATES : tuner->fastest];
}

void gls_tuner_learn(gls_tuner *tuner, double seconds, size_t bytes) {
    const uint32_t candidate = tuner->trials % GLS_TUNER_CANDIDATES;
    const double cost = seconds / (double)bytes;
    if (tuner->trials < GLS_TUNER_CANDIDATES || cost < tuner->best[candidate])
        tuner->best[candidate] = cost;
    tuner->trials++;
    for (uint32_t i = 0; !gls_tuner_is_trying(tuner) && i < GLS_TUNER_CANDIDATES; i++)
        if (tuner->best[i] < tuner->best[tuner->fastest])
            tuner->fastest = i;
}
