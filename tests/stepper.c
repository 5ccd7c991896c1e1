/* SPDX-License-Identifier: Apache-2.0 */
/* An optimizer that tells its step (see stepper.h). */
#include "stepper.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whole numbers of at most 16 bits: what leads from one to the next by m = m / 2 + g is exact in float. */
static float momentum_of(uint64_t step, size_t tensor, size_t i) {
    if (step == 0)
        return 0;
    return (float)((uint32_t)(step * 2654435761u + tensor * 40503u + i * 2246822519u) >> 16);
}

static float parameter_of(uint64_t step, size_t tensor, size_t i) {
    return momentum_of(step + 1, tensor + STEPPER_TENSORS, i) - 32768;
}

void stepper_create(stepper *it, glissade_engine *engine, size_t bytes) {
    glissade_sgd_options rule;
    glissade_tensor tensors[STEPPER_TENSORS];
    uint32_t group;
    const size_t n = bytes / (2 * sizeof(float));
    *it = (stepper){.engine = engine, .lengths = {n / 8, n / 2, n - n / 8 - n / 2}};
    it->optimizer = scenario_optimizer(engine);
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 0; /* parameters are written by hand */
    rule.momentum = 0.5;
    for (size_t i = 0; i < STEPPER_TENSORS; i++) {
        it->p[i] = calloc(it->lengths[i] + 1, sizeof(float));
        it->g[i] = calloc(it->lengths[i] + 1, sizeof(float));
        REQUIRE(it->p[i] && it->g[i], "no memory for a model");
        glissade_tensor_init(&tensors[i], sizeof *tensors);
        tensors[i].length = it->lengths[i];
        tensors[i].parameter = it->p[i];
        tensors[i].gradient = it->g[i];
    }
    REQUIRE(!glissade_optimizer_add_sgd(it->optimizer, tensors, STEPPER_TENSORS, &rule, &group), "%s",
            glissade_optimizer_message(it->optimizer));
}

void stepper_destroy(stepper *it) {
    glissade_optimizer_destroy(&it->optimizer);
    for (size_t i = 0; i < STEPPER_TENSORS; i++) {
        free(it->p[i]);
        free(it->g[i]);
    }
    *it = (stepper){0};
}

void stepper_step(stepper *it) {
    const uint64_t last = it->step++;
    for (size_t i = 0; i < STEPPER_TENSORS; i++)
        for (size_t j = 0; j < it->lengths[i]; j++) {
            it->p[i][j] = parameter_of(it->step, i, j);
            it->g[i][j] = momentum_of(it->step, i, j) - momentum_of(last, i, j) / 2;
        }
    scenario_step(it->optimizer);
}

glissade_save_options stepper_options(const stepper *it, stepper_text *text) {
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    snprintf(text->step, sizeof text->step, "%llu", (unsigned long long)it->step);
    text->line = (glissade_file_text){"step", text->step};
    options.metadata = &text->line;
    options.lines = 1;
    options.parameters = true;
    return options;
}

static uint64_t step_of(const glissade_file *file) {
    const char *text = glissade_file_text_find(file, "step");
    return text ? strtoull(text, NULL, 10) : UINT64_MAX;
}

glissade_status stepper_load(stepper *it, const char *path) {
    glissade_load_options options;
    glissade_load_report report = {.size = sizeof report};
    glissade_file *file;
    glissade_status status = glissade_file_open(path, &file, NULL);
    if (status)
        return status;
    glissade_load_options_init(&options, sizeof options);
    options.parameters = options.need_checksums = true;
    status = glissade_optimizer_load_file(it->optimizer, file, &options, &report);
    if (!status) {
        it->step = step_of(file);
        REQUIRE(report.verified && report.tensors == STEPPER_TENSORS && !report.missing && !report.extra,
                "%s: loaded another way", path);
    }
    glissade_file_close(&file);
    return status;
}

/* ---- what is in a file ---- */

static const char *check_array(const stepper *it, glissade_file *file, size_t tensor, bool momentum,
                               uint64_t step) {
    char name[64];
    glissade_file_tensor found = {.size = sizeof found};
    const size_t length = it->lengths[tensor];
    snprintf(name, sizeof name, momentum ? "state.%zu.momentum_buffer" : "%zu", tensor);
    const size_t index = glissade_file_find(file, name);
    if (glissade_file_get(file, index, &found) || found.dtype != GLISSADE_FILE_F32 ||
        found.bytes != length * sizeof(float))
        return "an array is missing or another";
    float *values = malloc(length * sizeof(float) + 1);
    REQUIRE(values, "no memory to compare by");
    const bool read = !glissade_file_read(NULL, file, &(glissade_file_target){index, values}, 1, NULL, NULL);
    bool same = read;
    for (size_t i = 0; i < length && same; i++)
        same = values[i] == (momentum ? momentum_of(step, tensor, i) : parameter_of(step, tensor, i));
    free(values);
    return !read ? "an array cannot be read" : same ? NULL : "an element is not of the step";
}

static const char *check_file(const stepper *it, glissade_file *file, uint64_t step) {
    glissade_file_report report = {.size = sizeof report};
    const char *wrong = NULL;
    if (glissade_file_verify(NULL, file, &report, NULL) || !report.verified)
        return "it is torn";
    for (size_t i = 0; i < STEPPER_TENSORS && !wrong; i++) {
        char key[64];
        snprintf(key, sizeof key, "glissade.tensor.%zu.steps", i);
        const char *steps = glissade_file_text_find(file, key);
        if (!steps || strtoull(steps, NULL, 10) != step)
            return "a tensor has another count of steps";
        if (!(wrong = check_array(it, file, i, false, step)))
            wrong = check_array(it, file, i, true, step);
    }
    return wrong;
}

const char *stepper_check(const stepper *it, const char *path, uint64_t *step) {
    static _Thread_local glissade_error error;
    glissade_file *file;
    if (glissade_file_open(path, &file, &error))
        return error.message;
    *step = step_of(file);
    const char *wrong = *step == UINT64_MAX ? "it has no step" : check_file(it, file, *step);
    glissade_file_close(&file);
    return wrong;
}

const char *stepper_difference(const stepper *it, const char *path, uint64_t step) {
    uint64_t found;
    const char *wrong = stepper_check(it, path, &found);
    return wrong ? wrong : found == step ? NULL : "it is of another step";
}
