/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The floating-point types of tensor files: F32, BF16, F16 and F64. All else is not theirs.
 *
 * Done by integer arithmetic on the bits, so that every type is rounded once, from the double that holds it exactly: by
 * way of a float, 1 + 2^-8 + 2^-40 would become 1 in bf16.
 */
#ifndef GLISSADE_CLI_STATE_NUMBERS_H
#define GLISSADE_CLI_STATE_NUMBERS_H

#include <glissade/glissade.h>

bool numbers_known(glissade_file_dtype dtype);

/*
 * Converts an array. Wider values are rounded to nearest, ties to even, to infinity where that is nearest; a NaN keeps its
 * sign and as much of its upper payload as there is room for, with the quiet bit set. Narrower ones are exact. The same
 * type is copied. `from` and `to` are aligned to their elements.
 */
void numbers_convert(const void *from, glissade_file_dtype from_dtype, void *to, glissade_file_dtype to_dtype,
                     size_t count);

/* The value of an element, exact. */
double numbers_value(const void *elements, glissade_file_dtype dtype, size_t index);

/*
 * How many representable numbers lie between two elements of one type, one of them counted: 0 for +0 and -0, 1 for
 * neighbours. UINT64_MAX if one of them is NaN.
 */
uint64_t numbers_distance(const void *left, const void *right, glissade_file_dtype dtype, size_t index);

#endif
