/* SPDX-License-Identifier: Apache-2.0 */
/* What tensors are called in files, by names that were given and by their places, and what names are refused. */
#include "states.h"

#include "misuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static folder place;

static void labels_setup(void) {
    setup();
    folder_create(&place, FOLDER_MEMORY);
}

static void labels_teardown(void) {
    folder_destroy(&place);
    teardown();
}

TestSuite(states_labels, .init = labels_setup, .fini = labels_teardown, .timeout = 60);

/* ---- refusals ---- */

/* Labels of the first group, a0, a1, ... */
static glissade_label *labels_of(const model *group, char letter) {
    static char names[MODEL_TENSORS][16];
    static glissade_label labels[MODEL_TENSORS];
    for (size_t i = 0; i < group->count; i++) {
        snprintf(names[i], sizeof names[i], "%c%zu", letter, i);
        labels[i] = (glissade_label){.size = sizeof *labels, .name = names[i]};
    }
    return labels;
}

#define SET(group, labels, count) glissade_optimizer_set_labels(it.optimizer, group, labels, count)

Test(states_labels, missing_and_unfit) {
    glissade_label *labels = labels_of(&it.first, 'a');
    const size_t count = it.first.count;
    REFUSED(SET(9, labels, count), NOT_FOUND, "group 9");
    REFUSED(SET(0, NULL, count), NULL_ARGUMENT, "labels");
    REFUSED(SET(0, labels, count - 1), INVALID_OPTION, "count is 6");
    labels[3].name = NULL;
    REFUSED(SET(0, labels, count), NULL_ARGUMENT, "labels[3].name");
    labels[3].name = "";
    REFUSED(SET(0, labels, count), INVALID_OPTION, "labels[3].name");
    labels[3].name = "a2";
    REFUSED(SET(0, labels, count), DUPLICATE_TENSOR, "\"a2\"");
    labels[3].name = "x";
    labels[3].size--;
    REFUSED(SET(0, labels, count), INVALID_SIZE, "glissade_label");
    labels[3].size = 4097;
    REFUSED(SET(0, labels, count), INVALID_SIZE, "glissade_label");
    cr_assert_eq(glissade_optimizer_set_labels(NULL, 0, labels, count), GLISSADE_STATUS_NULL_ARGUMENT);
}

Test(states_labels, unfit_shapes) {
    static const uint64_t two[2] = {1, 2}, huge[3] = {UINT64_C(1) << 33, UINT64_C(1) << 33, 0};
    static const uint64_t ones[65] = {1};
    glissade_label *labels = labels_of(&it.first, 'a');
    const size_t count = it.first.count;
    labels[1].rank = 2;
    REFUSED(SET(0, labels, count), NULL_ARGUMENT, "labels[1].shape");
    labels[1].shape = two;
    REFUSED(SET(0, labels, count), INVALID_OPTION, "labels[1] has 2 elements");
    labels[1].rank = 3;
    labels[1].shape = huge;
    REFUSED(SET(0, labels, count), INVALID_OPTION, "too many");
    labels[1].rank = 65;
    labels[1].shape = ones;
    REFUSED(SET(0, labels, count), INVALID_OPTION, "labels[1].rank is 65");
}

Test(states_labels, names_that_are_no_utf8) {
    static const char *const bad[] = {"\x80",         "a\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80",
                                      "\xE0\x80\x80", "ab\xFF"};
    static const char *const good[] = {"\xC3\xA4",   "\xE2\x82\xAC", "\xF0\x9F\x98\x80", "a b",
                                       "\"\\\n\x7F", "../../x",      "__metadata__"};
    glissade_label *labels = labels_of(&it.first, 'a');
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        labels[2].name = bad[i];
        REFUSED(SET(0, labels, it.first.count), INVALID_OPTION, "labels[2].name");
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        labels[2].name = good[i];
        cr_assert_eq(SET(0, labels, it.first.count), GLISSADE_STATUS_OK);
    }
}

