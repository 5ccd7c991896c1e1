/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that do not fit the optimizer: each is refused with its status and a message that names the file and what is
 * wrong in it, and leaves everything as it was.
 */
#include "states_check.h"

STATES_SUITE(states_load);

/* The good file with another line of metadata, or without one. */
static void refuse_line(const char *key, const char *value, glissade_status expected, const char *names) {
    const char *good = folder_at(&place, "good"), *bad = folder_at(&place, "bad");
    states_rewrite(good, bad, key, value);
    refuse(&target, bad, NULL, expected, names);
    cr_assert(strstr(glissade_optimizer_message(target.optimizer), bad));
}

#define LINE(key, value, status, names) refuse_line("glissade." key, value, GLISSADE_STATUS_##status, names)

/* ---- metadata ---- */

Test(states_load, the_good_file) {
    glissade_load_report report = {.size = sizeof report};
    cr_assert_eq(glissade_optimizer_load(target.optimizer, folder_at(&place, "good"), NULL, &report),
                 GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(target.optimizer));
    cr_assert(report.tensors == 4 && report.arrays == 5 && !report.converted && !report.missing &&
              !report.extra && report.verified && report.seconds > 0);
    cr_assert_geq(report.bytes, (2 * 1300 + 500) * sizeof(float));
    cr_assert_eq(planned_info(&target, 1).steps, 3);
    cr_assert_eq(planned_info(&target, 2).steps, 3);
}

Test(states_load, lines_about_all) {
    LINE("format", "2", MISMATCH, "glissade.format is \"2\"; accepted: \"1\"");
    LINE("format", "", MISMATCH, "glissade.format");
    LINE("seed", NULL, INVALID_FILE, "glissade.seed is not there");
    LINE("seed", "-1", INVALID_FILE, "glissade.seed is \"-1\"; accepted: decimal digits");
    LINE("seed", "18446744073709551616", INVALID_FILE, "glissade.seed");
    LINE("groups", NULL, INVALID_FILE, "glissade.groups is not there");
    LINE("groups", "two", INVALID_FILE, "glissade.groups");
    LINE("groups", "0", INVALID_FILE, "there are no groups");
    LINE("groups", "1", INVALID_FILE, "glissade.tensor.s.group is \"1\"; accepted: decimal digits, up to 0");
}

Test(states_load, lines_about_tensors) {
    LINE("tensor.w.group", "2", INVALID_FILE, "glissade.tensor.w.group is \"2\"");
    LINE("tensor.w.group", "", INVALID_FILE, "glissade.tensor.w.group");
    LINE("tensor.b.group", "1", MISMATCH, "\"b\" is of group 1, others of its group here are of group 0");
    LINE("tensor.s.group", "0", MISMATCH, "glissade.group.0.rule is \"adam\"; accepted: \"sgd\"");
    LINE("tensor.w.steps", NULL, INVALID_FILE, "glissade.tensor.w.steps is not there");
    LINE("tensor.w.steps", "-1", INVALID_FILE, "glissade.tensor.w.steps");
    LINE("tensor.w.steps", "9223372036854775808", INVALID_FILE, "up to 9223372036854775807");
    LINE("tensor.w.updates", "4", INVALID_FILE,
         "glissade.tensor.w.updates is \"4\"; accepted: decimal digits, up to 3");
    LINE("tensor.w.updates", NULL, INVALID_FILE, "glissade.tensor.w.updates");
    LINE("tensor.w.gradient_rms", "0x1p+0", INVALID_FILE, "glissade.tensor.w.gradient_rms");
    LINE("tensor.s.gradient_rms", "-0x1p+0", INVALID_FILE, "0 and above");
    LINE("tensor.s.gradient_rms", "1.0", INVALID_FILE, "glissade.tensor.s.gradient_rms");
    LINE("tensor.w.stream", "16777216", INVALID_FILE, "up to 16777215");
    LINE("tensor.other.group", "0", MISMATCH, "no tensor \"other\"");
}

Test(states_load, counts_that_disagree) {
    LINE("tensor.w.steps", "5", MISMATCH, "\"state.w.step\" is 3; expected: 5");
    LINE("tensor.w.steps", "16777215", MISMATCH, "\"state.w.step\" is 3; expected: 16777215");
    LINE("tensor.e.steps", "4", MISMATCH, "state.e.step");
    LINE("tensor.w.steps", "16777217", MISMATCH, "\"state.w.step\" is 3; expected: 16777217");
}

