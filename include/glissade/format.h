/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Number formats of parameters, gradients and state: which there are, and what each is, to the rounding. Every
 * conversion gives the same bits on every instruction set, and NaN stays NaN. Subnormal numbers are kept everywhere.
 *
 * bf16 is the upper half of a float: sign, 8 bits of exponent, 7 of fraction. A float is rounded to nearest, ties to
 * even; what rounds past the largest finite value becomes infinite. A NaN keeps its upper half, with the quiet bit set.
 * The other way round zeros are put below.
 *
 * f16 is IEEE 754 binary16: sign, 5 bits of exponent, 10 of fraction; from 2^-24 to 65504. Rounded to nearest, ties to
 * even, to infinity from 65520 on. A NaN keeps its sign and the upper 10 bits of its payload, with the quiet bit set,
 * also the other way round, which is exact.
 *
 * bf16 rounded stochastically: 16 random bits are added to the float's bits as an integer, and the lower half is cut
 * off. A value is thus rounded up in magnitude with a probability equal to what is cut off, in units of the last place
 * kept, so that its expectation is the value itself. Infinities and NaN are rounded to nearest, and finite values whose
 * upper half is the largest finite bf16 become that.
 *     The bits are those of Philox 4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). Run R
 * of 128 elements from the array's start takes 16 Philox blocks; block b of them has 16 R + b as the first word of its
 * counter. Element 16 j + l of the run takes halfword j of block l: the lower half of word 0, the upper half of word 0,
 * the lower half of word 1 and so on.
 *
 * Split bf16: a float as two halves, exactly. high = bits + 0x8000 >> 16, which is bf16 rounded to nearest, ties away
 * from zero; low = bits - (high << 16), a signed 16-bit integer. (With ties to even the two ties that meet in one upper
 * half would leave -0x8000 and 0x8000.) A finite value that rounds to infinity comes back finite. NaN: high = its upper
 * half with the quiet bit set, low = 0. The other way round the value is (high << 16) + low, sign apart from magnitude,
 * for any pair: NaN where high is NaN, and where high is infinite with low > 0, which no float gives; and where high is
 * zero, with low < 0, zero.
 *
 * Block-wise 8-bit: 256 elements share a float `unit` and have a byte each, a code. A code's magnitude has W bits, of
 * which, from the top, z are zeros, then comes a one, then B bits with a number o, then the fraction:
 *
 *     value = 1.fraction * 2^-(2^B (z + 1) - 1 - o)          0 for magnitude 0; bits of o that lack are zeros
 *
 *     signed     W = 7, B = 1: the byte is +-magnitude in two's complement; TOP = 63/32, 12 octaves, least code 2^-13
 *     unsigned   W = 8, B = 3: the byte is the magnitude;                   TOP = 31/16, 40 octaves, least code 2^-63
 *
 * and an element is value * unit, rounded once. Which state is unsigned, because it is never negative, its rule says.
 * To quantise a block: unit = (largest magnitude) / TOP, y = |x| / unit, each rounded once; the code is the integer
 * nearest to the root, ties to even, where
 *
 *     root = float of the bits  (bits of y >> B) + (126 + W - (127 >> B) << 23).
 *
 * A float's bits are nearly its logarithm, so this is nearly y^(1/2^B); the value of an integer root is exactly its
 * code's. Within an octave it is y, less its last B bits, rounded to the octave's steps: the relative error is at most
 * 2^-6 (unsigned 2^-5) in the topmost 2^B octaves and twice as much after each 2^B further ones. The largest element
 * comes back within a unit in its last place. Unsigned, negative numbers count as 0, and what is above 0 does not
 * become 0: it has at least code 1, because a step divided by the root of a second moment that vanished would explode.
 *     unit is 0 and so are all codes where the largest magnitude / TOP is below FLT_MIN; NaN, with all codes 0, where
 * the block holds a NaN or an infinity, so that all of it comes back as NaN. Of FLT_MAX, unsigned, unit is the largest
 * that keeps TOP * unit finite.
 *
 *     Root mean square errors, blocks of 256 independent numbers, in percent. Signed, of the root mean square:
 *         numbers                    linear (127 steps)   B = 1 (this)   B = 2
 *         Gaussian                   0.70                 0.74           1.30
 *         Laplace                    1.00                 0.82           1.28
 *         Student's t, 3 degrees     1.72                 0.95           1.22
 *     Unsigned, relative error of the square root (what divides a step), of second moments that are
 *         numbers                    linear (255 steps)   B = 1     B = 2   B = 3 (this)
 *         squared Gaussian           33, 11 % vanish      > 1000    15      0.83
 *         mean of 20 such            0.14                 0.17      0.33    0.66
 *         that, times exp(2 N(0,1))  64, 40 % vanish      9.9       1.35    1.08
 *     What changes by less than half a step of its code each time stands still until the largest of its block changes.
 *     Averages with beta2 = 0.999 of 4,000 squared Gaussians, at scales exp(s N(0,1)): their roots are off by 24 % for
 *     s = 0, 11 % for 0.5, 9 % for 1, 12 % for 2; with B = 2 by 23, 8, 9 and 26 %; linearly by 1, 14, 69 and 94 %.
 */
#ifndef GLISSADE_FORMAT_H
#define GLISSADE_FORMAT_H

#include "glissade/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Of a parameter, a gradient, a copy. */
typedef enum glissade_dtype {
    GLISSADE_DTYPE_F32 = 0,
    GLISSADE_DTYPE_BF16 = 1,
    GLISSADE_DTYPE_F16 = 2,
    GLISSADE_DTYPE_F64 = 3
} glissade_dtype;

/* Of an array of state. */
typedef enum glissade_state_format {
    GLISSADE_STATE_FULL = 0,            /* as it is computed: float, or double for parameters of double */
    GLISSADE_STATE_BF16 = 1,            /* rounded to nearest */
    GLISSADE_STATE_BF16_STOCHASTIC = 2, /* rounded stochastically */
    GLISSADE_STATE_Q8 = 3               /* block-wise 8-bit */
} glissade_state_format;

/* How the full value of a half-precision parameter is kept. */
typedef enum glissade_master {
    GLISSADE_MASTER_NONE = 0, /* it is not: each step rounds the parameter to nearest */
    GLISSADE_MASTER_F32 = 1,  /* as a float in state, of which the parameter is a rounded copy */
    GLISSADE_MASTER_SPLIT = 2 /* bf16 only: the parameter is its upper half, the lower half is state */
} glissade_master;

#ifdef __cplusplus
}
#endif

#endif
