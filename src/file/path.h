/* SPDX-License-Identifier: Apache-2.0 */
/* A path as a folder that is open and a name in it, and how messages quote paths. */
#ifndef GLS_PATH_H
#define GLS_PATH_H

#include <stdbool.h>

#include "error.h"

/* The longest name that a folder can hold. */
enum { GLS_NAME_MAX = 255 };

typedef struct gls_path {
    int folder; /* open, or -1 */
    char name[GLS_NAME_MAX + 1];
    char quoted[128]; /* the path, its beginning left out if it is long: for messages */
} gls_path;

/* Opens the folder: O_RDONLY, to make files in it; O_PATH, to read one, which needs no right to list the folder. A path
 * that ends in '/', "." or "..", an empty one and too long a name are refused. Returns OK, IO or INVALID_OPTION. */
glissade_status gls_path_open(gls_path *path, const char *text, int access, glissade_error *error);
void gls_path_close(gls_path *path);

/* Whether there is a regular file under the name. Something else there is IO. */
glissade_status gls_path_regular(const gls_path *path, const char *name, bool *exists, glissade_error *error);

/* A path for messages: its end, if it is long. */
void gls_path_quote(char *quoted, size_t room, const char *text);

/* "PATH: OPERATION: CAUSE" by errno, as status IO. */
glissade_status gls_path_fail(const gls_path *path, const char *operation, int error_number,
                              glissade_error *error);

#endif
