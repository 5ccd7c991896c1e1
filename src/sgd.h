/* SPDX-License-Identifier: Apache-2.0 */
/* What benchmarks and tests need to know of stochastic gradient descent. */
#ifndef GLS_SGD_H
#define GLS_SGD_H

#include "glissade/sgd.h"
#include "kernel.h"

/* The scalars, in double and rounded once, for a tensor that has made k momentum updates so far. gradient_factor: what
 * gradients are multiplied by, clip / gradient_scale. */
gls_sgd_scalars_f64 gls_sgd_compute(const glissade_sgd_options *sgd, double gradient_factor, double flush,
                                    uint64_t k);
gls_sgd_scalars gls_sgd_round(const glissade_sgd_options *sgd, double gradient_factor, bool keep_subnormals,
                              uint64_t k);

#endif
