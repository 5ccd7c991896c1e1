/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What loading can be asked to do: to leave what lacks or is over, to look under other names, to keep hyperparameters, to
 * load parameters; and hyperparameters that do not go with what is kept. Damage and want of memory change nothing.
 */
#include "states_model.h"

#include "optimizer.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
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

TestSuite(states_options, .init = setup, .fini = teardown, .timeout = 120);

static void refuse(planned *it, const char *path, const glissade_load_options *options,
                   glissade_status expected, const char *names) {
    snapshot before = snapshot_take(it->optimizer);
    const glissade_status status = glissade_optimizer_load(it->optimizer, path, options, NULL);
    const char *message = glissade_optimizer_message(it->optimizer);
    snapshot after = snapshot_take(it->optimizer);
    cr_assert_eq(status, expected, "%s, not %s: %s", glissade_status_name(status),
                 glissade_status_name(expected), message);
    cr_assert(strstr(message, names), "\"%s\" does not name %s", message, names);
    cr_assert(snapshot_same(&before, &after), "%s: something has changed", message);
    snapshot_free(&before);
    snapshot_free(&after);
}

#define REFUSE(it, path, options, status, names) refuse(it, path, options, GLISSADE_STATUS_##status, names)

static glissade_load_report load(planned *it, const char *path, const glissade_load_options *options) {
    glissade_load_report report = {.size = sizeof report};
    const glissade_status status = glissade_optimizer_load(it->optimizer, path, options, &report);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(it->optimizer));
    return report;
}

static bool same_state(const planned *a, size_t i, const planned *b, size_t j) {
    const glissade_tensor_info x = planned_info(a, i), y = planned_info(b, j);
    bool same = x.steps == y.steps && x.momentum_updates == y.momentum_updates;
    for (int s = 0; s < GLISSADE_STATES; s++)
        same = same && (!x.state[s] || memcmp(x.state[s], y.state[s], x.length * sizeof(float)) == 0);
    return same;
}

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

/* ---- hyperparameters ---- */

Test(states_options, kept_hyperparameters) {
    static const planned_group kept[PLANNED_GROUPS] = {
        {"adam", "learning_rate=0.5 amsgrad=1", {SHAPED("w", 300, 20, 15), PLAIN("b", 1000), PLAIN("e", 0)}},
        {"sgd", "learning_rate=0.5 momentum=0.25 defer_threshold=0.1", {PLAIN("s", 500)}},
    };
    glissade_load_options options = states_load_options();
    glissade_adam_options adam = {.size = sizeof adam};
    planned it;
    planned_create(&it, engine, kept, 4);
    planned_step(&it, 0);
    options.keep_hyperparameters = true;
    load(&it, folder_at(&place, "good"), &options);
    cr_assert_eq(glissade_optimizer_get_adam(it.optimizer, 0, &adam), GLISSADE_STATUS_OK);
    cr_assert(adam.learning_rate == 0.5 && adam.amsgrad);
    /* What the file has not starts anew. */
    const float *largest = planned_info(&it, 1).state[2], *residual = planned_info(&it, 3).residual;
    for (size_t i = 0; i < 500; i++)
        cr_assert(largest[i] == 0 && residual[i] == 0);
    cr_assert(same_state(&source, 3, &it, 3) && it.optimizer->groups[1]->deferrals[0].holds);
    planned_step(&it, 1);
    planned_destroy(&it);
}

/* Momentum that is turned off is gone; what the file has of it is over. */
Test(states_options, kept_without_momentum) {
    static const planned_group kept[PLANNED_GROUPS] = {
        {"adam", "", {SHAPED("w", 300, 20, 15), PLAIN("b", 1000), PLAIN("e", 0)}},
        {"sgd", "", {PLAIN("s", 500)}},
    };
    glissade_load_options options = states_load_options();
    const char *good = folder_at(&place, "good");
    planned it;
    planned_create(&it, engine, kept, 4);
    options.keep_hyperparameters = true;
    REFUSE(&it, good, &options, MISMATCH, "state.s.momentum_buffer");
    options.ignore_extra = true;
    load(&it, good, &options);
    cr_assert(planned_info(&it, 3).steps == 3 && planned_info(&it, 3).momentum_updates == 0);
    planned_step(&it, 1);
    planned_destroy(&it);
}

