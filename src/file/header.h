/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tensor file's header as text and as a table: the format's whole grammar and every check on it. Knows nothing of
 * files, only of bytes in memory.
 */
#ifndef GLS_HEADER_H
#define GLS_HEADER_H

#include "error.h"
#include "glissade/file.h"

enum {
    GLS_HEADER_PREFIX = 8,       /* bytes of the length field */
    GLS_HEADER_MOST = 100000000, /* bytes of JSON */
    GLS_DATA_ALIGNMENT = 4096,   /* of the data's first byte, in files written here */
    GLS_CHUNK = 4 * 1024 * 1024  /* bytes that have a checksum of their own */
};

/* A tensor: where its bytes are, counted from the data's first. */
typedef struct gls_entry {
    const char *name;
    glissade_file_dtype dtype;
    uint32_t rank;
    const uint64_t *shape;
    uint64_t begin, end;
    size_t tag; /* of whoever makes a header: stays with the tensor when they are sorted; 0 when read */
} gls_entry;

typedef struct gls_header {
    uint64_t data_begin, data_bytes; /* in the file; data_begin + data_bytes is the file's size */
    size_t entry_count, text_count;
    gls_entry *entries;        /* ascending by begin, then end, then name */
    size_t *by_name;           /* indices of entries, ascending by name */
    glissade_file_text *texts; /* ascending by key */
    uint64_t chunk_bytes;      /* 0: there are no checksums */
    size_t chunk_count;
    uint64_t *chunks; /* checksums */
    void *memory;     /* holds names, shapes and texts */
} gls_header;

/*
 * Reads a header of `bytes` bytes, length field included, of a file of `file_bytes`; `file` is what messages call it.
 * Returns OK, INVALID_FILE, CHECKSUM (its own is wrong), OUT_OF_MEMORY; on failure the header is empty.
 */
glissade_status gls_header_parse(gls_header *header, const void *text, size_t bytes, uint64_t file_bytes,
                                 const char *file, glissade_error *error);
void gls_header_destroy(gls_header *header);

/*
 * The bytes of JSON that a length field announces, for a file of file_bytes; a file too short to have one is refused
 * before the field is looked at. Returns OK or INVALID_FILE.
 */
glissade_status gls_header_length(const unsigned char prefix[GLS_HEADER_PREFIX], uint64_t file_bytes,
                                  const char *file, uint64_t *bytes, glissade_error *error);

/* Index of a tensor, SIZE_MAX if there is none; and value of a key, NULL if there is none. */
size_t gls_header_find(const gls_header *header, const char *name);
const char *gls_header_text(const gls_header *header, const char *key);

/* The element type of that name. */
bool gls_dtype_find(const char *name, glissade_file_dtype *dtype);

/* Bytes of a tensor. False if they cannot be counted, or are not whole bytes. */
bool gls_header_tensor_bytes(glissade_file_dtype dtype, uint32_t rank, const uint64_t *shape,
                             uint64_t *bytes);

/* ---- making one ---- */

/* A header as it will be written, once it is sealed. */
typedef struct gls_heading {
    char *text;   /* length field, JSON, spaces */
    size_t bytes; /* a multiple of GLS_DATA_ALIGNMENT */
    uint64_t data_bytes;
    size_t chunk_count;                 /* 0 also where checksums are left out */
    char *chunk_digits, *header_digits; /* in text; NULL without checksums */
} gls_heading;

/*
 * Makes the header of a file with these tensors, whose begin and end it sets: `entries` are sorted by element size,
 * descending, then by name, and laid end to end. A name may be neither empty nor "__metadata__", a key neither empty nor
 * one of the checksums'; names, keys and values are UTF-8. Returns OK, INVALID_OPTION (a name, key, text, dtype, rank),
 * DUPLICATE_TENSOR (a name or key twice), TOO_LARGE (the header, or the file), OUT_OF_MEMORY; on failure the heading is
 * empty, and the order of the entries any.
 */
glissade_status gls_heading_make(gls_heading *heading, gls_entry *entries, size_t count,
                                 const glissade_file_text *texts, size_t lines, bool checksums,
                                 glissade_error *error);
/* Writes the chunks' checksums, chunk_count of them, and then the header's own into the text. */
void gls_heading_seal(gls_heading *heading, const uint64_t *chunks);
void gls_heading_destroy(gls_heading *heading);

#endif
