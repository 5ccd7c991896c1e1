/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elementary functions in integer arithmetic (see elementary.h). Each reduces its argument exactly, or with an error
 * far below what matters, sums a power series in fractions of 127 bits, and rounds once.
 *
 * The series are the plain Taylor series. Minimax polynomials would save a third of the terms, and in exchange
 * their coefficients would be numbers that nobody can check by looking; here all are inverses of integers. Terms
 * are carried until what is cut off lies below 2^-100. A product is rounded down to 2^-127, so a Horner scheme of
 * n steps with at most three products each loses less than 2^-120.
 */
#include "elementary.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A number from 0 to below 2 in units of 2^-127, or of what a comment says. */
__extension__ typedef unsigned __int128 fraction;
__extension__ typedef __int128 signed_fraction;

#define ONE        ((fraction)1 << 127)
#define WORD(a, b) ((fraction)(a) << 64 | (b))

/* To the nearest unit, from 400 bits: nint(ln 2 * 2^116), nint(pi / 4 * 2^127). */
#define LN_2       WORD(0x000B17217F7D1CF7, 0x9ABC9E3B39803F2F)
#define QUARTER_PI WORD(0x6487ED5110B4611A, 0x62633145C06E0E69)

#define FOUR_INVERSES(n) ONE / (n), ONE / (n + 1), ONE / (n + 2), ONE / (n + 3)

/* 1 / n, the coefficients of all series. */
static const fraction inverse[] = {0,
                                   FOUR_INVERSES(1),
                                   FOUR_INVERSES(5),
                                   FOUR_INVERSES(9),
                                   FOUR_INVERSES(13),
                                   FOUR_INVERSES(17),
                                   FOUR_INVERSES(21),
                                   FOUR_INVERSES(25),
                                   FOUR_INVERSES(29),
                                   FOUR_INVERSES(33),
                                   FOUR_INVERSES(37),
                                   ONE / 41};

/* digits 2^exponent, negated if `negative`. */
typedef struct real {
    bool negative;
    fraction digits;
    int exponent;
} real;

/* ---- doubles taken apart and put together ---- */

enum { FIELD_MAX = 2047, BIAS = 1023, EXPONENT_MIN = -1022 };

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

static const uint64_t sign_bit = UINT64_C(1) << 63, infinity_bits = (uint64_t)FIELD_MAX << 52;

static double infinity(void) {
    return double_of(infinity_bits);
}

static double not_a_number(void) {
    return double_of(infinity_bits | UINT64_C(1) << 51);
}

static uint64_t magnitude(double x) {
    return bits_of(x) & ~sign_bit;
}

static bool is_nan(double x) {
    return magnitude(x) > infinity_bits;
}

static bool is_negative(double x) {
    return bits_of(x) & sign_bit;
}

/* Shifts the digits up until the first bit is set; they must not be 0. */
static real normalized(real x) {
    const uint64_t high = (uint64_t)(x.digits >> 64);
    const int zeros = high ? __builtin_clzll(high) : 64 + __builtin_clzll((uint64_t)x.digits);
    x.digits <<= zeros;
    x.exponent -= zeros;
    return x;
}

/* A finite double other than 0, with normalized digits, of which the last 75 are 0. */
static real take_apart(double x) {
    const uint64_t bits = magnitude(x), field = bits >> 52;
    const uint64_t significand = field ? (bits & (~UINT64_C(0) >> 12)) | UINT64_C(1) << 52 : bits;
    return normalized((real){is_negative(x), significand, (field ? (int)field : 1) - BIAS - 52});
}

/* The nearest double, of two the even one. */
static double put_together(real x) {
    const uint64_t sign = x.negative ? sign_bit : 0;
    if (!x.digits)
        return double_of(sign);
    x = normalized(x);
    const int power = x.exponent + 127; /* |x| is at least 2^power, and below twice that */
    if (power > BIAS)
        return double_of(sign | infinity_bits);
    const int dropped = 75 + (power < EXPONENT_MIN ? EXPONENT_MIN - power : 0);
    if (dropped > 128)
        return double_of(sign);
    const uint64_t kept = dropped < 128 ? (uint64_t)(x.digits >> dropped) : 0;
    const fraction rest = x.digits << (128 - dropped), half = ONE; /* dropped digits, moved to the top */
    const bool up = rest > half || (rest == half && kept & 1);
    /* The significand's leading bit adds 1 to the field, and a carry out of the significand does, too. */
    const uint64_t field = power < EXPONENT_MIN ? 0 : (uint64_t)(power + BIAS - 1);
    return double_of(sign | ((field << 52) + kept + up));
}

/* ---- arithmetic ---- */

