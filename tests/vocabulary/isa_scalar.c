/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of vec_scalar.h, tried. */
#include "vec_scalar.h"

#define VOCABULARY_ISA scalar
#include "vocabulary_body.h"
