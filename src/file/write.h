/* SPDX-License-Identifier: Apache-2.0 */
/* Writing a tensor file from memory: in parallel, checked, and put in its place at once or not at all. */
#ifndef GLS_WRITE_H
#define GLS_WRITE_H

#include <stdatomic.h>

#include "glissade/file.h"
#include "header.h"
#include "path.h"

/* What part of a file's data comes from where. */
typedef struct gls_source {
    uint64_t begin, end; /* bytes of the data */
    const void *data;
    bool callers; /* the caller's memory, not the library's */
} gls_source;

/* A file to be written. */
typedef struct gls_writing {
    glissade_engine *engine; /* NULL: the calling thread alone */
    gls_path path;
    glissade_file_options options;
    gls_heading heading;
    gls_source *sources; /* ascending, without a gap or an overlap, all of the data */
    size_t source_count;
    void *room;                /* of the library's, in which some of the sources lie; freed at the end */
    uint64_t bytes_per_second; /* 0: as fast as it goes; otherwise only without an engine */
    _Atomic uint64_t written;  /* bytes so far, to be read by others */
    atomic_bool cancelled;     /* set by others */
    atomic_bool direct;        /* as it turned out */
} gls_writing;

/* Reads and checks the caller's options (NULL: defaults). Returns OK, INVALID_SIZE, INVALID_OPTION. */
glissade_status gls_writing_options(const glissade_file_options *given, glissade_file_options *options,
                                    glissade_error *error);

/* Writes the file. Returns OK, OUT_OF_MEMORY, IO, CANCELLED. */
glissade_status gls_writing_run(gls_writing *writing, glissade_error *error);

/* What is to be told of a file that was written, begun at that time (gls_seconds). */
glissade_file_report gls_writing_report(const gls_writing *writing, double begun);

/* Checks and fills the caller's report, which may be NULL. */
glissade_status gls_file_report_check(const glissade_file_report *report, glissade_error *error);
void gls_file_report_write(glissade_file_report *report, const glissade_file_report *known);

/* Closes the folder and frees header, sources and room. An empty writing, with folder -1, is accepted. */
void gls_writing_destroy(gls_writing *writing);

#endif
