/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The passes over one layer, for both kinds: a convolution is a dense layer applied at every position, whose
 * inputs are gathered first. Must not know the network around it.
 */
#include "network_layer.h"

#include <cblas.h>
#include <string.h>

/*
 * Images whose gathered inputs lie in the scratch array at once: a few megabytes, where those of 8192 images
 * would take a hundred. Smaller chunks, which the caches would hold, gain nothing in training and 5 % in
 * batches of thousands. A dense layer gathers nothing and takes the batch whole.
 */
enum { CHUNK_IMAGES = 256 };

struct layer layer_create(const struct layer_plan *plan, size_t input_side, size_t input_channels) {
    struct layer layer = {.plan = *plan, .input_side = input_side, .input_channels = input_channels};
    layer.input_length = input_side * input_side * input_channels;
    if (plan->kind == LAYER_CONVOLUTION) {
        layer.output_side = (input_side - plan->kernel) / plan->stride + 1;
        layer.unit_inputs = plan->kernel * plan->kernel * input_channels;
    } else {
        layer.output_side = 1;
        layer.unit_inputs = layer.input_length;
    }
    layer.positions = layer.output_side * layer.output_side;
    layer.output_length = layer.positions * plan->outputs;
    return layer;
}

static size_t chunk_limit(const struct layer *layer, size_t count) {
    return layer->plan.kind == LAYER_CONVOLUTION && count > CHUNK_IMAGES ? CHUNK_IMAGES : count;
}

size_t layer_scratch_length(const struct layer *layer, size_t capacity) {
    if (layer->plan.kind == LAYER_DENSE)
        return 0;
    return chunk_limit(layer, capacity) * layer->positions * layer->unit_inputs;
}

/* The matrix of inputs, images * positions x unit_inputs. */
static const float *gather(const struct layer *layer, const float *input, size_t count, float *scratch) {
    if (layer->plan.kind == LAYER_DENSE)
        return input;
    convolution_gather(layer, input, count, scratch);
    return scratch;
}

static void apply_relu(float *values, size_t length) {
#pragma omp simd
    for (size_t i = 0; i < length; ++i)
        values[i] = values[i] > 0.0f ? values[i] : 0.0f;
}

void layer_forward(const struct layer *layer, const float *weights, const float *bias, const float *input,
                   size_t count, float *scratch, float *output) {
    size_t outputs = layer->plan.outputs, limit = chunk_limit(layer, count);
    for (size_t first = 0; first < count; first += limit) {
        size_t images = count - first < limit ? count - first : limit;
        size_t rows = images * layer->positions;
        float *result = output + first * layer->output_length;
        const float *matrix = gather(layer, input + first * layer->input_length, images, scratch);
        for (size_t row = 0; row < rows; ++row)
            memcpy(result + row * outputs, bias, outputs * sizeof(float));
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)outputs,
                    (int)layer->unit_inputs, 1.0f, matrix, (int)layer->unit_inputs, weights, (int)outputs,
                    1.0f, result, (int)outputs);
        if (layer->plan.relu)
            apply_relu(result, rows * outputs);
    }
}

static void add_up_rows(float *sums, const float *rows, size_t count, size_t length) {
    memset(sums, 0, length * sizeof(float));
    for (size_t row = 0; row < count; ++row) {
        const float *values = rows + row * length;
#pragma omp simd
        for (size_t i = 0; i < length; ++i)
            sums[i] += values[i];
    }
}

void layer_parameter_gradients(const struct layer *layer, const float *input, const float *output_gradient,
                               size_t count, float *scratch, float *weight_gradient, float *bias_gradient) {
    size_t outputs = layer->plan.outputs, limit = chunk_limit(layer, count);
    for (size_t first = 0; first < count; first += limit) {
        size_t images = count - first < limit ? count - first : limit;
        /* A lone chunk still lies there from the forward pass: a tenth of both passes saved. */
        bool kept = layer->plan.kind == LAYER_CONVOLUTION && limit == count;
        const float *matrix =
            kept ? scratch : gather(layer, input + first * layer->input_length, images, scratch);
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)layer->unit_inputs, (int)outputs,
                    (int)(images * layer->positions), 1.0f, matrix, (int)layer->unit_inputs,
                    output_gradient + first * layer->output_length, (int)outputs, first > 0 ? 1.0f : 0.0f,
                    weight_gradient, (int)outputs);
    }
    add_up_rows(bias_gradient, output_gradient, count * layer->positions, outputs);
}

void layer_input_gradient(const struct layer *layer, const float *weights, const float *output_gradient,
                          size_t count, float *scratch, float *input_gradient) {
    size_t outputs = layer->plan.outputs, limit = chunk_limit(layer, count);
    for (size_t first = 0; first < count; first += limit) {
        size_t images = count - first < limit ? count - first : limit;
        float *chunk_gradient = input_gradient + first * layer->input_length;
        float *result = layer->plan.kind == LAYER_CONVOLUTION ? scratch : chunk_gradient;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)(images * layer->positions),
                    (int)layer->unit_inputs, (int)outputs, 1.0f,
                    output_gradient + first * layer->output_length, (int)outputs, weights, (int)outputs, 0.0f,
                    result, (int)layer->unit_inputs);
        if (layer->plan.kind == LAYER_CONVOLUTION)
            convolution_scatter(layer, scratch, images, chunk_gradient);
    }
}

void layer_relu_gradient(const struct layer *layer, const float *output, size_t count, float *gradient) {
    if (!layer->plan.relu)
        return;
#pragma omp simd
    for (size_t i = 0; i < count * layer->output_length; ++i)
        gradient[i] = output[i] > 0.0f ? gradient[i] : 0.0f;
}
