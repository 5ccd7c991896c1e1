/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64 with AVX-512 F, BW, DQ and VL. */
#include "vec_avx512.h"

#define GLS_THIS_ISA gls_kernels_avx512
#include "bodies.h"
