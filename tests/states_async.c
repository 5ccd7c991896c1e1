/* SPDX-License-Identifier: Apache-2.0 */
/* Saves that go on while steps do: what is saved is the state of the start to the bit, whatever happens meanwhile. */
#include "faults.h"
#include "saving_check.h"

#include "clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(states_async, .init = setup, .fini = teardown, .timeout = 120);

static void save_now(void) {
    const glissade_save_options options = stepper_options(&it, &text);
    cr_assert_eq(glissade_optimizer_save(it.optimizer, path(), &options, NULL), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(it.optimizer));
}

/* ---- what is saved ---- */

Test(states_async, same_file_as_a_save_that_is_waited_for) {
    size_t counts[2];
    begin(SMALL);
    const glissade_save_options options = stepper_options(&it, &text);
    must_end_well(start(&options));
    char *first = bytes_load(path(), &counts[0]);
    save_now();
    char *second = bytes_load(path(), &counts[1]);
    cr_assert(counts[0] == counts[1] && memcmp(first, second, counts[0]) == 0);
    free(first);
    free(second);
}

/* Steps change every element while the save is held back. */
Test(states_async, steps_go_on) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    glissade_save *save = start_and_stop(&options, 3);
    const uint64_t step = it.step;
    glissade_save_progress progress = {.size = sizeof progress};
    stepper_step(&it);
    cr_assert_eq(glissade_save_get_progress(save, &progress), GLISSADE_STATUS_OK);
    cr_assert(!progress.done);
    let_go();
    do {
        stepper_step(&it);
        cr_assert_eq(glissade_save_get_progress(save, &progress), GLISSADE_STATUS_OK);
    } while (!progress.done);
    must_end_well(save);
    must_hold(step);
    save_now();
    must_hold(it.step);
}

/* Also the caller's own arrays are copied, unless he lends them. */
Test(states_async, callers_arrays_are_copied) {
    begin(SMALL);
    const glissade_save_options options = stepper_options(&it, &text);
    glissade_save *save = start(&options);
    for (size_t i = 0; i < STEPPER_TENSORS; i++)
        memset(it.p[i], 0xA5, it.lengths[i] * sizeof(float));
    must_end_well(save);
    must_hold(it.step);
}

Test(states_async, lent_arrays_are_not_copied) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    glissade_save_progress copied = {.size = sizeof copied}, lent = {.size = sizeof lent};
    glissade_save *save = start(&options);
    cr_assert_eq(glissade_save_get_progress(save, &copied), GLISSADE_STATUS_OK);
    must_end_well(save);
    must_hold(it.step);
    options.borrow = true;
    save = start(&options);
    cr_assert_eq(glissade_save_get_progress(save, &lent), GLISSADE_STATUS_OK);
    must_end_well(save);
    must_hold(it.step);
    cr_assert(lent.total == copied.total && lent.stall_seconds >= lent.copy_seconds);
}

/* What was lent is read while the save goes on: a change then is in the file, and in its checksums. */
Test(states_async, lent_arrays_are_read_when_their_turn_comes) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    options.borrow = true;
    glissade_save *save = start_and_stop(&options, 3);
    const size_t last = STEPPER_TENSORS - 1;
    it.p[last][it.lengths[last] - 1] = 12345;
    it.p[0][0] = 12345;
    let_go();
    must_end_well(save);
    const char *wrong = stepper_difference(&it, path(), it.step);
    cr_assert(wrong && strstr(wrong, "an element is not of the step"), "%s",
              wrong ? wrong : "it is as it was");
}

/* ---- memory that is kept ---- */

/* The second save's copy lies where the first's was; a third, of more, elsewhere; none outlives the optimizer for long. */
Test(states_async, kept_memory) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    options.keep_copy = true;
    for (int round = 0; round < 3; round++) {
        stepper_step(&it);
        options = stepper_options(&it, &text);
        options.keep_copy = true;
        options.parameters = round != 1;
        glissade_save *save = start(&options);
        stepper_step(&it);
        cr_assert_eq(glissade_save_wait(save, &error), GLISSADE_STATUS_OK, "%s", error.message);
        glissade_save_destroy(&save);
        if (options.parameters)
            must_hold(it.step - 1);
    }
    options = stepper_options(&it, &text);
    options.keep_copy = true;
    glissade_save *first = start(&options), *second = start(&options);
    const stepper like = it;
    stepper_destroy(&it);
    must_end_well(first);
    must_end_well(second);
    const char *wrong = stepper_difference(&like, path(), like.step);
    cr_assert_null(wrong, "%s", wrong);
}

