/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Number formats misused: formats that are none, that do not go together, that a rule refuses; arrays at addresses that
 * do not suit their format; averages and numbers that cannot be. Each gets its status and a message that names the
 * argument, its value and what is accepted, and changes nothing.
 */
#include "misuse.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

MISUSE_SUITE(misuse_formats);

enum { LENGTH = 600 };

static double room[16][LENGTH];

#define OK(call) cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, message())

static const char *message(void) {
    return glissade_optimizer_message(it.optimizer);
}

static glissade_tensor tensor(size_t length) {
    glissade_tensor made;
    glissade_tensor_init(&made, sizeof made);
    made.parameter = room[0];
    made.length = length;
    return made;
}

static glissade_adam_options adam(void) {
    glissade_adam_options options;
    glissade_adam_options_init(&options, sizeof options);
    return options;
}

static glissade_status add_adam(const glissade_tensor *tensors, size_t count) {
    const glissade_adam_options options = adam();
    uint32_t group = 4711;
    const glissade_status status =
        glissade_optimizer_add_adam(it.optimizer, tensors, count, &options, &group);
    cr_assert(status == GLISSADE_STATUS_OK || group == 4711, "a refused group was numbered");
    return status;
}

static glissade_status add_sgd(const glissade_tensor *tensors, size_t count) {
    uint32_t group = 4711;
    const glissade_status status =
        glissade_optimizer_add_sgd(it.optimizer, tensors, count, &it.first_rule, &group);
    cr_assert(status == GLISSADE_STATUS_OK || group == 4711, "a refused group was numbered");
    return status;
}

/* Alone, and after one that is as it should be; under both kinds of rules. */
#define REFUSED_TENSOR(bad, expected, first, second)                                                         \
    do {                                                                                                     \
        const glissade_tensor both_[] = {other(), (bad)};                                                    \
        REFUSED(add_adam(&(bad), 1), expected, first);                                                       \
        REFUSED(add_sgd(&(bad), 1), expected, first);                                                        \
        REFUSED(add_adam(both_, 2), expected, second);                                                       \
        REFUSED(add_sgd(both_, 2), expected, second);                                                        \
    } while (0)

static glissade_tensor other(void) {
    glissade_tensor made = tensor(LENGTH);
    made.parameter = room[15];
    made.parameter_dtype = GLISSADE_DTYPE_BF16;
    return made;
}

static void accept(const glissade_tensor *good) {
    OK(add_adam(good, 1));
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

/* ---- values ---- */

/* Group numbers go up with each that is accepted; these tests accept one at most. */
Test(misuse_formats, enumerators_that_are_not) {
    static const int values[] = {4, 5, 1000, -1, INT32_MAX};
    char text[2][64];
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct {
            glissade_tensor tensor;
            const char *name, *accepted;
        } cases[4] = {
            {tensor(LENGTH), "parameter_dtype", "accepted: 0 (f32), 1 (bf16), 2 (f16), 3 (f64)"},
            {tensor(LENGTH), "gradient_dtype", "accepted: 0 (f32), 1 (bf16), 2 (f16), 3 (f64)"},
            {tensor(LENGTH), "state_format", "accepted: 0 (full), 1 (bf16), 2 (bf16 stochastic), 3 (8-bit)"},
            {tensor(LENGTH), "master", "accepted: 0 (none), 1 (f32), 2 (split)"}};
        cases[0].tensor.parameter_dtype = (glissade_dtype)values[i];
        cases[1].tensor.gradient_dtype = (glissade_dtype)values[i];
        cases[2].tensor.state_format[i % GLISSADE_STATES] = (glissade_state_format)values[i];
        cases[3].tensor.master = (glissade_master)values[i];
        for (int c = 0; c < 4; c++) {
            for (int t = 0; t < 2; t++)
                snprintf(text[t], sizeof text[t], "%s of tensor %d is %d", cases[c].name, t, values[i]);
            REFUSED_TENSOR(cases[c].tensor, INVALID_OPTION, text[0], text[1]);
            REFUSED_TENSOR(cases[c].tensor, INVALID_OPTION, cases[c].accepted, cases[c].accepted);
        }
    }
    glissade_tensor least = tensor(LENGTH);
    least.master = (glissade_master)3;
    REFUSED(add_adam(&least, 1), INVALID_OPTION,
            "master of tensor 0 is 3; accepted: 0 (none), 1 (f32), 2 (split)");
}

