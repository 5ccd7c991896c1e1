/* SPDX-License-Identifier: Apache-2.0 */
/* Pseudo-random numbers; random.h names the sources. Must not use libm, whose results differ by machine. */
#include "random.h"

static uint64_t splitmix64(uint64_t *state) {
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void random_seed(struct random_source *random, uint64_t seed, uint64_t stream) {
    uint64_t state = seed;
    state = splitmix64(&state) ^ stream;
    for (int i = 0; i < 4; ++i)
        random->state[i] = splitmix64(&state);
}

static uint64_t rotate_left(uint64_t value, int count) {
    return (value << count) | (value >> (64 - count));
}

uint64_t random_bits(struct random_source *random) {
    uint64_t *s = random->state;
    uint64_t result = rotate_left(s[0] + s[3], 23) + s[0];
    uint64_t shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotate_left(s[3], 45);
    return result;
}

uint32_t random_below(struct random_source *random, uint32_t bound) {
    uint64_t product = (random_bits(random) >> 32) * bound;
    if ((uint32_t)product < bound) {
        /* The first 2^32 mod bound products would make some results likelier than others. */
        uint32_t surplus = (UINT32_MAX - bound + 1) % bound;
        while ((uint32_t)product < surplus)
            product = (random_bits(random) >> 32) * bound;
    }
    return (uint32_t)(product >> 32);
}

float random_uniform(struct random_source *random, float low, float high) {
    return low + (high - low) * ((float)(random_bits(random) >> 40) * 0x1p-24f);
}

void random_shuffle(struct random_source *random, uint32_t *items, size_t count) {
    for (size_t i = count; i > 1; --i) {
        size_t other = random_below(random, (uint32_t)i);
        uint32_t kept = items[i - 1];
        items[i - 1] = items[other];
        items[other] = kept;
    }
}
