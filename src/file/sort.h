/* SPDX-License-Identifier: Apache-2.0 */
/* Sorting that neither recurses nor allocates (qsort may do both), in time n log n whatever a file holds. */
#ifndef GLS_SORT_H
#define GLS_SORT_H

#include <stdbool.h>
#include <stddef.h>

/* The largest item. */
enum { GLS_SORT_ITEM_MAX = 64 };

/* Whether a belongs before b. */
typedef bool (*gls_sort_before)(const void *a, const void *b, const void *context);

void gls_sort(void *items, size_t count, size_t size, gls_sort_before before, const void *context);

#endif
