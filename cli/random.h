/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pseudo-random numbers whose sequence depends on the seed alone: not on the C library, not on the machine.
 *
 * Sources: xoshiro256++ 1.0 (Blackman and Vigna 2019), seeded by SplitMix64 (Steele, Lea and Flood 2014);
 * numbers below a bound by multiplication and rejection (Lemire 2019).
 */
#ifndef GLISSADE_CLI_RANDOM_H
#define GLISSADE_CLI_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random_source {
    uint64_t state[4];
};

/* `stream` separates uses of one seed, so that changing one (the data) leaves another (the order) alone. */
void random_seed(struct random_source *random, uint64_t seed, uint64_t stream);

uint64_t random_bits(struct random_source *random);

/* 0 to bound - 1, each equally likely; bound is not 0. */
uint32_t random_below(struct random_source *random, uint32_t bound);

/* At least low and below high, in steps of (high - low) / 2^24. */
float random_uniform(struct random_source *random, float low, float high);

/* Puts the items into an order drawn anew: Fisher and Yates's shuffle, by Durstenfeld's loop. */
void random_shuffle(struct random_source *random, uint32_t *items, size_t count);

#endif
