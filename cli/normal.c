/* SPDX-License-Identifier: Apache-2.0 */
/* Normal deviates; normal.h names the source. */
#include "normal.h"

#include <math.h>

/* At least -1 and below 1, in steps of 2^-52. */
static double symmetric(struct random_source *random) {
    return (double)(random_bits(random) >> 11) * 0x1p-52 - 1.0;
}

void normal_fill(struct random_source *random, float *values, size_t count) {
    for (size_t i = 0; i < count; i += 2) {
        double u, v, square;
        do {
            u = symmetric(random);
            v = symmetric(random);
            square = u * u + v * v;
        } while (square >= 1.0 || square == 0.0);
        double stretch = sqrt(-2.0 * log(square) / square);
        values[i] = (float)(u * stretch);
        if (i + 1 < count)
            values[i + 1] = (float)(v * stretch);
    }
}