/* Of a tensor that the file says nothing of, too. */
Test(states_options, momentum_turned_off) {
    static const planned_group saved[] = {{"sgd", "", {PLAIN("a", 50)}}, {.rule = NULL}},
                               into[] = {{"sgd", "momentum=0.5", {PLAIN("a", 50), PLAIN("b", 50)}}, {.rule = NULL}};
    glissade_load_options options = states_load_options();
    planned from, to;
    planned_create(&from, engine, saved, 1);
    planned_create(&to, engine, into, 2);
    planned_step(&to, 0);
    states_save(from.optimizer, folder_at(&place, "state"), false);
    options.ignore_missing = true;
    load(&to, folder_at(&place, "state"), &options);
    cr_assert(planned_info(&to, 0).steps == 0 && planned_info(&to, 1).steps == 1);
    cr_assert(planned_info(&to, 0).momentum_updates == 0 && planned_info(&to, 1).momentum_updates == 0);
    planned_destroy(&from);
    planned_destroy(&to);
}

static void check_combination(const planned_group *saved, const planned_group *into, bool keep, bool missing,
                              const char *names) {
    glissade_load_options options = states_load_options();
    const char *path = folder_at(&place, "state");
    planned from, to;
    planned_create(&from, engine, saved, 1);
    planned_create(&to, engine, into, 2);
    planned_step(&from, 0);
    planned_step(&to, 0);
    states_save(from.optimizer, path, false);
    options.keep_hyperparameters = keep;
    options.ignore_missing = missing;
    REFUSE(&to, path, &options, INVALID_COMBINATION, names);
    planned_destroy(&from);
    planned_destroy(&to);
}

Test(states_options, hyperparameters_that_do_not_go_together) {
    static const planned_group
        free_of[] = {{"schedule_free_sgd", "beta=0.5", {PLAIN("a", 100)}}, {.rule = NULL}},
        other[] = {{"schedule_free_sgd", "beta=0.75", {PLAIN("a", 100)}}, {.rule = NULL}},
        both[] = {{"schedule_free_sgd", "beta=0.75", {PLAIN("a", 100), PLAIN("b", 100)}}, {.rule = NULL}};
    check_combination(free_of, other, true, false, "beta is 0.75");
    check_combination(free_of, both, false, true, "beta is 0.5");
    static const planned_group defers[] = {{"sgd", "defer_threshold=0.5", {PLAIN("a", 100)}}, {.rule = NULL}},
                               undampened[] = {{"sgd", "momentum=0.5 first_step=1", {PLAIN("a", 100)}},
                                               {.rule = NULL}};
    check_combination(defers, undampened, true, false, "\"a\" holds a residual, but first_step");
}

Test(states_options, points_of_what_is_left) {
    static const planned_group one[] = {{"schedule_free_sgd", "", {PLAIN("a", 100)}}, {.rule = NULL}},
                               two[] = {{"schedule_free_sgd", "", {PLAIN("a", 100), PLAIN("b", 100)}},
                                        {.rule = NULL}};
    glissade_load_options options = states_load_options();
    const char *path = folder_at(&place, "state");
    planned from, to;
    planned_create(&from, engine, one, 1);
    planned_create(&to, engine, two, 2);
    planned_step(&from, 0);
    cr_assert_eq(glissade_optimizer_set_point(from.optimizer, 0, GLISSADE_POINT_EVALUATION),
                 GLISSADE_STATUS_OK);
    states_save(from.optimizer, path, false);
    options.ignore_missing = true;
    load(&to, path, &options); /* b was never stepped: its points are one */
    cr_assert(to.optimizer->groups[0]->evaluates);
    cr_assert_eq(glissade_optimizer_set_point(to.optimizer, 0, GLISSADE_POINT_TRAINING), GLISSADE_STATUS_OK);
    planned_step(&to, 0);
    REFUSE(&to, path, &options, INVALID_COMBINATION, "point of group 0 is 1");
    planned_destroy(&from);
    planned_destroy(&to);
}

/* An average cannot be had of double. */
Test(states_options, averages_of_double) {
    const layout wide = {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64};
    const planned_group into[PLANNED_GROUPS] = {
        {"adam", "", {SHAPED("w", 300, 20, 15), PLAIN("b", 1000), PLAIN("e", 0), FORMED("d", 7, wide)}},
        {"sgd", "momentum=0.5", {PLAIN("s", 500)}},
    };
    glissade_load_options options = states_load_options();
    planned to;
    planned_create(&to, engine, into, 2);
    cr_assert_eq(glissade_optimizer_set_average(source.optimizer, 0, 0.5), GLISSADE_STATUS_OK);
    states_save(source.optimizer, folder_at(&place, "state"), false);
    options.ignore_missing = true;
    REFUSE(&to, folder_at(&place, "state"), &options, INVALID_COMBINATION,
           "tensor 3 of group 0 is of double");
    options.keep_hyperparameters = true;
    load(&to, folder_at(&place, "state"), &options);
    planned_destroy(&to);
}