Test(states_async, kept_memory_and_none) {
    enum { MOST = 100 };
    begin(LARGE);
    for (size_t place = 0; place < MOST; place++) {
        glissade_save_options options = stepper_options(&it, &text);
        glissade_save *save;
        options.keep_copy = true;
        fault_allocation(place);
        glissade_status status = glissade_optimizer_save_start(it.optimizer, path(), &options, &save);
        if (!status)
            status = glissade_save_wait(save, NULL);
        const bool failed = fault_allocations_end() > place;
        glissade_save_destroy(&save);
        /* Without memory to remember it by, the copy is not kept, which is no failure. */
        cr_assert(failed || !status);
        cr_assert(!status || status == GLISSADE_STATUS_OUT_OF_MEMORY, "%s", glissade_status_name(status));
        cr_assert_eq(folder_temporaries(&home), 0);
        if (!failed)
            return;
    }
    cr_assert_fail("it never succeeds");
}

Test(states_async, nothing_to_save) {
    glissade_save *save;
    glissade_file *file;
    glissade_optimizer *empty = scenario_optimizer(engine);
    cr_assert_eq(glissade_optimizer_save_start(empty, path(), NULL, &save), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(empty));
    must_end_well(save);
    cr_assert_eq(glissade_file_open(path(), &file, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_file_count(file), 0);
    glissade_file_close(&file);
    glissade_optimizer_destroy(&empty);
}

/* ---- progress ---- */

Test(states_async, progress) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    const double begun = gls_seconds();
    glissade_save *save = start_and_stop(&options, 3);
    const double started = gls_seconds();
    glissade_save_progress progress = {.size = sizeof progress}, last = {.bytes = 0};
    cr_assert_eq(glissade_save_get_progress(save, &progress), GLISSADE_STATUS_OK);
    cr_assert(progress.bytes > 0 && progress.bytes < progress.total && !progress.done);
    let_go();
    do {
        cr_assert_eq(glissade_save_get_progress(save, &progress), GLISSADE_STATUS_OK);
        cr_assert(progress.bytes >= last.bytes && progress.bytes <= progress.total);
        cr_assert(progress.seconds >= last.seconds && progress.seconds >= progress.stall_seconds);
        last = progress;
        usleep(1000);
    } while (!progress.done);
    cr_assert_eq(progress.bytes, progress.total);
    cr_assert(progress.copy_seconds > 0 && progress.copy_seconds <= progress.stall_seconds);
    cr_assert_leq(progress.stall_seconds, started - begun);
    usleep(20000);
    last.size = 1;
    cr_assert_eq(glissade_save_get_progress(save, &last), GLISSADE_STATUS_INVALID_SIZE);
    last.size = sizeof last;
    cr_assert_eq(glissade_save_get_progress(save, &last), GLISSADE_STATUS_OK);
    cr_assert_eq(last.seconds, progress.seconds, "the clock goes on");
    must_end_well(save);
    size_t count;
    free(bytes_load(path(), &count));
    cr_assert_eq(count, progress.total);
}

/* However fast the disk, no more is written than the rate allows; how much less, depends on the machine. */
Test(states_async, rate) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    options.bytes_per_second = 50 * 1000 * 1000;
    const double begun = gls_seconds();
    must_end_well(start(&options));
    const double seconds = gls_seconds() - begun;
    /* The last slice of a megabyte is not waited for; and what is beside the data does not count. */
    cr_assert_geq(seconds, (LARGE - 2e6) / 50e6, "%g s", seconds);
    must_hold(it.step);
}

/* ---- cancelling ---- */