Test(misuse_formats, copies_that_are_none) {
    static const int dtypes[] = {GLISSADE_DTYPE_F32, GLISSADE_DTYPE_F64, 4, -1};
    char text[64];
    glissade_tensor bad = tensor(LENGTH);
    bad.copy = room[1];
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        bad.copy_dtype = (glissade_dtype)dtypes[i];
        snprintf(text, sizeof text, "is %d; accepted: 1 (bf16), 2 (f16)", dtypes[i]);
        REFUSED_TENSOR(bad, INVALID_OPTION, "copy_dtype of tensor 0", "copy_dtype of tensor 1");
        REFUSED_TENSOR(bad, INVALID_OPTION, text, text);
    }
    /* Without a copy nothing is read into its format. */
    bad.copy = NULL;
    accept(&bad);
}

Test(misuse_formats, columns_that_divide_nothing) {
    static const size_t columns[] = {7, 601, SIZE_MAX};
    char text[64];
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        glissade_tensor bad = tensor(LENGTH);
        bad.columns = columns[i];
        snprintf(text, sizeof text, "is %zu; accepted: a divisor of its length 600, or 0", columns[i]);
        REFUSED_TENSOR(bad, INVALID_OPTION, "columns of tensor 0", "columns of tensor 1");
        REFUSED_TENSOR(bad, INVALID_OPTION, text, text);
    }
    glissade_tensor good = tensor(LENGTH);
    good.columns = LENGTH;
    accept(&good);
}

/* ---- combinations ---- */

Test(misuse_formats, doubles_with_something_else) {
    glissade_tensor bad = tensor(LENGTH);
    bad.parameter_dtype = GLISSADE_DTYPE_F64;
    for (int dtype = GLISSADE_DTYPE_F32; dtype <= GLISSADE_DTYPE_F16; dtype++) {
        bad.gradient_dtype = (glissade_dtype)dtype;
        REFUSED_TENSOR(bad, INVALID_COMBINATION,
                       "tensor 0 has a parameter of double, whose gradient_dtype must be double", "tensor 1");
    }
    bad.gradient_dtype = GLISSADE_DTYPE_F64;
    for (int dtype = GLISSADE_DTYPE_F32; dtype <= GLISSADE_DTYPE_F16; dtype++) {
        bad.parameter_dtype = (glissade_dtype)dtype;
        REFUSED_TENSOR(bad, INVALID_COMBINATION,
                       "tensor 0 has a gradient of double; it needs a parameter of double",
                       "tensor 1 has a gradient of double");
    }
    bad.parameter_dtype = GLISSADE_DTYPE_F64;
    for (int s = 0; s < GLISSADE_STATES; s++)
        for (int format = GLISSADE_STATE_BF16; format <= GLISSADE_STATE_Q8; format++) {
            bad.state_format[s] = (glissade_state_format)format;
            REFUSED_TENSOR(bad, INVALID_COMBINATION,
                           "tensor 0 has a parameter of double, whose state_format must be full", "tensor 1");
            bad.state_format[s] = GLISSADE_STATE_FULL;
        }
    bad.average = (float *)(void *)room[1];
    REFUSED_TENSOR(bad, INVALID_COMBINATION, "tensor 0 has a parameter of double; averages are of float",
                   "tensor 1");
    bad.average = NULL;
    bad.master = GLISSADE_MASTER_F32;
    REFUSED_TENSOR(bad, INVALID_COMBINATION,
                   "tensor 0 has a master; only parameters of bf16 and f16 take one", "tensor 1");
    bad.master = GLISSADE_MASTER_NONE;
    bad.copy = room[1];
    bad.copy_dtype = GLISSADE_DTYPE_F16;
    REFUSED_TENSOR(bad, INVALID_COMBINATION, "tensor 0 has a copy; only parameters of float take one",
                   "tensor 1");
    bad.copy = NULL;
    bad.residual = room[1];
    REFUSED(add_sgd(&bad, 1), INVALID_COMBINATION,
            "residual of tensor 0 is given, but its parameter is of double; parameters of float");
    bad.residual = NULL;
    accept(&bad);
}

