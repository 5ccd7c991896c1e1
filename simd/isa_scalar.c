/* SPDX-License-Identifier: Apache-2.0 */
/* The reference: one element at a time, fused multiply-add by fmaf. */
#include "vec_scalar.h"

#define GLS_THIS_ISA gls_kernels_scalar
#include "bodies.h"
