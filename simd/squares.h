/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of squares, taken beside an update: one double for each run of GLS_SUM_UNIT elements, which does not depend
 * on the instruction set or on the walk. Within a unit element i feeds lane i mod GLS_SUM_LANES by a fused
 * multiply-add in double precision, where the square of a float is exact; at its end lanes are folded l + 8, l + 4,
 * l + 2, l + 1.
 *
 * The lanes live in memory, a set for each page that may be walked in turn: there are no registers for up to 16 sets,
 * and for one they gained nothing (AVX-512, data from memory, 0.916 of the floor either way).
 */
#ifndef GLS_SIMD_SQUARES_H
#define GLS_SIMD_SQUARES_H

#include "kernel.h"

_Static_assert((GLS_STREAMS_MAX & (GLS_STREAMS_MAX - 1)) == 0, "blocks take the sets of lanes by a mask");
_Static_assert(GLS_WALK_BLOCK % GLS_SUM_UNIT == 0, "a unit lies in one block");

typedef struct gls_squares {
    _Alignas(64) double lanes[GLS_STREAMS_MAX][GLS_SUM_LANES];
    size_t last_set; /* 0: one set serves, else all do */
    double *sums;    /* one a unit */
} gls_squares;

/* Clearing all sets would cost a tensor of a thousand elements as much as updating a tenth of it. */
static VF_INLINE void gls_squares_start(gls_squares *squares, double *sums, size_t n, const gls_walk *walk) {
    const int in_turn = walk->streams > 1 && n >= walk->streams * GLS_WALK_BLOCK;
    squares->last_set = in_turn ? GLS_STREAMS_MAX - 1 : 0;
    squares->sums = sums;
    for (size_t set = 0; set <= squares->last_set; set++)
        for (size_t lane = 0; lane < GLS_SUM_LANES; lane++)
            squares->lanes[set][lane] = 0;
}

/* The lanes of the block that element i lies in: up to GLS_STREAMS_MAX neighbours are walked in turn. */
static VF_INLINE double *gls_squares_lanes(gls_squares *squares, size_t i) {
    return squares->lanes[i / GLS_WALK_BLOCK & squares->last_set];
}

/* Writes the sum of the unit that element i lies in, and clears its lanes for the next. */
static VF_INLINE void gls_squares_close(gls_squares *squares, size_t i) {
    double *lanes = gls_squares_lanes(squares, i), folded[GLS_SUM_LANES];
    for (size_t lane = 0; lane < GLS_SUM_LANES; lane++) {
        folded[lane] = lanes[lane];
        lanes[lane] = 0;
    }
    for (size_t lane = 0; lane < 8; lane++)
        folded[lane] += folded[lane + 8];
    for (size_t lane = 0; lane < 4; lane++)
        folded[lane] += folded[lane + 4];
    squares->sums[i / GLS_SUM_UNIT] = (folded[0] + folded[2]) + (folded[1] + folded[3]);
}

/* VF_LANES elements from i on, a multiple of VF_LANES. */
static VF_INLINE void gls_squares_add(gls_squares *squares, size_t i, vf x) {
    vf_add_squares(gls_squares_lanes(squares, i) + i % GLS_SUM_LANES, x);
    if ((i + VF_LANES) % GLS_SUM_UNIT == 0)
        gls_squares_close(squares, i);
}

/* The last elements, from i on, +0 in the other lanes; and then n, when all n were added. */
static VF_INLINE void gls_squares_add_part(gls_squares *squares, size_t i, vf x) {
    vf_add_squares(gls_squares_lanes(squares, i) + i % GLS_SUM_LANES, x);
}

static VF_INLINE void gls_squares_finish(gls_squares *squares, size_t n) {
    if (n % GLS_SUM_UNIT)
        gls_squares_close(squares, n);
}

#endif