Test(states_async, cancelled_at_many_moments) {
    enum { MOMENTS = 60 };
    /* The first would take two minutes, so nothing is whole when it is cancelled. */
    static const uint64_t rates[] = {100 * 1000, 400 * 1000 * 1000, 0};
    begin(LARGE);
    save_now();
    uint64_t step = it.step;
    for (int moment = 0; moment < MOMENTS; moment++) {
        stepper_step(&it);
        glissade_save_options options = stepper_options(&it, &text);
        options.bytes_per_second = rates[moment % 3];
        glissade_save *save = start(&options);
        usleep((useconds_t)(moment * 1000));
        glissade_save_cancel(save);
        const glissade_status status = glissade_save_wait(save, &error);
        cr_assert(status == GLISSADE_STATUS_CANCELLED || (status == GLISSADE_STATUS_OK && moment % 3),
                  "moment %d: %s", moment, error.message);
        cr_assert(!status || strstr(error.message, "state: the save was cancelled"), "%s", error.message);
        cr_assert_eq(folder_temporaries(&home), 0, "%s", folder_names(&home));
        glissade_save_cancel(save);
        cr_assert_eq(glissade_save_wait(save, NULL), status);
        glissade_save_destroy(&save);
        must_hold(status ? step : it.step);
        step = status ? step : it.step;
    }
}

Test(states_async, cancelled_without_a_file_before) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    options.bytes_per_second = 1000;
    glissade_save *save = start(&options);
    glissade_save_cancel(save);
    cr_assert_eq(glissade_save_wait(save, &error), GLISSADE_STATUS_CANCELLED);
    cr_assert_eq(error.status, GLISSADE_STATUS_CANCELLED);
    glissade_save_progress progress = {.size = sizeof progress};
    cr_assert_eq(glissade_save_get_progress(save, &progress), GLISSADE_STATUS_OK);
    cr_assert(progress.done && progress.bytes < progress.total);
    glissade_save_destroy(&save);
    cr_assert_str_eq(folder_names(&home), "");
}

/* ---- waiting ---- */

static void *wait_aside(void *save) {
    glissade_error own;
    const glissade_status status = glissade_save_wait(save, &own);
    return status == GLISSADE_STATUS_OK && own.status == status ? save : NULL;
}

Test(states_async, many_wait) {
    pthread_t threads[6];
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    options.bytes_per_second = 200 * 1000 * 1000;
    glissade_save *save = start(&options);
    for (int i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, wait_aside, save), 0);
    for (int i = 0; i < 6; i++) {
        void *result;
        cr_assert(pthread_join(threads[i], &result) == 0 && result == save);
    }
    cr_assert_eq(glissade_save_wait(save, NULL), GLISSADE_STATUS_OK);
    must_end_well(save);
    must_hold(it.step);
}

Test(states_async, destroyed_without_waiting) {
    begin(LARGE);
    const glissade_save_options options = stepper_options(&it, &text);
    glissade_save *save = start(&options);
    glissade_save_destroy(&save);
    cr_assert_null(save);
    must_hold(it.step);
    glissade_save_destroy(&save);
    glissade_save_destroy(NULL);
}

Test(states_async, optimizer_and_engine_gone_before_the_end) {
    begin(LARGE);
    glissade_save_options options = stepper_options(&it, &text);
    options.bytes_per_second = 100 * 1000 * 1000;
    glissade_save *save = start(&options);
    const stepper like = it;
    stepper_destroy(&it);
    glissade_engine_destroy(&engine);
    must_end_well(save);
    const char *wrong = stepper_difference(&like, path(), 2);
    cr_assert_null(wrong, "%s", wrong);
}

/* ---- two at once ---- */

Test(states_async, two_to_different_paths) {
    begin(LARGE);
    glissade_save *first, *second;
    stepper_text texts[2];
    const glissade_save_options options = stepper_options(&it, &texts[0]);
    cr_assert_eq(glissade_optimizer_save_start(it.optimizer, folder_at(&home, "a"), &options, &first),
                 GLISSADE_STATUS_OK);
    stepper_step(&it);
    const glissade_save_options later = stepper_options(&it, &texts[1]);
    cr_assert_eq(glissade_optimizer_save_start(it.optimizer, folder_at(&home, "b"), &later, &second),
                 GLISSADE_STATUS_OK);
    stepper_step(&it);
    must_end_well(second);
    must_end_well(first);
    cr_assert_null(stepper_difference(&it, folder_at(&home, "a"), 2));
    cr_assert_null(stepper_difference(&it, folder_at(&home, "b"), 3));
}

