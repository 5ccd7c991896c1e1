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
