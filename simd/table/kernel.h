/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library knows of the kernels: their arguments, the walk, and one table of function pointers per
 * instruction set. The only header of this folder that src/ may include.
 *
 * Kernels never dispatch, allocate, check or branch on options inside a loop. They touch no byte outside the
 * ranges that they are given, need no alignment beyond the element's, and give the same bits on every
 * instruction set.
 */
#ifndef GLS_SIMD_KERNEL_H
#define GLS_SIMD_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/*
 * The order in which a kernel visits its elements, and how far ahead it asks for them; neither changes a
 * result. With streams > 1 that many blocks of GLS_WALK_BLOCK elements are visited in turn, a few cache lines
 * at a time, which keeps as many pages of every array in the hardware prefetcher's sight. What is left at the
 * end, shorter than streams blocks, is walked straight. A straight walk with lead > 0 prefetches so many
 * elements ahead.
 */
typedef struct gls_walk {
    size_t streams; /* 1: straight */
    size_t lead; /* elements; 0: leave it to the hardware. Blocks visited in turn are never prefetched: what
                    lies ahead of their ends was visited already */
} gls_walk;

enum {
    GLS_WALK_BLOCK = 1024, /* elements: a page of floats */
    GLS_STREAMS_MAX = 16,
};

/* Scalars of one stochastic-gradient-descent step, named as in glissade/sgd.h. */
typedef struct gls_sgd_scalars {
    float s, weight_decay, momentum, kappa;
    float flush; /* smallest magnitude of state that is kept: FLT_MIN, or 0 to keep subnormals */
    float n1, n2;
    float minus_lambda, minus_eta;
} gls_sgd_scalars;

/* Sums of squares are taken by units of elements from a tensor's start, in so many lanes (squares.h). */
enum { GLS_SUM_UNIT = 256, GLS_SUM_LANES = 16 };

/* What a kernel that defers small gradients is given besides. The first element must start a unit. */
typedef struct gls_residual {
    float *r;     /* n elements */
    double *sums; /* written: for each unit the sum of the squares of s * gradient */
    float tau;    /* smallest magnitude that acts; 0: everything does */
} gls_residual;

/*
 * p, g, m: n elements each; m is not touched by kernels without momentum, residual not by those that do not
 * defer. Returns the number of elements that acted: n, or those that were not deferred.
 */
typedef size_t gls_sgd_kernel(const gls_sgd_scalars *scalars, float *p, float *g, float *m,
                              const gls_residual *residual, size_t n, const gls_walk *walk);

/* Writes +0 to n elements. */
typedef void gls_zero_kernel(float *x, size_t n);

/* Exclusive or of the bits of arrays[0 .. count - 1], n elements each, read side by side. */
enum { GLS_READ_ARRAYS_MAX = 4 };
typedef uint32_t gls_read_kernel(const float *const *arrays, size_t count, size_t n, const gls_walk *walk);

/* What an SGD kernel does, the coordinates of its place in the table. */
typedef enum gls_momentum {
    GLS_MOMENTUM_NONE,
    GLS_MOMENTUM_KEPT,       /* reads and writes m */
    GLS_MOMENTUM_NEW,        /* first update: m counts as +0 and is not read */
    GLS_MOMENTUM_UNDAMPENED, /* first update: m = g */
    GLS_MOMENTUM_COUNT
} gls_momentum;

typedef enum gls_decay { GLS_DECAY_NONE, GLS_DECAY_COUPLED, GLS_DECAY_DECOUPLED, GLS_DECAY_COUNT } gls_decay;

/* The kernels of one instruction set. */
typedef struct gls_kernels {
    /* [defers][momentum][nesterov][decay][zero gradient]; none defers whose momentum is UNDAMPENED */
    gls_sgd_kernel *sgd[2][GLS_MOMENTUM_COUNT][2][GLS_DECAY_COUNT][2];
    gls_zero_kernel *zero;
    gls_read_kernel *read;
} gls_kernels;

/* One table per instruction set in isas.def that this build holds. */
#define GLS_ISA(name, ...) extern const gls_kernels gls_kernels_##name;
#include "isas.def"
#undef GLS_ISA

#endif
