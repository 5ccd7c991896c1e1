/* SPDX-License-Identifier: Apache-2.0 */
/* The table of stochastic gradient descent. */
#include "isa.h"
#include "sgd_body.h"

const gls_sgd_kernels GLS_OWN(gls_sgd_kernels) = {
#define GLS_SGD_KERNEL(name, momentum, nesterov, decay, zero, deferred)                                      \
    [deferred][GLS_MOMENTUM_##momentum][nesterov][GLS_DECAY_##decay][zero] = name,
#include "sgd_kernels.def"
#undef GLS_SGD_KERNEL
};
