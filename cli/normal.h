/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normal deviates by the polar method (Marsaglia and Bray 1964) from random.h's numbers.
 *
 * It takes a logarithm from libm, so that another C library may give another last bit of a double, and so,
 * rarely, of a float. Inversion and the ziggurat need one as well, if only in the tails.
 */
#ifndef GLISSADE_CLI_NORMAL_H
#define GLISSADE_CLI_NORMAL_H

#include "random.h"

#include <stddef.h>

/* Writes `count` deviates of mean 0 and variance 1. They come in pairs: an odd count throws one away. */
void normal_fill(struct random_source *random, float *values, size_t count);

#endif
