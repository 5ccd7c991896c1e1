/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GLS_WALK(n, walk, whole, part): visits elements 0 to n - 1, each once. whole(i) handles VF_LANES elements
 * from i, part(i, left) the last left < VF_LANES of them. Both are macros or functions of the including body.
 *
 * On data that comes from memory the step's speed is the number of lines that the core keeps in flight, and
 * the hardware prefetchers follow one stream a page: visiting several pages in turn gives them several
 * streams of every array. Two lines a visit, because the adjacent-line prefetcher fetches lines in pairs.
 */
#ifndef GLS_SIMD_WALK_H
#define GLS_SIMD_WALK_H

#include "kernel.h"

enum { GLS_WALK_VISIT = 32 }; /* elements: two lines of 64 bytes */

#define GLS_WALK(n, walk, whole, part)                                                                       \
    do {                                                                                                     \
        size_t walk_i = 0;                                                                                   \
        const size_t walk_n = (n), walk_streams = (walk)->streams;                                           \
        if (walk_streams > 1)                                                                                \
            for (; walk_n - walk_i >= walk_streams * GLS_WALK_BLOCK;                                         \
                 walk_i += walk_streams * GLS_WALK_BLOCK)                                                    \
                for (size_t walk_line = 0; walk_line < GLS_WALK_BLOCK; walk_line += GLS_WALK_VISIT)          \
                    for (size_t walk_stream = 0; walk_stream < walk_streams; walk_stream++)                  \
                        for (size_t walk_lane = 0; walk_lane < GLS_WALK_VISIT; walk_lane += VF_LANES)        \
                            whole(walk_i + walk_stream * GLS_WALK_BLOCK + walk_line + walk_lane);            \
        for (; walk_n - walk_i >= VF_LANES; walk_i += VF_LANES)                                              \
            whole(walk_i);                                                                                   \
        if (walk_i < walk_n)                                                                                 \
            part(walk_i, walk_n - walk_i);                                                                   \
    } while (0)

#endif
