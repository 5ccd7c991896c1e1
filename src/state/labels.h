/* SPDX-License-Identifier: Apache-2.0 */
/* What tensors are called in files: the labels of a group, and the names of all tensors of an optimizer. */
#ifndef GLS_LABELS_H
#define GLS_LABELS_H

#include "error.h"
#include "glissade/state.h"

/* A tensor's label. */
typedef struct gls_label {
    const char *name;
    uint32_t rank; /* 0: the shape was not given */
    const uint64_t *shape;
} gls_label;

/* Those of a group, one a tensor; texts and shapes follow in the same piece of memory. */
typedef struct gls_labels {
    uint32_t count;
    gls_label items[];
} gls_labels;

void gls_labels_free(gls_labels *labels);

/* A tensor by its name; group and tensor are places in the optimizer's lists. */
typedef struct gls_name {
    const char *name;
    uint32_t group, tensor;
} gls_name;

/* All tensors of an optimizer: in their order, and pointers to them by name. */
typedef struct gls_names {
    gls_name *items;
    const gls_name **sorted;
    size_t count;
    char *texts; /* of names that nobody gave */
} gls_names;

/* Returns OK, DUPLICATE_TENSOR or OUT_OF_MEMORY, with the message on the optimizer. gls_names_free accepts what a failure
 * leaves behind. */
glissade_status gls_names_make(glissade_optimizer *optimizer, gls_names *names);
void gls_names_free(gls_names *names);

/* Sorts by name. */
void gls_names_sort(const gls_name **names, size_t count);

/* The tensor of that name in a sorted list; NULL if there is none. */
const gls_name *gls_names_find(const gls_name *const *sorted, size_t count, const char *name);

#endif
