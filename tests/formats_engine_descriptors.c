/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a tensor's descriptor says of formats and what the library tells of it: arrays of the caller's and of the
 * library's, sizes, structs as they were before there were formats, digests. Part of the formats_engine program.
 */
#include "formats_engine.h"

#include <criterion/criterion.h>

#include <string.h>

static const size_t lengths[] = {0, 1, 300, 1500, 40007};

enum { TENSORS = sizeof lengths / sizeof *lengths, MATRIX = 3, LONGEST = 40007 };

static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
}

TestSuite(formats_descriptors, .init = setup, .fini = teardown, .timeout = 60);

#define OK(optimizer, call)                                                                                  \
    cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_optimizer_message(optimizer))

/* Three states, one of them unsigned at least. */
static rule_options amsgrad(void) {
    const rule *adam = rule_find("adam");
    rule_options options;
    rule_defaults(adam, &options);
    cr_assert_null(rule_assign(adam, &options, "amsgrad=1"));
    return options;
}

static void create(fleet *tensors, const layout *formats, bool own) {
    const rule_options options = amsgrad();
    fleet_create(tensors, formats, lengths, TENSORS, 1, own);
    tensors->tensors[MATRIX].columns = 50;
    fleet_fill_parameters(tensors, 1);
    fleet_fill_gradients(tensors, 2);
    cr_assert(fleet_add(tensors, engine, rule_find("adam"), &options), "%s", layout_text(formats));
}

static bool is_zero(const void *bytes, size_t n) {
    const unsigned char *x = bytes;
    for (size_t i = 0; i < n; i++)
        if (x[i])
            return false;
    return true;
}

/* ---- what is told ---- */

static void check_formats(const held *given, const glissade_tensor_info *info) {
    const char *text = layout_text(&given->layout);
    cr_assert_eq(info->parameter, given->parameter, "%s", text);
    cr_assert_eq(info->gradient, given->gradient, "%s", text);
    cr_assert_eq(info->length, given->length, "%s", text);
    cr_assert_eq(info->columns, given->columns, "%s", text);
    cr_assert_eq(info->parameter_dtype, given->layout.parameter, "%s", text);
    cr_assert_eq(info->gradient_dtype, given->layout.gradient, "%s", text);
    cr_assert_eq(info->master, given->layout.master, "%s", text);
    cr_assert_eq(info->copy_dtype, given->layout.copy, "%s", text);
    cr_assert_eq(info->copy, given->layout.copy ? given->copy : NULL, "%s", text);
    cr_assert_eq(info->momentum, info->state[0], "%s", text);
    for (int s = 0; s < GLISSADE_STATES; s++)
        cr_assert_eq(info->state_format[s], given->state_format[s], "%s", text);
}

static void check_addresses(const held *given, const glissade_tensor_info *info) {
    const bool wide = given->layout.parameter == GLISSADE_DTYPE_F64;
    cr_assert_eq(info->master_state, given->layout.master ? given->master : NULL);
    cr_assert_eq(info->average, wide ? NULL : given->average);
    for (int s = 0; s < GLISSADE_STATES; s++)
        cr_assert_eq(info->state[s], given->state[s]);
}

/* Arrays of the library's: states zero, a master at the parameter's value. */
static void check_beginning(const held *given, const glissade_tensor_info *info) {
    const bool wide = given->layout.parameter == GLISSADE_DTYPE_F64, any = given->length > 0;
    for (int s = 0; s < 3; s++) {
        cr_assert_eq(info->state[s] != NULL, any);
        cr_assert(!any ||
                  is_zero(info->state[s], glissade_state_bytes(info->state_format[s], given->length, wide)));
    }
    cr_assert_null(info->state[3]);
    cr_assert_null(info->average);
    cr_assert_eq(info->master_state != NULL, any && info->master);
    for (size_t j = 0; j < given->length; j++)
        cr_assert(fleet_parameter(info, j) == array_read(info->parameter_dtype, info->parameter, j));
}

Test(formats_descriptors, are_told_as_they_were_given) {
    for (int form = 0; form < FORMS; form++)
        for (int own = 0; own < 2; own++)
            for (int format = 0; format < (form == FORM_F64 ? 1 : 4); format++) {
                layout formats = layout_of_form(form);
                fleet tensors;
                formats.state = (glissade_state_format)format;
                formats.gradient = form == FORM_F64 ? GLISSADE_DTYPE_F64 : (glissade_dtype)(form % 3);
                create(&tensors, &formats, own);
                for (size_t i = 0; i < TENSORS; i++) {
                    const glissade_tensor_info info = fleet_info(&tensors, i);
                    check_formats(&tensors.tensors[i], &info);
                    if (own)
                        check_addresses(&tensors.tensors[i], &info);
                    else
                        check_beginning(&tensors.tensors[i], &info);
                }
                fleet_step(&tensors, NULL);
                fleet_destroy(&tensors);
            }
}

