/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of vec_avx2.h, tried. */
#include "vec_avx2.h"

#define VOCABULARY_ISA avx2
#include "vocabulary_body.h"
