/* SPDX-License-Identifier: Apache-2.0 */
/* What studies do with gradients beside handing them to the library: measuring their noise, dropping small ones. */
#ifndef GLISSADE_CLI_STUDY_GRADIENTS_H
#define GLISSADE_CLI_STUDY_GRADIENTS_H

#include "../network.h"

enum { NOISE_SMALL_BATCH = 32, NOISE_LARGE_BATCH = 1024, NOISE_PAIRS = 4 };

/* Root mean squares of the last gradients, tensor by tensor; 0 before the first. */
struct gradient_history {
    double rms[TENSORS_MAXIMUM];
};

/*
 * Sets to 0 every element below threshold times the root mean square of its tensor's last gradient, as the
 * library's relative deferral would defer it, and keeps this gradient's for the next time. Returns the share of
 * elements that are left.
 */
double gradients_drop(struct network *network, struct gradient_history *history, double threshold);

/*
 * Unbiased estimates of |G|^2, G being the expected gradient, and of the trace of the covariance of one image's
 * gradient, from gradients over batches of two sizes: E|G_b|^2 = |G|^2 + trace / b (McCandlish et al. 2018,
 * appendix A.1), means over NOISE_PAIRS pairs of batches drawn with replacement from the first `count` images.
 * Single estimates may be negative. Overwrites the network's gradients.
 */
void gradients_measure_noise(struct network *network, const struct labelled_images *images, size_t count,
                             struct random_source *random, double *gradient_square, double *noise_trace);

#endif
