/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Temporary files that become a file of another name: ".glissade-HASH-PID-TRY", HASH of the name that is meant. Each is
 * locked while its writer lives, so that whoever writes the same name next knows what a killed writer left behind.
 */
#ifndef GLS_TEMPORARY_H
#define GLS_TEMPORARY_H

#include "path.h"

typedef struct gls_temporary {
    int fd; /* open for writing, or -1 */
    char name[64];
} gls_temporary;

/* Removes what killed writers of this path left. What cannot be looked at or removed is left alone. */
void gls_temporary_clean(const gls_path *path);

/* Makes an empty file, readable and writable for its owner alone, and locks it. Returns OK or IO. */
glissade_status gls_temporary_make(gls_temporary *temporary, const gls_path *path, glissade_error *error);

/* Gives a file of the folder, of whatever name, a temporary name of this path as well. -1 and errno on failure. */
int gls_temporary_link(char name[64], const gls_path *path, const char *from);

/* Closes it and, if its name is still there, removes that. */
void gls_temporary_discard(gls_temporary *temporary, const gls_path *path);

#endif
