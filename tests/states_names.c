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

/* Makes two optimizers, of which the first takes a step and is saved; the file's path. */
static const char *create_both(planned *from, const planned_group *groups, planned *to,
                               const planned_group *others) {
    const char *path = folder_at(&place, "from");
    planned_create(from, engine, groups, 5);
    planned_create(to, engine, others, 6);
    planned_step(from, 0);
    states_save(from->optimizer, path, false);
    return path;
}

/* The second tensor's parameter is not in the file, though something of its name is. */
Test(states_names, parameter_called_like_state) {
    glissade_load_options options = states_load_options();
    planned from, to;
    const char *path = create_both(&from, confusing, &to, confusing);
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

#define STOCHASTIC                                                                                           \
    { .state = GLISSADE_STATE_BF16_STOCHASTIC }
#define ROUNDED(name) FORMED(name, 300, STOCHASTIC)

static const planned_group one[PLANNED_GROUPS] = {{"adam", "", {ROUNDED("b")}}},
                           two[PLANNED_GROUPS] = {{"adam", "", {ROUNDED("b"), ROUNDED("c")}}},
                           three[PLANNED_GROUPS] = {{"adam", "", {ROUNDED("a"), ROUNDED("b"), ROUNDED("c")}}};

static void must_differ(const gls_storage *storage) {
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < i; j++)
            cr_assert(storage[i].stream != storage[j].stream, "tensors %d and %d", i, j);
}

Test(states_names, left_out_tensors_have_other_bits) {
    glissade_load_options options = states_load_options();
    planned from, to;
    const char *path = create_both(&from, one, &to, three);
    options.ignore_missing = true;
    load(&to, path, &options);
    const gls_storage *storage = to.optimizer->groups[0]->storage;
    cr_assert_eq(storage[1].stream, from.optimizer->groups[0]->storage[0].stream);
    must_differ(storage);
    planned_destroy(&from);
    planned_destroy(&to);
}

/* Numbers have 24 bits: after the last comes the first that is free. */
Test(states_names, numbers_of_random_bits_come_round) {
    glissade_load_options options = states_load_options();
    planned from, to;
    const char *path = create_both(&from, two, &to, three), *half = folder_at(&place, "half"),
               *round = folder_at(&place, "round");
    states_rewrite(path, half, "glissade.tensor.b.stream", "16777215");
    states_rewrite(half, round, "glissade.tensor.c.stream", "0");
    options.ignore_missing = true;
    load(&to, round, &options);
    const gls_storage *storage = to.optimizer->groups[0]->storage;
    cr_assert(storage[1].stream == 16777215 && storage[2].stream == 0);
    must_differ(storage);
    cr_assert_lt(storage[0].stream, 1u << 24);
    planned_destroy(&from);
    planned_destroy(&to);
}
