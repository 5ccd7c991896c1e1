/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GLS_WALK(n, walk, whole, part, ahead): visits elements 0 to n - 1, each once. whole(i) handles VF_LANES
 * elements from i, part(i, left) the last left < VF_LANES of them, ahead(i, lead) prefetches for a cache line
 * that starts at i; what it names may lie past the end. All three are macros of the including body.
 *
 * On data that comes from memory the step's speed is the number of lines that the core keeps in flight, and
 * the hardware prefetchers follow one stream a page. Visiting several pages in turn gives them several
 * streams of every array (0.87 to 0.90 of a straight walk's time on Ice Lake). Where the prefetchers cross
 * pages by themselves that costs (1.08 on Granite Rapids), and asking ahead pays instead: 0.93 by one request
 * a line, far ahead, into the second-level cache; 0.90 if the arrays' requests are staggered, because lines
 * at one offset of several pages contend for the same sets; 0.87 with a second request, near, into the first
 * level, for ownership where the line will be written. Two lines a visit, because the adjacent-line
 * prefetcher fetches lines in pairs.
 */
#ifndef GLS_SIMD_WALK_H
#define GLS_SIMD_WALK_H

#include "kernel.h"

enum {
    GLS_WALK_LINE = 16,  /* elements of a cache line of 64 bytes */
    GLS_WALK_VISIT = 32, /* elements of a visit: two lines */
    GLS_WALK_NEAR = 192, /* elements that near requests are ahead */
    GLS_WALK_STAGGER_FAR =
        192, /* elements by which one array's far requests are ahead of those before, ... */
    GLS_WALK_STAGGER_NEAR = 64, /* ... and its near ones */
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
                ahead(walk_i, walk_lead);                                                                    \
                for (size_t walk_lane = 0; walk_lane < GLS_WALK_LINE; walk_lane += VF_LANES)                 \
                    whole(walk_i + walk_lane);                                                               \
            }                                                                                                \
        if (walk_lead && walk_i < walk_n)                                                                    \
            ahead(walk_i, walk_lead); /* or the next tensor would miss this line */                          \
        for (; walk_n - walk_i >= VF_LANES; walk_i += VF_LANES)                                              \
            whole(walk_i);                                                                                   \
        if (walk_i < walk_n)                                                                                 \
            part(walk_i, walk_n - walk_i);                                                                   \
    } while (0)

/* Asks for the lines of x, the array-th of those walked together, that will be wanted in a while and soon.
 * They need not exist, so no pointer to them is formed. */
static inline __attribute__((always_inline)) void gls_prefetch(const vf_element *x, size_t i, size_t lead,
                                                               size_t array, int written) {
    const uintptr_t far = (uintptr_t)x + (i + lead + array * GLS_WALK_STAGGER_FAR) * sizeof *x;
    const uintptr_t near = (uintptr_t)x + (i + GLS_WALK_NEAR + array * GLS_WALK_STAGGER_NEAR) * sizeof *x;
    __builtin_prefetch((const void *)far, 0, 2);
    if (written)
        __builtin_prefetch((const void *)near, 1, 3);
    else
        __builtin_prefetch((const void *)near, 0, 3);
}

#endif
