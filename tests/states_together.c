/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of an optimizer must go together: hyperparameters with the state that was made under them, points, averages,
 * masters and copies with the parameters.
 */
#include "optimizer.h"

#include "states_check.h"

STATES_SUITE(states_together);

/* ---- hyperparameters ---- */

Test(states_together, kept_hyperparameters) {
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
Test(states_together, kept_without_momentum) {
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
Test(states_together, momentum_turned_off) {
    static const planned_group saved[] = {{"sgd", "", {PLAIN("a", 50)}}, {.rule = NULL}},
                               into[] = {{"sgd", "momentum=0.5", {PLAIN("a", 50), PLAIN("b", 50)}},
                                         {.rule = NULL}};
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

Test(states_together, hyperparameters_that_do_not_go_together) {
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

Test(states_together, points_of_what_is_left) {
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
Test(states_together, averages_of_double) {
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

Test(states_together, parameters) {
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
Test(states_together, what_follows_parameters) {
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
Test(states_together, other_masters) {
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
