/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two groups with hyperparameters of their own: weights with decay, biases without. The learning rate follows
 * a schedule, one tensor has a gradient only every other step, and another gets its gradient at a new address
 * each step, as a framework that allocates gradients anew does.
 */
#include "example.h"

#include <math.h>

enum { ROWS = 256, COLUMNS = 128, STEPS = 100, WARM_UP = 10 };

static float weight[ROWS * COLUMNS], embedding[ROWS * COLUMNS], bias[COLUMNS];
static float weight_gradient[2][ROWS * COLUMNS], embedding_gradient[ROWS * COLUMNS], bias_gradient[COLUMNS];

/* Half the squared distance of every element from 1 has this gradient; it stands for a backward pass. */
static void gradient_of(float *gradient, const float *parameter, size_t length) {
    for (size_t i = 0; i < length; ++i)
        gradient[i] = parameter[i] - 1.0f;
}

/* A linear warm-up from 0, then a cosine down to 0. A learning rate of 0 is legal: that step moves nothing.
 */
static double learning_rate_at(int step) {
    const double peak = 0.1, pi = 3.14159265358979323846;
    if (step < WARM_UP)
        return peak * step / WARM_UP;
    return peak * 0.5 * (1.0 + cos(pi * (step - WARM_UP) / (STEPS - WARM_UP)));
}

static glissade_tensor tensor_of(float *parameter, float *gradient, size_t length) {
    glissade_tensor tensor;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = parameter;
    tensor.gradient = gradient;
    tensor.length = length;
    return tensor;
}

static uint64_t steps_of(glissade_optimizer *optimizer, glissade_tensor_ref tensor) {
    glissade_tensor_info info = {.size = sizeof info};
    require(glissade_optimizer_get_tensor(optimizer, tensor, &info), optimizer);
    return info.steps;
}

int main(void) {
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    glissade_error error;
    require_created(glissade_engine_create(NULL, &engine, &error), &error);
    require_created(glissade_optimizer_create(engine, &optimizer, &error), &error);

    /* Weights: Nesterov's momentum and decoupled decay. Their gradients come later, so none is given here. */
    glissade_sgd_options rule;
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.momentum = 0.9;
    rule.dampening = 0.9;
    rule.debias = true;
    rule.nesterov = true;
    rule.weight_decay = 0.1;
    rule.decay = GLISSADE_DECAY_DECOUPLED;
    const glissade_tensor weights[] = {tensor_of(weight, NULL, ROWS * COLUMNS),
                                       tensor_of(embedding, NULL, ROWS * COLUMNS)};
    uint32_t weight_group;
    require(glissade_optimizer_add_sgd(optimizer, weights, 2, &rule, &weight_group), optimizer);
    const glissade_tensor_ref embedding_ref = {weight_group, 1};

    /* Biases: the same rule without decay, which would only pull them from where they belong. */
    rule.weight_decay = 0.0;
    const glissade_tensor biases[] = {tensor_of(bias, bias_gradient, COLUMNS)};
    uint32_t bias_group;
    require(glissade_optimizer_add_sgd(optimizer, biases, 1, &rule, &bias_group), optimizer);

    for (int step = 0; step < STEPS; ++step) {
        require(glissade_optimizer_set_learning_rate(optimizer, weight_group, learning_rate_at(step)),
                optimizer);
        require(glissade_optimizer_set_learning_rate(optimizer, bias_group, learning_rate_at(step)),
                optimizer);

        /* The weight's gradient changes its address; the embedding has one in even steps only. In odd ones it
         * is skipped: neither its values nor its momentum nor its count of steps change. */
        float *fresh = weight_gradient[step % 2];
        gradient_of(fresh, weight, ROWS * COLUMNS);
        gradient_of(embedding_gradient, embedding, ROWS * COLUMNS);
        gradient_of(bias_gradient, bias, COLUMNS);
        void *const gradients[] = {fresh, step % 2 == 0 ? embedding_gradient : NULL};
        require(glissade_optimizer_set_gradients(optimizer, weight_group, gradients, 2), optimizer);

        glissade_step_report report = {.size = sizeof report};
        require(glissade_optimizer_step(optimizer, NULL, &report), optimizer);
        check(report.tensors == (step % 2 == 0 ? 3 : 2), "a step updates the tensors that have gradients");
    }

    printf("after %d steps: weight %.4f, embedding %.4f (every other step), bias %.4f\n", STEPS, weight[0],
           embedding[0], bias[0]);
    check(steps_of(optimizer, embedding_ref) == STEPS / 2, "an absent gradient does not count as a step");
    check(fabsf(bias[0] - 1.0f) < 0.02f, "without decay the bias comes to rest at 1");
    check(fabsf(weight[0] - 1.0f / 1.1f) < 0.02f, "with a decay of 0.1 the weight comes to rest at 1 / 1.1");
    check(fabsf(embedding[0] - 1.0f / 1.1f) < 0.1f, "the embedding, stepped half as often, is near there");

    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    return 0;
}
