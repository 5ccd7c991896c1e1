/* SPDX-License-Identifier: Apache-2.0 */
/* Recorded training (see recorded.h). */
#include "recorded.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *problem(const char *what, const char *name, const char *why) {
    static char text[512];
    snprintf(text, sizeof text, "%s \"%.120s\": %.256s", what, name, why);
    return text;
}

/* ---- reading ---- */

/* A tensor of the file, with its data. */
static const char *read_tensor(glissade_file *file, const char *name, glissade_file_tensor *tensor) {
    glissade_error error;
    const size_t index = glissade_file_find(file, name);
    *tensor = (glissade_file_tensor){.size = sizeof *tensor};
    if (index == SIZE_MAX || glissade_file_get(file, index, tensor))
        return problem("tensor", name, "there is none");
    void *data = malloc(tensor->bytes + 1);
    if (!data)
        return problem("tensor", name, "no memory");
    tensor->data = data;
    const glissade_file_target target = {index, data};
    return glissade_file_read(NULL, file, &target, 1, NULL, &error) ? problem("tensor", name, error.message)
                                                                    : NULL;
}

static uint64_t elements_of(const glissade_file_tensor *tensor) {
    const uint32_t bits = glissade_file_dtype_bits(tensor->dtype);
    return tensor->bytes * 8 / bits;
}

static const char *add_tensor(recorded *it, const char *name) {
    char key[160];
    const char *wrong;
    if (!it->group_count || it->tensor_count == RECORDED_TENSORS)
        return problem("model", name, "too many tensors, or no group");
    recorded_tensor *tensor = &it->tensors[it->tensor_count++];
    snprintf(tensor->name, sizeof tensor->name, "%.127s", name);
    it->groups[it->group_count - 1].count++;
    if ((wrong = read_tensor(it->file, name, &tensor->parameter)))
        return wrong;
    tensor->length = (size_t)elements_of(&tensor->parameter);
    snprintf(key, sizeof key, "gradient.%s", tensor->name);
    if (glissade_file_find(it->file, key) == SIZE_MAX)
        return NULL;
    if ((wrong = read_tensor(it->file, key, &tensor->gradient)))
        return wrong;
    tensor->gradients = tensor->gradient.rank ? tensor->gradient.shape[0] : 0;
    return tensor->gradients <= it->steps &&
                   elements_of(&tensor->gradient) == tensor->gradients * tensor->length
               ? NULL
               : problem("gradients", name, "more or fewer than steps and elements");
}

static const char *add_group(recorded *it, const char *text) {
    char name[32];
    int used = 0;
    if (it->group_count == RECORDED_GROUPS || sscanf(text, "%31s%n", name, &used) != 1)
        return problem("model", text, "too many groups, or none named");
    recorded_group *group = &it->groups[it->group_count++];
    *group = (recorded_group){.rule = rule_find(name), .first = it->tensor_count};
    if (!group->rule)
        return problem("rule", name, "there is none");
    rule_defaults(group->rule, &group->options);
    const char *unknown = rule_assign(group->rule, &group->options, text + used);
    return unknown ? problem("hyperparameter", unknown, "the rule has none") : NULL;
}

static const char *read_model(recorded *it, const char *text) {
    char line[512];
    const char *wrong = NULL;
    for (int used = 0; !wrong && sscanf(text, "%511[^\n]%n", line, &used) == 1;
         text += used + (text[used] == '\n'))
        wrong = strncmp(line, "group ", 6) == 0    ? add_group(it, line + 6)
                : strncmp(line, "tensor ", 7) == 0 ? add_tensor(it, line + 7)
                                                   : problem("model", line, "neither a group nor a tensor");
    return wrong;
}

const char *recorded_open(recorded *it, const char *path) {
    glissade_error error;
    *it = (recorded){.file = NULL};
    if (glissade_file_open(path, &it->file, &error))
        return problem("file", path, error.message);
    const char *steps = glissade_file_text_find(it->file, "steps"),
               *model = glissade_file_text_find(it->file, "model");
    if (!steps || !model)
        return problem("file", path, "its metadata lacks steps or model");
    it->steps = strtoull(steps, NULL, 10);
    return read_model(it, model);
}

void recorded_close(recorded *it) {
    for (size_t i = 0; i < it->tensor_count; i++) {
        free((void *)(uintptr_t)it->tensors[i].parameter.data);
        free((void *)(uintptr_t)it->tensors[i].gradient.data);
    }
    glissade_file_close(&it->file);
    *it = (recorded){.file = NULL};
}

void *recorded_read(const recorded *it, const char *prefix, const char *name, uint64_t bytes) {
    char key[160];
    glissade_file_tensor tensor;
    snprintf(key, sizeof key, "%s.%s", prefix, name);
    void *data = read_tensor(it->file, key, &tensor) ? NULL : (void *)(uintptr_t)tensor.data;
    if (data && tensor.bytes == bytes)
        return data;
    free((void *)(uintptr_t)tensor.data);
    return NULL;
}

/* ---- stepping ---- */

static glissade_tensor descriptor_of(const recorded_tensor *it) {
    glissade_tensor tensor;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = (void *)(uintptr_t)it->parameter.data;
    tensor.length = it->length;
    tensor.parameter_dtype = (glissade_dtype)it->parameter.dtype; /* the same values */
    tensor.gradient_dtype = it->gradients ? (glissade_dtype)it->gradient.dtype : tensor.parameter_dtype;
    for (int i = 0; i < GLISSADE_STATES && tensor.parameter_dtype == GLISSADE_DTYPE_BF16; i++)
        tensor.state_format[i] = GLISSADE_STATE_BF16;
    return tensor;
}

const char *recorded_add(recorded *it, glissade_optimizer *optimizer) {
    for (size_t g = 0; g < it->group_count; g++) {
        const recorded_group *group = &it->groups[g];
        glissade_tensor tensors[RECORDED_TENSORS];
        glissade_label labels[RECORDED_TENSORS];
        uint32_t number;
        for (size_t i = 0; i < group->count; i++) {
            const recorded_tensor *tensor = &it->tensors[group->first + i];
            tensors[i] = descriptor_of(tensor);
            labels[i] = (glissade_label){.size = sizeof *labels,
                                         .name = tensor->name,
                                         .rank = tensor->parameter.rank,
                                         .shape = tensor->parameter.shape};
        }
        if (group->rule->add(optimizer, tensors, group->count, &group->options, &number) ||
            glissade_optimizer_set_labels(optimizer, number, labels, group->count))
            return problem("group of", group->rule->name, glissade_optimizer_message(optimizer));
        for (size_t i = 0; i < group->count; i++)
            it->tensors[group->first + i].place = (glissade_tensor_ref){number, (uint32_t)i};
    }
    return NULL;
}

const char *recorded_train(recorded *it, glissade_optimizer *optimizer) {
    for (uint64_t step = 0; step < it->steps; step++) {
        for (size_t i = 0; i < it->tensor_count; i++) {
            const recorded_tensor *tensor = &it->tensors[i];
            const uint64_t without = it->steps - tensor->gradients;
            const char *data = tensor->gradient.data;
            void *gradient = NULL;
            if (step >= without)
                gradient = (void *)(uintptr_t)(data + (step - without) *
                                                          (tensor->gradient.bytes / tensor->gradients));
            if (glissade_optimizer_set_gradient(optimizer, tensor->place, gradient))
                return problem("gradient of", tensor->name, glissade_optimizer_message(optimizer));
        }
        if (glissade_optimizer_step(optimizer, NULL, NULL))
            return problem("step", "", glissade_optimizer_message(optimizer));
    }
    return NULL;
}
