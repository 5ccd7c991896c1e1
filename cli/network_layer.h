/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One layer of a network: its plan, what follows from the plan and the layer below, and the passes over it.
 * Parameters and activations come from network.c; nothing here allocates.
 *
 * An activation is image x position x channel, the channels of a position side by side. A dense layer is a
 * layer of one position, so a convolution's output feeds either kind as it lies.
 */
#ifndef GLISSADE_CLI_NETWORK_LAYER_H
#define GLISSADE_CLI_NETWORK_LAYER_H

#include <stdbool.h>
#include <stddef.h>

enum layer_kind { LAYER_DENSE, LAYER_CONVOLUTION };

struct layer_plan {
    enum layer_kind kind;
    size_t outputs;        /* units, or channels of a convolution */
    size_t kernel, stride; /* of a convolution, which is square and stays inside the image; otherwise 0 */
    bool relu;
};

struct layer {
    struct layer_plan plan;
    size_t input_side, input_channels;  /* of a convolution: input_side x input_side positions */
    size_t output_side;                 /* likewise; 1 of a dense layer */
    size_t input_length, output_length; /* floats an image */
    size_t positions;                   /* output_side squared */
    size_t unit_inputs; /* of one unit: rows of the weights, which have plan.outputs columns */
};

/* What the layer makes of an input of side x side positions with so many channels. */
struct layer layer_create(const struct layer_plan *plan, size_t input_side, size_t input_channels);

/*
 * Floats of scratch that the passes over a layer need for batches of up to `capacity` images; 0 for a dense
 * layer. Between the forward pass and the gradient of the parameters the scratch array must be left alone:
 * the gathered inputs of a small batch stay there.
 */
size_t layer_scratch_length(const struct layer *layer, size_t capacity);

void layer_forward(const struct layer *layer, const float *weights, const float *bias, const float *input,
                   size_t count, float *scratch, float *output);

/*
 * After layer_forward of the same input: gradients of the weights and of the bias, written anew, from the
 * gradient of the output before ReLU.
 */
void layer_parameter_gradients(const struct layer *layer, const float *input, const float *output_gradient,
                               size_t count, float *scratch, float *weight_gradient, float *bias_gradient);

/* The gradient of the input, written anew, from the same; takes the scratch array for itself. */
void layer_input_gradient(const struct layer *layer, const float *weights, const float *output_gradient,
                          size_t count, float *scratch, float *input_gradient);

/* Makes a gradient behind ReLU one before it. The derivative at 0 is 0. */
void layer_relu_gradient(const struct layer *layer, const float *output, size_t count, float *gradient);

/*
 * network_convolution.c: the inputs of every unit in a row of their own (im2col), images * positions x
 * unit_inputs; the order in a row is kernel row, kernel column, channel.
 */
void convolution_gather(const struct layer *layer, const float *input, size_t count, float *columns);

/* The transpose: adds every row up where its elements came from; writes input_gradient anew. */
void convolution_scatter(const struct layer *layer, const float *columns, size_t count,
                         float *input_gradient);

#endif
