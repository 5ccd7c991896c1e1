/* SPDX-License-Identifier: Apache-2.0 */
/* What the optimizer's inside needs to know of stochastic gradient descent. */
#ifndef GLS_SGD_H
#define GLS_SGD_H

#include "glissade/sgd.h"
#include "kernel.h"

typedef struct gls_sgd_call {
    gls_sgd_kernel *kernel;
    gls_sgd_scalars scalars;
} gls_sgd_call;

/* The scalars, rounded once, for a tensor that has made k momentum updates so far. */
gls_sgd_scalars gls_sgd_round(const glissade_sgd_options *sgd, double gradient_scale, bool keep_subnormals,
                              uint64_t k);

#endif
