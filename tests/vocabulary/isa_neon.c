/* SPDX-License-Identifier: Apache-2.0 */
/* The vocabulary of vec_neon.h, tried. */
#include "vec_neon.h"

#define VOCABULARY_ISA neon
#include "vocabulary_body.h"