/* A float that was counted up stays at 2^24; one that was rounded is near. */
Test(states_load, counts_beyond_a_float) {
    const uint64_t steps[] = {16777216, 16777217, 1000000001};
    const char *path = folder_at(&place, "counted"), *other = folder_at(&place, "other");
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        cr_assert_eq(glissade_optimizer_set_counts(source.optimizer, source.at[0], steps[i], steps[i]),
                     GLISSADE_STATUS_OK);
        states_save(source.optimizer, path, false);
        states_load(target.optimizer, path, NULL);
        cr_assert_eq(planned_info(&target, 0).steps, steps[i]);
    }
    cr_assert_eq(glissade_optimizer_set_counts(source.optimizer, source.at[0], 16777216, 16777216),
                 GLISSADE_STATUS_OK);
    states_save(source.optimizer, path, false);
    states_rewrite(path, other, "glissade.tensor.w.steps", "5000000000");
    states_load(target.optimizer, other, NULL);
    cr_assert_eq(planned_info(&target, 0).steps, 5000000000);
}

Test(states_load, lines_about_groups) {
    LINE("group.0.rule", "nadam", MISMATCH, "glissade.group.0.rule is \"nadam\"; accepted: \"adam\"");
    LINE("group.0.rule", NULL, INVALID_FILE, "glissade.group.0.rule is not there");
    LINE("group.1.stream", NULL, INVALID_FILE, "glissade.group.1.stream");
    LINE("group.1.stream", "4294967296", INVALID_FILE, "glissade.group.1.stream");
    LINE("group.0.point", "1", INVALID_FILE, "glissade.group.0.point");
    LINE("group.0.average_weight", "0x1p+1", INVALID_FILE, "glissade.group.0.average_weight");
    LINE("group.0.average_weight", "nan", INVALID_FILE, "glissade.group.0.average_weight");
    LINE("group.0.average_weight", NULL, INVALID_FILE, "glissade.group.0.average_weight");
    LINE("group.0.average_weight", "0x1p-1", MISMATCH, "of tensor \"w\" there is no \"average\"");
    LINE("group.0.amount", "1", MISMATCH,
         "glissade.group.0.amount is none of the hyperparameters that adam has");
}

Test(states_load, hyperparameters) {
    LINE("group.0.beta1", NULL, INVALID_FILE, "glissade.group.0.beta1 is not there");
    LINE("group.0.beta1", "0.9", INVALID_FILE, "glissade.group.0.beta1 is \"0.9\"");
    LINE("group.0.beta1", "0x1p+0", INVALID_HYPERPARAMETER, "group 0: beta1 is 1");
    LINE("group.0.beta1", "nan", INVALID_HYPERPARAMETER, "group 0: beta1");
    LINE("group.0.eps", "inf", INVALID_HYPERPARAMETER, "group 0: eps is inf");
    LINE("group.0.learning_rate", "-0x1p-3", INVALID_HYPERPARAMETER, "learning_rate");
    LINE("group.0.amsgrad", "1", INVALID_FILE, "glissade.group.0.amsgrad is \"1\"; accepted: true and false");
    LINE("group.0.decay", "2", INVALID_FILE, "glissade.group.0.decay is \"2\"; accepted: 0 and 1");
    LINE("group.1.momentum", "0x1p+0", INVALID_HYPERPARAMETER, "group 1: momentum");
    LINE("group.1.defer_threshold", "0x1p-1000", INVALID_HYPERPARAMETER, "defer_threshold");
    const char *one = folder_at(&place, "one"), *two = folder_at(&place, "two");
    states_rewrite(folder_at(&place, "good"), one, "glissade.group.1.debias", "true");
    states_rewrite(one, two, "glissade.group.1.first_step", "1");
    refuse(&target, two, NULL, GLISSADE_STATUS_INVALID_COMBINATION, "group 1: debias is true");
}

/* ---- arrays ---- */

static void refuse_renamed(const char *name, const char *other, glissade_status expected, const char *names) {
    const char *bad = folder_at(&place, "bad");
    states_rewrite(folder_at(&place, "good"), bad, name, other);
    refuse(&target, bad, NULL, expected, names);
}

