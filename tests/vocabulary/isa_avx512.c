/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of vec_avx512.h, tried. */
#include "vec_avx512.h"

#define VOCABULARY_ISA avx512
#include "vocabulary_body.h"
