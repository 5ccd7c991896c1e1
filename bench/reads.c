/* SPDX-License-Identifier: Apache-2.0 */
/* The reading loops of reads.h, on cache lines. Compiled once for each set of vector instructions, as loops.c is. */
#include "reads.h"

#include <string.h>

#include "own.h"

/* Of the widest registers that there are: GCC keeps wider vectors in memory, which takes twice as long as reading. */
#if defined(__AVX2__)
enum { LINE = 64, PART = 32 };
#else
enum { LINE = 64, PART = 16 };
#endif
typedef uint64_t bits __attribute__((vector_size(PART), aligned(4), may_alias));

/* Distances of walk.h, in floats. */
enum { NEAR = 192, STAGGER_FAR = 192, STAGGER_NEAR = 64 };

static inline bits line_at(const char *at) {
    bits all = {0};
    for (size_t i = 0; i < LINE; i += PART)
        all ^= *(const bits *)(const void *)(at + i);
    return all;
}

/* What lies there need not exist. */
static inline void ask(const char *at, size_t far, size_t near) {
    __builtin_prefetch((const void *)((uintptr_t)at + far), 0, 2);
    __builtin_prefetch((const void *)((uintptr_t)at + near), 0, 3);
}

static uint64_t fold(bits all) {
    uint64_t digest = 0;
    for (size_t i = 0; i < PART / sizeof digest; i++)
        digest ^= all[i];
    return digest;
}

/* What is left of a line. */
static uint64_t tail(const char *at, size_t bytes) {
    uint64_t digest = 0;
    for (; bytes >= sizeof digest; at += sizeof digest, bytes -= sizeof digest) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        digest ^= word;
    }
    for (; bytes; at++, bytes--)
        digest ^= (unsigned char)*at;
    return digest;
}

static uint64_t run(const char *at, size_t bytes, size_t lead) {
    bits even = {0}, odd = {0};
    size_t i = 0;
    if (lead)
        for (; bytes - i >= LINE; i += LINE) {
            ask(at + i, lead, NEAR * sizeof(float));
            even ^= line_at(at + i);
        }
    for (; bytes - i >= 2 * LINE; i += 2 * LINE) {
        even ^= line_at(at + i);
        odd ^= line_at(at + i + LINE);
    }
    if (bytes - i >= LINE) {
        even ^= line_at(at + i);
        i += LINE;
    }
    return fold(even ^ odd) ^ tail(at + i, bytes - i);
}

/* Blocks are read in so many steps, each a line of an array of bytes. What is smaller goes with the first. */
enum { STEPS = 64 };

/* lines: of one array in a step, a constant. */
static inline __attribute__((always_inline)) bits step_by(const char *at, size_t lines, size_t index,
                                                          size_t lead) {
    const size_t element = lines * LINE / STEPS;
    bits all = {0};
    for (size_t l = 0; l < lines; l++) {
        if (lead)
            ask(at + l * LINE, (lead + index * STAGGER_FAR) * element,
                (NEAR + index * STAGGER_NEAR) * element);
        all ^= line_at(at + l * LINE);
    }
    return all;
}

static inline __attribute__((always_inline)) bits step(const bench_span *span, size_t index, size_t block,
                                                       size_t i, size_t lead) {
    const size_t lines = span->block / (STEPS * LINE);
    const char *at = span->at + block * span->block + i * lines * LINE;
    switch (lines) {
    case 8:
        return step_by(at, 8, index, lead);
    case 4:
        return step_by(at, 4, index, lead);
    case 2:
        return step_by(at, 2, index, lead);
    case 1:
        return step_by(at, 1, index, lead);
    default:
        return i == 0 && span->block ? line_at(at) : (bits){0};
    }
}

static inline __attribute__((always_inline)) uint64_t beside_by(const bench_span *spans, size_t count,
                                                                size_t n, size_t streams, size_t lead) {
    bits all = {0};
    size_t block = 0;
    for (; n / BENCH_READ_BLOCK - block >= streams; block += streams)
        for (size_t i = 0; i < STEPS; i++)
            for (size_t stream = 0; stream < streams; stream++)
                for (size_t a = 0; a < count; a++)
                    all ^= step(&spans[a], a, block + stream, i, lead);
    uint64_t digest = fold(all);
    for (size_t a = 0; a < count; a++) {
        const size_t done = block * spans[a].block;
        digest ^= run(spans[a].at + done, spans[a].bytes - done, 0);
    }
    return digest;
}

static uint64_t beside(const bench_span *spans, size_t count, size_t n, size_t streams, size_t lead) {
    if (streams > 1)
        return beside_by(spans, count, n, streams, 0);
    return lead ? beside_by(spans, count, n, 1, lead) : beside_by(spans, count, n, 1, 0);
}

const bench_reads BENCH_OWN(bench_reads) = {.run = run, .beside = beside};
