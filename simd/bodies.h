/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All bodies, and the table made of them. An instruction set's source includes its vocabulary, defines
 * GLS_THIS_ISA as the table's name, then includes this.
 */
#include "sgd_body.h"
#include "memory_body.h"

const gls_kernels GLS_THIS_ISA = {
    .sgd =
        {
#define GLS_SGD_KERNEL(name, momentum, nesterov, decay, zero, deferred)                                      \
    [deferred][GLS_MOMENTUM_##momentum][nesterov][GLS_DECAY_##decay][zero] = name,
#include "sgd_kernels.def"
#undef GLS_SGD_KERNEL
        },
    .zero = zero,
    .read = read,
};