Test(states_labels, one_name_twice) {
    glissade_label *labels = labels_of(&it.first, 'a');
    const char *path = folder_at(&place, "state.safetensors");
    cr_assert_eq(SET(0, labels, it.first.count), GLISSADE_STATUS_OK);
    REFUSED(SET(1, labels, it.second.count), DUPLICATE_TENSOR, "as tensor 0 of group 0");
    /* A tensor's own name is none against itself. */
    cr_assert_eq(SET(0, labels, it.first.count), GLISSADE_STATUS_OK);
    /* Places are no names until it comes to a file: labels can be given group by group. */
    labels[0].name = "7";
    cr_assert_eq(SET(0, labels, it.first.count), GLISSADE_STATUS_OK);
    REFUSED(glissade_optimizer_save(it.optimizer, path, NULL, NULL), DUPLICATE_TENSOR, "\"7\"");
    REFUSED(glissade_optimizer_load(it.optimizer, path, NULL, NULL), IO, "state.safetensors");
    cr_assert_eq(access(path, F_OK), -1);
    labels_of(&it.second, 'b');
    cr_assert_eq(SET(1, labels, it.second.count), GLISSADE_STATUS_OK);
    states_save(it.optimizer, path, false);
    labels[0].name = "7";
    REFUSED(SET(1, labels, it.second.count), DUPLICATE_TENSOR, "\"7\"");
}

/* ---- what they are good for ---- */

static glissade_file *open_saved(glissade_optimizer *optimizer, bool parameters) {
    const char *path = folder_at(&place, "state.safetensors");
    glissade_file *file;
    states_save(optimizer, path, parameters);
    cr_assert_eq(glissade_file_open(path, &file, NULL), GLISSADE_STATUS_OK);
    return file;
}

static glissade_file_tensor tensor_of(const glissade_file *file, const char *name) {
    glissade_file_tensor tensor = {.size = sizeof tensor};
    const size_t index = glissade_file_find(file, name);
    cr_assert_neq(index, SIZE_MAX, "there is no %s", name);
    cr_assert_eq(glissade_file_get(file, index, &tensor), GLISSADE_STATUS_OK);
    return tensor;
}

Test(states_labels, places_count_over_all_groups) {
    glissade_file *file = open_saved(it.optimizer, true);
    const glissade_file_tensor first = tensor_of(file, "state.0.momentum_buffer"),
                               last = tensor_of(file, "state.13.momentum_buffer");
    cr_assert(first.rank == 1 && first.shape[0] == it.first.length[0]);
    cr_assert(last.rank == 1 && last.shape[0] == it.second.length[6]);
    cr_assert_eq(tensor_of(file, "13").bytes, it.second.length[6] * sizeof(float));
    cr_assert_eq(glissade_file_find(file, "14"), SIZE_MAX);
    glissade_file_close(&file);
    /* Those of the second group move up. */
    const glissade_tensor_info info = scenario_info(it.optimizer, 1, 0);
    cr_assert_gt(info.length, 0);
    glissade_optimizer *optimizer = scenario_optimizer(it.engine);
    static float p[2][4];
    glissade_tensor tensors[2];
    uint32_t group;
    for (size_t i = 0; i < 2; i++) {
        glissade_tensor_init(&tensors[i], sizeof *tensors);
        tensors[i].parameter = p[i];
        tensors[i].length = 4;
        cr_assert_eq(glissade_optimizer_add_sgd(optimizer, &tensors[i], 1, &it.first_rule, &group),
                     GLISSADE_STATUS_OK);
    }
    cr_assert_eq(glissade_optimizer_remove_group(optimizer, 0), GLISSADE_STATUS_OK);
    file = open_saved(optimizer, true);
    cr_assert_eq(glissade_file_count(file), 1);
    cr_assert_eq(tensor_of(file, "0").bytes, 4 * sizeof(float));
    glissade_file_close(&file);
    glissade_optimizer_destroy(&optimizer);
}

