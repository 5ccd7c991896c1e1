/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stepping tensors as their gradients arrive. The backward pass runs in a thread of its own, from the last
 * layer to the first; while it computes a layer's gradient, the layers behind it are already updated, and
 * their gradients zeroed in the same pass, ready to be accumulated into again. Updating layer by layer gives
 * the same bits as one step over all of them.
 */
#include "example.h"

#include <pthread.h>
#include <string.h>

enum { LAYERS = 8, LENGTH = 1 << 16, STEPS = 5 };

static float parameters[LAYERS][LENGTH], gradients[LAYERS][LENGTH];
static float expected[LAYERS][LENGTH], expected_gradients[LAYERS][LENGTH];

/* Stands for a layer's backward pass: adds to the gradient, as accumulation over micro-batches does. */
static void accumulate(float *gradient, const float *parameter, int layer) {
    for (size_t i = 0; i < LENGTH; ++i)
        gradient[i] += parameter[i] - (float)(layer + 1) * (float)(i % 7);
}

/* How many layers, counted from the last, have their gradients. */
static struct {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int finished;
} backward = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0};

static void *run_backward(void *unused) {
    (void)unused;
    for (int layer = LAYERS - 1; layer >= 0; --layer) {
        accumulate(gradients[layer], parameters[layer], layer);
        pthread_mutex_lock(&backward.mutex);
        ++backward.finished;
        pthread_cond_signal(&backward.changed);
        pthread_mutex_unlock(&backward.mutex);
    }
    return NULL;
}

/* Waits until more than `known` layers have finished, and returns how many have. */
static int wait_for_layers(int known) {
    pthread_mutex_lock(&backward.mutex);
    while (backward.finished == known)
        pthread_cond_wait(&backward.changed, &backward.mutex);
    int finished = backward.finished;
    pthread_mutex_unlock(&backward.mutex);
    return finished;
}

static uint32_t add_layers(glissade_optimizer *optimizer, float (*parameter)[LENGTH],
                           float (*gradient)[LENGTH]) {
    glissade_tensor tensors[LAYERS];
    for (int layer = 0; layer < LAYERS; ++layer) {
        glissade_tensor_init(&tensors[layer], sizeof tensors[layer]);
        tensors[layer].parameter = parameter[layer];
        tensors[layer].gradient = gradient[layer];
        tensors[layer].length = LENGTH;
    }
    glissade_sgd_options rule;
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 0.05;
    rule.momentum = 0.9;
    rule.dampening = 0.9;
    rule.debias = true;
    uint32_t group;
    require(glissade_optimizer_add_sgd(optimizer, tensors, LAYERS, &rule, &group), optimizer);
    return group;
}

/* One training step in which updates overlap with the backward pass; returns the number of partial steps. */
static int step_as_gradients_arrive(glissade_optimizer *optimizer, uint32_t group) {
    backward.finished = 0;
    pthread_t thread;
    check(pthread_create(&thread, NULL, run_backward, NULL) == 0, "a thread can be started");
    int updated = 0, partial_steps = 0;
    while (updated < LAYERS) {
        int finished = wait_for_layers(updated);
        glissade_tensor_ref ready[LAYERS];
        size_t count = 0;
        for (; updated < finished; ++updated)
            ready[count++] = (glissade_tensor_ref){group, (uint32_t)(LAYERS - 1 - updated)};
        glissade_step_options options;
        glissade_step_options_init(&options, sizeof options);
        options.tensors = ready;
        options.tensor_count = count;
        options.zero_gradients = true;
        require(glissade_optimizer_step(optimizer, &options, NULL), optimizer);
        ++partial_steps;
    }
    pthread_join(thread, NULL);
    return partial_steps;
}

/* The same training step the plain way, as the reference. */
static void step_at_once(glissade_optimizer *optimizer) {
    for (int layer = 0; layer < LAYERS; ++layer)
        accumulate(expected_gradients[layer], expected[layer], layer);
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.zero_gradients = true;
    require(glissade_optimizer_step(optimizer, &options, NULL), optimizer);
}

int main(void) {
    glissade_engine *engine;
    glissade_optimizer *arriving, *at_once;
    glissade_error error;
    require_created(glissade_engine_create(NULL, &engine, &error), &error);
    require_created(glissade_optimizer_create(engine, &arriving, &error), &error);
    require_created(glissade_optimizer_create(engine, &at_once, &error), &error);
    /* Each optimizer keeps a reference to the engine, so this one is no longer needed. */
    glissade_engine_destroy(&engine);

    uint32_t group = add_layers(arriving, parameters, gradients);
    add_layers(at_once, expected, expected_gradients);
    int partial_steps = 0;
    for (int step = 0; step < STEPS; ++step) {
        partial_steps += step_as_gradients_arrive(arriving, group);
        step_at_once(at_once);
    }

    printf("%d training steps in %d partial ones\n", STEPS, partial_steps);
    check(memcmp(parameters, expected, sizeof parameters) == 0, "the same bits as one step over all layers");
    check(memcmp(gradients, expected_gradients, sizeof gradients) == 0, "gradients are zero");
    glissade_optimizer_destroy(&arriving);
    glissade_optimizer_destroy(&at_once);
    return 0;
}
