/* SPDX-License-Identifier: Apache-2.0 */
/* The debias divisor (see debias.h). Compiled without contraction, like everything: the bits depend on it. */
#include "debias.h"

static double join(double a, double b) {
    return a + (1 - a) * b;
}

double gls_debias(double beta, uint64_t k) {
    if (k == 0)
        return 0;
    const double one = 1 - beta;
    double d = one;
    for (int digit = 62 - __builtin_clzll(k); digit >= 0; digit--) {
        d = join(d, d);
        if (k >> digit & 1)
            d = join(d, one);
        if (d == 1)
            break; /* and so it stays */
    }
    return d;
}