Test(states_labels, names_and_shapes_reach_the_file) {
    static const uint64_t shape[] = {2, 3, 4};
    static float p[24], g[24];
    static char longest[20001];
    glissade_adam_options options;
    glissade_label labels[3];
    glissade_tensor tensors[3];
    uint32_t group;
    memset(longest, 'n', sizeof longest - 1);
    glissade_adam_options_init(&options, sizeof options);
    glissade_optimizer *optimizer = scenario_optimizer(it.engine);
    static float others[2][24];
    for (size_t i = 0; i < 3; i++) {
        glissade_tensor_init(&tensors[i], sizeof *tensors);
        tensors[i].parameter = i ? others[i - 1] : p;
        tensors[i].gradient = g;
        tensors[i].length = 24;
        labels[i] = (glissade_label){
            .size = sizeof *labels, .name = "model.layers.0.weight", .rank = 3, .shape = shape};
    }
    tensors[1].columns = 6;
    labels[1] = (glissade_label){.size = sizeof *labels, .name = "\xC3\xA4 \"quoted\" \\ ../up"};
    labels[2] = (glissade_label){.size = sizeof *labels, .name = longest};
    cr_assert_eq(glissade_optimizer_add_adam(optimizer, tensors, 3, &options, &group), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_set_labels(optimizer, group, labels, 3), GLISSADE_STATUS_OK);
    scenario_step(optimizer);
    glissade_file *file = open_saved(optimizer, true);
    const glissade_file_tensor given = tensor_of(file, "state.model.layers.0.weight.exp_avg_sq"),
                               matrix = tensor_of(file, "\xC3\xA4 \"quoted\" \\ ../up"),
                               step = tensor_of(file, "state.model.layers.0.weight.step");
    cr_assert(given.rank == 3 && memcmp(given.shape, shape, sizeof shape) == 0);
    cr_assert(matrix.rank == 2 && matrix.shape[0] == 4 && matrix.shape[1] == 6);
    cr_assert(step.rank == 0 && step.dtype == GLISSADE_FILE_F32);
    tensor_of(file, longest);
    cr_assert_str_eq(glissade_file_text_find(file, "glissade.tensor.model.layers.0.weight.steps"), "1");
    cr_assert_str_eq(glissade_file_text_find(file, "format"), "pt");
    cr_assert_eq(glissade_optimizer_load_file(optimizer, file, NULL, NULL), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(optimizer));
    glissade_file_close(&file);
    glissade_optimizer_destroy(&optimizer);
}

/* A parameter's name can be that of another's state. */
Test(states_labels, parameters_that_are_called_like_state) {
    glissade_label *labels = labels_of(&it.first, 'a');
    const char *path = folder_at(&place, "state.safetensors");
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    labels[1].name = "state.a0.momentum_buffer";
    cr_assert_eq(SET(0, labels, it.first.count), GLISSADE_STATUS_OK);
    states_save(it.optimizer, path, false);
    options.parameters = true;
    REFUSED(glissade_optimizer_save(it.optimizer, path, &options, NULL), DUPLICATE_TENSOR,
            "state.a0.momentum_buffer");
}

/* ---- many ---- */

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum { MANY = 10000, SHORT = 16 };

static void check_many(size_t group_size) {
    float *p = calloc(MANY, 2 * SHORT * sizeof *p);
    char(*names)[32] = calloc(MANY, sizeof *names);
    glissade_tensor *tensors = calloc(MANY, sizeof *tensors);
    glissade_label *labels = calloc(MANY, sizeof *labels);
    const char *path = folder_at(&place, "many.safetensors");
    glissade_adam_options options;
    uint32_t group;
    glissade_adam_options_init(&options, sizeof options);
    glissade_optimizer *optimizer = scenario_optimizer(it.engine);
    for (size_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "layer.%zu.weight", i * 7919 % MANY);
        labels[i] = (glissade_label){.size = sizeof *labels, .name = names[i]};
        glissade_tensor_init(&tensors[i], sizeof *tensors);
        tensors[i].parameter = p + 2 * i * SHORT;
        tensors[i].gradient = p + (2 * i + 1) * SHORT;
        tensors[i].length = SHORT;
    }
    for (size_t i = 0; i < MANY; i += group_size)
        cr_assert_eq(glissade_optimizer_add_adam(optimizer, tensors + i, group_size, &options, &group),
                     GLISSADE_STATUS_OK);
    scenario_step(optimizer);
    const double begun = seconds();
    for (size_t i = 0; i < MANY; i += group_size)
        cr_assert_eq(
            glissade_optimizer_set_labels(optimizer, (uint32_t)(i / group_size), labels + i, group_size),
            GLISSADE_STATUS_OK);
    const double labelled = seconds();
    states_save(optimizer, path, true);
    const double saved = seconds();
    states_load(optimizer, path, NULL);
    const double loaded = seconds();
    cr_log_info("groups of %zu: labels %.3f s, save %.3f s, load %.3f s", group_size, labelled - begun,
                saved - labelled, loaded - saved);
    cr_assert(labelled - begun < 10 && saved - labelled < 5 && loaded - saved < 5,
              "labels %.3f s, save %.3f s, load %.3f s", labelled - begun, saved - labelled, loaded - saved);
    glissade_optimizer_destroy(&optimizer);
    free(p);
    free(names);
    free(tensors);
    free(labels);
}

Test(states_labels, ten_thousand_tensors) {
    check_many(MANY);
    check_many(1);
}