/* a b, rounded down; it must be below 2. The lowest of the four products of halves matters by its carry only. */
static fraction multiply(fraction a, fraction b) {
    const fraction a_low = (uint64_t)a, a_high = a >> 64, b_low = (uint64_t)b, b_high = b >> 64;
    const fraction low = a_low * b_low, cross = a_high * b_low + (low >> 64);
    const fraction middle = a_low * b_high + (uint64_t)cross;
    const fraction high = a_high * b_high + (cross >> 64) + (middle >> 64);
    return high << 1 | ((uint64_t)middle >> 63);
}

/* digits 2^by, rounded down; bits that leave at the top are lost. */
static fraction shifted(fraction digits, int by) {
    if (by >= 0)
        return by < 128 ? digits << by : 0;
    return by > -128 ? digits >> -by : 0;
}

/* ---- exponential and logarithm ---- */

/*
 * e^z, with z in units of 2^-116 and |z| below 2^11. z = k ln 2 + r with r in [0, ln 2), so the result is e^r
 * 2^k, and e^r = 1 + r (1 + r/2 (1 + r/3 (...))) needs no shift: it lies in [1, 2). The 28th term would be below
 * 2^-107; r is off by k 2^-117, below 2^-106 where the result is finite and not 0.
 */
static double exponential(bool negative, fraction z) {
    const signed_fraction value = negative ? -(signed_fraction)z : (signed_fraction)z;
    const int64_t inverse_ln_2 = 94548; /* 2^16 / ln 2, good for a quotient within 1 */
    int64_t k = (int64_t)(value >> 84) * inverse_ln_2 >> 48;
    signed_fraction r = value - k * (signed_fraction)LN_2;
    if (r < 0) {
        k--;
        r += (signed_fraction)LN_2;
    } else if (r >= (signed_fraction)LN_2) {
        k++;
        r -= (signed_fraction)LN_2;
    }
    const fraction argument = (fraction)r << 11;
    fraction sum = ONE;
    for (int n = 27; n >= 1; n--)
        sum = ONE + multiply(multiply(argument, inverse[n]), sum);
    return put_together((real){false, sum, (int)k - 127});
}

/*
 * ln x for x > 0. x = m 2^e with m from sqrt(1/2) to sqrt(2); ln m = 2 artanh s, s = (m - 1) / (m + 1), and
 * artanh s = s (1 + s^2/3 + s^4/5 + ...). |s| is at most 0.172: the term s^42/43 is below 2^-112. Where e = 0 the
 * result may be small, but s is not below 2^-54 (unless it is 0) and rounded to 2^-127: relative error below 2^-71.
 * Where e is not 0 the result is at least ln(2)/2, and off by less than e 2^-117 + 2^-115: below 2^-105 of it.
 */
static real logarithm(real x) {
    const uint64_t m = (uint64_t)(x.digits >> 75); /* 53 bits */
    const bool halve = m > 0x16A09E667F3BCC;       /* sqrt(2) 2^52, rounded down */
    const uint64_t unit = UINT64_C(1) << (halve ? 53 : 52);
    const int e = x.exponent + 127 + halve;
    const bool below = m < unit;
    const uint64_t numerator = below ? unit - m : m - unit, denominator = m + unit;

    /* 127 bits of the quotient, in two divisions. */
    const fraction wide = (fraction)numerator << 64;
    const fraction high = wide / denominator, rest = wide % denominator;
    const fraction s = (high << 63) + (rest << 63) / denominator, square = multiply(s, s);
    fraction sum = inverse[41];
    for (int n = 39; n >= 1; n -= 2)
        sum = inverse[n] + multiply(square, sum);
    const fraction half = multiply(s, sum); /* of |ln m| */
    if (e == 0)
        return (real){below, half, -126};

    const signed_fraction ln_m = (signed_fraction)(half >> 10); /* in units of 2^-116 */
    const signed_fraction total = e * (signed_fraction)LN_2 + (below ? -ln_m : ln_m);
    return (real){total < 0, (fraction)(total < 0 ? -total : total), -116};
}

/* The bits of a number from its normalized digits, in units of 2^-116. From 2^11 on (*large) there is no room. */
static fraction in_units(real x, bool *large) {
    const int by = x.exponent + 116;
    *large = by > -1;
    return *large ? 0 : shifted(x.digits, by);
}

static double overflow_or_underflow(bool negative) {
    return negative ? 0 : infinity();
}

double gls_exp(double x) {
    if (is_nan(x))
        return not_a_number();
    if (magnitude(x) == 0)
        return 1;
    if (magnitude(x) == infinity_bits)
        return overflow_or_underflow(is_negative(x));
    bool large;
    const fraction z = in_units(take_apart(x), &large);
    return large ? overflow_or_underflow(is_negative(x)) : exponential(is_negative(x), z);
}

