/* SPDX-License-Identifier: Apache-2.0 */
/* bf16 is the upper half of a float: glissade/format.h. */
#include "bfloat.h"

#include <string.h>

void bfloat_round(uint16_t *halves, const float *values, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        uint32_t rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        uint32_t quiet = bits >> 16 | 0x40;
        halves[i] = (uint16_t)((bits & 0x7fffffff) > 0x7f800000 ? quiet : rounded);
    }
}

void bfloat_widen(float *values, const uint16_t *halves, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        uint32_t bits = (uint32_t)halves[i] << 16;
        memcpy(&values[i], &bits, sizeof bits);
    }
}
