/* SPDX-License-Identifier: Apache-2.0 */
/* Loading from files that are damaged or have no checksums, and while memory runs out: all or nothing. */
#include "states_model.h"

#include "alloc.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static folder place;
static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&place, FOLDER_MEMORY);
    engine = scenario_engine(2);
}

static void teardown(void) {
    gls_alloc_permit = NULL;
    glissade_engine_destroy(&engine);
    folder_destroy(&place);
}

TestSuite(states_damage, .init = setup, .fini = teardown, .timeout = 240);

/* ---- damage ---- */

Test(states_damage, every_byte) {
    planned source, target;
    size_t count;
    const char *path = folder_at(&place, "good"), *bad = folder_at(&place, "bad");
    planned_create(&source, engine, planned_usual, 1);
    planned_create(&target, engine, planned_usual, 2);
    planned_step(&source, 0);
    planned_step(&target, 7);
    states_save(source.optimizer, path, false);
    unsigned char *bytes = bytes_load(path, &count);
    snapshot before = snapshot_take(target.optimizer);
    for (size_t i = 0; i < count; i += i < 4096 ? 1 : 97) {
        bytes[i] ^= 1u << i % 8;
        bytes_store(bad, bytes, count);
        bytes[i] ^= 1u << i % 8;
        const glissade_status status = glissade_optimizer_load(target.optimizer, bad, NULL, NULL);
        snapshot after = snapshot_take(target.optimizer);
        cr_assert(status == GLISSADE_STATUS_CHECKSUM || status == GLISSADE_STATUS_INVALID_FILE,
                  "byte %zu: %s: %s", i, glissade_status_name(status),
                  glissade_optimizer_message(target.optimizer));
        cr_assert(snapshot_same(&before, &after), "byte %zu", i);
        snapshot_free(&after);
    }
    free(bytes);
    snapshot_free(&before);
    planned_destroy(&source);
    planned_destroy(&target);
}

/* What the file brings is read into zeros at once, which must be zeros again; what is not zeros must stay. */
Test(states_damage, new_optimizer) {
    planned source, target;
    size_t count;
    const char *path = folder_at(&place, "good"), *bad = folder_at(&place, "bad");
    planned_create(&source, engine, planned_usual, 1);
    planned_step(&source, 0);
    states_save(source.optimizer, path, false);
    unsigned char *bytes = bytes_load(path, &count);
    bytes[count - 1] ^= 1;
    bytes_store(bad, bytes, count);
    free(bytes);
    for (int way = 0; way < 4; way++) {
        planned_create(&target, engine, planned_usual, 2);
        if (way > 0) {
            float *first = planned_info(&target, 0).state[0];
            first[way == 2 ? 3 : 299] = way == 1 ? 0 : 7;
        }
        snapshot before = snapshot_take(target.optimizer);
        cr_assert_eq(glissade_optimizer_load(target.optimizer, bad, NULL, NULL), GLISSADE_STATUS_CHECKSUM);
        snapshot after = snapshot_take(target.optimizer);
        cr_assert(snapshot_same(&before, &after), "way %d", way);
        states_load(target.optimizer, path, NULL);
        for (int s = 0; s < 2; s++)
            cr_assert_arr_eq(planned_info(&target, 0).state[s], planned_info(&source, 0).state[s],
                             300 * sizeof(float));
        snapshot_free(&before);
        snapshot_free(&after);
        planned_destroy(&target);
    }
    planned_destroy(&source);
}

Test(states_damage, no_checksums) {
    glissade_file_options file;
    glissade_save_options save;
    glissade_load_options options = states_load_options();
    glissade_load_report report = {.size = sizeof report};
    const char *path = folder_at(&place, "state");
    planned source;
    planned_create(&source, engine, planned_usual, 1);
    planned_step(&source, 0);
    glissade_file_options_init(&file, sizeof file);
    glissade_save_options_init(&save, sizeof save);
    file.omit_checksums = true;
    save.file = &file;
    cr_assert_eq(glissade_optimizer_save(source.optimizer, path, &save, NULL), GLISSADE_STATUS_OK);
    options.need_checksums = true;
    cr_assert_eq(glissade_optimizer_load(source.optimizer, path, &options, NULL), GLISSADE_STATUS_CHECKSUM);
    cr_assert(strstr(glissade_optimizer_message(source.optimizer), "need_checksums"));
    cr_assert_eq(glissade_optimizer_load(source.optimizer, path, NULL, &report), GLISSADE_STATUS_OK);
    cr_assert(!report.verified && report.tensors == 4);
    planned_destroy(&source);
}

/* ---- no memory ---- */

static size_t counted, failing;

static bool fail_at(size_t bytes) {
    (void)bytes;
    return counted++ != failing;
}

/* Residuals that were released: the records stay. */
static void defer_and_release(planned *it) {
    glissade_sgd_options options = {.size = sizeof options};
    const uint32_t group = 2;
    cr_assert_eq(glissade_optimizer_get_sgd(it->optimizer, group, &options), GLISSADE_STATUS_OK);
    options.defer_threshold = 0.5;
    cr_assert_eq(glissade_optimizer_set_sgd(it->optimizer, group, &options), GLISSADE_STATUS_OK);
    planned_step(it, 5);
    options.defer_threshold = 0;
    cr_assert_eq(glissade_optimizer_set_sgd(it->optimizer, group, &options), GLISSADE_STATUS_OK);
    planned_step(it, 6);
}

