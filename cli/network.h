/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network of one hidden layer, 784-256-10, ReLU, softmax with cross-entropy: forward, loss and backward on
 * mini-batches, matrix products by CBLAS. Row-major throughout: one row per image.
 */
#ifndef GLISSADE_CLI_NETWORK_H
#define GLISSADE_CLI_NETWORK_H

#include "dataset.h"
#include "random.h"

enum { HIDDEN_UNITS = 256 };

enum network_tensor {
    WEIGHT_1, /* IMAGE_PIXELS x HIDDEN_UNITS */
    BIAS_1,
    WEIGHT_2, /* HIDDEN_UNITS x CLASS_COUNT */
    BIAS_2,
    NETWORK_TENSORS
};

extern const size_t network_lengths[NETWORK_TENSORS];

struct network {
    float *parameters[NETWORK_TENSORS]; /* the caller's, as are the gradients */
    float *gradients[NETWORK_TENSORS];
    size_t capacity;        /* images that the buffers hold */
    float scale, shift;     /* a pixel enters as scale * pixel + shift */
    float *input;           /* capacity x IMAGE_PIXELS */
    float *hidden;          /* capacity x HIDDEN_UNITS, after ReLU */
    float *hidden_gradient; /* capacity x HIDDEN_UNITS */
    float *output;          /* capacity x CLASS_COUNT: scores, then their gradients */
    uint8_t *labels;        /* capacity */
};

/* Allocates the buffers; returns false if memory is short. The parameters are not touched. */
bool network_create(struct network *network, size_t capacity);
void network_destroy(struct network *network);

/* Draws weights as He et al. (2015) do for ReLU, uniformly with variance 2 / inputs; biases are 0. */
void network_initialise(struct network *network, struct random_source *random);

/* Makes pixels enter with the mean 0 and the variance 1 over these images. */
void network_normalise(struct network *network, const struct labelled_images *images);

/* Loads images first, first + 1, ... of `order`, or in their own order if that is NULL. */
void network_load(struct network *network, const struct labelled_images *images, const uint32_t *order,
                  size_t first, size_t count);

void network_forward(struct network *network, size_t count);

/* How many of the loaded images have their highest score at their label, after network_forward. */
size_t network_count_correct(const struct network *network, size_t count);

/* Turns the scores into their gradients; returns the sum of the images' losses. */
double network_loss(struct network *network, size_t count);

/* Writes every gradient anew (nothing is accumulated, so none needs zeroing), after network_loss. */
void network_backward(struct network *network, size_t count);

#endif
