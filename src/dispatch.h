/* SPDX-License-Identifier: Apache-2.0 */
/* Which instruction sets this build holds, which this machine can run, and their kernels. */
#ifndef GLS_DISPATCH_H
#define GLS_DISPATCH_H

#include "glissade/engine.h"
#include "kernel.h"

/* The best available one. */
glissade_isa gls_dispatch_best(void);

/* The kernels of an instruction set that is built; NULL for others. */
const gls_kernels *gls_dispatch_kernels(glissade_isa isa);

#endif
