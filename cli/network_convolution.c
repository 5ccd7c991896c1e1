/* SPDX-License-Identifier: Apache-2.0 */
/* Between images and the rows that make a convolution a matrix product. Must not multiply. */
#include "network_layer.h"

#include <string.h>

/*
 * Copies floats, four at a time where that divides them: runs are short, and calling memcpy would cost most.
 */
static inline void copy_run(float *restrict to, const float *restrict from, size_t length) {
    if (length % 4 == 0)
        for (size_t i = 0; i < length; i += 4)
            memcpy(to + i, from + i, 4 * sizeof(float));
    else
        memcpy(to, from, length * sizeof(float));
}

void convolution_gather(const struct layer *layer, const float *input, size_t count, float *columns) {
    size_t kernel = layer->plan.kernel, stride = layer->plan.stride, side = layer->output_side;
    size_t input_row = layer->input_side * layer->input_channels;
    size_t run = kernel * layer->input_channels; /* contiguous: the kernel's columns and channels */
    for (size_t image = 0; image < count; ++image, input += layer->input_length)
        for (size_t y = 0; y < side; ++y)
            for (size_t x = 0; x < side; ++x) {
                const float *corner = input + y * stride * input_row + x * stride * layer->input_channels;
                for (size_t row = 0; row < kernel; ++row, columns += run)
                    copy_run(columns, corner + row * input_row, run);
            }
}

void convolution_scatter(const struct layer *layer, const float *columns, size_t count,
                         float *input_gradient) {
    size_t kernel = layer->plan.kernel, stride = layer->plan.stride, side = layer->output_side;
    size_t input_row = layer->input_side * layer->input_channels;
    size_t run = kernel * layer->input_channels;
    memset(input_gradient, 0, count * layer->input_length * sizeof(float));
    for (size_t image = 0; image < count; ++image, input_gradient += layer->input_length)
        for (size_t y = 0; y < side; ++y)
            for (size_t x = 0; x < side; ++x) {
                float *corner = input_gradient + y * stride * input_row + x * stride * layer->input_channels;
                for (size_t row = 0; row < kernel; ++row, columns += run) {
                    float *sums = corner + row * input_row;
#pragma omp simd
                    for (size_t i = 0; i < run; ++i)
                        sums[i] += columns[i];
                }
            }
}
