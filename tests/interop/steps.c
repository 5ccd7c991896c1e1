/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What interop/torch_state.py asks of the library, through its public interface:
 *
 *     steps copy FROM TO
 *         reads every tensor and every line of metadata of a file, and writes them to another
 *     steps train [--plain] RECORDED STATE NEW_STATE NEW_PARAMETERS
 *         loads the state ("-": begins without), makes the recorded steps (recorded.h), and writes state and parameters.
 *         --plain: the file says nothing of tensors that were never stepped
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recorded.h"

static int fail(const char *what, const char *message) {
    fprintf(stderr, "%s: %s\n", what, message);
    return 1;
}

/* ---- copying ---- */

static int copy_opened(glissade_file *file, const char *to) {
    const size_t count = glissade_file_count(file), lines = glissade_file_text_count(file);
    glissade_file_tensor *tensors = calloc(count + 1, sizeof *tensors);
    glissade_file_target *targets = calloc(count + 1, sizeof *targets);
    glissade_file_text *texts = calloc(lines + 1, sizeof *texts);
    glissade_error error = {.status = GLISSADE_STATUS_OUT_OF_MEMORY, .message = "no memory"};
    bool good = tensors && targets && texts;
    for (size_t i = 0; good && i < count; i++) {
        tensors[i].size = sizeof *tensors;
        good = !glissade_file_get(file, i, &tensors[i]);
        targets[i] = (glissade_file_target){i, malloc(tensors[i].bytes + 1)};
        tensors[i].data = targets[i].data;
        good = good && targets[i].data;
    }
    size_t kept = 0;
    for (size_t i = 0; good && i < lines; i++) {
        texts[kept] = glissade_file_text_at(file, i);
        kept += strncmp(texts[kept].key, "glissade.checksum.", 18) != 0;
    }
    good = good && !glissade_file_read(NULL, file, targets, count, NULL, &error) &&
           !glissade_file_write(NULL, to, tensors, count, texts, kept, NULL, NULL, &error);
    for (size_t i = 0; targets && i < count; i++)
        free(targets[i].data);
    free(tensors);
    free(targets);
    free(texts);
    return good ? 0 : fail(to, error.message);
}

static int copy(const char *from, const char *to) {
    glissade_file *file;
    glissade_error error;
    if (glissade_file_open(from, &file, &error))
        return fail(from, error.message);
    const int result = copy_opened(file, to);
    glissade_file_close(&file);
    return result;
}

/* ---- training ---- */

typedef struct training {
    bool plain;
    const char *recorded, *state, *new_state, *new_parameters;
} training;

/* PyTorch keeps the state of an f16 parameter in f16, which here is none of the formats of state. */
static bool has_f16(const recorded *it) {
    bool any = false;
    for (size_t i = 0; i < it->tensor_count; i++)
        any = any || it->tensors[i].parameter.dtype == GLISSADE_FILE_F16;
    return any;
}

static int load(const training *how, const recorded *it, glissade_optimizer *optimizer) {
    glissade_load_options options;
    glissade_load_report report = {.size = sizeof report};
    glissade_load_options_init(&options, sizeof options);
    options.convert = has_f16(it);
    options.ignore_missing = how->plain;
    if (glissade_optimizer_load(optimizer, how->state, &options, &report))
        return fail(how->state, glissade_optimizer_message(optimizer));
    printf("%llu tensors, %llu arrays, %llu converted, %llu missing\n", (unsigned long long)report.tensors,
           (unsigned long long)report.arrays, (unsigned long long)report.converted,
           (unsigned long long)report.missing);
    return 0;
}

static int write_out(const training *how, const recorded *it, glissade_optimizer *optimizer) {
    glissade_file_tensor tensors[RECORDED_TENSORS];
    glissade_error error;
    for (size_t i = 0; i < it->tensor_count; i++)
        tensors[i] = it->tensors[i].parameter;
    if (glissade_file_write(NULL, how->new_parameters, tensors, it->tensor_count, NULL, 0, NULL, NULL,
                            &error))
        return fail(how->new_parameters, error.message);
    return glissade_optimizer_save(optimizer, how->new_state, NULL, NULL)
               ? fail(how->new_state, glissade_optimizer_message(optimizer))
               : 0;
}

static int train_with(const training *how, recorded *it, glissade_optimizer *optimizer) {
    const char *wrong = recorded_add(it, optimizer);
    if (wrong)
        return fail(how->recorded, wrong);
    if (strcmp(how->state, "-") != 0 && load(how, it, optimizer))
        return 1;
    wrong = recorded_train(it, optimizer);
    return wrong ? fail(how->recorded, wrong) : write_out(how, it, optimizer);
}

static int train(const training *how) {
    static recorded it;
    glissade_engine *engine = NULL;
    glissade_optimizer *optimizer = NULL;
    glissade_error error;
    const char *wrong = recorded_open(&it, how->recorded);
    int result = 1;
    if (wrong)
        fail(how->recorded, wrong);
    else if (glissade_engine_create(NULL, &engine, &error) ||
             glissade_optimizer_create(engine, &optimizer, &error))
        fail("engine", error.message);
    else
        result = train_with(how, &it, optimizer);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    recorded_close(&it);
    return result;
}

int main(int count, char **arguments) {
    const bool plain = count > 2 && strcmp(arguments[2], "--plain") == 0;
    char **words = arguments + plain;
    if (count == 4 && strcmp(arguments[1], "copy") == 0)
        return copy(arguments[2], arguments[3]);
    if (count == 6 + plain && strcmp(arguments[1], "train") == 0)
        return train(&(training){plain, words[2], words[3], words[4], words[5]});
    fprintf(stderr,
            "usage: steps copy FROM TO | steps train [--plain] RECORDED STATE NEW_STATE NEW_PARAMETERS\n");
    return 2;
}
