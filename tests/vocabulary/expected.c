/* SPDX-License-Identifier: Apache-2.0 */
/* What each vector operation must give, in scalar C, and the operands to try. Compiled without the flags of
 * any instruction set; fmaf is the C library's. */
#include "vocabulary.h"

#include <math.h>

#include "values.h"

/* Operands and results pass as bits: a float that is passed or returned may change a NaN on its way. */
#define EXPECT(name, expression)                                                                             \
    uint32_t expected_##name(uint32_t a_bits, uint32_t b_bits, uint32_t c_bits) {                            \
        const volatile float a = value_of_bits(a_bits), b = value_of_bits(b_bits),                           \
                             c = value_of_bits(c_bits);                                                      \
        (void)a, (void)b, (void)c;                                                                           \
        return value_bits(expression);                                                                       \
    }

EXPECT(add, a + b)
EXPECT(sub, a - b)
EXPECT(mul, a *b)
EXPECT(div, a / b)
EXPECT(sqrt, sqrtf(a))
EXPECT(fma, fmaf(a, b, c))

uint32_t expected_abs(uint32_t a, uint32_t b, uint32_t c) {
    (void)b, (void)c;
    return a & 0x7FFFFFFFu;
}

uint32_t expected_xor(uint32_t a, uint32_t b, uint32_t c) {
    (void)c;
    return a ^ b;
}

/* a < b ? c : ~c: the mask and the choice, each of whose bits must arrive. */
uint32_t expected_less_select(uint32_t a, uint32_t b, uint32_t c) {
    return value_of_bits(a) < value_of_bits(b) ? c : ~c;
}

uint32_t expected_nan_select(uint32_t a, uint32_t b, uint32_t c) {
    (void)b;
    return (a & 0x7FFFFFFFu) > 0x7F800000u ? c : ~c;
}

/* The first only where it is smaller, or larger: these are bits that are chosen, not computed. */
uint32_t expected_min(uint32_t a, uint32_t b, uint32_t c) {
    (void)c;
    return value_of_bits(a) < value_of_bits(b) ? a : b;
}

uint32_t expected_max(uint32_t a, uint32_t b, uint32_t c) {
    (void)c;
    return value_of_bits(b) < value_of_bits(a) ? a : b;
}

/* ---- integers ---- */

#define EXPECT_INTEGER(name, expression)                                                                     \
    uint32_t expected_##name(uint32_t a, uint32_t b, uint32_t c) {                                           \
        (void)a, (void)b, (void)c;                                                                           \
        return (uint32_t)(expression);                                                                       \
    }

/* The upper 24 bits, signed. */
EXPECT_INTEGER(int_to_float, value_bits((float)((int64_t)(a >> 8) - (1 << 23))))
/* A magnitude below 2, made one below 2^22. */
EXPECT_INTEGER(float_to_int,
               (int64_t)nearbyint((double)value_of_bits(a & 0xBFFFFFFFu) * (double)VOCABULARY_SCALING))
EXPECT_INTEGER(int_add, a + b)
EXPECT_INTEGER(int_sub, a - b)
EXPECT_INTEGER(and, a &b)
EXPECT_INTEGER(or, a | b)
EXPECT_INTEGER(int_max, a > b ? a : b)
EXPECT_INTEGER(product_low, (uint64_t)a *VOCABULARY_FACTOR)
EXPECT_INTEGER(product_high, (uint64_t)a *VOCABULARY_FACTOR >> 32)
EXPECT_INTEGER(left_1, (uint64_t)a * 2)
EXPECT_INTEGER(left_23, (uint64_t)a * 8388608)
EXPECT_INTEGER(right_3, a / 8)
EXPECT_INTEGER(right_16, a / 65536)
EXPECT_INTEGER(right_31, a / 2147483648u)
EXPECT_INTEGER(positive, a > INT32_MAX ? 0 : a)
EXPECT_INTEGER(where, value_of_bits(a) < value_of_bits(b) ? c : 0)
EXPECT_INTEGER(unless, value_of_bits(a) < value_of_bits(b) ? 0 : c)

