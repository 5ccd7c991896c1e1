/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of runs, and the index over them. Must not run any. */
#include "plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const handling_names[HANDLING_COUNT] = {
    [HANDLING_ACT] = "act", [HANDLING_DEFER] = "defer", [HANDLING_DROP] = "drop"};

const char *handling_name(enum handling handling) {
    return handling_names[handling];
}

enum handling handling_find(const char *name) {
    int handling = 0;
    while (handling < HANDLING_COUNT && strcmp(handling_names[handling], name) != 0)
        ++handling;
    return (enum handling)handling;
}

/* As far as the nine digits of a results file tell. */
static bool equal(double a, double b) {
    return a == b || fabs(a - b) <= 1e-8 * fabs(a);
}

bool run_settings_equal(const struct run_settings *a, const struct run_settings *b) {
    return a->network == b->network && a->arm == b->arm && a->batch == b->batch && a->seed == b->seed &&
           a->handling == b->handling && a->noise == b->noise && a->steps == b->steps &&
           a->images == b->images && a->stop_at_targets == b->stop_at_targets &&
           equal(a->momentum, b->momentum) && equal(a->rate, b->rate) && equal(a->threshold, b->threshold) &&
           equal(a->loss_target, b->loss_target) && equal(a->accuracy_target, b->accuracy_target);
}

/* ---- the index ---- */

/*
 * Of what is compared exactly. Reals, which are only nearly equal after a file's nine digits, would lie to
 * either side of any rounding; without them, runs that differ in rate and threshold alone share a hash: at most
 * some fifty in a study.
 */
static uint64_t hash(const struct run_settings *settings) {
    const uint64_t parts[] = {
        (uintptr_t)settings->network, (uint64_t)settings->arm, settings->batch, settings->seed,
        (uint64_t)settings->handling, settings->noise,         settings->steps, settings->images,
        settings->stop_at_targets};
    uint64_t state = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; ++i) {
        state = (state ^ parts[i]) * UINT64_C(0x9e3779b97f4a7c15);
        state ^= state >> 29;
    }
    return state;
}

static const struct run_settings *settings_at(const void *items, size_t stride, uint32_t place) {
    return (const void *)((const char *)items + stride * place);
}

/* The slot of these settings, or the free one where they would go. There is always a free one. */
static size_t probe(const struct run_index *index, const void *items, size_t stride,
                    const struct run_settings *settings) {
    size_t slot = (size_t)hash(settings) & (index->slot_count - 1);
    while (index->slots[slot] != 0 &&
           !run_settings_equal(settings_at(items, stride, index->slots[slot] - 1), settings))
        slot = (slot + 1) & (index->slot_count - 1);
    return slot;
}

uint32_t run_index_find(const struct run_index *index, const void *items, size_t stride,
                        const struct run_settings *settings) {
    uint32_t found = index->count > 0 ? index->slots[probe(index, items, stride, settings)] : 0;
    return found > 0 ? found - 1 : RUN_INDEX_NONE;
}

/* Twice as many slots, a power of two; all items find new ones. */
static bool grow(struct run_index *index, const void *items, size_t stride) {
    struct run_index larger = {.slot_count = index->slot_count > 0 ? 2 * index->slot_count : 512};
    larger.slots = calloc(larger.slot_count, sizeof *larger.slots);
    if (larger.slots == NULL)
        return false;
    larger.count = index->count;
    for (size_t i = 0; i < index->slot_count; ++i)
        if (index->slots[i] != 0)
            larger.slots[probe(&larger, items, stride, settings_at(items, stride, index->slots[i] - 1))] =
                index->slots[i];
    free(index->slots);
    *index = larger;
    return true;
}

bool run_index_add(struct run_index *index, const void *items, size_t stride, uint32_t place) {
    if (2 * (index->count + 1) > index->slot_count && !grow(index, items, stride))
        return false;
    index->slots[probe(index, items, stride, settings_at(items, stride, place))] = place + 1;
    ++index->count;
    return true;
}

void run_index_free(struct run_index *index) {
    free(index->slots);
    *index = (struct run_index){.slots = NULL};
}

/* ---- the list ---- */

bool run_plan_add(struct run_plan *plan, const struct run_settings *settings) {
    if (run_index_find(&plan->index, plan->runs, sizeof *plan->runs, settings) != RUN_INDEX_NONE)
        return true;
    if (plan->count == plan->capacity) {
        size_t capacity = plan->capacity > 0 ? 2 * plan->capacity : 256;
        struct run_settings *runs = realloc(plan->runs, capacity * sizeof *runs);
        if (runs == NULL)
            return false;
        plan->runs = runs;
        plan->capacity = capacity;
    }
    plan->runs[plan->count] = *settings;
    if (!run_index_add(&plan->index, plan->runs, sizeof *plan->runs, (uint32_t)plan->count))
        return false;
    ++plan->count;
    return true;
}

void run_plan_free(struct run_plan *plan) {
    run_index_free(&plan->index);
    free(plan->runs);
    *plan = (struct run_plan){.count = 0};
}
