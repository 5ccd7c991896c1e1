/* SPDX-License-Identifier: Apache-2.0 */
/* What a tensor's arrays are in a file: one tensor there, or two. */
#ifndef GLS_PARTS_H
#define GLS_PARTS_H

#include "file/header.h"
#include "labels.h"
#include "optimizer.h"

/* What the shape of a part is. */
typedef enum gls_part_kind {
    GLS_PART_ELEMENTS, /* the tensor's */
    GLS_PART_UNITS,    /* [blocks], of 8-bit state */
    GLS_PART_ROWS,     /* [rows, 1], of a factored state */
    GLS_PART_COLUMNS   /* [1, columns] */
} gls_part_kind;

/* A tensor of the file. It is called NAME if word[0] is empty, else "state.NAME.", word[0] and word[1]. */
typedef struct gls_part {
    const char *word[2];
    gls_part_kind kind;
    glissade_file_dtype dtype;
    size_t elements;
    size_t offset, bytes; /* in the array */
} gls_part;

/* The parts of an array, whether the tensor has it yet or not; 0: it is in no file. */
uint32_t gls_array_parts(const gls_group *group, uint32_t tensor, gls_array array, gls_part parts[2]);

/* Number of a part's dimensions, which are at *shape: in the tensor's label, or in `room`. */
uint32_t gls_part_shape(const gls_group *group, uint32_t tensor, const gls_part *part, uint64_t room[2],
                        const uint64_t **shape);

/* Names beside those of the algorithms. */
#define GLS_PART_STEP       "step"
#define GLS_PART_UNIT       ".unit"
#define GLS_PART_MASTER     "master"
#define GLS_PART_MASTER_LOW "master_low"

/* Keys of metadata. */
#define GLS_KEY_OWN    "glissade."
#define GLS_KEY_FORMAT "glissade.format"
#define GLS_KEY_SEED   "glissade.seed"
#define GLS_KEY_GROUPS "glissade.groups"
#define GLS_KEY_GROUP  "glissade.group."
#define GLS_KEY_TENSOR "glissade.tensor."

/* Version of all this. */
#define GLS_STATE_FORMAT "1"

#endif
