/* SPDX-License-Identifier: Apache-2.0 */
/* What the bits program runs: hyperparameters, tensors, and on what. */
#ifndef TESTS_BITS_CASES_H
#define TESTS_BITS_CASES_H

#include "glissade/glissade.h"
#include "values.h"

typedef struct bits_machine {
    glissade_isa isa;
    uint32_t threads, streams;
} bits_machine;

typedef struct bits_case {
    const char *name;
    glissade_sgd_options options;
    double gradient_scale;
    value_fill gradients;
    int keep_subnormals;
} bits_case;

enum {
    BITS_TENSORS = 10,
    BITS_ABSENT = 7,       /* the tensor without a gradient in the second step */
    BITS_WALKED = 2200003, /* elements of momentum SGD above the size from which the engine walks (24 MiB) */
};

/* None, few, around the plan's unit and block, and one that every thread gets a part of. */
extern const size_t bits_lengths[BITS_TENSORS];

extern bits_case bits_cases[];
extern const size_t bits_case_count;
extern glissade_sgd_options bits_flat_options;

/* Fills in what the table does not say; call it first. */
void bits_cases_init(void);

#endif