/* Everything that a load can have to make: momentum, residuals, averages, records, a third array of state. */
static const planned_group saved[PLANNED_GROUPS] = {
    {"sgd",
     "momentum=0.5 defer_threshold=0.5 defer_unit=1",
     {PLAIN("a", 40000), PLAIN("b", 300), PLAIN("c", 0)}},
    {"adam", "amsgrad=1", {SHAPED("w", 300, 20, 15), PLAIN("x", 1000)}},
    {"sgd", "momentum=0.25 defer_threshold=0.25", {PLAIN("y", 900)}},
};
static const planned_group plain[PLANNED_GROUPS] = {
    {"sgd", "", {PLAIN("a", 40000), PLAIN("b", 300), PLAIN("c", 0)}},
    {"adam", "", {SHAPED("w", 300, 20, 15), PLAIN("x", 1000)}},
    {"sgd", "", {PLAIN("y", 900)}},
};

Test(states_damage, every_allocation) {
    const char *path = folder_at(&place, "state");
    planned source, target;
    planned_create(&source, engine, saved, 1);
    planned_create(&target, engine, plain, 2);
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(glissade_optimizer_set_average(source.optimizer, i, 0.5), GLISSADE_STATUS_OK);
    planned_step(&source, 0);
    planned_step(&source, 1);
    defer_and_release(&target);
    states_save(source.optimizer, path, false);
    snapshot before = snapshot_take(target.optimizer);
    for (failing = 0;; failing++) {
        counted = 0;
        gls_alloc_permit = fail_at;
        const glissade_status status = glissade_optimizer_load(target.optimizer, path, NULL, NULL);
        gls_alloc_permit = NULL;
        if (counted <= failing) {
            cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(target.optimizer));
            break;
        }
        cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY, "allocation %zu: %s", failing,
                     glissade_status_name(status));
        cr_assert(strstr(glissade_optimizer_message(target.optimizer), "memory"));
        snapshot after = snapshot_take(target.optimizer);
        cr_assert(snapshot_same(&before, &after), "allocation %zu: something has changed", failing);
        snapshot_free(&after);
    }
    cr_log_info("%zu allocations", failing);
    cr_assert_gt(failing, 40);
    /* And it was loaded all the same. */
    planned_step(&source, 2);
    for (size_t i = 0; i < source.count; i++)
        memcpy(target.held[i].parameter, source.held[i].parameter, source.held[i].length * sizeof(float));
    states_save(source.optimizer, path, true);
    glissade_load_options options = states_load_options();
    options.parameters = true;
    states_load(target.optimizer, path, &options);
    planned_step(&source, 3);
    planned_step(&target, 3);
    for (size_t i = 0; i < source.count; i++)
        cr_assert_arr_eq(source.held[i].parameter, target.held[i].parameter,
                         source.held[i].length * sizeof(float));
    snapshot_free(&before);
    planned_destroy(&source);
    planned_destroy(&target);
}

/* Where a step goes on after a load that failed. */
Test(states_damage, steps_go_on_after_failures) {
    const char *path = folder_at(&place, "state");
    planned source, target, twin;
    planned_create(&source, engine, saved, 1);
    planned_create(&target, engine, plain, 2);
    planned_create(&twin, engine, plain, 2);
    planned_step(&source, 0);
    states_save(source.optimizer, path, false);
    for (failing = 0; failing < 400; failing += 7) {
        counted = 0;
        gls_alloc_permit = fail_at;
        const glissade_status status = glissade_optimizer_load(target.optimizer, path, NULL, NULL);
        gls_alloc_permit = NULL;
        if (counted <= failing)
            break;
        cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY);
        planned_step(&target, (int)failing);
        planned_step(&twin, (int)failing);
        for (size_t i = 0; i < twin.count; i++)
            cr_assert_arr_eq(twin.held[i].parameter, target.held[i].parameter,
                             twin.held[i].length * sizeof(float));
    }
    cr_assert_gt(failing, 20);
    planned_destroy(&source);
    planned_destroy(&target);
    planned_destroy(&twin);
}

/* Labels and saving, too. */
Test(states_damage, allocations_of_labels_and_saves) {
    static const glissade_label labels[] = {{.size = sizeof *labels, .name = "one"},
                                            {.size = sizeof *labels, .name = "two"},
                                            {.size = sizeof *labels, .name = "three"}};
    const char *path = folder_at(&place, "state");
    planned it;
    planned_create(&it, engine, saved, 1);
    planned_step(&it, 0);
    states_save(it.optimizer, path, false);
    for (int what = 0; what < 2; what++) {
        for (failing = 0;; failing++) {
            snapshot before = snapshot_take(it.optimizer);
            counted = 0;
            gls_alloc_permit = fail_at;
            const glissade_status status = what ? glissade_optimizer_set_labels(it.optimizer, 0, labels, 3)
                                                : glissade_optimizer_save(it.optimizer, path, NULL, NULL);
            gls_alloc_permit = NULL;
            snapshot after = snapshot_take(it.optimizer);
            cr_assert(snapshot_same(&before, &after));
            snapshot_free(&before);
            snapshot_free(&after);
            if (counted <= failing) {
                cr_assert_eq(status, GLISSADE_STATUS_OK);
                break;
            }
            cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY, "%d, allocation %zu: %s", what, failing,
                         glissade_status_name(status));
            states_load(it.optimizer, path, NULL); /* the old file is there, under the old names */
        }
        cr_assert_geq(failing, 3);
    }
    planned_destroy(&it);
}
