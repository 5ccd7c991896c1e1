/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that mean more than one thing: parameters called what another tensor's state is called, renamings to arrays of
 * state, and tensors that the file leaves out, whose random bits must not be those of the ones that it brings.
 */
#include "optimizer.h"

#include "states_check.h"

STATES_SUITE(states_names);

static const planned_group confusing[PLANNED_GROUPS] = {
    {"adam", "", {PLAIN("a", 300), PLAIN("state.a.exp_avg", 300)}},
};

/* The second tensor's parameter is not in the file, though something of its name is. */
Test(states_names, parameter_called_like_state) {
    const char *path = folder_at(&place, "confusing");
    glissade_load_options options = states_load_options();
    planned from, to;
    planned_create(&from, engine, confusing, 5);
    planned_create(&to, engine, confusing, 6);
    planned_step(&from, 0);
    states_save(from.optimizer, path, false);
    load(&to, path, &options); /* into a new one, */
    cr_assert(same_state(&from, 0, &to, 0) && same_state(&from, 1, &to, 1));
    planned_step(&to, 1);
    load(&to, path, &options); /* and over state */
    cr_assert(same_state(&from, 0, &to, 0) && same_state(&from, 1, &to, 1));
    options.parameters = true;
    REFUSE(&to, path, &options, MISMATCH, "would be loaded twice");
    planned_destroy(&from);
    planned_destroy(&to);
}

Test(states_names, renamed_to_state) {
    static const char *const arrays[] = {"state.w.step", "state.w.exp_avg", "state.w.exp_avg_sq"};
    const char *good = folder_at(&place, "good");
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        const glissade_renaming renaming = {.file = arrays[i], .tensor = "b"};
        glissade_load_options options = states_load_options();
        options.renamings = &renaming;
        options.renaming_count = 1;
        options.ignore_missing = options.ignore_extra = true;
        load(&target, good, &options);
        cr_assert(same_state(&source, 0, &target, 0));
        options.parameters = true;
        REFUSE(&target, good, &options, MISMATCH, "");
    }
}

/* Without one of its lines a file of ours is no other program's. */
Test(states_names, no_format_and_other_lines) {
    const char *broken = folder_at(&place, "broken");
    const glissade_load_options options = states_load_options();
    states_rewrite(folder_at(&place, "good"), broken, "glissade.format", NULL);
    REFUSE(&target, broken, &options, INVALID_FILE, "and no glissade.format");
}

/* ---- random bits ---- */

#define ROUNDED                                                                                              \
    { .state = GLISSADE_STATE_BF16_STOCHASTIC }

static const planned_group one[PLANNED_GROUPS] = {{"adam", "", {FORMED("b", 300, ROUNDED)}}},
                           three[PLANNED_GROUPS] = {{"adam",
                                                     "",
                                                     {FORMED("a", 300, ROUNDED), FORMED("b", 300, ROUNDED),
                                                      FORMED("c", 300, ROUNDED)}}};

Test(states_names, left_out_tensors_have_other_bits) {
    const char *path = folder_at(&place, "one");
    glissade_load_options options = states_load_options();
    planned from, to;
    planned_create(&from, engine, one, 5);
    planned_create(&to, engine, three, 6);
    planned_step(&from, 0);
    states_save(from.optimizer, path, false);
    options.ignore_missing = true;
    load(&to, path, &options);
    const gls_storage *storage = to.optimizer->groups[0]->storage;
    cr_assert_eq(storage[1].stream, from.optimizer->groups[0]->storage[0].stream);
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < i; j++)
            cr_assert(storage[i].stream != storage[j].stream, "tensors %d and %d", i, j);
    planned_destroy(&from);
    planned_destroy(&to);
}
