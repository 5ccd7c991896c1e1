/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the suites of asynchronous saves have in common: a folder, an engine, a stepper of which "state" in the folder is
 * saved, and saves that stop in a write until the test lets them go. Included once by each source.
 */
#ifndef SAVING_CHECK_H
#define SAVING_CHECK_H

#include "files.h"
#include "stepper.h"

#include "file/os.h"

#include <criterion/criterion.h>

#include <stdatomic.h>
#include <unistd.h>

enum { SMALL = 40000, LARGE = 12 * 1000 * 1000 };

static folder home;
static glissade_engine *engine;
static stepper it;
static glissade_error error;
static stepper_text text;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
    engine = scenario_engine(2);
}

static void teardown(void) {
    gls_os_table = &gls_os_system;
    if (it.optimizer)
        stepper_destroy(&it);
    glissade_engine_destroy(&engine);
    cr_assert_eq(folder_temporaries(&home), 0, "temporary files are left: %s", folder_names(&home));
    cr_assert_eq(descriptors_open(), home.descriptors, "descriptors are left open");
    folder_destroy(&home);
}

/* At step 2. */
static inline void begin(size_t bytes) {
    stepper_create(&it, engine, bytes);
    stepper_step(&it);
    stepper_step(&it);
}

static const char *path(void) {
    return folder_at(&home, "state");
}

static glissade_save *start(const glissade_save_options *options) {
    glissade_save *save;
    cr_assert_eq(glissade_optimizer_save_start(it.optimizer, path(), options, &save), GLISSADE_STATUS_OK,
                 "%s", glissade_optimizer_message(it.optimizer));
    cr_assert_not_null(save);
    return save;
}

static void must_end_well(glissade_save *save) {
    cr_assert_eq(glissade_save_wait(save, &error), GLISSADE_STATUS_OK, "%s", error.message);
    glissade_save_destroy(&save);
    cr_assert_null(save);
}

static void must_hold(uint64_t step) {
    const char *wrong = stepper_difference(&it, path(), step);
    cr_assert_null(wrong, "%s", wrong);
}

/* ---- saves that stop ---- */

/* The write, counted from 1, in which the save stops; and whether it is there. */
static atomic_int stop_at;
static atomic_bool is_stopped;

static ssize_t stop_in_write(int fd, const void *bytes, size_t count, off_t offset) {
    if (atomic_fetch_sub(&stop_at, 1) == 1) {
        is_stopped = true;
        while (is_stopped)
            usleep(100);
    }
    return gls_os_system.pwrite(fd, bytes, count, offset);
}

/* Returns when the save has stopped. A rate, which makes many writes of it, is set. */
static inline glissade_save *start_and_stop(glissade_save_options *options, int write) {
    static gls_os table;
    table = gls_os_system;
    table.pwrite = stop_in_write;
    gls_os_table = &table;
    stop_at = write;
    options->bytes_per_second = 400 * 1000 * 1000;
    glissade_save *save = start(options);
    while (!is_stopped)
        usleep(100);
    return save;
}

static inline void let_go(void) {
    is_stopped = false;
}

#endif
