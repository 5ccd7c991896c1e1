/* SPDX-License-Identifier: Apache-2.0 */
/* D(k) = 1 - beta^k, the divisor that undoes a moving average's start from zero. */
#ifndef GLS_DEBIAS_H
#define GLS_DEBIAS_H

#include <stdint.h>

/*
 * For beta in [0, 1) and every k, within half a unit in the last place but for the 2^-74 that the arithmetic
 * loses: relative error below 1.2e-16, where 1 - pow(beta, k) is off by 1.8e-12 at beta = 0.99999. And the
 * same bits on every machine, which pow and expm1 do not promise.
 *
 * D(1) = 1 - beta and D(a + b) = D(a) + (1 - D(a)) D(b), a sum of two positive terms, so that nothing
 * cancels. Read along the binary digits of k from the top: double, and add one where the digit is 1. In
 * double arithmetic the roundings of some sixty such joins add up to 2.1e-15, so it is done in integers, as
 * fractions of 127 bits.
 */
double gls_debias(double beta, uint64_t k);

#endif