double gls_log(double x) {
    if (magnitude(x) == 0)
        return double_of(sign_bit | infinity_bits);
    if (is_nan(x) || is_negative(x))
        return not_a_number();
    if (magnitude(x) == infinity_bits)
        return infinity();
    return put_together(logarithm(take_apart(x)));
}

/* x^y where C's pow needs no arithmetic; true if that is so. */
static bool special_power(double x, double y, double *power) {
    const uint64_t one = bits_of(1.0);
    if (magnitude(y) == 0 || bits_of(x) == one)
        *power = 1;
    else if (is_nan(x) || is_nan(y) || (is_negative(x) && magnitude(x) != 0))
        *power = not_a_number();
    else if (magnitude(x) == 0 || magnitude(x) == infinity_bits || magnitude(y) == infinity_bits)
        *power = overflow_or_underflow((magnitude(x) < one) != is_negative(y));
    else
        return false;
    return true;
}

/*
 * e^(y ln x). The product has the logarithm's relative error, below 2^-71 where x is near 1 and below 2^-105
 * elsewhere. It is at most 745, so its error, which is the relative error of the result, stays below 2^-61; one
 * that is cut at 2^-116 adds nothing. A relative error of 2^-61 is at most 2^-8 ulp.
 */
double gls_pow(double x, double y) {
    double power;
    if (special_power(x, y, &power))
        return power;
    const real ln_x = normalized(logarithm(take_apart(x))), factor = take_apart(y);
    const bool negative = ln_x.negative != factor.negative;
    /* Of factors in [1, 2) one is halved, so that the product is below 2. */
    const fraction product = multiply(ln_x.digits, factor.digits >> 1);
    bool large;
    const fraction z = in_units((real){negative, product, ln_x.exponent + factor.exponent + 128}, &large);
    return large ? overflow_or_underflow(negative) : exponential(negative, z);
}

/* ---- cosine and sine ---- */

/* w in units of 2^-126, from 0 to 1/4, times pi. */
static fraction times_pi(fraction w) {
    return multiply(QUARTER_PI, w << 3);
}

/* cos a = 1 - a^2/(1 2) (1 - a^2/(3 4) (1 - ...)) for a up to pi/4: the next term would be below 2^-107. */
static real cosine(bool negative, fraction w) {
    const fraction a = times_pi(w), square = multiply(a, a);
    fraction sum = ONE;
    for (int n = 27; n >= 1; n -= 2)
        sum = ONE - multiply(multiply(multiply(square, inverse[n]), inverse[n + 1]), sum);
    return (real){negative, sum, -127};
}

/*
 * sin(pi w) for w up to 1/4, a (1 - a^2/(2 3) (1 - a^2/(4 5) (1 - ...))) with a = pi w, whose digits are kept:
 * relative error below 2^-118. In the square a small w may lose digits; there the square is small, too.
 */
static real sine(real w) {
    if (!w.digits)
        return w;
    w = normalized(w);
    const fraction a = times_pi(shifted(w.digits, w.exponent + 126)), square = multiply(a, a);
    fraction sum = ONE;
    for (int n = 26; n >= 2; n -= 2)
        sum = ONE - multiply(multiply(multiply(square, inverse[n]), inverse[n + 1]), sum);
    return (real){w.negative, multiply(multiply(QUARTER_PI, w.digits), sum), w.exponent + 2};
}

static const fraction whole = (fraction)1 << 126; /* 1, 1/2 and 1/4 in units of 2^-126 */
static const fraction half = (fraction)1 << 125;
static const fraction quarter = (fraction)1 << 124;

/* |x| modulo 2 in units of 2^-126: exact from 2^-63 on, below that cut. */
static fraction modulo_2(real x) {
    return shifted(x.digits, x.exponent + 126) & (ONE - 1);
}

double gls_cos_pi(double x) {
    if (magnitude(x) >= infinity_bits)
        return not_a_number();
    if (magnitude(x) == 0)
        return 1;
    fraction w = modulo_2(take_apart(x));
    if (w > whole)
        w = 2 * whole - w;
    const bool negative = w > half;
    if (negative)
        w = whole - w;
    if (w == half)
        return 0;
    return put_together(w <= quarter ? cosine(negative, w) : sine((real){negative, half - w, -126}));
}

double gls_sin_pi(double x) {
    if (magnitude(x) >= infinity_bits)
        return not_a_number();
    if (magnitude(x) == 0)
        return x;
    const real argument = take_apart(x);
    if (magnitude(x) <= bits_of(0.25))
        return put_together(sine(argument));
    fraction w = modulo_2(argument);
    bool negative = argument.negative;
    if (w == 0 || w == whole)
        return double_of(negative ? sign_bit : 0);
    if (w > whole) {
        w -= whole;
        negative = !negative;
    }
    if (w > half)
        w = whole - w;
    return put_together(w <= quarter ? sine((real){negative, w, -126}) : cosine(negative, half - w));
}