/* The path is one of the two, whichever came last; neither takes the other's temporary file for abandoned. */
Test(states_async, two_to_one_path) {
    begin(LARGE);
    for (int round = 0; round < 10; round++) {
        stepper_text texts[2];
        const glissade_save_options options = stepper_options(&it, &texts[0]);
        glissade_save *first = start(&options);
        stepper_step(&it);
        const glissade_save_options later = stepper_options(&it, &texts[1]);
        glissade_save *second = start(&later);
        must_end_well(first);
        must_end_well(second);
        uint64_t step;
        const char *wrong = stepper_check(&it, path(), &step);
        cr_assert_null(wrong, "%s", wrong);
        cr_assert(step == it.step || step == it.step - 1);
    }
}

/* ---- refusals ---- */

Test(states_async, refused_at_once) {
    glissade_save *save = (glissade_save *)&save;
    begin(SMALL);
    cr_assert_eq(glissade_optimizer_save_start(NULL, path(), NULL, &save), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_null(save);
#define REFUSED(path, options, save, expected, words)                                                        \
    do {                                                                                                     \
        cr_assert_eq(glissade_optimizer_save_start(it.optimizer, path, options, save),                       \
                     GLISSADE_STATUS_##expected);                                                            \
        const char *message_ = glissade_optimizer_message(it.optimizer);                                     \
        cr_assert(strstr(message_, words), "\"%s\" does not say \"%s\"", message_, words);                   \
    } while (0)
    REFUSED(path(), NULL, NULL, NULL_ARGUMENT, "save is NULL");
    REFUSED(NULL, NULL, &save, NULL_ARGUMENT, "path is NULL");
    REFUSED(folder_at(&home, "no/state"), NULL, &save, IO, "no/state: open its folder: No such file");
    REFUSED("a/", NULL, &save, INVALID_OPTION, "names no file");
    glissade_save_options options = stepper_options(&it, &text);
    options.size = 5;
    REFUSED(path(), &options, &save, INVALID_SIZE, "glissade_save_options.size is 5");
    options = stepper_options(&it, &text);
    options.metadata = NULL;
    REFUSED(path(), &options, &save, NULL_ARGUMENT, "metadata is NULL");
    glissade_file_options file = sample_options();
    file.mode = 0;
    options = stepper_options(&it, &text);
    options.file = &file;
    REFUSED(path(), &options, &save, INVALID_OPTION, "mode is 00");
#undef REFUSED
    cr_assert_null(save);
    cr_assert_str_eq(folder_names(&home), "");
    glissade_file_report report = {.size = 2};
    cr_assert_eq(glissade_optimizer_save(it.optimizer, path(), NULL, &report), GLISSADE_STATUS_INVALID_SIZE);
    cr_assert_eq(glissade_optimizer_save(NULL, path(), NULL, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_save_wait(NULL, &error), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_str_eq(error.message, "save is NULL");
    glissade_save_progress progress = {.size = sizeof progress};
    cr_assert_eq(glissade_save_get_progress(NULL, &progress), GLISSADE_STATUS_NULL_ARGUMENT);
    glissade_save_cancel(NULL);
}

Test(states_async, what_cannot_be_written_is_told_by_wait) {
    begin(SMALL);
    cr_assert_eq(symlink("nowhere", path()), 0);
    glissade_save *save = start(NULL);
    cr_assert_eq(glissade_save_get_progress(save, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_save_wait(save, &error), GLISSADE_STATUS_IO);
    cr_assert(strstr(error.message, "state: a symbolic link; accepted: a regular file"), "%s", error.message);
    cr_assert_eq(glissade_save_wait(save, NULL), GLISSADE_STATUS_IO);
    glissade_save_destroy(&save);
    cr_assert_str_eq(folder_names(&home), "state ");
}