/* Without formats no record of them is kept, and the same is told. */
Test(formats_descriptors, of_floats_alone) {
    float parameter[4] = {1, 2, 3, 4}, gradient[4] = {1, 1, 1, 1}, momentum[4] = {0};
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    const glissade_sgd_options sgd = scenario_rule(0.5);
    glissade_tensor tensor;
    uint32_t group;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = parameter;
    tensor.gradient = gradient;
    tensor.momentum = momentum;
    tensor.length = 4;
    OK(optimizer, glissade_optimizer_add_sgd(optimizer, &tensor, 1, &sgd, &group));
    const glissade_tensor_info info = scenario_info(optimizer, group, 0);
    cr_assert_eq(info.state[0], momentum);
    cr_assert_null(info.state[1]);
    cr_assert_null(info.master_state);
    cr_assert_null(info.copy);
    cr_assert_null(info.average);
    cr_assert_eq(info.parameter_dtype, GLISSADE_DTYPE_F32);
    cr_assert_eq(info.state_format[0], GLISSADE_STATE_FULL);
    cr_assert_eq(info.columns, 0);
    glissade_optimizer_destroy(&optimizer);
}

/* state[0] and momentum are one array. */
Test(formats_descriptors, the_first_state_by_either_name) {
    static float parameters[3][256], gradients[3][256], states[3][256];
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    const glissade_sgd_options sgd = scenario_rule(0.5);
    glissade_tensor tensors[3];
    uint32_t group;
    for (int i = 0; i < 3; i++) {
        for (size_t j = 0; j < 256; j++) {
            parameters[i][j] = scenario_value(1, 0, j);
            gradients[i][j] = scenario_value(2, 0, j);
        }
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = parameters[i];
        tensors[i].gradient = gradients[i];
        tensors[i].length = 256;
        tensors[i].momentum = i != 1 ? states[i] : NULL;
        tensors[i].state[0] = i != 0 ? states[i] : NULL;
    }
    OK(optimizer, glissade_optimizer_add_sgd(optimizer, tensors, 3, &sgd, &group));
    for (uint32_t i = 0; i < 3; i++)
        cr_assert_eq(scenario_info(optimizer, group, i).momentum, states[i]);
    scenario_step(optimizer);
    scenario_step(optimizer);
    for (int i = 1; i < 3; i++) {
        cr_assert_arr_eq(parameters[i], parameters[0], sizeof *parameters);
        cr_assert_arr_eq(states[i], states[0], sizeof *states);
    }
    glissade_optimizer_destroy(&optimizer);
}

/* ---- structs of the past ---- */

/* The descriptor ended before the residual, and then before the formats. */
Test(formats_descriptors, of_earlier_sizes) {
    static const size_t strides[] = {offsetof(glissade_tensor, residual),
                                     offsetof(glissade_tensor, parameter_dtype), sizeof(glissade_tensor)};
    enum { COUNT = 3, N = 100 };
    static float parameters[COUNT][N], gradients[COUNT][N], expected[COUNT][N];
    for (size_t s = 0; s < sizeof strides / sizeof *strides; s++) {
        char bytes[COUNT * sizeof(glissade_tensor)];
        glissade_optimizer *optimizer = scenario_optimizer(engine);
        const glissade_sgd_options sgd = scenario_rule(0.5);
        uint32_t group;
        memset(bytes, 0xEE, sizeof bytes);
        for (size_t i = 0; i < COUNT; i++) {
            glissade_tensor tensor;
            glissade_tensor_init(&tensor, strides[s]);
            cr_assert_eq(tensor.size, strides[s]);
            tensor.parameter = parameters[i];
            tensor.gradient = gradients[i];
            tensor.length = N;
            tensor.momentum = NULL;
            memcpy(bytes + i * strides[s], &tensor, strides[s]);
            for (size_t j = 0; j < N; j++) {
                parameters[i][j] = scenario_value(1, i, j);
                gradients[i][j] = scenario_value(2, i, j);
            }
        }
        OK(optimizer, glissade_optimizer_add_sgd(optimizer, (const glissade_tensor *)(const void *)bytes,
                                                 COUNT, &sgd, &group));
        scenario_step(optimizer);
        if (s == 0)
            memcpy(expected, parameters, sizeof expected);
        cr_assert_arr_eq(parameters, expected, sizeof expected);
        cr_assert_eq(scenario_info(optimizer, group, COUNT - 1).state_format[0], GLISSADE_STATE_FULL);
        glissade_optimizer_destroy(&optimizer);
    }
}

