/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that allocates. Failure is a NULL or a false that every caller passes on; nothing here
 * aborts.
 */
#ifndef GLS_ALLOC_H
#define GLS_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed room for count elements of the given size; NULL if there is none or the product overflows. count may
 * be 0. */
void *gls_alloc(size_t count, size_t size);
void gls_free(void *memory);

/* A large block that nobody has touched yet (unless it is small), so that its pages can be placed by first
 * touch. */
typedef struct gls_arena {
    void *base; /* a multiple of 64 bytes, of a page if the block is large; NULL: empty */
    size_t bytes;
    bool mapped;
} gls_arena;

/* bytes 0 makes an empty arena. huge_pages asks for, but does not insist on, huge pages. */
bool gls_arena_create(gls_arena *arena, size_t bytes, bool huge_pages);
void gls_arena_destroy(gls_arena *arena);

/* For tests: asked before every allocation with its bytes; false makes it fail. NULL: all are allowed. */
extern bool (*gls_alloc_permit)(size_t bytes);

#endif
