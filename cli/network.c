/* SPDX-License-Identifier: Apache-2.0 */
/* The network's mathematics. Must not update parameters: that is the optimizer's part. */
#include "network.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const size_t network_lengths[NETWORK_TENSORS] = {
    [WEIGHT_1] = (size_t)IMAGE_PIXELS * HIDDEN_UNITS,
    [BIAS_1] = HIDDEN_UNITS,
    [WEIGHT_2] = (size_t)HIDDEN_UNITS * CLASS_COUNT,
    [BIAS_2] = CLASS_COUNT,
};

bool network_create(struct network *network, size_t capacity) {
    *network = (struct network){.capacity = capacity, .scale = 1.0f / 255.0f};
    network->input = malloc(capacity * IMAGE_PIXELS * sizeof(float));
    network->hidden = malloc(capacity * HIDDEN_UNITS * sizeof(float));
    network->hidden_gradient = malloc(capacity * HIDDEN_UNITS * sizeof(float));
    network->output = malloc(capacity * CLASS_COUNT * sizeof(float));
    network->labels = malloc(capacity);
    return network->input != NULL && network->hidden != NULL && network->hidden_gradient != NULL &&
           network->output != NULL && network->labels != NULL;
}

void network_destroy(struct network *network) {
    free(network->input);
    free(network->hidden);
    free(network->hidden_gradient);
    free(network->output);
    free(network->labels);
    *network = (struct network){.capacity = 0};
}

static void draw_weights(float *weights, size_t inputs, size_t outputs, struct random_source *random) {
    /* A uniform distribution on [-b, b] has the variance b^2 / 3. */
    float bound = sqrtf(6.0f / (float)inputs);
    for (size_t i = 0; i < inputs * outputs; ++i)
        weights[i] = random_uniform(random, -bound, bound);
}

void network_initialise(struct network *network, struct random_source *random) {
    draw_weights(network->parameters[WEIGHT_1], IMAGE_PIXELS, HIDDEN_UNITS, random);
    draw_weights(network->parameters[WEIGHT_2], HIDDEN_UNITS, CLASS_COUNT, random);
    memset(network->parameters[BIAS_1], 0, network_lengths[BIAS_1] * sizeof(float));
    memset(network->parameters[BIAS_2], 0, network_lengths[BIAS_2] * sizeof(float));
}

void network_normalise(struct network *network, const struct labelled_images *images) {
    size_t pixel_count = images->count * IMAGE_PIXELS;
    uint64_t sum = 0, squares = 0;
    for (size_t i = 0; i < pixel_count; ++i) {
        uint32_t pixel = images->pixels[i];
        sum += pixel;
        squares += pixel * pixel;
    }
    double mean = (double)sum / (double)pixel_count;
    double variance = (double)squares / (double)pixel_count - mean * mean;
    /* Images of one colour have nothing to normalise. */
    double scale = variance > 0.0 ? 1.0 / sqrt(variance) : 1.0 / 255.0;
    network->scale = (float)scale;
    network->shift = (float)(-mean * scale);
}

void network_load(struct network *network, const struct labelled_images *images, const uint32_t *order,
                  size_t first, size_t count) {
    for (size_t row = 0; row < count; ++row) {
        size_t image = order != NULL ? order[first + row] : first + row;
        const uint8_t *pixels = images->pixels + image * IMAGE_PIXELS;
        float *input = network->input + row * IMAGE_PIXELS;
        for (size_t i = 0; i < IMAGE_PIXELS; ++i)
            input[i] = network->scale * (float)pixels[i] + network->shift;
        network->labels[row] = images->labels[image];
    }
}

/* result (rows x columns) = left (rows x inner) * right (inner x columns) + the bias in every row. */
static void multiply_add_bias(float *result, const float *left, const float *right, const float *bias,
                              size_t rows, size_t inner, size_t columns) {
    for (size_t row = 0; row < rows; ++row)
        memcpy(result + row * columns, bias, columns * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)columns, (int)inner, 1.0f, left,
                (int)inner, right, (int)columns, 1.0f, result, (int)columns);
}

