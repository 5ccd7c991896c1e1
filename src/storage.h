/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a tensor's arrays are stored: which there are, in which number format, and where an element lies in them. What
 * every tensor has, floats at `p`, `g` and `m`, needs no record here.
 */
#ifndef GLS_STORAGE_H
#define GLS_STORAGE_H

#include "glissade/format.h"
#include "kernel.h"
#include "plan.h"

/* A tensor's arrays. */
typedef enum gls_array {
    GLS_ARRAY_PARAMETER,
    GLS_ARRAY_STATE, /* the first of GLS_STATES_MAX: momentum, first moment */
    GLS_ARRAY_STATE_LAST = GLS_ARRAY_STATE + GLS_STATES_MAX - 1,
    GLS_ARRAY_RESIDUAL,
    GLS_ARRAY_MASTER,
    GLS_ARRAY_COPY,
    GLS_ARRAY_AVERAGE,
    GLS_ARRAY_GRADIENT,
    GLS_ARRAY_COUNT
} gls_array;

static inline bool gls_array_is_state(gls_array array) {
    return array >= GLS_ARRAY_STATE && array <= GLS_ARRAY_STATE_LAST;
}

typedef enum gls_format {
    GLS_F32,
    GLS_BF16,
    GLS_F16,
    GLS_F64,
    GLS_LOW16,       /* low halves of split floats */
    GLS_BF16_RANDOM, /* rounded stochastically */
    GLS_Q8           /* codes, padded to a multiple of 4 bytes, then scales of 4 bytes */
} gls_format;

/* Numbers that a rule keeps of each tensor between steps, beside its counts. */
enum { GLS_NUMBERS_MAX = 2 };

/* Of a tensor that is not floats alone, or whose rule keeps more than one array. */
typedef struct gls_storage {
    void *states[GLS_STATES_MAX - 1]; /* from the second on */
    void *master, *copy, *average;
    double numbers[GLS_NUMBERS_MAX];
    size_t columns;                   /* of a matrix; 0: a vector */
    double *factor_sums;              /* of a factored tensor's rows and columns, in the pass under way */
    bool factored;                    /* the first state is the averages of rows and columns (factors.h) */
    glissade_master mastered;         /* what `master` is */
    uint32_t stream;                  /* the tensor's number in the counters of stochastic rounding */
    uint8_t formats[GLS_ARRAY_COUNT]; /* gls_format */
    bool fresh_master, fresh_average; /* made a moment ago, value still to come */
    bool staged; /* not all arrays that a kernel works on are floats, or others depend on them */
} gls_storage;

/* "parameter", "momentum", ... */
const char *gls_array_name(gls_array array);

/* Bytes of n elements; and of one, 0 where elements share bytes. */
size_t gls_format_bytes(gls_format format, size_t n);
size_t gls_format_element(gls_format format);
/* Addresses must be multiples of this. */
size_t gls_format_alignment(gls_format format);

/* Where a range of a tensor's n elements lies in an array: up to two runs of bytes. The range starts at a multiple of
 * GLS_CUT_UNIT. */
typedef struct gls_span {
    size_t offset, bytes;
} gls_span;
uint32_t gls_format_spans(gls_format format, size_t n, gls_range range, gls_span spans[2]);

/* Scales of 8-bit codes. */
static inline float *gls_scales_of(void *codes, size_t n) {
    return (float *)(void *)((char *)codes + (n + 3) / 4 * 4);
}

#endif
