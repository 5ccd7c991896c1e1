/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading arrays and nothing else: of what the floor of a step is made. They know bytes, not number formats, so
 * that arrays of any are read together.
 */
#ifndef BENCH_READS_H
#define BENCH_READS_H

#include <stddef.h>
#include <stdint.h>

/* Elements that a span's `block` bytes hold: a cache line of the smallest array, the scales of 8-bit codes. */
enum { BENCH_READ_BLOCK = 4096 };

/* What a run of elements takes up in one array. */
typedef struct bench_span {
    const char *at;
    size_t bytes;
    size_t block;    /* bytes of BENCH_READ_BLOCK elements */
    uint32_t phases; /* bit by bit, which of the rule's passes read it */
} bench_span;

/* Both return the exclusive or of what was read, so that no compiler leaves it out. */
typedef struct bench_reads {
    /* From start to end, asking so many bytes ahead; 0: leave it to the hardware. */
    uint64_t (*run)(const char *at, size_t bytes, size_t lead);
    /* The spans of n elements side by side in the elements' order; of each `streams` blocks in turn; asking so
     * many elements ahead. */
    uint64_t (*beside)(const bench_span *spans, size_t count, size_t n, size_t streams, size_t lead);
} bench_reads;

extern const bench_reads bench_reads_baseline;
#if defined(__x86_64__)
extern const bench_reads bench_reads_avx2;
#endif

#endif
