/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The debias divisor D(k) = 1 - beta^k against 128-bit arithmetic: the power by repeated squaring, then the
 * difference, which is another way to it than the library's.
 *
 * The reference is good enough: beta^k by squaring has a relative error of at most 2 k 2^-113, which matters
 * only while beta^k is not small, so for k up to a few times 1 / (1 - beta); against D it is then below
 * 2^-113 / (1 - beta) times a few, 2^-58 at the largest beta there is, and 2^-84 at 1 - 1e-8.
 *
 * Run it with --verbose=1 and without --tap to see the errors found: up to 1.11e-16, half an ulp.
 */
#include "debias.h"
#include "values.h"

#include <criterion/criterion.h>

#include <float.h>
#include <math.h>

#if LDBL_MANT_DIG == 113
typedef long double quad;
#else
__extension__ typedef __float128 quad;
#endif

/* What debias.h promises. */
static const double promised = 1.2e-16;

static const double betas[] = {0.1,      0.25,     1.0 / 3,    0.5,        0.7,        0.9,        0.95,
                               0.99,     0.995,    0.999,      0.9995,     0.9999,     0.99999,    0.999999,
                               1 - 1e-7, 1 - 3e-8, 1 - 1.7e-8, 1 - 1.1e-8, 1 - 1.3e-6, 1 - 7.7e-5, 1 - 1e-8};
enum { BETAS = sizeof betas / sizeof *betas };

static quad reference(double beta, uint64_t k) {
    quad power = 1, square = beta;
    for (; k; k >>= 1) {
        if (k & 1)
            power *= square;
        square *= square;
    }
    return 1 - power;
}

/* The largest error found, and where. */
typedef struct worst {
    double error, beta;
    uint64_t k;
} worst;

static void measure(double beta, uint64_t k, worst *w) {
    const quad exact = reference(beta, k);
    const quad difference = (quad)gls_debias(beta, k) - exact;
    const double error = (double)((difference < 0 ? -difference : difference) / exact);
    if (!(error <= w->error)) /* true for a NaN */
        *w = (worst){error, beta, k};
}

static void report(const char *what, const worst *w) {
    cr_log_info("debias, %s: largest relative error %.3g, at beta %.17g, k %llu", what, w->error, w->beta,
                (unsigned long long)w->k);
    cr_assert(w->error < promised, "%s: relative error %.3g at beta %.17g, k %llu; promised: below %g", what,
              w->error, w->beta, (unsigned long long)w->k, promised);
}

/* k of every magnitude up to 2^bits: with few binary digits set, with all, and any. */
static uint64_t any_count(uint64_t i, unsigned bits) {
    const uint64_t random = random_at(7, i);
    const unsigned length = 1 + (unsigned)(random % bits);
    const uint64_t all = (UINT64_C(1) << length) - 1, top = all / 2 + 1;
    switch (i % 4) {
    case 0:
        return all;
    case 1:
        return top | (UINT64_C(1) << (random >> 8) % length);
    default:
        return top | (random_at(8, i) & all);
    }
}

Test(debias, small_counts) {
    worst w = {0, 0, 0};
    for (int b = 0; b < BETAS; b++)
        for (uint64_t k = 1; k <= 3000; k++)
            measure(betas[b], k, &w);
    report("k up to 3000", &w);
}

Test(debias, counts_to_a_thousand_million) {
    worst w = {0, 0, 0};
    for (int b = 0; b < BETAS; b++) {
        for (uint64_t i = 0; i < 4000; i++)
            measure(betas[b], any_count(i, 30) % 1000000001u, &w);
        measure(betas[b], 1000000000, &w);
    }
    report("k up to 1e9", &w);
}

Test(debias, random_betas) {
    worst w = {0, 0, 0};
    for (uint64_t i = 0; i < 60000; i++) {
        const double below_one = ldexp(0.5 + (double)(random_at(9, i) >> 12) * 0x1p-53, -(int)(i % 27));
        measure(1 - below_one, any_count(i, 30), &w);
    }
    report("any beta from 0 to 1 - 1e-8", &w);
}

/* Far more steps than anybody makes, and betas to the last double below 1. */
Test(debias, huge_counts) {
    worst w = {0, 0, 0};
    for (uint64_t i = 0; i < 4000; i++)
        measure(betas[i % BETAS], any_count(i, 62), &w);
    for (uint64_t i = 0; i < 4000; i++)
        measure(1 - ldexp(1, -(int)(i % 54)), any_count(i, 62), &w);
    report("k up to 2^62", &w);
    cr_assert_eq(gls_debias(0.9, UINT64_MAX), 1.0);
}

Test(debias, ends) {
    for (int b = 0; b < BETAS; b++) {
        const volatile double one = 1 - betas[b];
        cr_assert_eq(gls_debias(betas[b], 0), 0.0);
        cr_assert_eq(gls_debias(betas[b], 1), one, "beta %.17g", betas[b]);
        cr_assert_eq(gls_debias(betas[b], UINT64_C(1) << 62), 1.0, "beta %.17g", betas[b]);
    }
    cr_assert_eq(gls_debias(0, 0), 0.0);
    for (uint64_t k = 1; k; k <<= 1)
        cr_assert_eq(gls_debias(0, k), 1.0);
}

/* Rounding may make neighbours equal, never turn them round. D never leaves (0, 1]. */
Test(debias, grows_with_the_count) {
    for (int b = 0; b < BETAS; b++) {
        double last = 0;
        for (uint64_t k = 1; k < UINT64_C(1) << 40; k += 1 + k / 1000) {
            const double d = gls_debias(betas[b], k);
            cr_assert(d > 0 && d <= 1, "D(%llu) is %.17g at beta %.17g", (unsigned long long)k, d, betas[b]);
            cr_assert(d >= last, "D(%llu) is %.17g after %.17g at beta %.17g", (unsigned long long)k, d, last,
                      betas[b]);
            last = d;
        }
    }
}
