/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"), and floats rounded by its bits.
 * Knows no instruction set.
 *
 * A vector holds one word of VF_LANES consecutive blocks. Its lower halves serve VF_LANES consecutive elements and its
 * upper halves as many others, whatever the width, because a run gives element 16 j + l halfword j of block l.
 */
#ifndef GLS_SIMD_FORMAT_RANDOM_H
#define GLS_SIMD_FORMAT_RANDOM_H

#include "format_steps.h"

/* Two vectors of blocks go side by side where a run has them: each round waits for the one before (AVX2: 1.75 cycles an
 * element instead of 2.2; with the rounds unrolled 1.65). */
enum {
    PHILOX_ROUNDS = 10,
    PHILOX_WORDS = 4,
    RANDOM_BLOCKS = GLS_RANDOM_RUN / (2 * PHILOX_WORDS), /* of a run */
    RANDOM_VECTORS = RANDOM_BLOCKS / VF_LANES < 2 ? 1 : 2,
};

_Static_assert(RANDOM_BLOCKS % (RANDOM_VECTORS * VF_LANES) == 0, "vectors of blocks fill a run");

typedef struct philox_keys {
    vu rounds[PHILOX_ROUNDS][2];
} philox_keys;

typedef struct philox_words {
    vu w[PHILOX_WORDS];
} philox_words;

static VF_INLINE void philox_schedule(philox_keys *keys, const uint32_t *key) {
    for (uint32_t round = 0; round < PHILOX_ROUNDS; round++) {
        keys->rounds[round][0] = vu_set1(key[0] + round * 0x9E3779B9u);
        keys->rounds[round][1] = vu_set1(key[1] + round * 0xBB67AE85u);
    }
}

static VF_INLINE philox_words philox_round(const vu *keys, philox_words x) {
    vu high[2];
    const vu low0 = vu_mul(x.w[0], 0xD2511F53u, &high[0]), low1 = vu_mul(x.w[2], 0xCD9E8D57u, &high[1]);
    return (philox_words){
        {vu_xor(vu_xor(high[1], x.w[1]), keys[0]), low1, vu_xor(vu_xor(high[0], x.w[3]), keys[1]), low0}};
}

/* Nothing is added where that could make the largest finite values infinite, or where x is infinite. */
static VF_INLINE void random_step(uint16_t *to, const float *from, vu r) {
    const vf x = vf_load(from);
    const vf_mask rounds = vf_less(vf_abs(x), vf_of_bits(vu_set1(0x7F7F0000)));
    vu_store_high(to, format_rounded(x, vu_where(rounds, r)));
}

static VF_INLINE void random_words(uint16_t *to, const float *from, philox_words x) {
#pragma GCC unroll 4
    for (size_t w = 0; w < PHILOX_WORDS; w++) {
        const size_t low = 2 * w * RANDOM_BLOCKS, high = low + RANDOM_BLOCKS;
        random_step(to + low, from + low, vu_and(x.w[w], vu_set1(0xFFFF)));
        random_step(to + high, from + high, vu_right(x.w[w], 16));
    }
}

/* A run whose first Philox block is number `block`. */
static VF_INLINE void random_run(uint16_t *to, const float *from, const philox_keys *keys,
                                 philox_words counter, uint32_t block) {
    for (size_t first = 0; first < RANDOM_BLOCKS; first += RANDOM_VECTORS * VF_LANES) {
        philox_words x[RANDOM_VECTORS];
        for (size_t v = 0; v < RANDOM_VECTORS; v++) {
            x[v] = counter;
            x[v].w[0] = vu_add(vu_lanes(), vu_set1(block + (uint32_t)(first + v * VF_LANES)));
        }
#pragma GCC unroll 10
        for (int round = 0; round < PHILOX_ROUNDS; round++)
#pragma GCC unroll 2
            for (size_t v = 0; v < RANDOM_VECTORS; v++)
                x[v] = philox_round(keys->rounds[round], x[v]);
#pragma GCC unroll 2
        for (size_t v = 0; v < RANDOM_VECTORS; v++)
            random_words(to + first + v * VF_LANES, from + first + v * VF_LANES, x[v]);
    }
}

/* A last run that is short goes through memory of our own. */
static void narrow_bf16_random(uint16_t *to, const float *from, size_t n, const gls_random *random) {
    philox_keys keys;
    philox_schedule(&keys, random->key);
    philox_words counter = {{vu_lanes()}};
    for (int w = 1; w < PHILOX_WORDS; w++)
        counter.w[w] = vu_set1(random->counter[w - 1]);
    uint32_t block = random->block;
    size_t i = 0;
    for (; n - i >= GLS_RANDOM_RUN; i += GLS_RANDOM_RUN, block += RANDOM_BLOCKS)
        random_run(to + i, from + i, &keys, counter, block);
    if (i < n) {
        float last[GLS_RANDOM_RUN] = {0};
        uint16_t rounded[GLS_RANDOM_RUN];
        __builtin_memcpy(last, from + i, (n - i) * sizeof *from);
        random_run(rounded, last, &keys, counter, block);
        __builtin_memcpy(to + i, rounded, (n - i) * sizeof *to);
    }
}

#endif
