/* SPDX-License-Identifier: Apache-2.0 */
/* Filling the error record that every failing call leaves behind. */
#ifndef GLS_ERROR_H
#define GLS_ERROR_H

#include "glissade/base.h"

/* Writes status and message into error (which may be NULL) and returns status, so that callers can return it.
 */
__attribute__((format(printf, 3, 4))) glissade_status
gls_error_set(glissade_error *error, glissade_status status, const char *format, ...);

/* Marks success: OK and "". */
void gls_error_clear(glissade_error *error);

/* A double as text in which a '.' is the decimal point in every locale. */
typedef struct gls_number {
    char text[32];
} gls_number;
gls_number gls_number_format(double value);

#endif
