/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of a file's number formats into those of an optimizer. Allocates nothing. */
#ifndef GLS_CONVERT_H
#define GLS_CONVERT_H

#include "glissade/file.h"
#include "kernel.h"
#include "storage.h"

/* An array as a file has it; addresses of any alignment. */
typedef struct gls_stored {
    glissade_file_dtype dtype;
    const void *elements;
    const void *units; /* floats, of codes of 8 bits (I8 or U8): one a block */
} gls_stored;

/* An array as an optimizer keeps it. */
typedef struct gls_kept {
    gls_format format;
    bool is_unsigned; /* codes of 8 bits are */
    void *elements;
    size_t length;
} gls_kept;

/* Whether there is a way from the one format to the other, beside copying what is the same. */
bool gls_convertible(glissade_file_dtype from, gls_format to);

/*
 * Writes a range of the elements; `same`: bytes are copied, for the formats are one. Otherwise they are rounded to
 * nearest as glissade/format.h says, once, into 8 bits by way of float. With codes of 8 bits on either side the range
 * begins at a multiple of GLS_QUANTISED_BLOCK.
 */
void gls_convert(const gls_format_kernels *kernels, const gls_stored *from, const gls_kept *to,
                 gls_range range, bool same);

#endif
