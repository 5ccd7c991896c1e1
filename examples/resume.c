/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stopping a training run and going on in another process. What must be kept of a tensor is its parameters,
 * its momentum and its two counts: the count of momentum updates decides how much bias is removed. The run
 * that went on ends with the same bits as the one that never stopped.
 */
#include "example.h"

#include <string.h>

enum { TENSORS = 2, LENGTH = 20000, STEPS_BEFORE = 7, STEPS_AFTER = 5 };

struct model {
    float parameters[TENSORS][LENGTH], gradients[TENSORS][LENGTH];
};

/* What a program would write to a file. */
struct saved_tensor {
    float parameter[LENGTH], momentum[LENGTH];
    uint64_t steps, momentum_updates;
};

static struct model uninterrupted, resumed;
static struct saved_tensor saved[TENSORS];

static glissade_optimizer *create_optimizer(glissade_engine *engine, struct model *model, uint32_t *group) {
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
    require(glissade_optimizer_add_sgd(optimizer, tensors, TENSORS, &rule, group), optimizer);
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

static glissade_tensor_info info_of(glissade_optimizer *optimizer, uint32_t group, int index) {
    glissade_tensor_info info = {.size = sizeof info};
    glissade_tensor_ref tensor = {group, (uint32_t)index};
    require(glissade_optimizer_get_tensor(optimizer, tensor, &info), optimizer);
    return info;
}

static void save(glissade_optimizer *optimizer, uint32_t group) {
    for (int i = 0; i < TENSORS; ++i) {
        glissade_tensor_info info = info_of(optimizer, group, i);
        memcpy(saved[i].parameter, info.parameter, sizeof saved[i].parameter);
        memcpy(saved[i].momentum, info.momentum, sizeof saved[i].momentum);
        saved[i].steps = info.steps;
        saved[i].momentum_updates = info.momentum_updates;
    }
}

/* The order matters: the counts say that the momentum array's content is valid, so it is written first. */
static void restore(glissade_optimizer *optimizer, uint32_t group) {
    for (int i = 0; i < TENSORS; ++i) {
        glissade_tensor_info info = info_of(optimizer, group, i);
        memcpy(info.parameter, saved[i].parameter, sizeof saved[i].parameter);
        memcpy(info.momentum, saved[i].momentum, sizeof saved[i].momentum);
        require(glissade_optimizer_set_counts(optimizer, (glissade_tensor_ref){group, (uint32_t)i},
                                              saved[i].steps, saved[i].momentum_updates),
                optimizer);
    }
}

int main(void) {
    glissade_engine *engine;
    glissade_error error;
    require_created(glissade_engine_create(NULL, &engine, &error), &error);
    uint32_t group;
    glissade_optimizer *optimizer = create_optimizer(engine, &uninterrupted, &group);
    train(optimizer, &uninterrupted, 0, STEPS_BEFORE);
    save(optimizer, group);
    train(optimizer, &uninterrupted, STEPS_BEFORE, STEPS_AFTER);
    uint32_t digest;
    require(glissade_optimizer_read(optimizer, &digest, NULL), optimizer);

    /* What would happen after a restart: a new optimizer over new arrays. */
    uint32_t resumed_group;
    glissade_optimizer *resumed_optimizer = create_optimizer(engine, &resumed, &resumed_group);
    restore(resumed_optimizer, resumed_group);
    train(resumed_optimizer, &resumed, STEPS_BEFORE, STEPS_AFTER);
    uint32_t resumed_digest;
    require(glissade_optimizer_read(resumed_optimizer, &resumed_digest, NULL), resumed_optimizer);

    printf("stopped after %d of %d steps; digests %08x and %08x\n", STEPS_BEFORE, STEPS_BEFORE + STEPS_AFTER,
           (unsigned)digest, (unsigned)resumed_digest);
    check(digest == resumed_digest, "parameters, gradients and momentum have the same digest");
    check(memcmp(&uninterrupted, &resumed, sizeof resumed) == 0, "parameters have the same bits");
    for (int i = 0; i < TENSORS; ++i) {
        glissade_tensor_info there = info_of(optimizer, group, i);
        glissade_tensor_info here = info_of(resumed_optimizer, resumed_group, i);
        check(memcmp(there.momentum, here.momentum, LENGTH * sizeof(float)) == 0,
              "momentum has the same bits");
        check(there.steps == here.steps && there.momentum_updates == here.momentum_updates, "equal counts");
    }
    glissade_optimizer_destroy(&optimizer);
    glissade_optimizer_destroy(&resumed_optimizer);
    glissade_engine_destroy(&engine);
    return 0;
}