Test(misuse_formats, doubles_that_would_be_deferred) {
    glissade_tensor wide = tensor(LENGTH);
    wide.parameter_dtype = wide.gradient_dtype = GLISSADE_DTYPE_F64;
    glissade_sgd_options deferring = it.second_rule;
    uint32_t group;
    REFUSED(glissade_optimizer_add_sgd(it.optimizer, &wide, 1, &deferring, &group), INVALID_COMBINATION,
            "tensor 0 has a parameter of double; a group with a defer_threshold takes float, bf16 and f16");
    OK(add_sgd(&wide, 1));
    REFUSED(glissade_optimizer_set_sgd(it.optimizer, 2, &deferring), INVALID_COMBINATION,
            "defer_threshold is 0.5 while tensor 0 is of double; it needs float, bf16 or f16");
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

Test(misuse_formats, masters_that_cannot_be) {
    glissade_tensor bad = tensor(LENGTH);
    for (int master = GLISSADE_MASTER_F32; master <= GLISSADE_MASTER_SPLIT; master++) {
        bad.master = (glissade_master)master;
        REFUSED_TENSOR(bad, INVALID_COMBINATION, "tensor 0 has a master; only parameters of bf16 and f16",
                       "tensor 1");
    }
    bad.parameter_dtype = GLISSADE_DTYPE_F16;
    REFUSED_TENSOR(bad, INVALID_COMBINATION,
                   "tensor 0 has a split master; only parameters of bf16 take one, those of f16 an f32 one",
                   "tensor 1 has a split master");
    bad.master = GLISSADE_MASTER_NONE;
    bad.master_state = room[1];
    REFUSED_TENSOR(bad, INVALID_COMBINATION,
                   "tensor 0 has a master_state with master none; it needs master f32 or split", "tensor 1");
    bad.master = GLISSADE_MASTER_F32;
    accept(&bad);
}

Test(misuse_formats, copies_of_halves) {
    glissade_tensor bad = tensor(LENGTH);
    bad.copy = room[1];
    bad.copy_dtype = GLISSADE_DTYPE_BF16;
    for (int dtype = GLISSADE_DTYPE_BF16; dtype <= GLISSADE_DTYPE_F16; dtype++) {
        bad.parameter_dtype = (glissade_dtype)dtype;
        REFUSED_TENSOR(bad, INVALID_COMBINATION, "tensor 0 has a copy; only parameters of float take one",
                       "tensor 1 has a copy");
    }
    bad.parameter_dtype = GLISSADE_DTYPE_F32;
    accept(&bad);
}

Test(misuse_formats, states_that_cannot_be) {
    glissade_tensor bad = tensor(255);
    for (uint32_t s = 0; s < GLISSADE_STATES; s++) {
        char text[96];
        snprintf(text, sizeof text,
                 "state_format[%u] of tensor 0 is 8-bit and its length 255; accepted: at least 256", s);
        bad.state_format[s] = GLISSADE_STATE_Q8;
        REFUSED_TENSOR(bad, INVALID_COMBINATION, text, "of tensor 1 is 8-bit");
        bad.state_format[s] = GLISSADE_STATE_FULL;
    }
    bad.state_format[1] = GLISSADE_STATE_Q8;
    bad.length = 256;
    accept(&bad);
    bad = tensor(LENGTH);
    bad.momentum = room[1];
    bad.state[0] = room[2];
    REFUSED_TENSOR(bad, INVALID_COMBINATION,
                   "tensor 0 has both momentum and state[0], which are one array; it needs one of them",
                   "tensor 1 has both momentum and state[0]");
    bad.state[0] = room[1];
    OK(add_adam(&bad, 1));
    OK(glissade_optimizer_remove_group(it.optimizer, 3));
}

/* An empty tensor has no blocks. */
Test(misuse_formats, empty_tensors_can_have_any_format) {
    for (int format = GLISSADE_STATE_FULL; format <= GLISSADE_STATE_Q8; format++) {
        glissade_tensor empty = tensor(0);
        uint32_t group;
        const glissade_adam_options options = adam();
        empty.parameter = NULL;
        empty.parameter_dtype = GLISSADE_DTYPE_BF16;
        empty.master = GLISSADE_MASTER_SPLIT;
        empty.state_format[0] = empty.state_format[1] = (glissade_state_format)format;
        OK(glissade_optimizer_add_adam(it.optimizer, &empty, 1, &options, &group));
        OK(glissade_optimizer_remove_group(it.optimizer, group));
    }
}

Test(misuse_formats, what_other_rules_do_not_have) {
    glissade_tensor bad = tensor(LENGTH);
    bad.residual = room[1];
    REFUSED(add_adam(&bad, 1), INVALID_COMBINATION,
            "residual of tensor 0 is given, but this rule defers nothing; sgd does");
    bad.residual = NULL;
    OK(add_adam(&bad, 1));
    const glissade_tensor_ref ref = {2, 0};
    REFUSED(glissade_optimizer_set_gradient_rms(it.optimizer, ref, 0.5), INVALID_OPTION,
            "gradient_rms is 0.5");
    REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, 3, 4), INVALID_OPTION,
            "momentum_updates is 4; accepted: 0 to 3");
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

