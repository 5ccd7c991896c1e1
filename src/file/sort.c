/* SPDX-License-Identifier: Apache-2.0 */
/* Heapsort (see sort.h). */
#include "sort.h"

#include <string.h>

typedef struct sort_heap {
    char *items;
    size_t size;
    gls_sort_before before;
    const void *context;
} sort_heap;

static bool is_before(const sort_heap *heap, size_t a, size_t b) {
    return heap->before(heap->items + a * heap->size, heap->items + b * heap->size, heap->context);
}

static void swap(const sort_heap *heap, size_t a, size_t b) {
    char held[GLS_SORT_ITEM_MAX];
    char *x = heap->items + a * heap->size, *y = heap->items + b * heap->size;
    memcpy(held, x, heap->size);
    memcpy(x, y, heap->size);
    memcpy(y, held, heap->size);
}

static void sift_down(const sort_heap *heap, size_t root, size_t count) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && is_before(heap, child, child + 1))
            child++;
        if (!is_before(heap, root, child))
            return;
        swap(heap, root, child);
    }
}

/* Most files are: that takes one pass. */
static bool is_sorted(const sort_heap *heap, size_t count) {
    for (size_t i = 1; i < count; i++)
        if (is_before(heap, i, i - 1))
            return false;
    return true;
}

void gls_sort(void *items, size_t count, size_t size, gls_sort_before before, const void *context) {
    const sort_heap heap = {.items = items, .size = size, .before = before, .context = context};
    if (is_sorted(&heap, count))
        return;
    for (size_t root = count / 2; root-- > 0;)
        sift_down(&heap, root, count);
    for (size_t last = count; last-- > 1;) {
        swap(&heap, 0, last);
        sift_down(&heap, 0, last);
    }
}
