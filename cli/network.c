/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The networks, and the passes through their layers. Must not update parameters: that is the optimizer's
 * part.
 */
#include "network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct network_plan network_mlp = {
    .name = "mlp",
    .layer_count = 2,
    .layers = {{.kind = LAYER_DENSE, .outputs = 256, .relu = true},
               {.kind = LAYER_DENSE, .outputs = CLASS_COUNT}},
};

const struct network_plan network_small_mlp = {
    .name = "small-mlp",
    .layer_count = 2,
    .layers = {{.kind = LAYER_DENSE, .outputs = 64, .relu = true},
               {.kind = LAYER_DENSE, .outputs = CLASS_COUNT}},
};

/*
 * 28 x 28 - 9 x 9 x 8 - 4 x 4 x 16 - 10: forward and backward in twice the small MLP's time, and as good on
 * Fashion-MNIST (87 % after six epochs). A first kernel of 5 x 5 with stride 2 takes more than twice as long,
 * for its 144 positions and for rows of five pixels, which fill no vector; 4 x 4 with stride 4 takes little
 * more than half, but its windows do not overlap, and its loss after four epochs is 0.375, not 0.345.
 */
const struct network_plan network_convolutional = {
    .name = "conv",
    .layer_count = 3,
    .layers = {{.kind = LAYER_CONVOLUTION, .outputs = 8, .kernel = 4, .stride = 3, .relu = true},
               {.kind = LAYER_CONVOLUTION, .outputs = 16, .kernel = 3, .stride = 2, .relu = true},
               {.kind = LAYER_DENSE, .outputs = CLASS_COUNT}},
};

const struct network_plan *network_find(const char *name) {
    static const struct network_plan *const plans[] = {&network_mlp, &network_small_mlp,
                                                       &network_convolutional};
    for (size_t i = 0; i < sizeof plans / sizeof *plans; ++i)
        if (strcmp(plans[i]->name, name) == 0)
            return plans[i];
    return NULL;
}

static void connect_layers(struct network *network) {
    const struct network_plan *plan = network->plan;
    size_t side = IMAGE_SIDE, channels = 1;
    for (size_t i = 0; i < plan->layer_count; ++i) {
        struct layer *layer = &network->layers[i];
        *layer = layer_create(&plan->layers[i], side, channels);
        side = layer->output_side;
        channels = layer->plan.outputs;
        network->lengths[2 * i] = layer->unit_inputs * layer->plan.outputs;
        network->lengths[2 * i + 1] = layer->plan.outputs;
    }
}

static bool allocate_layer(struct network *network, size_t i) {
    const struct layer *layer = &network->layers[i];
    bool last = i + 1 == network->plan->layer_count;
    size_t length = network->capacity * layer->output_length;
    size_t scratch_length = layer_scratch_length(layer, network->capacity);
    network->outputs[i] = malloc(length * sizeof(float));
    network->output_gradients[i] = last ? network->outputs[i] : malloc(length * sizeof(float));
    network->scratch[i] = scratch_length > 0 ? malloc(scratch_length * sizeof(float)) : NULL;
    return network->outputs[i] != NULL && network->output_gradients[i] != NULL &&
           (network->scratch[i] != NULL || scratch_length == 0);
}

bool network_create(struct network *network, const struct network_plan *plan, size_t capacity) {
    *network = (struct network){.plan = plan, .capacity = capacity, .scale = 1.0f / 255.0f};
    network->tensor_count = 2 * plan->layer_count;
    connect_layers(network);
    network->input = malloc(capacity * IMAGE_PIXELS * sizeof(float));
    network->labels = malloc(capacity);
    bool complete = network->input != NULL && network->labels != NULL;
    for (size_t i = 0; i < plan->layer_count; ++i)
        complete = allocate_layer(network, i) && complete;
    return complete;
}

void network_destroy(struct network *network) {
    free(network->input);
    free(network->labels);
    for (size_t i = 0; i < LAYERS_MAXIMUM; ++i) {
        if (network->output_gradients[i] != network->outputs[i])
            free(network->output_gradients[i]);
        free(network->outputs[i]);
        free(network->scratch[i]);
    }
    *network = (struct network){.capacity = 0};
}

const char *network_tensor_name(size_t tensor) {
    static const char *const names[TENSORS_MAXIMUM] = {"1.weight", "1.bias", "2.weight", "2.bias",
                                                       "3.weight", "3.bias", "4.weight", "4.bias"};
    return names[tensor];
}

static void draw_weights(float *weights, size_t inputs, size_t outputs, struct random_source *random) {
    /* A uniform distribution on [-b, b] has the variance b^2 / 3. */
    float bound = sqrtf(6.0f / (float)inputs);
    for (size_t i = 0; i < inputs * outputs; ++i)
        weights[i] = random_uniform(random, -bound, bound);
}

void network_initialise(struct network *network, struct random_source *random) {
    for (size_t i = 0; i < network->plan->layer_count; ++i) {
        const struct layer *layer = &network->layers[i];
        draw_weights(network->parameters[2 * i], layer->unit_inputs, layer->plan.outputs, random);
        memset(network->parameters[2 * i + 1], 0, network->lengths[2 * i + 1] * sizeof(float));
    }
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
#pragma omp simd
        for (size_t i = 0; i < IMAGE_PIXELS; ++i)
            input[i] = network->scale * (float)pixels[i] + network->shift;
        network->labels[row] = images->labels[image];
    }
}

static const float *layer_input(const struct network *network, size_t layer) {
    return layer > 0 ? network->outputs[layer - 1] : network->input;
}

static float *scores_of(const struct network *network) {
    return network->outputs[network->plan->layer_count - 1];
}

void network_forward(struct network *network, size_t count) {
    for (size_t i = 0; i < network->plan->layer_count; ++i)
        layer_forward(&network->layers[i], network->parameters[2 * i], network->parameters[2 * i + 1],
                      layer_input(network, i), count, network->scratch[i], network->outputs[i]);
}

size_t network_count_correct(const struct network *network, size_t count) {
    size_t correct = 0;
    for (size_t row = 0; row < count; ++row) {
        const float *scores = scores_of(network) + row * CLASS_COUNT;
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
        float *scores = scores_of(network) + row * CLASS_COUNT;
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

void network_backward(struct network *network, size_t count) {
    for (size_t i = network->plan->layer_count; i-- > 0;) {
        const struct layer *layer = &network->layers[i];
        const float *gradient = network->output_gradients[i];
        layer_parameter_gradients(layer, layer_input(network, i), gradient, count, network->scratch[i],
                                  network->gradients[2 * i], network->gradients[2 * i + 1]);
        if (i == 0)
            break;
        float *below = network->output_gradients[i - 1];
        layer_input_gradient(layer, network->parameters[2 * i], gradient, count, network->scratch[i], below);
        layer_relu_gradient(&network->layers[i - 1], network->outputs[i - 1], count, below);
    }
}