Test(states_load, arrays_that_lack_or_are_over) {
    refuse_renamed("state.w.exp_avg", NULL, GLISSADE_STATUS_MISMATCH,
                   "of tensor \"w\" there is no \"exp_avg\"");
    refuse_renamed("state.b.exp_avg_sq", NULL, GLISSADE_STATUS_MISMATCH,
                   "of tensor \"b\" there is no \"exp_avg_sq\"");
    refuse_renamed("state.s.momentum_buffer", NULL, GLISSADE_STATUS_MISMATCH,
                   "\"s\" there is no \"momentum_buffer\"");
    refuse_renamed("state.w.exp_avg", "state.w.exp_average", GLISSADE_STATUS_MISMATCH,
                   "\"state.w.exp_average\" is none of the optimizer's");
    refuse_renamed("state.w.exp_avg", "state.x.exp_avg", GLISSADE_STATUS_MISMATCH, "state.x.exp_avg");
    refuse_renamed("state.s.momentum_buffer", "state.s.residual", GLISSADE_STATUS_MISMATCH,
                   "momentum_buffer");
    refuse_renamed("glissade.tensor.b.group", NULL, GLISSADE_STATUS_MISMATCH, "state.b.");
    /* Without its step the metadata's counts. */
    const char *other = folder_at(&place, "other");
    states_rewrite(folder_at(&place, "good"), other, "state.w.step", NULL);
    states_load(target.optimizer, other, NULL);
    cr_assert_eq(planned_info(&target, 0).steps, 3);
}

/* Loads the good file into something else. */
static void refuse_into(const planned_group *groups, const char *names) {
    planned it;
    planned_create(&it, engine, groups, 3);
    planned_step(&it, 1);
    refuse(&it, folder_at(&place, "good"), NULL, GLISSADE_STATUS_MISMATCH, names);
    planned_destroy(&it);
}

#define ADAM(...)                                                                                            \
    {                                                                                                        \
        "adam", "", {                                                                                        \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
#define SGD                                                                                                  \
    {                                                                                                        \
        "sgd", "momentum=0.75", {                                                                            \
            PLAIN("s", 500)                                                                                  \
        }                                                                                                    \
    }
#define INTO(names, ...) refuse_into((const planned_group[PLANNED_GROUPS]){__VA_ARGS__}, names)

Test(states_load, other_optimizers) {
    const layout half = {.parameter = GLISSADE_DTYPE_BF16}, stored = {.state = GLISSADE_STATE_BF16},
                 small = {.state = GLISSADE_STATE_Q8},
                 full = {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_F32},
                 wide = {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64};
    INTO("\"state.w.exp_avg\" has shape [20, 15]; accepted: [15, 20]",
         ADAM(SHAPED("w", 300, 15, 20), PLAIN("b", 1000), PLAIN("e", 0)), SGD);
    INTO("\"state.b.exp_avg\" has shape [1000]; accepted: [20, 50]",
         ADAM(PLAIN("w", 300), SHAPED("b", 1000, 20, 50), PLAIN("e", 0)), SGD);
    INTO("\"state.b.exp_avg\" has shape [1000]; accepted: [999]",
         ADAM(PLAIN("w", 300), PLAIN("b", 999), PLAIN("e", 0)), SGD);
    INTO("\"state.w.exp_avg\" is F32; accepted: BF16, or this with the option convert",
         ADAM(FORMED("w", 300, stored), PLAIN("b", 1000), PLAIN("e", 0)), SGD);
    INTO("\"state.b.exp_avg\" is F32; accepted: I8",
         ADAM(PLAIN("w", 300), FORMED("b", 1000, small), PLAIN("e", 0)), SGD);
    INTO("\"state.w.exp_avg\" is F32; accepted: F64",
         ADAM(FORMED("w", 300, wide), PLAIN("b", 1000), PLAIN("e", 0)), SGD);
    INTO("of tensor \"w\" there is no \"master\"",
         ADAM(FORMED("w", 300, full), PLAIN("b", 1000), PLAIN("e", 0)), SGD);
    INTO("there is nothing of tensor \"more\"",
         ADAM(FORMED("w", 300, half), PLAIN("b", 1000), PLAIN("e", 0), PLAIN("more", 3)), SGD);
    INTO("\"state.s.momentum_buffer\" is none of the optimizer's, of 1 such",
         ADAM(PLAIN("w", 300), PLAIN("b", 1000), PLAIN("e", 0)));
    INTO("\"state.e.exp_avg\" is none of the optimizer's", ADAM(PLAIN("w", 300), PLAIN("b", 1000)), SGD);
    INTO("\"s\" is of group 1, others of its group here are of group 0",
         ADAM(PLAIN("w", 300), PLAIN("b", 1000), PLAIN("e", 0), PLAIN("s", 500)));
}
