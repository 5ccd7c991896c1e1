/* SPDX-License-Identifier: Apache-2.0 */
/* The debias divisor (see debias.h). Uses neither libm nor floating point but for reading beta and writing D.
 */
#include "debias.h"

/* A number from 0 to 1 in units of 2^-127. */
__extension__ typedef unsigned __int128 fraction;

static const fraction one = (fraction)1 << 127;

/* Nearer to 1 than this D is 1 as a double, and only comes nearer. */
static const fraction certain = (fraction)1 << 72;

/* a b, rounded down: from the 64-bit halves' products, of which the lowest matters by its carry only. */
static fraction multiply(fraction a, fraction b) {
    const fraction a_low = (uint64_t)a, a_high = a >> 64, b_low = (uint64_t)b, b_high = b >> 64;
    const fraction low = a_low * b_low,
                   cross = a_high * b_low + (low >> 64); /* a_high, b_high <= 2^63: no overflow */
    const fraction middle = a_low * b_high + (uint64_t)cross;
    const fraction high = a_high * b_high + (cross >> 64) + (middle >> 64);
    return high << 1 | ((uint64_t)middle >> 63);
}

static fraction join(fraction a, fraction b) {
    return a + multiply(one - a, b);
}

double gls_debias(double beta, uint64_t k) {
    if (k == 0)
        return 0;
    /* Scaling by a power of two is exact; what a beta below 2^-75 loses here does not show in 1 - beta. */
    const fraction first = one - (fraction)(beta * 0x1p127);
    fraction d = first;
    for (int digit = 62 - __builtin_clzll(k); digit >= 0; digit--) {
        d = join(d, d);
        if (k >> digit & 1)
            d = join(d, first);
        if (one - d < certain)
            return 1;
    }
    return (double)d * 0x1p-127;
}
