/* SPDX-License-Identifier: Apache-2.0 */
/* All kernels of one instruction set. Contains no code. */
#include "isa.h"

const gls_kernels GLS_OWN(gls_kernels) = {
    .sgd = &GLS_OWN(gls_sgd_kernels),
    .rules = &GLS_OWN(gls_rule_kernels),
    .squares = GLS_OWN(gls_squares),
#ifndef VF_IS_F64
    .formats = &GLS_OWN(gls_format_kernels),
    .zero = GLS_OWN(gls_zero),
    .read = GLS_OWN(gls_read),
#endif
};
