/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of a save that has ended, for the next one: pages that are there already are copied to several times as fast as
 * pages that the system has yet to find. Shared by an optimizer and its saves, which may outlive it. */
#ifndef GLS_SPARE_H
#define GLS_SPARE_H

#include "alloc.h"

typedef struct gls_spare gls_spare;

/* NULL without memory. The maker holds a reference. */
gls_spare *gls_spare_create(void);
void gls_spare_hold(gls_spare *spare);
/* Gives up a reference; NULL is accepted. With the last one its memory is freed. */
void gls_spare_release(gls_spare *spare);

/* An arena of at least so many bytes: the kept one if it is large enough and not more than twice as large, else a new
 * one. False without memory. */
bool gls_spare_take(gls_spare *spare, gls_arena *arena, size_t bytes, bool huge_pages);

/* Keeps an arena in place of the one that is kept; `arena` is empty afterwards. */
void gls_spare_give(gls_spare *spare, gls_arena *arena);

#endif
