/* SPDX-License-Identifier: Apache-2.0 */
/* AArch64 Advanced SIMD, which every such processor has. */
#include "vec_neon.h"

#define GLS_THIS_ISA gls_kernels_neon
#include "bodies.h"
