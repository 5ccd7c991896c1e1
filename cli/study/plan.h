/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of runs without repetitions, and how a run is found among thousands: a study asks for each of its runs
 * several times whenever it plans or reports.
 */
#ifndef GLISSADE_CLI_STUDY_PLAN_H
#define GLISSADE_CLI_STUDY_PLAN_H

#include "run.h"

#include <stdint.h>

/*
 * A hash table of the places of items in somebody else's array. Every item begins with a struct run_settings;
 * `stride` bytes lie between the beginnings of two.
 */
struct run_index {
    uint32_t *slots; /* place + 1; 0: free */
    size_t slot_count, count;
};

#define RUN_INDEX_NONE UINT32_MAX

/* The place of the item with these settings; RUN_INDEX_NONE if there is none. */
uint32_t run_index_find(const struct run_index *index, const void *items, size_t stride,
                        const struct run_settings *settings);

/* Takes in the item at `place`, whose settings are not there yet; returns false if memory is short. */
bool run_index_add(struct run_index *index, const void *items, size_t stride, uint32_t place);

void run_index_free(struct run_index *index);

struct run_plan {
    struct run_settings *runs; /* allocated */
    size_t count, capacity;
    struct run_index index;
};

/* Appends a run unless the same is there; returns false if memory is short. */
bool run_plan_add(struct run_plan *plan, const struct run_settings *settings);
void run_plan_free(struct run_plan *plan);

/* Whether two runs are the same experiment. */
bool run_settings_equal(const struct run_settings *a, const struct run_settings *b);

#endif
