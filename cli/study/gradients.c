/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients measured and thinned out. Must not touch parameters. */
#include "gradients.h"

#include <math.h>

static double square(const float *values, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; ++i)
        sum += (double)values[i] * (double)values[i];
    return sum;
}

double gradients_drop(struct network *network, struct gradient_history *history, double threshold) {
    size_t left = 0, all = 0;
    for (size_t tensor = 0; tensor < network->tensor_count; ++tensor) {
        float *gradient = network->gradients[tensor];
        size_t length = network->lengths[tensor];
        float bound = (float)(threshold * history->rms[tensor]);
        history->rms[tensor] = sqrt(square(gradient, length) / (double)length);
        all += length;
        for (size_t i = 0; i < length; ++i) {
            bool dropped = fabsf(gradient[i]) < bound; /* false for a NaN */
            gradient[i] = dropped ? 0.0f : gradient[i];
            left += !dropped;
        }
    }
    return (double)left / (double)all;
}

/* Square of the gradient over a batch drawn at random. */
static double draw_square(struct network *network, const struct labelled_images *images, size_t count,
                          struct random_source *random, size_t batch) {
    uint32_t order[NOISE_LARGE_BATCH];
    for (size_t i = 0; i < batch; ++i)
        order[i] = random_below(random, (uint32_t)count);
    network_load(network, images, order, 0, batch);
    network_forward(network, batch);
    network_loss(network, batch);
    network_backward(network, batch);
    double sum = 0.0;
    for (size_t tensor = 0; tensor < network->tensor_count; ++tensor)
        sum += square(network->gradients[tensor], network->lengths[tensor]);
    return sum;
}

void gradients_measure_noise(struct network *network, const struct labelled_images *images, size_t count,
                             struct random_source *random, double *gradient_square, double *noise_trace) {
    const double small = NOISE_SMALL_BATCH, large = NOISE_LARGE_BATCH;
    *gradient_square = *noise_trace = 0.0;
    for (int pair = 0; pair < NOISE_PAIRS; ++pair) {
        double of_small = draw_square(network, images, count, random, NOISE_SMALL_BATCH);
        double of_large = draw_square(network, images, count, random, NOISE_LARGE_BATCH);
        *gradient_square += (large * of_large - small * of_small) / (large - small) / NOISE_PAIRS;
        *noise_trace += (of_small - of_large) / (1.0 / small - 1.0 / large) / NOISE_PAIRS;
    }
}
