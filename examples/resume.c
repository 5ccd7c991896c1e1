/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping a training run and going on: parameters and the optimizer's state go to one file, while training continues, and
 * a new optimizer over new arrays takes them from there. The run that went on ends with the same bits as the one that
 * never stopped; in another process, on other threads and another instruction set, too.
 */
#include "example.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TENSORS = 2, LENGTH = 20000, STEPS_BEFORE = 7, STEPS_AFTER = 5 };

struct model {
    float parameters[TENSORS][LENGTH], gradients[TENSORS][LENGTH];
};

static struct model uninterrupted, resumed;

static glissade_optimizer *create_optimizer(glissade_engine *engine, struct model *model) {
    glissade_optimizer *optimizer;
    glissade_error error;
    require_created(glissade_optimizer_create(engine, &optimizer, &error), &error);
    glissade_tensor tensors[TENSORS];
    for (int i = 0; i < TENSORS; ++i) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = model->parameters[i];
        tensors[i].gradient = model->gradients[i];
        tensors[i].length = LENGTH;
    }
    glissade_sgd_options rule;
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 0.1;
    rule.momentum = 0.95;
    rule.dampening = 0.95;
    rule.debias = true;
    uint32_t group;
    require(glissade_optimizer_add_sgd(optimizer, tensors, TENSORS, &rule, &group), optimizer);

    /* What the tensors are called in the file, and their shapes there. */
    const uint64_t weight_shape[] = {100, 200}, bias_shape[] = {LENGTH};
    const glissade_label labels[TENSORS] = {
        {.size = sizeof *labels, .name = "layer.weight", .rank = 2, .shape = weight_shape},
        {.size = sizeof *labels, .name = "layer.bias", .rank = 1, .shape = bias_shape}};
    require(glissade_optimizer_set_labels(optimizer, group, labels, TENSORS), optimizer);
    return optimizer;
}

static void train(glissade_optimizer *optimizer, struct model *model, int first_step, int steps) {
    for (int step = first_step; step < first_step + steps; ++step) {
        for (int i = 0; i < TENSORS; ++i)
            for (int j = 0; j < LENGTH; ++j)
                model->gradients[i][j] = model->parameters[i][j] - (float)((i + j + step) % 11);
        require(glissade_optimizer_step(optimizer, NULL, NULL), optimizer);
    }
}

/* The file holds the state as it is at this call; what the program itself must know goes into its metadata. */
static glissade_save *start_saving(glissade_optimizer *optimizer, const char *path, int step) {
    char step_text[16];
    snprintf(step_text, sizeof step_text, "%d", step);
    const glissade_file_text progress = {"example.step", step_text};
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    options.parameters = true;
    options.metadata = &progress;
    options.lines = 1;
    glissade_save *save;
    require(glissade_optimizer_save_start(optimizer, path, &options, &save), optimizer);
    return save;
}

/* Everything is checked before anything changes. Returns the step to go on from. */
static int load(glissade_optimizer *optimizer, const char *path) {
    glissade_file *file;
    glissade_error error;
    require_created(glissade_file_open(path, &file, &error), &error);
    glissade_load_options options;
    glissade_load_options_init(&options, sizeof options);
    options.parameters = true;
    glissade_load_report report = {.size = sizeof report};
    require(glissade_optimizer_load_file(optimizer, file, &options, &report), optimizer);
    check(report.verified, "the file's checksums are right");
    const int step = atoi(glissade_file_text_find(file, "example.step"));
    glissade_file_close(&file);
    return step;
}

int main(void) {
    glissade_engine *engine;
    glissade_error error;
    require_created(glissade_engine_create(NULL, &engine, &error), &error);
    char folder[] = "/tmp/glissade-example-XXXXXX", path[64];
    check(mkdtemp(folder), "a temporary folder");
    snprintf(path, sizeof path, "%s/run.safetensors", folder);

    glissade_optimizer *optimizer = create_optimizer(engine, &uninterrupted);
    train(optimizer, &uninterrupted, 0, STEPS_BEFORE);
    glissade_save *save = start_saving(optimizer, path, STEPS_BEFORE);
    train(optimizer, &uninterrupted, STEPS_BEFORE, STEPS_AFTER);
    require_created(glissade_save_wait(save, &error), &error);
    glissade_save_destroy(&save);

    /* What would happen after a restart: a new optimizer over new arrays. */
    glissade_optimizer *resumed_optimizer = create_optimizer(engine, &resumed);
    const int step = load(resumed_optimizer, path);
    train(resumed_optimizer, &resumed, step, STEPS_BEFORE + STEPS_AFTER - step);

    uint32_t digest, resumed_digest;
    require(glissade_optimizer_read(optimizer, &digest, NULL), optimizer);
    require(glissade_optimizer_read(resumed_optimizer, &resumed_digest, NULL), resumed_optimizer);
    printf("stopped after %d of %d steps; digests %08x and %08x\n", step, STEPS_BEFORE + STEPS_AFTER,
           (unsigned)digest, (unsigned)resumed_digest);
    check(digest == resumed_digest, "parameters, gradients and momentum have the same digest");
    check(memcmp(&uninterrupted, &resumed, sizeof resumed) == 0, "parameters have the same bits");
    unlink(path);
    rmdir(folder);
    glissade_optimizer_destroy(&optimizer);
    glissade_optimizer_destroy(&resumed_optimizer);
    glissade_engine_destroy(&engine);
    return 0;
}
