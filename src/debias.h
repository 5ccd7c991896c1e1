/* SPDX-License-Identifier: Apache-2.0 */
/* D(k) = 1 - beta^k, the divisor that undoes a moving average's start from zero. */
#ifndef GLS_DEBIAS_H
#define GLS_DEBIAS_H

#include <stdint.h>

/*
 * For beta in [0, 1) and k >= 0, with a relative error below 1e-15 for every k, where 1 - pow(beta, k) is off
 * by 1.8e-12 at beta = 0.99999; and with the same bits on every machine, which pow and expm1 do not promise.
 *
 * D(1) = 1 - beta and D(a + b) = D(a) + (1 - D(a)) D(b), a sum of two positive terms, so that nothing
 * cancels. Read along the binary digits of k from the top: double, and add one where the digit is 1.
 */
double gls_debias(double beta, uint64_t k);

#endif
