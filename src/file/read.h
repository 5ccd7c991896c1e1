/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor file that is open, and reading of it into memory that nobody sees before it is checked. */
#ifndef GLS_READ_H
#define GLS_READ_H

#include "alloc.h"
#include "glissade/file.h"
#include "header.h"

struct glissade_file {
    int fd;
    uint64_t bytes; /* of the file */
    char quoted[128];
    gls_header header;
};

/* A tensor's bytes, or some of them: a range of a file's data, and where in memory it is to go. */
typedef struct gls_extent {
    uint64_t begin, end;
    /* Memory that may hold anything if reading fails; or NULL: memory of the staging, set on success. */
    void *to;
} gls_extent;

/*
 * Reads the extents, which may come in any order but not overlap in part, and checks every chunk that holds a byte of
 * them. Those without a place go to `arena`, which the caller destroys; it is made here, as large as they are. Memory
 * that exists already is written several times as fast as an arena, whose pages are still to be found.
 *
 * Returns OK, OUT_OF_MEMORY, IO, INVALID_FILE, CHECKSUM; on failure the arena is empty and the places that were given
 * hold rubbish.
 */
glissade_status gls_file_stage(glissade_engine *engine, const glissade_file *file, gls_extent *extents,
                               size_t count, gls_arena *arena, glissade_file_report *report,
                               glissade_error *error);

/* Reads and checks every chunk, and keeps none. Returns as gls_file_stage. */
glissade_status gls_file_check(glissade_engine *engine, const glissade_file *file,
                               glissade_file_report *report, glissade_error *error);

#endif
