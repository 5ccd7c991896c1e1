/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of bf16, as a network that computes in float hands them over and takes them. */
#ifndef GLISSADE_CLI_BFLOAT_H
#define GLISSADE_CLI_BFLOAT_H

#include <stddef.h>
#include <stdint.h>

/* To nearest, ties to even; NaN stays NaN. */
void bfloat_round(uint16_t *halves, const float *values, size_t count);

/* Exact. */
void bfloat_widen(float *values, const uint16_t *halves, size_t count);

#endif
