/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Second moments kept as two vectors: of a matrix the averages of its rows, then of its columns. What a rule of the
 * family sees is their product, made a stretch at a time (stage.c).
 */
#ifndef GLS_FACTORS_H
#define GLS_FACTORS_H

#include "pass.h"

/* Rows are summed up in blocks of so many, in their order, whatever the threads. */
enum { GLS_FACTOR_ROWS = 64 };

/* Doubles that the sums of a matrix of n elements need. */
size_t gls_factors_room(size_t n, size_t columns);

/* Reads the gradients of all factored tensors of the pass and moves their averages on: a = (1 - new) a + new mean of
 * (s gradient)^2. `new` is the rule's (gls_algorithm.factor_weight). Returns whether there was any. */
bool gls_factors_pass(gls_pass *pass, size_t footprint);

#endif
