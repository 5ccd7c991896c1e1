/* SPDX-License-Identifier: Apache-2.0 */
/* Every call and every allocation failing in turn, while an optimizer is saved, waited for or aside, and loaded. */
#include "stepper.h"
#include "trials_suite.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL = 40000, LARGE = 4200000 };

TRIALS_SUITE(states_faults);

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* ---- saving ---- */

/* Versions are steps. The optimizer is made anew for each, so that every trial begins alike. */
typedef struct stepping {
    stepper it;
    bool aside;
} stepping;

static void go_to(stepper *it, uint64_t step) {
    if (step < it->step) {
        const size_t bytes = 2 * sizeof(float) * (it->lengths[0] + it->lengths[1] + it->lengths[2]);
        stepper_destroy(it);
        stepper_create(it, team, bytes);
    }
    while (it->step < step)
        stepper_step(it);
}

static glissade_status keep_message(const glissade_optimizer *optimizer, glissade_status status,
                                    glissade_error *error) {
    *error = (glissade_error){.status = status};
    snprintf(error->message, sizeof error->message, "%s", glissade_optimizer_message(optimizer));
    return status;
}

static glissade_status save_aside(stepper *it, const char *path, const glissade_save_options *options,
                                  glissade_error *error) {
    glissade_save *save = (glissade_save *)&save;
    glissade_status status = glissade_optimizer_save_start(it->optimizer, path, options, &save);
    if (status) {
        REQUIRE(!save, "a save that was not started");
        return keep_message(it->optimizer, status, error);
    }
    status = glissade_save_wait(save, error);
    glissade_save_destroy(&save);
    return status;
}

/* Making steps is no part of the trial. */
static void prepare(void *context, uint64_t version) {
    go_to(&((stepping *)context)->it, version);
}

static glissade_status save(void *context, const char *path, uint64_t version, glissade_error *error) {
    stepping *of = context;
    stepper_text text;
    REQUIRE(of->it.step == version, "another step");
    const glissade_save_options options = stepper_options(&of->it, &text);
    if (of->aside)
        return save_aside(&of->it, path, &options, error);
    return keep_message(of->it.optimizer, glissade_optimizer_save(of->it.optimizer, path, &options, NULL),
                        error);
}

/* It is whole by its bytes, and an optimizer loads it. */
static const char *differs(void *context, const char *path, uint64_t version) {
    stepping *of = context;
    const char *wrong = stepper_difference(&of->it, path, version);
    if (wrong)
        return wrong;
    stepper loaded;
    const size_t *lengths = of->it.lengths;
    stepper_create(&loaded, team, 2 * sizeof(float) * (lengths[0] + lengths[1] + lengths[2]));
    wrong = stepper_load(&loaded, path) ? "it does not load"
            : loaded.step != version    ? "another step loads"
                                        : NULL;
    stepper_destroy(&loaded);
    return wrong;
}

static writer saver(const char *what, stepping *of, size_t bytes, bool aside) {
    stepper_create(&of->it, team, bytes);
    of->aside = aside;
    return (writer){.what = what,
                    .home = &home,
                    .name = "state",
                    .context = of,
                    .prepare = prepare,
                    .write = save,
                    .difference = differs};
}

static const ordeal ordeals[] = {
    {.call = FAULT_OPENAT, EIO, FAILS},
    {.call = FAULT_OPENAT, EMFILE, FAILS},
    {.call = FAULT_OPENAT, EINTR, SUCCEEDS},
    {.call = FAULT_CLOSE, EIO, SUCCEEDS},
    {.call = FAULT_FSTAT, EIO, EITHER},
    {.call = FAULT_FCHMOD, EROFS, FAILS, .words = "set its mode: Read-only file system"},
    {.call = FAULT_FLOCK, ENOLCK, SUCCEEDS},
    {.call = FAULT_LIST, EIO, SUCCEEDS},
    {.call = FAULT_SET_FLAGS, EINVAL, EITHER},
    {.call = FAULT_PWRITE, EIO, FAILS, .words = "write: Input/output error"},
    {.call = FAULT_PWRITE, ENOSPC, FAILS, .for_good = true, .words = "write: No space left on device"},
    {.call = FAULT_PWRITE, EINTR, SUCCEEDS},
    {.call = FAULT_PWRITE, FAULT_HALF, SUCCEEDS},
    {.call = FAULT_PWRITE, FAULT_NOTHING, FAILS},
    {.call = FAULT_PWRITE, EINVAL, SUCCEEDS, .direct = true, .for_good = true},
    {.call = FAULT_FALLOCATE, ENOSPC, FAILS, .words = "reserve room: No space left on device"},
    {.call = FAULT_FALLOCATE, EOPNOTSUPP, SUCCEEDS},
    {.call = FAULT_FSYNC, EIO, FAILS, .words = "synchronise"},
    {.call = FAULT_FSYNC, EINTR, FAILS},
    {.call = FAULT_RENAMEAT, EIO, FAILS, .words = "rename: "},
    {.call = FAULT_UNLINKAT, EIO, SUCCEEDS},
    {.call = FAULT_ANY, EIO, EITHER},
    {.call = FAULT_ANY, EIO, EITHER, .for_good = true},
    {.call = FAULT_ANY, ENOSPC, EITHER, .for_good = true},
};

