/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted address intervals (see intervals.h). */
#include "intervals.h"

#include <string.h>

#include "alloc.h"

static void sift_down(gls_interval *items, size_t root, size_t count) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && items[child].begin < items[child + 1].begin)
            child++;
        if (items[root].begin >= items[child].begin)
            return;
        const gls_interval swapped = items[root];
        items[root] = items[child];
        items[child] = swapped;
    }
}

static bool is_sorted(const gls_interval *items, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (items[i - 1].begin > items[i].begin)
            return false;
    return true;
}

/* Heapsort. */
void gls_intervals_sort(gls_interval *items, size_t count) {
    if (is_sorted(items, count))
        return;
    for (size_t root = count / 2; root-- > 0;)
        sift_down(items, root, count);
    for (size_t last = count; last-- > 1;) {
        const gls_interval largest = items[0];
        items[0] = items[last];
        items[last] = largest;
        sift_down(items, 0, last);
    }
}

static const char *array_name(uint32_t array) {
    return gls_array_name((gls_array)array);
}

static glissade_status report(const gls_interval *a, const gls_interval *b, glissade_error *error) {
    const bool twice =
        a->begin == b->begin && a->array == GLS_ARRAY_PARAMETER && b->array == GLS_ARRAY_PARAMETER;
    if (twice)
        return gls_error_set(
            error, GLISSADE_STATUS_DUPLICATE_TENSOR,
            "tensor %u of group %u and tensor %u of group %u have one parameter, at %#zx; a tensor "
            "belongs to one group, once",
            a->tensor, a->group, b->tensor, b->group, (size_t)a->begin);
    return gls_error_set(
        error, GLISSADE_STATUS_OVERLAP,
        "%s of tensor %u, group %u, [%#zx, %#zx) overlaps %s of tensor %u, group %u, [%#zx, %#zx)",
        array_name(a->array), a->tensor, a->group, (size_t)a->begin, (size_t)a->end, array_name(b->array),
        b->tensor, b->group, (size_t)b->begin, (size_t)b->end);
}

/* The first held interval that ends behind an address. */
static size_t first_ending_after(const gls_intervals *held, uintptr_t address) {
    size_t low = 0, high = held->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (held->items[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

glissade_status gls_intervals_check(const gls_intervals *held, const gls_interval *added, size_t count,
                                    glissade_error *error) {
    for (size_t i = 0; i < count; i++) {
        if (i && added[i].begin < added[i - 1].end)
            return report(&added[i - 1], &added[i], error);
        const size_t at = first_ending_after(held, added[i].begin);
        if (at < held->count && held->items[at].begin < added[i].end)
            return report(&held->items[at], &added[i], error);
    }
    return GLISSADE_STATUS_OK;
}

bool gls_intervals_reserve(gls_intervals *held, size_t count) {
    if (held->count + count <= held->room)
        return true;
    /* Half as much again once there are any, or ten thousand groups of one tensor copy them ten thousand times. */
    const size_t room = held->count + held->count / 2 + count;
    gls_interval *items = gls_alloc(room, sizeof *items);
    if (!items)
        return false;
    if (held->count)
        memcpy(items, held->items, held->count * sizeof *items);
    gls_free(held->items);
    held->items = items;
    held->room = room;
    return true;
}

void gls_intervals_add(gls_intervals *held, const gls_interval *added, size_t count) {
    size_t from = held->count, to = held->count + count;
    held->count = to;
    while (count) {
        const bool take_held = from && held->items[from - 1].begin > added[count - 1].begin;
        held->items[--to] = take_held ? held->items[--from] : added[--count];
    }
}

void gls_intervals_remove_group(gls_intervals *held, uint32_t group) {
    size_t kept = 0;
    for (size_t i = 0; i < held->count; i++)
        if (held->items[i].group != group)
            held->items[kept++] = held->items[i];
    held->count = kept;
}

void gls_intervals_remove(gls_intervals *held, uintptr_t begin) {
    const size_t at = first_ending_after(held, begin);
    held->count--;
    memmove(&held->items[at], &held->items[at + 1], (held->count - at) * sizeof *held->items);
}

void gls_intervals_remove_within(gls_intervals *held, uintptr_t begin, uintptr_t end) {
    const size_t from = first_ending_after(held, begin);
    size_t to = from;
    while (to < held->count && held->items[to].begin < end)
        to++;
    memmove(&held->items[from], &held->items[to], (held->count - to) * sizeof *held->items);
    held->count -= to - from;
}