void network_forward(struct network *network, size_t count) {
    multiply_add_bias(network->hidden, network->input, network->parameters[WEIGHT_1],
                      network->parameters[BIAS_1], count, IMAGE_PIXELS, HIDDEN_UNITS);
    for (size_t i = 0; i < count * HIDDEN_UNITS; ++i)
        network->hidden[i] = network->hidden[i] > 0.0f ? network->hidden[i] : 0.0f;
    multiply_add_bias(network->output, network->hidden, network->parameters[WEIGHT_2],
                      network->parameters[BIAS_2], count, HIDDEN_UNITS, CLASS_COUNT);
}

size_t network_count_correct(const struct network *network, size_t count) {
    size_t correct = 0;
    for (size_t row = 0; row < count; ++row) {
        const float *scores = network->output + row * CLASS_COUNT;
        int best = 0;
        for (int class = 1; class < CLASS_COUNT; ++class)
            if (scores[class] > scores[best])
                best = class;
        correct += best == network->labels[row];
    }
    return correct;
}

double network_loss(struct network *network, size_t count) {
    double loss = 0.0;
    for (size_t row = 0; row < count; ++row) {
        float *scores = network->output + row * CLASS_COUNT;
        int label = network->labels[row];
        float highest = scores[0], sum = 0.0f;
        for (int class = 1; class < CLASS_COUNT; ++class)
            highest = scores[class] > highest ? scores[class] : highest;
        float label_score = scores[label] - highest;
        for (int class = 0; class < CLASS_COUNT; ++class) {
            scores[class] = expf(scores[class] - highest);
            sum += scores[class];
        }
        loss += (double)(logf(sum) - label_score);
        /* Gradient of the mean loss: (probability - 1 at the label) / images. */
        for (int class = 0; class < CLASS_COUNT; ++class)
            scores[class] = (scores[class] / sum - (class == label ? 1.0f : 0.0f)) / (float)count;
    }
    return loss;
}

/* gradient (inputs x outputs) = transposed input (rows x inputs) * output_gradient (rows x outputs). */
static void weight_gradient(float *gradient, const float *input, const float *output_gradient, size_t rows,
                            size_t inputs, size_t outputs) {
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)inputs, (int)outputs, (int)rows, 1.0f, input,
                (int)inputs, output_gradient, (int)outputs, 0.0f, gradient, (int)outputs);
}

static void bias_gradient(float *gradient, const float *output_gradient, size_t rows, size_t outputs) {
    memset(gradient, 0, outputs * sizeof(float));
    for (size_t row = 0; row < rows; ++row)
        for (size_t i = 0; i < outputs; ++i)
            gradient[i] += output_gradient[row * outputs + i];
}

void network_backward(struct network *network, size_t count) {
    weight_gradient(network->gradients[WEIGHT_2], network->hidden, network->output, count, HIDDEN_UNITS,
                    CLASS_COUNT);
    bias_gradient(network->gradients[BIAS_2], network->output, count, CLASS_COUNT);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)count, HIDDEN_UNITS, CLASS_COUNT, 1.0f,
                network->output, CLASS_COUNT, network->parameters[WEIGHT_2], CLASS_COUNT, 0.0f,
                network->hidden_gradient, HIDDEN_UNITS);
    for (size_t i = 0; i < count * HIDDEN_UNITS; ++i)
        network->hidden_gradient[i] = network->hidden[i] > 0.0f ? network->hidden_gradient[i] : 0.0f;
    weight_gradient(network->gradients[WEIGHT_1], network->input, network->hidden_gradient, count,
                    IMAGE_PIXELS, HIDDEN_UNITS);
    bias_gradient(network->gradients[BIAS_1], network->hidden_gradient, count, HIDDEN_UNITS);
}
