/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the suites of loading have in common: a folder, an engine, an optimizer that has saved the file "good", and one
 * into which is loaded. Included once by each source, which then is STATES_SUITE(its name).
 */
#ifndef STATES_CHECK_H
#define STATES_CHECK_H

#include "states_model.h"

#include <criterion/criterion.h>

#include <string.h>

static folder place;
static glissade_engine *engine;
static planned source, target;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&place, FOLDER_MEMORY);
    engine = scenario_engine(2);
    planned_create(&source, engine, planned_usual, 1);
    planned_create(&target, engine, planned_usual, 2);
    for (int i = 0; i < 3; i++)
        planned_step(&source, i);
    planned_step(&target, 50);
    states_save(source.optimizer, folder_at(&place, "good"), true);
}

static void teardown(void) {
    planned_destroy(&source);
    planned_destroy(&target);
    glissade_engine_destroy(&engine);
    folder_destroy(&place);
}

#define STATES_SUITE(name) TestSuite(name, .init = setup, .fini = teardown, .timeout = 120)

/* A load that is refused, by a message with these words, and changes nothing. */
static inline void refuse(planned *it, const char *path, const glissade_load_options *options,
                          glissade_status expected, const char *words) {
    glissade_load_report report = {.size = sizeof report, .tensors = 4711};
    snapshot before = snapshot_take(it->optimizer);
    const glissade_status status = glissade_optimizer_load(it->optimizer, path, options, &report);
    const char *message = glissade_optimizer_message(it->optimizer);
    snapshot after = snapshot_take(it->optimizer);
    cr_assert_eq(status, expected, "%s, not %s: %s", glissade_status_name(status),
                 glissade_status_name(expected), message);
    cr_assert(strstr(message, words), "\"%s\" does not say %s", message, words);
    cr_assert(snapshot_same(&before, &after), "%s: something has changed", message);
    cr_assert_eq(report.tensors, 4711, "the report was written");
    snapshot_free(&before);
    snapshot_free(&after);
}

#define REFUSE(it, path, options, status, words) refuse(it, path, options, GLISSADE_STATUS_##status, words)

static inline glissade_load_report load(planned *it, const char *path, const glissade_load_options *options) {
    glissade_load_report report = {.size = sizeof report};
    const glissade_status status = glissade_optimizer_load(it->optimizer, path, options, &report);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(it->optimizer));
    return report;
}

/* Counts and states of a tensor of one and of another. */
static inline bool same_state(const planned *a, size_t i, const planned *b, size_t j) {
    const glissade_tensor_info x = planned_info(a, i), y = planned_info(b, j);
    bool same = x.steps == y.steps && x.momentum_updates == y.momentum_updates;
    for (int s = 0; s < GLISSADE_STATES; s++)
        same = same && (!x.state[s] || memcmp(x.state[s], y.state[s], x.length * sizeof(float)) == 0);
    return same;
}

#endif
