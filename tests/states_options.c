/* SPDX-License-Identifier: Apache-2.0 */
/* What loading can be asked to do: to leave what lacks or is over, to look under other names; and what is saved beside. */
#include "optimizer.h"
#include "state/collect.h"

#include "states_check.h"

STATES_SUITE(states_options);

/* ---- the call itself ---- */

Test(states_options, missing_and_unfit) {
    glissade_load_options options = states_load_options();
    glissade_load_report report = {.size = 3};
    const char *good = folder_at(&place, "good");
    glissade_file *file;
    REFUSE(&target, NULL, NULL, NULL_ARGUMENT, "path");
    REFUSE(&target, folder_at(&place, "none"), NULL, IO, "none");
    REFUSE(&target, place.path, NULL, IO, place.path);
    options.size = 5;
    REFUSE(&target, good, &options, INVALID_SIZE, "glissade_load_options");
    options = states_load_options();
    options.renaming_count = 1;
    REFUSE(&target, good, &options, NULL_ARGUMENT, "renamings");
    cr_assert_eq(glissade_optimizer_load(target.optimizer, good, NULL, &report),
                 GLISSADE_STATUS_INVALID_SIZE);
    cr_assert_eq(glissade_optimizer_load(NULL, good, NULL, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_optimizer_load_file(target.optimizer, NULL, NULL, NULL),
                 GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_file_open(good, &file, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_load_file(NULL, file, NULL, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_optimizer_load_file(target.optimizer, file, NULL, NULL), GLISSADE_STATUS_OK);
    glissade_file_close(&file);
    cr_assert(same_state(&source, 0, &target, 0));
    glissade_load_options_init(NULL, 100);
}

Test(states_options, saving_into_metadata) {
    const char *path = folder_at(&place, "state");
    glissade_file_text lines[2] = {{"run", "42"}, {"format", "own"}};
    glissade_save_options options;
    glissade_file *file;
    glissade_save_options_init(&options, sizeof options);
    options.metadata = lines;
    options.lines = 2;
    cr_assert_eq(glissade_optimizer_save(source.optimizer, path, &options, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_file_open(path, &file, NULL), GLISSADE_STATUS_OK);
    cr_assert_str_eq(glissade_file_text_find(file, "run"), "42");
    cr_assert_str_eq(glissade_file_text_find(file, "format"), "own");
    glissade_file_close(&file);
    load(&target, path, NULL);
    static const struct {
        glissade_file_text line;
        glissade_status status;
    } bad[] = {{{"glissade.mine", "1"}, GLISSADE_STATUS_INVALID_OPTION},
               {{"glissade.format", "1"}, GLISSADE_STATUS_INVALID_OPTION},
               {{NULL, "1"}, GLISSADE_STATUS_NULL_ARGUMENT},
               {{"a", NULL}, GLISSADE_STATUS_NULL_ARGUMENT},
               {{"run", "2"}, GLISSADE_STATUS_DUPLICATE_TENSOR},
               {{"", "2"}, GLISSADE_STATUS_INVALID_OPTION},
               {{"\xFF", "2"}, GLISSADE_STATUS_INVALID_OPTION}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        lines[1] = bad[i].line;
        cr_assert_eq(glissade_optimizer_save(source.optimizer, path, &options, NULL), bad[i].status,
                     "line %zu: %s", i, glissade_optimizer_message(source.optimizer));
    }
}

/* ---- what lacks, what is over ---- */

static const planned_group more[PLANNED_GROUPS] = {
    {"adam", "learning_rate=0.5", {SHAPED("w", 300, 20, 15), PLAIN("new", 700), PLAIN("e", 0)}},
    {"adam", "learning_rate=0.25", {PLAIN("newer", 40)}},
};

Test(states_options, missing_and_extra) {
    glissade_load_options options = states_load_options();
    const char *good = folder_at(&place, "good");
    planned it;
    planned_create(&it, engine, more, 4);
    planned_step(&it, 1);
    REFUSE(&it, good, &options, MISMATCH, "ignore_extra");
    options.ignore_extra = true;
    REFUSE(&it, good, &options, MISMATCH, "ignore_missing");
    options.ignore_missing = true;
    float kept[2][700];
    memcpy(kept[0], planned_info(&it, 1).state[0], sizeof kept[0]);
    memcpy(kept[1], planned_info(&it, 3).state[1], 40 * sizeof(float));
    const glissade_load_report report = load(&it, good, &options);
    cr_assert(report.tensors == 2 && report.arrays == 2 && report.missing == 2 && report.extra == 4,
              "%d %d %d %d", (int)report.tensors, (int)report.arrays, (int)report.missing, (int)report.extra);
    cr_assert(same_state(&source, 0, &it, 0) && same_state(&source, 2, &it, 2));
    cr_assert(planned_info(&it, 1).steps == 1 && planned_info(&it, 3).steps == 1);
    cr_assert_arr_eq(kept[0], planned_info(&it, 1).state[0], sizeof kept[0]);
    cr_assert_arr_eq(kept[1], planned_info(&it, 3).state[1], 40 * sizeof(float));
    /* Hyperparameters are the file's where it says something of the group. */
    glissade_adam_options adam = {.size = sizeof adam};
    cr_assert_eq(glissade_optimizer_get_adam(it.optimizer, 0, &adam), GLISSADE_STATUS_OK);
    cr_assert_eq(adam.learning_rate, 0.01);
    cr_assert_eq(glissade_optimizer_get_adam(it.optimizer, 1, &adam), GLISSADE_STATUS_OK);
    cr_assert_eq(adam.learning_rate, 0.25);
    planned_destroy(&it);
}

/* Which groups stochastic rounding takes for one. */
static size_t shared_streams(const glissade_optimizer *optimizer) {
    size_t count = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < i; j++)
            count += optimizer->groups[i]->stream == optimizer->groups[j]->stream;
    return count;
}

/* Groups that the file brings have its numbers in the random bits; the others, and those to come, make way. */
Test(states_options, streams) {
    static const planned_group first[PLANNED_GROUPS] = {{"adam", "", {PLAIN("x", 10)}},
                                                        {"adam", "", {PLAIN("y", 10)}},
                                                        {"adam", "", {PLAIN("z", 10)}}},
                               second[PLANNED_GROUPS] = {{"adam", "", {PLAIN("z", 10)}},
                                                         {"adam", "", {PLAIN("more", 10)}},
                                                         {"adam", "", {PLAIN("most", 10)}}};
    const char *path = folder_at(&place, "state"), *changed = folder_at(&place, "changed");
    glissade_load_options options = states_load_options();
    static float p[4];
    glissade_tensor tensor;
    glissade_adam_options adam;
    uint32_t group;
    planned from, to;
    planned_create(&from, engine, first, 1);
    planned_create(&to, engine, second, 1);
    states_save(from.optimizer, path, false);
    states_rewrite(path, changed, "glissade.group.2.stream", "3");
    options.ignore_missing = options.ignore_extra = true;
    load(&to, path, &options); /* brings a 2, which the third has */
    cr_assert_eq(to.optimizer->groups[0]->stream, 2);
    cr_assert_eq(shared_streams(to.optimizer), 0);
    load(&to, changed, &options); /* and a 3, which the third has become */
    cr_assert_eq(to.optimizer->groups[0]->stream, 3);
    cr_assert_eq(shared_streams(to.optimizer), 0);
    glissade_tensor_init(&tensor, sizeof tensor);
    glissade_adam_options_init(&adam, sizeof adam);
    tensor.parameter = p;
    tensor.length = 4;
    cr_assert_eq(glissade_optimizer_add_adam(to.optimizer, &tensor, 1, &adam, &group), GLISSADE_STATUS_OK);
    cr_assert_eq(shared_streams(to.optimizer), 0);
    planned_destroy(&from);
    planned_destroy(&to);
}

/* One group of the file in two. */
Test(states_options, divided_groups) {
    static const planned_group divided[PLANNED_GROUPS] = {
        {"adam", "", {PLAIN("b", 1000)}},
        {"sgd", "", {PLAIN("s", 500)}},
        {"adam", "", {PLAIN("e", 0), SHAPED("w", 300, 20, 15)}},
    };
    planned it;
    planned_create(&it, engine, divided, 4);
    load(&it, folder_at(&place, "good"), NULL);
    cr_assert(same_state(&source, 0, &it, 3) && same_state(&source, 1, &it, 0) &&
              same_state(&source, 3, &it, 1));
    planned_destroy(&it);
}

/* ---- other names ---- */

Test(states_options, renamings) {
    static const planned_group named[PLANNED_GROUPS] = {
        {"adam", "", {SHAPED("W", 300, 20, 15), PLAIN("w", 1000), PLAIN("e", 0)}},
        {"sgd", "", {PLAIN("s", 500)}},
    };
    glissade_renaming renamings[3] = {{"b", "w"}, {"w", "W"}, {"b", "e"}};
    glissade_load_options options = states_load_options();
    const char *good = folder_at(&place, "good");
    planned it;
    planned_create(&it, engine, named, 4);
    options.renamings = renamings;
    options.renaming_count = 1;
    REFUSE(&it, good, &options, MISMATCH, "state.w.exp_avg"); /* over: nobody is called so there */
    options.renaming_count = 3;
    REFUSE(&it, good, &options, DUPLICATE_TENSOR, "\"b\"");
    renamings[2] = (glissade_renaming){"x", "w"};
    REFUSE(&it, good, &options, INVALID_OPTION, "renamings[2].tensor is \"w\", as that of one before");
    renamings[2] = (glissade_renaming){"x", "nobody"};
    REFUSE(&it, good, &options, INVALID_OPTION, "renamings[2].tensor is \"nobody\"");
    renamings[2] = (glissade_renaming){NULL, "e"};
    REFUSE(&it, good, &options, NULL_ARGUMENT, "renamings[2].file");
    renamings[2] = (glissade_renaming){"e", NULL};
    REFUSE(&it, good, &options, NULL_ARGUMENT, "renamings[2].tensor");
    options.renaming_count = 2;
    load(&it, good, &options);
    cr_assert(same_state(&source, 0, &it, 0) && same_state(&source, 1, &it, 1));
    planned_destroy(&it);
}

/* ---- memory ---- */

/* Whether an array lies in memory of a tensor's of the test. */
static bool is_of_test(const planned *it, const void *data) {
    for (size_t i = 0; i < it->count; i++)
        if ((const char *)data >= it->held[i].memory &&
            (const char *)data < (const char *)it->held[i].parameter + it->held[i].length * sizeof(float))
            return true;
    return false;
}

/* A save that goes on beside steps must know whose memory it reads. */
Test(states_options, whose_memory) {
    glissade_save_options options;
    gls_writing writing = {.path = {.folder = -1}};
    size_t callers = 0;
    glissade_save_options_init(&options, sizeof options);
    options.parameters = true;
    cr_assert_eq(gls_state_collect(source.optimizer, &options, &writing), GLISSADE_STATUS_OK);
    for (size_t i = 0; i < writing.source_count; i++) {
        cr_assert_eq(writing.sources[i].callers, is_of_test(&source, writing.sources[i].data), "source %zu",
                     i);
        callers += writing.sources[i].callers;
    }
    cr_assert(callers == 3 && writing.source_count == 3 + 5 + 3, "%zu of %zu", callers, writing.source_count);
    gls_writing_destroy(&writing);
}
