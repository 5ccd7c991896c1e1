/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the vocabulary test share. The operations of each instruction set are tried in a source
 * compiled with that set's flags (isa_*.c); what they must give comes from expected.c, compiled without any,
 * so that no operation is compared with itself.
 */
#ifndef TESTS_VOCABULARY_H
#define TESTS_VOCABULARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each returns the number of operations that failed, and writes about the first of them to message. at_end is
 * the place (guarded.h) for arrays that are to end at the guard. */
#define GLS_ISA(name, ...) int vocabulary_test_##name(char *message, size_t room, int at_end);
#include "isas.def"
#undef GLS_ISA

/* The operations in C, on the bits of floats, or on integers. */
typedef uint32_t expected_function(uint32_t a, uint32_t b, uint32_t c);
expected_function expected_add, expected_sub, expected_mul, expected_div, expected_sqrt, expected_fma,
    expected_abs, expected_xor, expected_less_select, expected_nan_select, expected_min, expected_max;
expected_function expected_int_to_float, expected_float_to_int, expected_int_add, expected_int_sub,
    expected_and, expected_or, expected_int_max, expected_product_low, expected_product_high, expected_left_1,
    expected_left_23, expected_right_3, expected_right_16, expected_right_31, expected_positive,
    expected_where, expected_unless;

/* What the tests of products and of conversions use besides their operands. */
#define VOCABULARY_FACTOR  0xD2511F53u
#define VOCABULARY_SCALING 0x1p21f

/* Half precision: to float, exactly, and the nearest one to a float. */
uint32_t expected_f16_widened(uint16_t half);
uint16_t expected_f16_narrowed(uint32_t bits);

/* a < b of floats by their bits. Doubles as bits, every NaN the same; a sum with all its bits in use, made of a
 * float's; that sum and the exact square of a float, rounded once. */
int expected_less(uint32_t a, uint32_t b);
uint64_t expected_double_bits(double value);
double expected_sum(uint32_t bits);
uint64_t expected_add_square(double sum, uint32_t x);

/* Operands that are hard: every pair, and every triple, of special values, and random bits. */
enum { OPERANDS_ROOM = 24 * 24 * 24 + 8192 };
size_t expected_operands(uint32_t *a, uint32_t *b, uint32_t *c);

#endif
