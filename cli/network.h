/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Networks of dense and convolutional layers, softmax with cross-entropy: forward, loss and backward on
 * mini-batches, matrix products by CBLAS.
 *
 * Each layer has two tensors, weights and bias. Weights are row-major, inputs of a unit x outputs; in a
 * convolution the inputs of a unit are kernel row x kernel column x channel. Activations are row-major with
 * one row per image: units of a dense layer, position x channel of a convolution (NHWC).
 */
#ifndef GLISSADE_CLI_NETWORK_H
#define GLISSADE_CLI_NETWORK_H

#include "dataset.h"
#include "network_layer.h"
#include "random.h"

enum { LAYERS_MAXIMUM = 4, TENSORS_MAXIMUM = 2 * LAYERS_MAXIMUM };

/* The last layer is dense with CLASS_COUNT outputs and without ReLU; no convolution follows a dense layer. */
struct network_plan {
    const char *name;
    size_t layer_count;
    struct layer_plan layers[LAYERS_MAXIMUM];
};

extern const struct network_plan network_mlp;           /* "mlp": 784-256-10 */
extern const struct network_plan network_small_mlp;     /* "small-mlp": 784-64-10 */
extern const struct network_plan network_convolutional; /* "conv"; see network.c */

/* NULL if there is none of that name. */
const struct network_plan *network_find(const char *name);

struct network {
    const struct network_plan *plan;
    struct layer layers[LAYERS_MAXIMUM];
    size_t tensor_count; /* 2 * layer_count: weights and bias of the first layer, of the second, ... */
    size_t lengths[TENSORS_MAXIMUM];    /* in elements */
    float *parameters[TENSORS_MAXIMUM]; /* the caller's, as are the gradients */
    float *gradients[TENSORS_MAXIMUM];
    size_t capacity;                /* images that the buffers hold */
    float scale, shift;             /* a pixel enters as scale * pixel + shift */
    float *input;                   /* capacity x IMAGE_PIXELS */
    float *outputs[LAYERS_MAXIMUM]; /* capacity x output_length, after ReLU; last: scores, then gradients */
    float *output_gradients[LAYERS_MAXIMUM]; /* likewise; of the last layer the same array as its outputs */
    float *scratch[LAYERS_MAXIMUM];          /* a convolution's; see network_layer.h */
    uint8_t *labels;                         /* capacity */
};

/*
 * Works out the tensors and allocates the buffers; returns false if memory is short, and network_destroy is
 * still due. The caller sets parameters[] and gradients[] afterwards.
 */
bool network_create(struct network *network, const struct network_plan *plan, size_t capacity);
void network_destroy(struct network *network);

/* "1.weight", "1.bias", "2.weight", ... of tensor 0, 1, 2, ...; static. */
const char *network_tensor_name(size_t tensor);

/*
 * Draws weights as He et al. (2015) do for ReLU, uniformly with variance 2 / inputs of a unit; biases are 0.
 */
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

/* Writes every gradient anew (nothing is accumulated, so none needs zeroing); once after network_loss. */
void network_backward(struct network *network, size_t count);

#endif