/* ---- addresses ---- */

static void *shifted(void *array, size_t bytes) {
    return (char *)array + bytes;
}

/* Each kind of array at an address that suits no element of its format. */
Test(misuse_formats, addresses_that_suit_no_element) {
    glissade_tensor bad = tensor(LENGTH);
    bad.parameter_dtype = bad.gradient_dtype = GLISSADE_DTYPE_BF16;
    bad.parameter = shifted(room[0], 1);
    REFUSED_TENSOR(bad, MISALIGNED, "parameter of tensor 0 is at", "parameter of tensor 1 is at");
    REFUSED_TENSOR(bad, MISALIGNED, "accepted: multiples of 2", "accepted: multiples of 2");
    bad.parameter = shifted(room[0], 2);
    bad.gradient = shifted(room[1], 1);
    REFUSED_TENSOR(bad, MISALIGNED, "gradient of tensor 0 is at", "accepted: multiples of 2");
    bad.gradient = shifted(room[1], 6);
    bad.master = GLISSADE_MASTER_F32;
    bad.master_state = shifted(room[2], 2);
    REFUSED_TENSOR(bad, MISALIGNED, "master of tensor 0 is at", "accepted: multiples of 4");
    bad.master = GLISSADE_MASTER_SPLIT;
    bad.master_state = shifted(room[2], 1);
    REFUSED_TENSOR(bad, MISALIGNED, "master of tensor 0 is at", "accepted: multiples of 2");
    bad.master_state = shifted(room[2], 2);
    bad.average = shifted(room[3], 2);
    REFUSED_TENSOR(bad, MISALIGNED, "average of tensor 0 is at", "accepted: multiples of 4");
    bad.average = NULL;
    bad.state_format[0] = GLISSADE_STATE_BF16;
    bad.state[0] = shifted(room[4], 1);
    REFUSED_TENSOR(bad, MISALIGNED, "momentum of tensor 0 is at", "accepted: multiples of 2");
    bad.state[0] = NULL;
    bad.state_format[1] = GLISSADE_STATE_Q8; /* whose units are floats */
    bad.state[1] = shifted(room[4], 2);
    REFUSED_TENSOR(bad, MISALIGNED, "second state of tensor 0 is at", "accepted: multiples of 4");
    bad.state[1] = shifted(room[4], 4);
    accept(&bad);
    glissade_tensor copied = tensor(LENGTH);
    copied.copy_dtype = GLISSADE_DTYPE_F16;
    copied.copy = shifted(room[1], 3);
    REFUSED_TENSOR(copied, MISALIGNED, "copy of tensor 0 is at", "accepted: multiples of 2");
    glissade_tensor wide = tensor(LENGTH);
    wide.parameter_dtype = wide.gradient_dtype = GLISSADE_DTYPE_F64;
    wide.parameter = shifted(room[0], 4);
    REFUSED_TENSOR(wide, MISALIGNED, "parameter of tensor 0 is at", "accepted: multiples of 8");
    wide.parameter = room[0];
    wide.state[0] = shifted(room[1], 4);
    REFUSED_TENSOR(wide, MISALIGNED, "momentum of tensor 0 is at", "accepted: multiples of 8");
}

