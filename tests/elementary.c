/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elementary functions against long double arithmetic, at special values, at stored bit patterns, and under
 * foreign floating-point control.
 *
 * A long double has 64 bits on x86-64 and 113 on AArch64. With 64 the reference itself is off by up to about
 * 2^-63 of the result, 2^-10 ulp of a double, so the bound here is looser than what elementary.h states. That was
 * measured with 250 bits; run this with --verbose=1 and without --tap to see the errors found.
 */
#include "elementary.h"
#include "values.h"

#include <criterion/criterion.h>

#include <fenv.h>
#include <float.h>
#include <math.h>

/* In ulps: half a one for the last rounding, the rest for the reference. */
static const double promised = 0.503;

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double double_of(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Random number `index` of a sequence: from 0 to 1; from a to b; of any magnitude, subnormals included. */
static double unit_at(uint64_t seed, uint64_t index) {
    return (double)(random_at(seed, index) >> 11) * 0x1p-53;
}

static double between(double a, double b, uint64_t seed, uint64_t index) {
    return a + (b - a) * unit_at(seed, index);
}

static double any_positive(uint64_t seed, uint64_t index) {
    return double_of(1 + random_at(seed, index) % (bits_of(DBL_MAX) - 1));
}

/* 1 +- 2^-53 and farther off, every power of two alike. */
static double near_one(uint64_t seed, uint64_t index) {
    const double distance = exp2(between(-53, -1, seed, index));
    return random_at(seed + 1, index) & 1 ? 1 + distance : 1 - distance;
}

/* ---- errors ---- */

/* The largest error found, and where. */
typedef struct worst {
    double error, x, y;
} worst;

static void measure(double found, long double exact, double x, double y, worst *w) {
    if (fabsl(exact) >= 0x1.fffffffffffff8p1023L) {
        cr_assert(isinf(found) && signbit(found) == signbit(exact), "%.17g at %a, %a", found, x, y);
        return;
    }
    /* Only 0 has no exponent, and must be met exactly. */
    const int exponent = exact == 0 ? DBL_MIN_EXP - 1 : ilogbl(exact);
    const int ulp = exponent < DBL_MIN_EXP - 1 ? -1074 : exponent - 52;
    const double error = (double)ldexpl(fabsl((long double)found - exact), -ulp);
    if (!(error <= w->error)) /* true for a NaN */
        *w = (worst){error, x, y};
}

static void report(const char *what, const worst *w) {
    cr_log_info("%s: largest error %.6f ulp, at %a, %a", what, w->error, w->x, w->y);
    cr_assert(w->error < promised, "%s: error %.6f ulp at %a, %a; promised: below %g", what, w->error, w->x,
              w->y, promised);
}

enum { POINTS = 100000 };

Test(elementary, exponential) {
    worst w = {0};
    for (uint64_t i = 0; i < POINTS; i++) {
        const double x[] = {between(-745.5, 709.9, 1, i), between(-1, 1, 1, i),
                            exp2(between(-70, 0, 1, i)) * (i & 8 ? -1 : 1), between(-745.5, -708, 1, i)};
        measure(gls_exp(x[i % 4]), expl(x[i % 4]), x[i % 4], 0, &w);
    }
    report("exp", &w);
}

Test(elementary, logarithm) {
    worst w = {0};
    for (uint64_t i = 0; i < POINTS; i++) {
        const double x[] = {any_positive(2, i), between(0.5, 2, 2, i), near_one(2, i),
                            double_of(1 + random_at(2, i) % bits_of(DBL_MIN))};
        measure(gls_log(x[i % 4]), logl(x[i % 4]), x[i % 4], 0, &w);
    }
    report("log", &w);
}

/* Any results, results near the ends of what a double can hold, large powers of what is near 1, small ones. */
Test(elementary, power) {
    worst w = {0};
    for (uint64_t i = 0; i < POINTS; i++) {
        const double bases[] = {any_positive(3, i), near_one(3, i), between(0, 2, 3, i),
                                between(0.9, 1, 3, i)};
        const double x = bases[i % 4], scale = log(x);
        const double y = i % 8 < 4 && scale != 0 ? between(-745.5, 709.9, 5, i) / scale
                         : i % 4 == 3            ? (double)(random_at(5, i) % 7000)
                                                 : between(-10, 10, 5, i);
        measure(gls_pow(x, y), powl(x, y), x, y, &w);
    }
    report("pow", &w);
}

/* x = n / 2 + t, |t| <= 1/4, all exactly; sin and cos of pi t, exchanged and negated by n modulo 4. */
static void reference_circle(double x, long double *cosine, long double *sine) {
    const long double pi = 3.14159265358979323846264338327950288419716939937510L;
    const long double r = fmodl(x, 2), turns = roundl(2 * r), t = r - turns / 2;
    const long double c = cosl(pi * t), s = sinl(pi * t);
    const int n = ((int)turns + 4) % 4;
    const long double cosines[] = {c, -s, -c, s}, sines[] = {s, c, -s, -c};
    *cosine = cosines[n];
    *sine = sines[n];
}

Test(elementary, circle) {
    worst cosine = {0}, sine = {0};
    for (uint64_t i = 0; i < POINTS; i++) {
        const double sign = i & 8 ? -1 : 1;
        const double near = (double)(random_at(6, i) % 9) / 4, distance = exp2(between(-54, -2, 7, i));
        const double xs[] = {between(-2, 2, 7, i), near - sign * distance,
                             sign * exp2(between(-1074, 0, 7, i)), sign * any_positive(7, i)};
        const double x = xs[i % 4];
        long double exact_cosine, exact_sine;
        reference_circle(x, &exact_cosine, &exact_sine);
        measure(gls_cos_pi(x), exact_cosine, x, 0, &cosine);
        measure(gls_sin_pi(x), exact_sine, x, 0, &sine);
    }
    report("cos_pi", &cosine);
    report("sin_pi", &sine);
}

/* ---- exact values ---- */

#define SAME(call, expected)                                                                                 \
    do {                                                                                                     \
        const double found_ = (call), expected_ = (expected);                                                \
        cr_assert(isnan(expected_) ? isnan(found_) : bits_of(found_) == bits_of(expected_),                  \
                  "%s is %.17g, not %.17g", #call, found_, expected_);                                       \
    } while (0)

Test(elementary, special_values) {
    SAME(gls_exp(0), 1);
    SAME(gls_exp(-0.0), 1);
    SAME(gls_exp(NAN), NAN);
    SAME(gls_exp(INFINITY), INFINITY);
    SAME(gls_exp(-INFINITY), 0);
    SAME(gls_exp(DBL_MAX), INFINITY);
    SAME(gls_exp(-DBL_MAX), 0);
    SAME(gls_exp(709.79), INFINITY);
    SAME(gls_exp(-745.14), 0);
    SAME(gls_exp(DBL_TRUE_MIN), 1);
    SAME(gls_log(1), 0);
    SAME(gls_log(0), -INFINITY);
    SAME(gls_log(-0.0), -INFINITY);
    SAME(gls_log(-1), NAN);
    SAME(gls_log(-INFINITY), NAN);
    SAME(gls_log(NAN), NAN);
    SAME(gls_log(INFINITY), INFINITY);
    SAME(gls_cos_pi(0), 1);
    SAME(gls_cos_pi(NAN), NAN);
    SAME(gls_cos_pi(INFINITY), NAN);
    SAME(gls_cos_pi(DBL_TRUE_MIN), 1);
    SAME(gls_cos_pi(DBL_MAX), 1);
    SAME(gls_sin_pi(0), 0);
    SAME(gls_sin_pi(-0.0), -0.0);
    SAME(gls_sin_pi(NAN), NAN);
    SAME(gls_sin_pi(-INFINITY), NAN);
    SAME(gls_sin_pi(DBL_MAX), 0);
    SAME(gls_sin_pi(-DBL_MAX), -0.0);
    for (int n = -8; n <= 8; n++) {
        SAME(gls_cos_pi(n), n % 2 ? -1 : 1);
        SAME(gls_cos_pi(n + 0.5), 0);
        SAME(gls_sin_pi(n), n < 0 ? -0.0 : 0);
        SAME(gls_sin_pi(n + 0.5), n % 2 ? -1 : 1);
    }
}

/* C's pow, whose special values every libm gets right, but for what elementary.h says of negative x and of -0. */
Test(elementary, special_powers) {
    const double values[] = {0,       DBL_TRUE_MIN, 0.5, 1 - DBL_EPSILON / 2, 1, 1 + DBL_EPSILON, 2, 3, 1000,
                             DBL_MAX, INFINITY,     NAN};
    enum { VALUES = sizeof values / sizeof *values };
    for (int i = 0; i < VALUES; i++)
        for (int j = 0; j < 2 * VALUES; j++) {
            const double x = values[i], y = j < VALUES ? values[j] : -values[j - VALUES], c = pow(x, y);
            /* Elsewhere libm may round otherwise, to 1 for instance; `power` looks there. */
            if (c == 0 || x == 1 || y == 0 || !isfinite(c))
                cr_assert(isnan(c) ? isnan(gls_pow(x, y)) : bits_of(gls_pow(x, y)) == bits_of(c),
                          "pow(%g, %g) is %.17g, not %.17g", x, y, gls_pow(x, y), c);
        }
    SAME(gls_pow(-0.0, 3), 0);
    SAME(gls_pow(-0.0, -3), INFINITY);
    SAME(gls_pow(-1, 2), NAN);
    SAME(gls_pow(-2, NAN), NAN);
    SAME(gls_pow(-INFINITY, 2), NAN);
    SAME(gls_pow(-2, 0), 1);
}

/* Where the result is a double it must be that one. */
Test(elementary, exact_powers) {
    for (int n = -1074; n <= 1023; n++) {
        SAME(gls_pow(2, n), ldexp(1, n));
        SAME(gls_pow(0.5, -n), ldexp(1, n));
        if (n % 2 == 0)
            SAME(gls_pow(ldexp(1, n), 0.5), ldexp(1, n / 2));
    }
    for (int base = 1; base < 1000; base++) {
        long double power = 1;
        for (int n = 0; power < 0x1p53L; n++, power *= base) {
            SAME(gls_pow(base, n), (double)power);
            SAME(gls_pow(base * 0x1p-9, n), (double)ldexpl(power, -9 * n));
            if (base == 1 && n == 10)
                break;
        }
    }
    for (uint64_t i = 0; i < 1000; i++) {
        const double x = any_positive(8, i);
        SAME(gls_pow(x, 1), x);
    }
}

/* Rounding may make neighbours equal, never turn them round: the errors are far too small. */
Test(elementary, monotony) {
    for (uint64_t i = 0; i < 2000; i++) {
        double x = near_one(9, i), y = between(-700, 700, 9, i), z = between(0.01, 0.99, 9, i);
        for (int n = 0; n < 20; n++) {
            const double x_next = nextafter(x, 4), y_next = nextafter(y, 800), z_next = nextafter(z, 1);
            cr_assert(gls_log(x_next) >= gls_log(x), "log at %a", x);
            cr_assert(gls_pow(x_next, 3.7) >= gls_pow(x, 3.7), "pow at %a", x);
            cr_assert(gls_exp(y_next) >= gls_exp(y), "exp at %a", y);
            cr_assert(gls_cos_pi(z_next) <= gls_cos_pi(z), "cos at %a", z);
            cr_assert(gls_sin_pi(z_next / 2) >= gls_sin_pi(z / 2), "sin at %a", z / 2);
            x = x_next, y = y_next, z = z_next;
        }
    }
}

/* ---- the same bits everywhere ---- */

/* Rounded correctly from 300 bits by mpmath. */
static const struct known {
    double (*function)(double);
    double x;
    uint64_t bits;
} known[] = {
    {gls_exp, 1.0, 0x4005BF0A8B145769u},
    {gls_exp, -1.0, 0x3FD78B56362CEF38u},
    {gls_exp, 0.1, 0x3FF1AEC7B35A00D4u},
    {gls_exp, -0.5, 0x3FE368B2FC6F960Au},
    {gls_exp, 1e-10, 0x3FF000000006DF38u},
    {gls_exp, 709.782712893384, 0x7FEFFFFFFFFFFF2Au},
    {gls_exp, -708.5, 0x000E6CF6D08897ACu},
    {gls_exp, -744.0, 0x0000000000000002u},
    {gls_exp, -745.1332191019411, 0x0000000000000001u},
    {gls_exp, 88.7, 0x47EF4705BBFFAE5Cu},
    {gls_log, 2.0, 0x3FE62E42FEFA39EFu},
    {gls_log, 10.0, 0x40026BB1BBB55516u},
    {gls_log, 0.1, 0xC0026BB1BBB55515u},
    {gls_log, 0.75, 0xBFD269621134DB92u},
    {gls_log, 1.0000000000000002, 0x3CAFFFFFFFFFFFFFu},
    {gls_log, 0.9999999999999999, 0xBCA0000000000000u},
    {gls_log, 5e-324, 0xC0874385446D71C3u},
    {gls_log, 1.7976931348623157e+308, 0x40862E42FEFA39EFu},
    {gls_log, 1.4142135623730951, 0x3FD62E42FEFA39F0u},
    {gls_log, 1e-05, 0xC027069E2AA2AA5Bu},
    {gls_cos_pi, 0.1, 0x3FEE6F0E134454FFu},
    {gls_cos_pi, 0.25, 0x3FE6A09E667F3BCDu},
    {gls_cos_pi, 0.3333333333333333, 0x3FE0000000000000u},
    {gls_cos_pi, 0.49999999999999994, 0x3CA921FB54442D18u},
    {gls_cos_pi, 0.6, 0xBFD3C6EF372FE94Eu},
    {gls_cos_pi, 1.5000000000000002, 0x3CC921FB54442D18u},
    {gls_cos_pi, 1e-09, 0x3FF0000000000000u},
    {gls_cos_pi, 123456.789, 0xBFE93924EB2CEFF4u},
    {gls_sin_pi, 0.1, 0x3FD3C6EF372FE950u},
    {gls_sin_pi, 0.25, 0x3FE6A09E667F3BCDu},
    {gls_sin_pi, 0.3333333333333333, 0x3FEBB67AE8584CAAu},
    {gls_sin_pi, 1e-300, 0x01C0D4CAB14B6BC0u},
    {gls_sin_pi, -0.75, 0xBFE6A09E667F3BCDu},
    {gls_sin_pi, 0.9999999999999999, 0x3CB921FB54442D18u},
    {gls_sin_pi, 5e-324, 0x0000000000000003u},
    {gls_sin_pi, 123456.789, 0x3FE3B13EC1C8E465u},
};

static const struct known_power {
    double x, y;
    uint64_t bits;
} known_powers[] = {
    {2.0, 0.5, 0x3FF6A09E667F3BCDu},
    {0.9, 7000.0, 0x00000000000003F1u},
    {0.1, -3.3, 0x409F2D0C9C4B9256u},
    {0.999, 20.0, 0x3FEF5DB509CB1434u},
    {0.9999999999999999, 6e+18, 0x03DF62D04DD3D7E1u},
    {10.0, -323.0, 0x0000000000000002u},
    {0.5, 1074.0, 0x0000000000000001u},
    {3.0, 40.0, 0x43E517168A4523FDu},
    {1e+300, 1.02, 0x7F76C8E5CA239078u},
    {0.3, 0.5, 0x3FE186F174F88472u},
};

Test(elementary, known_bits) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        cr_assert_eq(bits_of(known[i].function(known[i].x)), known[i].bits, "line %zu: %a at %a, not %a", i,
                     known[i].function(known[i].x), known[i].x, double_of(known[i].bits));
    for (size_t i = 0; i < sizeof known_powers / sizeof *known_powers; i++) {
        const struct known_power *k = &known_powers[i];
        cr_assert_eq(bits_of(gls_pow(k->x, k->y)), k->bits, "line %zu: pow(%a, %a) is %a, not %a", i, k->x,
                     k->y, gls_pow(k->x, k->y), double_of(k->bits));
    }
}

/* All results for many arguments that themselves need no libm, folded into one word (FNV-1a by words). */
static uint64_t digest(void) {
    uint64_t sum = 0xCBF29CE484222325u;
    for (uint64_t i = 0; i < 40000; i++) {
        const double any = double_of(random_at(11, i)), near = between(0, 2, 12, i),
                     wide = between(-745, 709, 13, i);
        const double results[] = {gls_exp(wide),           gls_exp(near),         gls_log(any),
                                  gls_log(near),           gls_cos_pi(any),       gls_cos_pi(near),
                                  gls_sin_pi(any),         gls_sin_pi(near),      gls_pow(near, wide),
                                  gls_pow(near, near - 1), gls_pow(any, near / 8)};
        for (size_t j = 0; j < sizeof results / sizeof *results; j++)
            sum = (sum ^ bits_of(results[j])) * 0x100000001B3u;
    }
    return sum;
}

Test(elementary, digest_of_many) {
    const uint64_t found = digest(), expected = 0x32768A5643C452ADu;
    cr_assert_eq(found, expected, "0x%016llX", (unsigned long long)found);
}

/* Neither does rounding mode matter, nor is any flag raised. The arguments are made before the mode changes. */
Test(elementary, foreign_rounding) {
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (uint64_t i = 0; i < 3000; i++) {
        const double x = between(0.01, 3, 14, i), y = between(-9, 9, 15, i);
        const double expected[] = {gls_exp(y), gls_log(x), gls_pow(x, y), gls_cos_pi(y), gls_sin_pi(y)};
        for (size_t m = 0; m < sizeof modes / sizeof *modes; m++) {
            fesetround(modes[m]);
            feclearexcept(FE_ALL_EXCEPT);
            const double found[] = {gls_exp(y), gls_log(x), gls_pow(x, y), gls_cos_pi(y), gls_sin_pi(y)};
            const int raised = fetestexcept(FE_ALL_EXCEPT);
            fesetround(FE_TONEAREST);
            cr_assert(memcmp(found, expected, sizeof found) == 0, "at %a, %a", x, y);
            cr_assert_eq(raised, 0, "flags %d at %a, %a", raised, x, y);
        }
    }
}
