/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions from a fuzzer's bytes. An input that has ended goes on with zeros. */
#ifndef FUZZ_INPUT_H
#define FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct input {
    const uint8_t *at;
    size_t left;
} input;

static inline uint8_t input_byte(input *it) {
    if (!it->left)
        return 0;
    it->left--;
    return *it->at++;
}

static inline uint32_t input_below(input *it, uint32_t bound) {
    return bound ? input_byte(it) % bound : 0;
}

static inline uint64_t input_word(input *it, int bytes) {
    uint64_t word = 0;
    for (int i = 0; i < bytes; i++)
        word |= (uint64_t)input_byte(it) << 8 * i;
    return word;
}

/* Fills `bytes` bytes. */
static inline void input_fill(input *it, void *out, size_t bytes) {
    for (size_t i = 0; i < bytes; i++)
        ((uint8_t *)out)[i] = input_byte(it);
}

/* A short text, zero-terminated, whose bytes need not be UTF-8. */
static inline const char *input_text(input *it, char out[16]) {
    const uint32_t length = input_below(it, 16);
    input_fill(it, out, length);
    out[length] = '\0';
    return out;
}

#endif