/* A half takes two bytes, and two halves that meet share none. */
Test(misuse_formats, overlaps_by_the_bytes_of_the_format) {
    glissade_tensor bad = tensor(LENGTH);
    bad.parameter_dtype = bad.gradient_dtype = GLISSADE_DTYPE_BF16;
    bad.master = GLISSADE_MASTER_F32;
    bad.gradient = shifted(room[0], 2 * LENGTH - 2);
    REFUSED_TENSOR(bad, OVERLAP, "gradient of tensor 0", "gradient of tensor 1");
    bad.gradient = shifted(room[0], 2 * LENGTH);
    bad.master_state = shifted(room[0], 2 * LENGTH - 4);
    REFUSED_TENSOR(bad, OVERLAP, "", "");
    bad.master_state = shifted(room[0], 4 * LENGTH);
    bad.average = shifted(room[0], 8 * LENGTH - 4);
    REFUSED_TENSOR(bad, OVERLAP, "", "");
    bad.average = (float *)(void *)room[2];
    bad.state_format[0] = GLISSADE_STATE_Q8;
    bad.state[0] = shifted(room[2], 4 * LENGTH + 4);
    bad.state_format[1] = GLISSADE_STATE_BF16;
    bad.state[1] = shifted(room[2], 4 * LENGTH + 4 + LENGTH + 8); /* where the last of 3 units is */
    REFUSED_TENSOR(bad, OVERLAP, "state", "state");
    bad.state[1] = shifted(room[2], 4 * LENGTH + 4 + LENGTH + 12);
    accept(&bad);
    glissade_tensor copied = tensor(LENGTH);
    copied.copy_dtype = GLISSADE_DTYPE_BF16;
    copied.copy = shifted(room[0], 4 * LENGTH - 2);
    REFUSED_TENSOR(copied, OVERLAP, "copy", "copy");
    copied.copy = shifted(room[0], 4 * LENGTH);
    OK(add_adam(&copied, 1));
    /* And so do addresses that are set later. */
    const glissade_tensor_ref ref = {3, 0};
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, shifted(room[0], 6 * LENGTH - 4)), OVERLAP,
            "copy");
    OK(glissade_optimizer_set_gradient(it.optimizer, ref, shifted(room[0], 6 * LENGTH)));
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, shifted(room[0], 6 * LENGTH - 4)), OVERLAP,
            "");
    OK(glissade_optimizer_remove_group(it.optimizer, 3));
}

Test(misuse_formats, addresses_that_are_set_later) {
    glissade_tensor half = tensor(LENGTH), wide = tensor(LENGTH);
    half.parameter_dtype = half.gradient_dtype = GLISSADE_DTYPE_F16;
    wide.parameter_dtype = wide.gradient_dtype = GLISSADE_DTYPE_F64;
    wide.parameter = room[3];
    const glissade_tensor both[] = {half, wide};
    OK(add_adam(both, 2));
    const glissade_tensor_ref first = {2, 0}, second = {2, 1};
    void *gradients[] = {room[5], shifted(room[6], 4)};
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, first, shifted(room[5], 1)), MISALIGNED,
            "gradient of tensor 0");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, second, shifted(room[5], 4)), MISALIGNED,
            "gradient of tensor 1");
    REFUSED(glissade_optimizer_set_gradients(it.optimizer, 2, gradients, 2), MISALIGNED,
            "gradient of tensor 1");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, first, shifted(room[5], 1)), MISALIGNED,
            "parameter is at");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, second, shifted(room[5], 4)), MISALIGNED,
            "accepted: multiples of 8");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, second, shifted(room[3], 8 * LENGTH - 8)), OVERLAP,
            "gradient of tensor 1");
    OK(glissade_optimizer_set_gradient(it.optimizer, second, shifted(room[3], 8 * LENGTH)));
    OK(glissade_optimizer_set_gradient(it.optimizer, first, shifted(room[0], 2 * LENGTH)));
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

/* What only a step with check_overlap looks for, by the bytes of the format. */
Test(misuse_formats, gradients_on_other_tensors) {
    glissade_tensor half = tensor(LENGTH), copied = tensor(LENGTH);
    half.parameter_dtype = half.gradient_dtype = GLISSADE_DTYPE_BF16;
    half.master = GLISSADE_MASTER_SPLIT;
    half.master_state = room[1];
    half.average = (float *)(void *)room[2];
    copied.parameter = room[3];
    copied.copy_dtype = GLISSADE_DTYPE_F16;
    copied.copy = room[4];
    const glissade_tensor both[] = {half, copied};
    OK(add_adam(both, 2));
    const struct {
        glissade_tensor_ref tensor;
        void *gradient;
        const char *names;
    } cases[] = {
        {{2, 1}, shifted(room[1], 2 * LENGTH - 4), "master of tensor 0, group 2"},
        {{2, 1}, shifted(room[2], 4 * LENGTH - 4), "average of tensor 0, group 2"},
        {{2, 1}, shifted(room[0], 2 * LENGTH - 4), "parameter of tensor 0, group 2"},
        {{2, 0}, shifted(room[4], 2 * LENGTH - 2), "copy of tensor 1, group 2"},
        {{2, 0}, shifted(room[3], 4 * LENGTH - 2), "parameter of tensor 1, group 2"},
    };
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.check_overlap = true;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        OK(glissade_optimizer_set_gradient(it.optimizer, cases[i].tensor, cases[i].gradient));
        REFUSED(glissade_optimizer_step(it.optimizer, &options, NULL), OVERLAP, cases[i].names);
        OK(glissade_optimizer_set_gradient(it.optimizer, cases[i].tensor, NULL));
    }
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

