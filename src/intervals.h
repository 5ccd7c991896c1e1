/* SPDX-License-Identifier: Apache-2.0 */
/* The caller's arrays as intervals of addresses, kept sorted, so that an overlap is found when a group is
 * added. */
#ifndef GLS_INTERVALS_H
#define GLS_INTERVALS_H

#include "error.h"

typedef enum gls_array { GLS_ARRAY_PARAMETER, GLS_ARRAY_MOMENTUM, GLS_ARRAY_GRADIENT } gls_array;

/* `array` of a tensor lies in [begin, end); never empty. */
typedef struct gls_interval {
    uintptr_t begin, end;
    uint32_t group, tensor;
    uint32_t array;
} gls_interval;

/* Sorted by address, free of overlaps. */
typedef struct gls_intervals {
    gls_interval *items;
    size_t count;
} gls_intervals;

/* Sorts by begin; neither recurses nor allocates (qsort may do both). */
void gls_intervals_sort(gls_interval *items, size_t count);

/*
 * Looks for overlaps among `added`, which must be sorted, and of `added` with what is held. Returns OK,
 * OVERLAP, or DUPLICATE_TENSOR where two parameters begin at one address.
 */
glissade_status gls_intervals_check(const gls_intervals *held, const gls_interval *added, size_t count,
                                    glissade_error *error);

/* Makes room for count more, after which gls_intervals_add cannot fail. False, and nothing changed, without
 * memory. */
bool gls_intervals_reserve(gls_intervals *held, size_t count);

/* Merges sorted intervals that gls_intervals_check found free of overlaps. */
void gls_intervals_add(gls_intervals *held, const gls_interval *added, size_t count);

/* Removes a group's intervals; with tensor not UINT32_MAX only that tensor's parameter. */
void gls_intervals_remove(gls_intervals *held, uint32_t group, uint32_t tensor);

#endif
