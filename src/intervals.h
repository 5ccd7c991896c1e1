/* SPDX-License-Identifier: Apache-2.0 */
/* An optimizer's parameters and state as intervals of addresses, kept sorted, so that an overlap is found at
 * once. */
#ifndef GLS_INTERVALS_H
#define GLS_INTERVALS_H

#include "error.h"
#include "storage.h"

/* `array` of a tensor lies in [begin, end); never empty. */
typedef struct gls_interval {
    uintptr_t begin, end;
    uint32_t group;
    uint32_t tensor : 28, array : 4;
} gls_interval;

/* One more than the largest number of a tensor in its group. */
#define GLS_TENSOR_COUNT_MAX (UINT32_C(1) << 28)

static inline gls_interval gls_interval_make(uint32_t group, uint32_t tensor, gls_array array,
                                             const void *address, size_t bytes) {
    return (gls_interval){.begin = (uintptr_t)address,
                          .end = (uintptr_t)address + bytes,
                          .group = group,
                          .tensor = tensor & (GLS_TENSOR_COUNT_MAX - 1),
                          .array = array & 15u};
}

/* Sorted by address, free of overlaps. */
typedef struct gls_intervals {
    gls_interval *items;
    size_t count, room;
} gls_intervals;

/* Sorts by begin; neither recurses nor allocates (qsort may do both). */
void gls_intervals_sort(gls_interval *items, size_t count);

/*
 * Looks for overlaps among `added`, which must be sorted, and of `added` with what is held. Returns OK,
 * OVERLAP, or DUPLICATE_TENSOR where two parameters begin at one address.
 */
glissade_status gls_intervals_check(const gls_intervals *held, const gls_interval *added, size_t count,
                                    glissade_error *error);

/* Makes sure of room for count more, so that gls_intervals_add cannot fail. False, and nothing changed,
 * without memory. */
bool gls_intervals_reserve(gls_intervals *held, size_t count);

/* Merges sorted intervals that gls_intervals_check found free of overlaps. */
void gls_intervals_add(gls_intervals *held, const gls_interval *added, size_t count);

/* Removes a group's intervals; the one that begins at an address and is held. */
void gls_intervals_remove_group(gls_intervals *held, uint32_t group);
void gls_intervals_remove(gls_intervals *held, uintptr_t begin);

/* Removes all that lie in a range, whose bounds divide none. */
void gls_intervals_remove_within(gls_intervals *held, uintptr_t begin, uintptr_t end);

#endif