/* Lengths in bytes that no address can have. */
Test(misuse_formats, lengths_in_bytes) {
    static const size_t lengths[] = {PTRDIFF_MAX / 8 + 1, SIZE_MAX / 8 + 2, SIZE_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        glissade_tensor wide = tensor(lengths[i]);
        wide.parameter_dtype = wide.gradient_dtype = GLISSADE_DTYPE_F64;
        REFUSED_TENSOR(wide, TOO_LARGE, "length of tensor 0", "length of tensor 1");
    }
}

/* ---- averages, numbers, what was written ---- */

Test(misuse_formats, averages_that_cannot_be) {
    static const double decays[] = {-1, -DBL_TRUE_MIN, 1 + DBL_EPSILON, NAN, INFINITY, -INFINITY};
    for (size_t i = 0; i < sizeof decays / sizeof *decays; i++) {
        REFUSED(glissade_optimizer_set_average(it.optimizer, 0, decays[i]), INVALID_HYPERPARAMETER,
                "decay is ");
        REFUSED(glissade_optimizer_set_average(it.optimizer, 1, decays[i]), INVALID_HYPERPARAMETER,
                "accepted: from 0 to 1");
    }
    REFUSED(glissade_optimizer_set_average(it.optimizer, 7, 0.5), NOT_FOUND, "group 7");
    cr_assert_eq(glissade_optimizer_set_average(NULL, 0, 0.5), GLISSADE_STATUS_NULL_ARGUMENT);
    OK(glissade_optimizer_set_average(it.optimizer, 0, 1)); /* there was none */
    glissade_tensor wide = tensor(LENGTH);
    wide.parameter_dtype = wide.gradient_dtype = GLISSADE_DTYPE_F64;
    const glissade_tensor both[] = {other(), wide};
    OK(add_adam(both, 2));
    REFUSED(glissade_optimizer_set_average(it.optimizer, 2, 0.5), INVALID_COMBINATION,
            "tensor 1 of group 2 is of double; averages are of float, bf16 and f16 ones");
    OK(glissade_optimizer_set_average(it.optimizer, 2, 1));
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

Test(misuse_formats, numbers_that_cannot_be) {
    const glissade_tensor one = tensor(LENGTH);
    OK(add_adam(&one, 1));
    const glissade_tensor_ref refs[] = {{0, 1}, {1, 3}, {2, 0}};
    for (size_t i = 0; i < sizeof refs / sizeof *refs; i++) {
        REFUSED(glissade_optimizer_set_numbers(it.optimizer, refs[i], NAN, 0), INVALID_OPTION,
                "accepted: finite ones");
        REFUSED(glissade_optimizer_set_numbers(it.optimizer, refs[i], 0, INFINITY), INVALID_OPTION,
                "numbers are 0");
        REFUSED(glissade_optimizer_set_numbers(it.optimizer, refs[i], 1, 0), INVALID_OPTION,
                i < 2 ? "accepted: 0 under the rule sgd" : "accepted: 0 under the rule adam");
        REFUSED(glissade_optimizer_set_numbers(it.optimizer, refs[i], 0, -1), INVALID_OPTION, "numbers are");
        OK(glissade_optimizer_set_numbers(it.optimizer, refs[i], 0, 0));
    }
    REFUSED(glissade_optimizer_set_numbers(it.optimizer, (glissade_tensor_ref){2, 1}, 0, 0), NOT_FOUND,
            "tensor 1");
    REFUSED(glissade_optimizer_parameter_written(it.optimizer, (glissade_tensor_ref){2, 1}, false), NOT_FOUND,
            "tensor 1");
    REFUSED(glissade_optimizer_parameter_written(it.optimizer, (glissade_tensor_ref){3, 0}, true), NOT_FOUND,
            "group 3");
    cr_assert_eq(glissade_optimizer_set_numbers(NULL, refs[0], 0, 0), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_optimizer_parameter_written(NULL, refs[0], true), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_optimizer_set_seed(NULL, 0), GLISSADE_STATUS_NULL_ARGUMENT);
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}