static void each_fault(const char *what, size_t bytes, bool aside) {
    stepping of;
    const writer it = saver(what, &of, bytes, aside);
    for (size_t i = 0; i < COUNT(ordeals); i++)
        trials += trial_each(&it, &ordeals[i]);
    stepper_destroy(&of.it);
}

Test(states_faults, saving) {
    each_fault("a save", SMALL, false);
    cr_assert_gt(trials, 50);
}

Test(states_faults, saving_aside) {
    each_fault("a save aside", SMALL, true);
}

Test(states_faults, saving_a_large_state) {
    each_fault("a large save", LARGE, false);
}

Test(states_faults, saving_a_large_state_aside) {
    each_fault("a large save aside", LARGE, true);
}

static void without_memory(const char *what, size_t bytes, bool aside) {
    stepping of;
    const writer it = saver(what, &of, bytes, aside);
    const unsigned made = trial_memory(&it);
    cr_assert_geq(made, 8);
    trials += made;
    stepper_destroy(&of.it);
}

Test(states_faults, saving_without_memory) {
    without_memory("a save", SMALL, false);
    without_memory("a large save", LARGE, false);
    without_memory("a save aside", SMALL, true);
    without_memory("a large save aside", LARGE, true);
}

/* ---- loading ---- */

/* What a load must leave alone when it fails. */
static bool unchanged(const stepper *it, const stepper *like) {
    bool same = it->step == like->step;
    for (uint32_t i = 0; i < STEPPER_TENSORS; i++) {
        const glissade_tensor_info a = scenario_info(it->optimizer, 0, i),
                                   b = scenario_info(like->optimizer, 0, i);
        same = same && a.steps == b.steps && a.momentum_updates == b.momentum_updates &&
               memcmp(it->p[i], like->p[i], it->lengths[i] * sizeof(float)) == 0 &&
               memcmp(a.state[0], b.state[0], it->lengths[i] * sizeof(float)) == 0;
    }
    return same;
}

/* Loads step 3 into optimizers at step 5 while something fails; each then is at 3 or as it was. */
static bool load_once(stepper *it, const stepper *before, const stepper *after, bool fails(void),
                      const char *where) {
    const glissade_status status = stepper_load(it, folder_at(&home, "state"));
    const bool failed = fails();
    cr_assert(failed || !status, "%s: %s", where, glissade_status_name(status));
    cr_assert(unchanged(it, status ? before : after), "%s: %s", where, glissade_status_name(status));
    cr_assert_eq(descriptors_open(), home.descriptors, "%s: descriptors are left open", where);
    if (!status) {
        stepper_destroy(it);
        stepper_create(it, team,
                       2 * sizeof(float) * (before->lengths[0] + before->lengths[1] + before->lengths[2]));
        go_to(it, 5);
    }
    return failed;
}

static bool call_failed(void) {
    return fault_end() > 0;
}

static size_t refused_place;

static bool allocation_failed(void) {
    return fault_allocations_end() > refused_place;
}

static void loading(size_t bytes) {
    static const fault faults[] = {
        {.call = FAULT_OPENAT, .error_number = EIO},
        {.call = FAULT_OPENAT, .error_number = EINTR},
        {.call = FAULT_CLOSE, .error_number = EIO},
        {.call = FAULT_FSTAT, .error_number = EIO},
        {.call = FAULT_PREAD, .error_number = EIO},
        {.call = FAULT_PREAD, .error_number = EINTR},
        {.call = FAULT_PREAD, .error_number = FAULT_ONE},
        {.call = FAULT_PREAD, .error_number = FAULT_NOTHING},
        {.call = FAULT_PREAD, .error_number = EINVAL, .direct = true, .for_good = true},
        {.call = FAULT_PREAD_CACHED, .error_number = EAGAIN, .for_good = true},
        {.call = FAULT_SET_FLAGS, .error_number = EINVAL},
        {.call = FAULT_ANY, .error_number = EIO, .for_good = true}};
    stepper it, before, after;
    stepper_text text;
    stepper *all[] = {&it, &before, &after};
    for (int i = 0; i < 3; i++) {
        stepper_create(all[i], team, bytes);
        go_to(all[i], i == 2 ? 3 : 5);
    }
    const glissade_save_options options = stepper_options(&after, &text);
    cr_assert_eq(glissade_optimizer_save(after.optimizer, folder_at(&home, "state"), &options, NULL),
                 GLISSADE_STATUS_OK);
    for (size_t i = 0; i < COUNT(faults); i++) {
        fault planned = faults[i];
        bool failed = true;
        for (; failed; planned.place++, trials++) {
            char where[64];
            snprintf(where, sizeof where, "%s %u failing with %d", fault_call_name(planned.call),
                     planned.place, planned.error_number);
            fault_begin(&planned);
            failed = load_once(&it, &before, &after, call_failed, where);
        }
    }
    for (refused_place = 0;; refused_place++, trials++) {
        fault_allocation(refused_place);
        if (!load_once(&it, &before, &after, allocation_failed, "allocation"))
            break;
    }
    cr_assert_geq(refused_place, 8);
    for (int i = 0; i < 3; i++)
        stepper_destroy(all[i]);
}

Test(states_faults, loading_a_small_state) {
    loading(SMALL);
}

Test(states_faults, loading_a_large_state) {
    loading(LARGE);
}