/* Nothing past what the caller knows is written. */
Test(formats_descriptors, told_to_callers_of_earlier_versions) {
    static const size_t sizes[] = {offsetof(glissade_tensor_info, residual),
                                   offsetof(glissade_tensor_info, parameter_dtype)};
    const layout formats = layout_of_form(7);
    fleet tensors;
    create(&tensors, &formats, true);
    const glissade_tensor_info full = fleet_info(&tensors, 2);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        glissade_tensor_info info;
        memset(&info, 0xEE, sizeof info);
        info.size = sizes[s];
        OK(tensors.optimizer,
           glissade_optimizer_get_tensor(tensors.optimizer, (glissade_tensor_ref){0, 2}, &info));
        cr_assert_eq(info.size, sizes[s]);
        cr_assert_eq(info.momentum, full.momentum);
        for (size_t i = sizes[s]; i < sizeof info; i++)
            cr_assert_eq(((unsigned char *)&info)[i], 0xEE);
    }
    fleet_destroy(&tensors);
}

Test(formats_descriptors, steps_of_earlier_callers) {
    static const size_t sizes[] = {offsetof(glissade_step_report, acted),
                                   offsetof(glissade_step_report, norm)};
    const layout formats = layout_of_form(3);
    fleet tensors;
    create(&tensors, &formats, false);
    glissade_step_options options;
    glissade_step_options_init(&options, offsetof(glissade_step_options, clip_norm));
    memset((char *)&options + options.size, 0xEE, sizeof options - options.size);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        glissade_step_report report;
        memset(&report, 0xEE, sizeof report);
        report.size = sizes[s];
        OK(tensors.optimizer, glissade_optimizer_step(tensors.optimizer, &options, &report));
        cr_assert_eq(report.tensors, TENSORS, "%llu", (unsigned long long)report.tensors);
        for (size_t i = sizes[s]; i < sizeof report; i++)
            cr_assert_eq(((unsigned char *)&report)[i], 0xEE);
    }
    fleet_destroy(&tensors);
}

/* ---- sizes ---- */

Test(formats_descriptors, bytes_of_state) {
    static const size_t some[] = {0, 1, 2, 3, 4, 5, 255, 256, 257, 511, 512, 513, 100000};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        const size_t n = some[i];
        cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_FULL, n, false), 4 * n);
        cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_FULL, n, true), 8 * n);
        cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_BF16, n, false), 2 * n);
        cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_BF16_STOCHASTIC, n, false), 2 * n);
        /* A byte each, filled up to a whole float, and a float for 256 of them. */
        cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_Q8, n, false),
                     (n + 3) / 4 * 4 + 4 * ((n + 255) / 256));
    }
    cr_assert_eq(glissade_state_bytes((glissade_state_format)4, 1, false), 0);
    cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_FULL, SIZE_MAX, false), 0);
    cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_FULL, SIZE_MAX / 4 + 1, false), 0);
    cr_assert_eq(glissade_state_bytes(GLISSADE_STATE_Q8, SIZE_MAX, false), 0);
}

/* ---- digests ---- */

static uint32_t words_of(const void *bytes, size_t n) {
    uint32_t all = 0;
    for (size_t i = 0; bytes && i < n; i += sizeof all) {
        uint32_t word = 0;
        memcpy(&word, (const char *)bytes + i, n - i < sizeof word ? n - i : sizeof word);
        all ^= word;
    }
    return all;
}

static uint32_t digest_of(const fleet *tensors) {
    uint32_t all = 0;
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(tensors, i);
        const size_t n = info.length;
        all ^= words_of(info.parameter, n * dtype_bytes(info.parameter_dtype));
        all ^= words_of(info.gradient, n * dtype_bytes(info.gradient_dtype));
        all ^= words_of(info.copy, n * dtype_bytes(info.copy_dtype));
        all ^= words_of(info.average, n * sizeof(float));
        all ^= words_of(info.master_state, n * (info.master == GLISSADE_MASTER_SPLIT ? 2 : 4));
        for (int s = 0; s < GLISSADE_STATES; s++)
            all ^= words_of(info.state[s], glissade_state_bytes(info.state_format[s], n,
                                                                info.parameter_dtype == GLISSADE_DTYPE_F64));
    }
    return all;
}

/* The exclusive or of all words, however they are divided among threads. */
Test(formats_descriptors, digests_of_all_arrays) {
    static const uint32_t threads[] = {1, 2, 3, 8};
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        glissade_engine_destroy(&engine);
        engine = scenario_engine(threads[t]);
        for (int form = 0; form < FORMS; form++)
            for (int own = 0; own < 2; own++) {
                layout formats = layout_of_form(form);
                uint32_t digest;
                fleet tensors;
                if (form != FORM_F64)
                    formats.state = (glissade_state_format)((form + (int)t) % 4);
                create(&tensors, &formats, own);
                if (form != FORM_F64)
                    OK(tensors.optimizer, glissade_optimizer_set_average(tensors.optimizer, 0, 0.5));
                fleet_step(&tensors, NULL);
                OK(tensors.optimizer, glissade_optimizer_read(tensors.optimizer, &digest, NULL));
                cr_assert_eq(digest, digest_of(&tensors), "%u threads, %s", threads[t],
                             layout_text(&formats));
                fleet_destroy(&tensors);
            }
    }
}