/* ---- half precision ---- */

uint32_t expected_f16_widened(uint16_t half) {
    const uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 0x1F, fraction = half & 0x3FF;
    if (exponent == 0x1F)
        return sign | 0x7F800000u | (fraction ? 0x400000u | fraction << 13 : 0);
    const double significand = exponent ? 1024.0 + fraction : fraction;
    return sign | value_bits((float)ldexp(significand, (exponent ? (int)exponent : 1) - 25));
}

/* Rounded to a multiple of the last place of the binade, by the C library in double. */
uint16_t expected_f16_narrowed(uint32_t bits) {
    const uint32_t sign = bits >> 16 & 0x8000u;
    const double x = fabs((double)value_of_bits(bits));
    if (isnan(x))
        return (uint16_t)(sign | 0x7E00u | (bits >> 13 & 0x3FFu));
    if (x >= 65520)
        return (uint16_t)(sign | 0x7C00u);
    const int binade = x < 0x1p-14 ? -14 : ilogb(x);
    const uint32_t places = (uint32_t)nearbyint(ldexp(x, 10 - binade));
    return (uint16_t)(sign | ((uint32_t)(binade + 14) * 1024 + places));
}

/* ---- masks and sums ---- */

int expected_less(uint32_t a, uint32_t b) {
    return value_of_bits(a) < value_of_bits(b);
}

uint64_t expected_double_bits(double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return isnan(value) ? UINT64_MAX : bits;
}

double expected_sum(uint32_t bits) {
    return (double)value_of_bits(bits) / 3;
}

uint64_t expected_add_square(double sum, uint32_t x) {
    const double value = (double)value_of_bits(x);
    return expected_double_bits(fma(value, value, sum));
}

/* The first three are 1 + 2^-12 and the like: their fused sum a a - c is 2^-24, unfused it is 0. */
static const uint32_t specials[24] = {
    0x3F800800u,                                        /* 1 + 2^-12 */
    0xBF801000u,                                        /* -(1 + 2^-11) */
    0xBF800800u,                                        /* -(1 + 2^-12) */
    0x00000000u, 0x80000000u,                           /* zeros */
    0x00000001u, 0x80000001u, 0x007FFFFFu, 0x807FFFFFu, /* subnormals */
    0x00800000u, 0x80800000u, 0x00800001u,              /* FLT_MIN and above */
    0x3F800000u, 0xBF800000u, 0x3F800001u, 0x3F7FFFFFu, /* ones and neighbours */
    0x5F000000u, 0x20000000u,                           /* 2^63, 2^-63: products at both ends of the range */
    0x7F7FFFFFu, 0xFF7FFFFFu,                           /* FLT_MAX */
    0x7F800000u, 0xFF800000u,                           /* infinities */
    0x7FC12345u, 0xFF812345u,                           /* a quiet and a signalling NaN */
};

size_t expected_operands(uint32_t *a, uint32_t *b, uint32_t *c) {
    size_t count = 0;
    for (int i = 0; i < 24; i++)
        for (int j = 0; j < 24; j++)
            for (int k = 0; k < 24; k++, count++) {
                a[count] = specials[i];
                b[count] = specials[j];
                c[count] = specials[k];
            }
    for (uint64_t i = 0; count < OPERANDS_ROOM; i++, count++) {
        const value_fill fill = i % 4 == 3 ? FILL_BITS : i % 4 == 2 ? FILL_NEAR_MIN : FILL_ORDINARY;
        a[count] = value_at(fill, 1, i);
        b[count] = value_at(i % 4 == 2 ? FILL_ORDINARY : fill, 2, i);
        c[count] = value_at(fill, 3, i);
    }
    return count;
}
