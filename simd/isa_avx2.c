/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 with AVX2, FMA and F16C. */
#include "vec_avx2.h"

#define GLS_THIS_ISA gls_kernels_avx2
#include "bodies.h"
