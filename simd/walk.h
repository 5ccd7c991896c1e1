/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GLS_WALK(n, walk, whole, part, ahead): visits elements 0 to n - 1, each once. whole(i) handles VF_LANES
 * elements from i, part(i, left) the last left < VF_LANES of them, ahead(i) prefetches the line of element i
 * of every array, which may lie past the end. All three are macros of the including body.
 *
 * On data that comes from memory the step's speed is the number of lines that the core keeps in flight, and
 * the hardware prefetchers follow one stream a page. Visiting several pages in turn gives them several
 * streams of every array (0.87 to 0.90 of a straight walk's time on Ice Lake); where the prefetchers cross
 * pages by themselves that costs (1.08 on Granite Rapids) and asking ahead pays instead (0.93). Two lines a
 * visit, because the adjacent-line prefetcher fetches lines in pairs.
 */
#ifndef GLS_SIMD_WALK_H
#define GLS_SIMD_WALK_H

#include "kernel.h"

enum {
    GLS_WALK_LINE = 16,  /* elements of a cache line of 64 bytes */
    GLS_WALK_VISIT = 32, /* elements of a visit: two lines */
};

#define GLS_WALK(n, walk, whole, part, ahead)                                                                \
    do {                                                                                                     \
        size_t walk_i = 0;                                                                                   \
        const size_t walk_n = (n), walk_streams = (walk)->streams, walk_lead = (walk)->lead;                 \
        if (walk_streams > 1)                                                                                \
            for (; walk_n - walk_i >= walk_streams * GLS_WALK_BLOCK;                                         \
                 walk_i += walk_streams * GLS_WALK_BLOCK)                                                    \
                for (size_t walk_line = 0; walk_line < GLS_WALK_BLOCK; walk_line += GLS_WALK_VISIT)          \
                    for (size_t walk_stream = 0; walk_stream < walk_streams; walk_stream++)                  \
                        for (size_t walk_lane = 0; walk_lane < GLS_WALK_VISIT; walk_lane += VF_LANES)        \
                            whole(walk_i + walk_stream * GLS_WALK_BLOCK + walk_line + walk_lane);            \
        if (walk_lead)                                                                                       \
            for (; walk_n - walk_i >= GLS_WALK_LINE; walk_i += GLS_WALK_LINE) {                              \
                ahead(walk_i + walk_lead);                                                                   \
                for (size_t walk_lane = 0; walk_lane < GLS_WALK_LINE; walk_lane += VF_LANES)                 \
                    whole(walk_i + walk_lane);                                                               \
            }                                                                                                \
        for (; walk_n - walk_i >= VF_LANES; walk_i += VF_LANES)                                              \
            whole(walk_i);                                                                                   \
        if (walk_i < walk_n)                                                                                 \
            part(walk_i, walk_n - walk_i);                                                                   \
    } while (0)

/* Asks for the line of x[i] to be brought into the second-level cache; x[i] need not exist, so no pointer to
 * it is formed. */
static inline __attribute__((always_inline)) void gls_prefetch(const float *x, size_t i) {
    __builtin_prefetch((const void *)((uintptr_t)x + i * sizeof *x), 0, 2);
}

#endif
