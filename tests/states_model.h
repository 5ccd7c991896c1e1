/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small model under an optimizer, for tests of what goes into files and what is refused from them: named tensors in
 * groups of any rules, values made from a seed. Knows no test framework.
 */
#ifndef STATES_MODEL_H
#define STATES_MODEL_H

#include "states.h"

enum { PLANNED_GROUPS = 3, PLANNED_TENSORS = 4, PLANNED_ALL = PLANNED_GROUPS * PLANNED_TENSORS };

typedef struct planned_tensor {
    const char *name; /* NULL: there are no more */
    size_t length, columns;
    uint32_t rank;
    uint64_t shape[2];
    layout layout;
    bool own_residual;
} planned_tensor;

/* Without a shape of its own; with one of two dimensions; in other formats. */
#define PLAIN(called, n)                                                                                     \
    { .name = called, .length = n }
#define SHAPED(called, n, rows, width)                                                                       \
    {                                                                                                        \
        .name = called, .length = n, .rank = 2, .shape = { rows, width }                                     \
    }
#define FORMED(called, n, formats)                                                                           \
    { .name = called, .length = n, .layout = formats }

typedef struct planned_group {
    const char *rule, *values; /* NULL: there are no more */
    planned_tensor tensors[PLANNED_TENSORS];
} planned_group;

typedef struct planned {
    glissade_optimizer *optimizer;
    size_t count;
    glissade_tensor_ref at[PLANNED_ALL];
    held held[PLANNED_ALL];
    float *residuals[PLANNED_ALL];
} planned;

/* Adam with a matrix of a given shape, a vector and nothing, and SGD with momentum. */
extern const planned_group planned_usual[PLANNED_GROUPS];

void planned_create(planned *it, glissade_engine *engine, const planned_group *groups, uint64_t seed);
void planned_destroy(planned *it);
void planned_step(planned *it, int number);
glissade_tensor_info planned_info(const planned *it, size_t tensor);

#endif
