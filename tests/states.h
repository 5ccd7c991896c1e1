/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common ground of the tests of state files: everything that an optimizer holds as bytes, to be compared; and saving and
 * loading in few words. Knows no test framework.
 */
#ifndef STATES_H
#define STATES_H

#include "files.h"
#include "formats_engine.h"

/* All that an optimizer holds, addresses included. */
typedef struct snapshot {
    unsigned char *bytes;
    size_t count, room;
} snapshot;

snapshot snapshot_take(const glissade_optimizer *optimizer);
bool snapshot_same(const snapshot *a, const snapshot *b);
void snapshot_free(snapshot *it);

/* Saves without synchronising; what must not fail ends the process. */
void states_save(glissade_optimizer *optimizer, const char *path, bool parameters);
void states_load(glissade_optimizer *optimizer, const char *path, const glissade_load_options *options);
glissade_load_options states_load_options(void);

/* NULL if tensor i of one fleet is, in everything that later steps depend on, tensor j of the other, else what is not. */
const char *states_difference(const fleet *a, size_t i, const fleet *b, size_t j);

/* ---- files ---- */

/* A tensor of a file that a test makes. */
typedef struct made {
    const char *name;
    glissade_file_dtype dtype;
    uint32_t rank;
    uint64_t shape[3];
    const void *data;
} made;

/* Writes a file of tensors and lines of "key", "value", ..., NULL; which may be NULL. */
void states_write(const char *path, const made *tensors, size_t count, const char *const *lines);

/* Writes a file again with one line of its metadata another; value NULL: without it. What the key begins with may be
 * "state.": then the tensors of that name, and those that follow with a dot, are left out, or called `value`. */
void states_rewrite(const char *from, const char *to, const char *key, const char *value);

#endif
