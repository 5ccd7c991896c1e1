/* SPDX-License-Identifier: Apache-2.0 */
/* Structs that grow: reading and writing them by the size that the caller was compiled with. */
#ifndef GLS_OPTIONS_H
#define GLS_OPTIONS_H

#include "error.h"

/* No struct will ever be larger: a size beyond it was never set. */
enum { GLS_SIZE_MAX = 4096 };

/* A public struct whose first field is its size: its name, and every size it was ever published with,
 * ascending. The last is today's; the rest of the array is 0. */
typedef struct gls_layout {
    const char *name;
    size_t published[8];
} gls_layout;

/*
 * Copies the caller's struct over `known`, a struct of today's size that holds the defaults. Sizes never
 * published are refused, and so is a larger struct than today's unless what lies past it is zero. Returns OK
 * or INVALID_SIZE.
 */
glissade_status gls_options_read(const gls_layout *layout, void *known, const void *given,
                                 glissade_error *error);

/* Whether gls_options_write would accept the caller's struct. Returns OK or INVALID_SIZE. */
glissade_status gls_options_check(const gls_layout *layout, const void *filled, glissade_error *error);

/* Copies `known` into the caller's struct, as far as that reaches, and keeps its size field. Returns OK or
 * INVALID_SIZE.
 */
glissade_status gls_options_write(const gls_layout *layout, void *filled, const void *known,
                                  glissade_error *error);

/* Writes `defaults` into the first `size` bytes of the caller's struct, zeros past today's size, and size as
 * its size. */
void gls_options_init(const gls_layout *layout, void *options, size_t size, const void *defaults);

#endif
