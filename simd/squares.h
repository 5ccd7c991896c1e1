/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of squares, taken beside an update: one double for each run of GLS_SUM_UNIT elements, which does not depend
 * on the instruction set or on the walk. Within a unit element i feeds lane i mod GLS_SUM_LANES by a fused
 * multiply-add in double precision, where the square of a float is exact; at its end lanes are folded l + 8, l + 4,
 * l + 2, l + 1.
 *
 * The lanes at work want to be registers: an update waits for the lines that it writes, and two more stores for each
 * of them cost it 4 %, although they never leave the first-level cache. Where several pages are walked in turn each
 * has a set of lanes of its own, put away while it is not visited.
 */
#ifndef GLS_SIMD_SQUARES_H
#define GLS_SIMD_SQUARES_H

#include "kernel.h"

_Static_assert(GLS_WALK_BLOCK % GLS_SUM_UNIT == 0, "a page that is walked in turn ends with a unit");

typedef struct gls_squares {
    vd now[GLS_SUM_LANES / VF_LANES];
    double away[GLS_STREAMS_MAX][GLS_SUM_LANES];
    double *sums; /* one a unit */
} gls_squares;

static VF_INLINE void gls_squares_clear(gls_squares *squares) {
    static const double zeros[VF_LANES];
    for (size_t i = 0; i < GLS_SUM_LANES / VF_LANES; i++)
        squares->now[i] = vd_load(zeros);
}

/* The lanes of a page, when it is turned to and when it is left. */
static VF_INLINE void gls_squares_enter(gls_squares *squares, size_t stream) {
    for (size_t i = 0; i < GLS_SUM_LANES / VF_LANES; i++)
        squares->now[i] = vd_load(squares->away[stream] + i * VF_LANES);
}

static VF_INLINE void gls_squares_leave(gls_squares *squares, size_t stream) {
    for (size_t i = 0; i < GLS_SUM_LANES / VF_LANES; i++)
        vd_store(squares->away[stream] + i * VF_LANES, squares->now[i]);
}

static VF_INLINE void gls_squares_start(gls_squares *squares, double *sums, const gls_walk *walk) {
    squares->sums = sums;
    gls_squares_clear(squares);
    for (size_t stream = 0; walk->streams > 1 && stream < walk->streams; stream++)
        gls_squares_leave(squares, stream);
}

/* Writes the sum of the unit that element i lies in, and clears its lanes for the next. */
static VF_INLINE void gls_squares_close(gls_squares *squares, size_t i) {
    double lanes[GLS_SUM_LANES];
    for (size_t part = 0; part < GLS_SUM_LANES / VF_LANES; part++)
        vd_store(lanes + part * VF_LANES, squares->now[part]);
    gls_squares_clear(squares);
    for (size_t lane = 0; lane < 8; lane++)
        lanes[lane] += lanes[lane + 8];
    for (size_t lane = 0; lane < 4; lane++)
        lanes[lane] += lanes[lane + 4];
    squares->sums[i / GLS_SUM_UNIT] = (lanes[0] + lanes[2]) + (lanes[1] + lanes[3]);
}

/* The last elements, from i on, +0 in the other lanes; then gls_squares_finish. */
static VF_INLINE void gls_squares_add_part(gls_squares *squares, size_t i, vf x) {
    vd *lanes = &squares->now[i % GLS_SUM_LANES / VF_LANES];
    *lanes = vd_add_squares(*lanes, x);
}

/* VF_LANES elements from i on, a multiple of VF_LANES. */
static VF_INLINE void gls_squares_add(gls_squares *squares, size_t i, vf x) {
    gls_squares_add_part(squares, i, x);
    if ((i + VF_LANES) % GLS_SUM_UNIT == 0)
        gls_squares_close(squares, i);
}

/* When all n elements were added. */
static VF_INLINE void gls_squares_finish(gls_squares *squares, size_t n) {
    if (n % GLS_SUM_UNIT)
        gls_squares_close(squares, n);
}

#endif
