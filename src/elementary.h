/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exp, log, pow, cos and sin in double, the same bits on every machine, which libm does not promise: its results
 * change with version and CPU. Schedules and hyperparameters use these and no other.
 *
 * Integer arithmetic throughout: no floating-point operation, so neither rounding mode, flushed subnormals,
 * contraction nor compiler can change a result, no exception flag is raised and errno stays. A call takes some
 * 0.1 to 0.3 us: they are for what is computed once a step, not once an element.
 *
 * Errors, in ulps of the exact result, subnormal results included; 0.5 is what the last rounding alone makes. The
 * bounds are derived in elementary.c; measured are 10^6 arguments each, chosen for hardness, in 250-bit arithmetic:
 *
 *                 derived, below      found
 *     gls_exp     0.5 + 2^-51         0.4999993
 *     gls_log     0.5 + 2^-17         0.5 + 3e-10
 *     gls_pow     0.5 + 2^-8          0.5 (results that lie half-way, such as 0.875^19)
 *     gls_cos_pi  0.5 + 2^-52         0.4999997
 *     gls_sin_pi  0.5 + 2^-52         0.49999996
 *
 * Every NaN returned is the default quiet one.
 */
#ifndef GLS_ELEMENTARY_H
#define GLS_ELEMENTARY_H

/* e^x. NaN for NaN, +0 for -infinity, infinity for infinity; overflows to infinity, underflows through subnormals
 * to +0. */
double gls_exp(double x);

/* The natural logarithm. NaN for NaN and for x < 0, -infinity for +0 and -0, infinity for infinity, +0 for 1. */
double gls_log(double x);

/*
 * x^y for x >= 0; a -0 counts as +0. What C's pow says for such x:
 *   1 for y = 0 and for x = 1, also if the other is NaN; else NaN if one is;
 *   x = 0: +0 for y > 0, infinity for y < 0;  x infinite: infinity for y > 0, +0 for y < 0;
 *   y infinite: infinity or +0, by whether x > 1 and the sign of y.
 * NaN for x < 0, unlike pow also if y is an integer. Overflows to infinity, underflows through subnormals to +0.
 */
double gls_pow(double x, double y);

/*
 * cos(pi x) and sin(pi x), where pi is not rounded: exact at every multiple of 1/2, and however large x is. NaN
 * for NaN and infinities. cos(pi (n + 1/2)) is +0; sin(pi n) is a zero of the sign of n.
 */
double gls_cos_pi(double x);
double gls_sin_pi(double x);

#endif
