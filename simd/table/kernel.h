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

#include "formats.h"

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

/* Scalars of one stochastic-gradient-descent step, named as in glissade/sgd.h; flush is the smallest magnitude of
 * state that is kept: that of a normal number, or 0 to keep subnormals. For float arrays, and for double ones. */
typedef struct gls_sgd_scalars {
    float s, weight_decay, momentum, kappa, flush, n1, n2, minus_lambda, minus_eta;
} gls_sgd_scalars;
typedef struct gls_sgd_scalars_f64 {
    double s, weight_decay, momentum, kappa, flush, n1, n2, minus_lambda, minus_eta;
} gls_sgd_scalars_f64;

/* Sums of squares are taken by units of elements from a tensor's start, in so many lanes (squares.h). */
enum { GLS_SUM_UNIT = 256, GLS_SUM_LANES = 16 };

/* What a kernel that defers small gradients is given besides. The first element must start a unit. */
typedef struct gls_residual {
    float *r;     /* n elements */
    double *sums; /* written: for each unit the sum of the squares of s * gradient */
    float tau;    /* smallest magnitude that acts; 0: everything does */
} gls_residual;

/*
 * scalars: of the elements' type. p, g, m: n elements each; m is not touched by kernels without momentum, residual not by those that do not
 * defer. Returns the number of elements that acted: n, or those that were not deferred.
 */
typedef size_t gls_sgd_kernel(const void *scalars, void *p, void *g, void *m, const gls_residual *residual,
                              size_t n, const gls_walk *walk);

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

/* [defers][momentum][nesterov][decay][zero gradient]; none defers whose momentum is UNDAMPENED, or in double */
typedef gls_sgd_kernel *gls_sgd_kernels[2][GLS_MOMENTUM_COUNT][2][GLS_DECAY_COUNT][2];

/* ---- rules of the adaptive family ---- */

/* Every rule; `states` arrays are kept of each tensor between steps (rules.def). */
typedef enum gls_rule {
#define GLS_RULE(name, ...) GLS_RULE_##name,
#include "rules.def"
#undef GLS_RULE
    GLS_RULE_COUNT
} gls_rule;

enum { GLS_STATES_MAX = 4, GLS_SCALARS_MAX = 24 };

/* A rule's scalars in the order that its body names, in double and rounded once. */
typedef struct gls_scalars {
    double f64[GLS_SCALARS_MAX];
    float f32[GLS_SCALARS_MAX];
} gls_scalars;

/* Those that every rule has; its own follow. */
enum {
    GLS_SCALAR_S,            /* factor of the gradient */
    GLS_SCALAR_FLUSH,        /* smallest magnitude of state that is kept */
    GLS_SCALAR_COUPLED,      /* weight_decay if it is coupled, else 0 */
    GLS_SCALAR_MINUS_LAMBDA, /* -lambda if weight decay is decoupled, else 0 */
    GLS_SCALAR_MINUS_ETA,
    GLS_SCALAR_OWN
};

/* The arrays of one run, n elements each. */
typedef struct gls_operands {
    void *p, *g, *s[GLS_STATES_MAX];
} gls_operands;

typedef void gls_rule_kernel(const gls_scalars *scalars, const gls_operands *arrays, size_t n,
                             const gls_walk *walk);

/* The same, and writes for each unit from the first element on, which must start one, the sum of the squares of what the
 * rule measures (rules.def). */
typedef void gls_measure_kernel(const gls_scalars *scalars, const gls_operands *arrays, double *sums,
                                size_t n, const gls_walk *walk);

/* Of a rule either those that update, [cautious][zeroes the gradient], or those that measure, [cautious]. */
typedef struct gls_rule_kernels {
    gls_rule_kernel *update[GLS_RULE_COUNT][2][2];
    gls_measure_kernel *measure[GLS_RULE_COUNT][2];
} gls_rule_kernels;

/* ---- all of them ---- */

/*
 * Sums of the squares of n elements, one for each GLS_SUM_UNIT of them from the first on, which must start a unit.
 * Returns how many elements are not finite.
 */
typedef size_t gls_squares_kernel(double *sums, const void *x, size_t n, const gls_walk *walk);

/* The kernels of one instruction set. */
typedef struct gls_kernels {
    const gls_sgd_kernels *sgd;
    const gls_rule_kernels *rules;
    const gls_format_kernels *formats; /* none for double */
    gls_squares_kernel *squares;
    gls_zero_kernel *zero; /* none for double */
    gls_read_kernel *read; /* none for double */
} gls_kernels;

/* One table per instruction set in isas.def that this build holds; and for double arrays, the same everywhere. */
#define GLS_ISA(name, ...) extern const gls_kernels gls_kernels_##name;
#include "isas.def"
#undef GLS_ISA
extern const gls_kernels gls_kernels_f64;

#endif
