/* SPDX-License-Identifier: Apache-2.0 */
/* What is checked of a header once it is a table: that names differ, checksums, and that the arrays fill the file. */
#ifndef GLS_CHECK_H
#define GLS_CHECK_H

#include "header.h"

/* Keys of what is no tensor, and of checksums. */
#define GLS_KEY_METADATA  "__metadata__"
#define GLS_KEY_CHECKSUMS "glissade.checksum."
#define GLS_KEY_CHUNK     GLS_KEY_CHECKSUMS "chunk"
#define GLS_KEY_DATA      GLS_KEY_CHECKSUMS "data"
#define GLS_KEY_HEADER    GLS_KEY_CHECKSUMS "header"

enum { GLS_DIGITS = 16 }; /* of a checksum */

/* Where in the header's bytes its own checksum stands, between its quotation marks; at 0: nowhere. */
typedef struct gls_digits {
    size_t at, bytes;
} gls_digits;

/* Sorts what the walk has found and checks it against the header's bytes. Returns OK, INVALID_FILE, CHECKSUM,
 * OUT_OF_MEMORY. */
glissade_status gls_header_check(gls_header *header, const unsigned char *text, gls_digits digits,
                                 const char *file, glissade_error *error);

#endif
