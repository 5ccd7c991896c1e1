/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common ground of the tests of files: a folder of one's own, and samples, sets of tensors whose bytes follow from a
 * seed, so that whoever finds one in a file can tell whether it is whole. Knows no test framework, so that children
 * can use it: what must not fail ends the process.
 */
#ifndef FILES_H
#define FILES_H

#include "scenario.h"

/* ---- folders ---- */

typedef struct folder {
    char path[200];
    size_t descriptors; /* open when it was made */
} folder;

enum { FOLDER_DISK, FOLDER_MEMORY };

/* Makes an empty folder: in TMPDIR or /tmp, or on a file system in memory where there is one. */
void folder_create(folder *it, int where);
void folder_destroy(folder *it);

/* The path of a name in the folder; valid for as long as four more such calls are not made. */
const char *folder_at(const folder *it, const char *name);

/* Names in the folder, sorted, each followed by a space; valid until the next call. */
const char *folder_names(const folder *it);

/* How many of them are temporary files of the library's. */
size_t folder_temporaries(const folder *it);

size_t descriptors_open(void);

/* A file's bytes, to be freed; NULL if there is none. */
void *bytes_load(const char *path, size_t *count);
void bytes_store(const char *path, const void *bytes, size_t count);

/* ---- samples ---- */

enum { SAMPLE_TENSORS = 64 };

typedef struct sample_shape {
    glissade_file_dtype dtype;
    uint32_t rank;
    uint64_t shape[3];
} sample_shape;

typedef struct sample {
    size_t count;
    glissade_file_tensor tensors[SAMPLE_TENSORS];
    uint64_t shapes[SAMPLE_TENSORS][3];
    size_t bytes[SAMPLE_TENSORS];
    char names[SAMPLE_TENSORS][32];
    unsigned char *memory;
    char seed[24];
} sample;

void sample_create(sample *it, const sample_shape *shapes, size_t count, uint64_t seed);
/* One tensor of bytes. */
void sample_flat(sample *it, size_t bytes, uint64_t seed);
/* A few tensors of several types, one of them empty, about so many bytes in all. */
void sample_mixed(sample *it, size_t bytes, uint64_t seed);
/* Other values in the same tensors. */
void sample_fill(sample *it, uint64_t seed);
void sample_destroy(sample *it);

/* options NULL: the defaults. */
glissade_status sample_write(const sample *it, glissade_engine *engine, const char *path,
                             const glissade_file_options *options, glissade_error *error);

/* NULL if the file is whole and is the sample, else what is not so. */
const char *sample_difference(const sample *it, glissade_engine *engine, const char *path);

/* The seed of a sample of these tensors that the file is, whole; UINT64_MAX if it is none. Fills `like` anew. */
uint64_t sample_find(sample *like, const char *path);

glissade_file_options sample_options(void);

#endif