/* ---- parameters ---- */

Test(states_options, parameters) {
    glissade_load_options options = states_load_options();
    const char *good = folder_at(&place, "good"), *without = folder_at(&place, "without");
    float before[300];
    memcpy(before, target.held[0].parameter, sizeof before);
    load(&target, good, &options);
    cr_assert_arr_eq(before, target.held[0].parameter, sizeof before);
    options.parameters = true;
    const glissade_load_report report = load(&target, good, &options);
    cr_assert_eq(report.arrays, 8);
    for (size_t i = 0; i < 4; i++)
        cr_assert_arr_eq(source.held[i].parameter, target.held[i].parameter,
                         target.held[i].length * sizeof(float));
    states_rewrite(good, without, "b", NULL);
    REFUSE(&target, without, &options, MISMATCH, "there is no tensor \"b\", the parameter");
    options.ignore_missing = true;
    load(&target, without, &options);
    options.ignore_missing = false;
    states_rewrite(good, without, "b", "buffer");
    REFUSE(&target, without, &options, MISMATCH, "\"buffer\" is none of the optimizer's");
    options.parameters = false;
    load(&target, without, &options);
}

/* A master of the library's follows a parameter that is loaded without; a copy follows it always; an average stays. */
Test(states_options, what_follows_parameters) {
    const layout mastered = {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_F32},
                 split = {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_SPLIT},
                 copied = {.copy = GLISSADE_DTYPE_F16}, plain = {.parameter = GLISSADE_DTYPE_BF16};
    const planned_group
        from[] = {{"sgd", "", {FORMED("a", 700, plain), FORMED("b", 700, plain), PLAIN("c", 700)}},
                  {.rule = NULL}},
        into[] = {
            {"sgd", "", {FORMED("a", 700, mastered), FORMED("b", 700, split), FORMED("c", 700, copied)}},
            {.rule = NULL}};
    glissade_load_options options = states_load_options();
    planned a, b;
    planned_create(&a, engine, from, 1);
    planned_create(&b, engine, into, 2);
    cr_assert_eq(glissade_optimizer_set_average(b.optimizer, 0, 0.5), GLISSADE_STATUS_OK);
    planned_step(&b, 1);
    float average[700];
    memcpy(average, planned_info(&b, 0).average, sizeof average);
    states_save(a.optimizer, folder_at(&place, "state"), true);
    REFUSE(&b, folder_at(&place, "state"), &options, MISMATCH, "\"a\" there is no \"master\"");
    options.parameters = true;
    load(&b, folder_at(&place, "state"), &options);
    const uint16_t *high = b.held[0].parameter, *copy = b.held[2].copy;
    const float *c = b.held[2].parameter, *master = planned_info(&b, 0).master_state;
    const int16_t *low = planned_info(&b, 1).master_state;
    cr_assert_arr_eq(a.held[0].parameter, b.held[0].parameter, 700 * sizeof(uint16_t));
    cr_assert_arr_eq(average, planned_info(&b, 0).average, sizeof average);
    for (size_t i = 0; i < 700; i++) {
        cr_assert_eq(master[i], float_of_half(GLISSADE_DTYPE_BF16, high[i]));
        cr_assert_eq(low[i], 0);
        cr_assert_eq(copy[i], half_of(GLISSADE_DTYPE_F16, c[i]));
    }
    cr_assert_eq(b.optimizer->groups[0]->average_weight, 0, "the file's group has no average");
    planned_destroy(&a);
    planned_destroy(&b);
}

/* Masters that are kept in another way are not made into one another. */
Test(states_options, other_masters) {
    const layout mastered = {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_F32},
                 split = {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_SPLIT};
    const planned_group groups[2][2] = {{{"sgd", "", {FORMED("a", 700, mastered)}}, {.rule = NULL}},
                                        {{"sgd", "", {FORMED("a", 700, split)}}, {.rule = NULL}}};
    glissade_load_options options = states_load_options();
    options.convert = options.parameters = options.ignore_missing = options.ignore_extra = true;
    for (int i = 0; i < 2; i++) {
        planned a, b;
        planned_create(&a, engine, groups[i], 1);
        planned_create(&b, engine, groups[!i], 2);
        states_save(a.optimizer, folder_at(&place, "state"), true);
        REFUSE(&b, folder_at(&place, "state"), &options, MISMATCH,
               i ? "\"state.a.master_low\" is no \"master\"" : "\"state.a.master\" is no \"master_low\"");
        planned_destroy(&a);
        planned_destroy(&b);
    }
}
