/* SPDX-License-Identifier: Apache-2.0 */
/* Memory: small zeroed blocks from the heap, large arenas from the kernel. The only file that allocates. */
#include "alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

bool (*gls_alloc_permit)(size_t bytes);

/* From here on an arena gets pages of its own: below, a hundred thousand one-tensor groups would exhaust the
 * process's mappings (65,530 by default). */
static const size_t map_from = 256 * 1024;
static const size_t huge_page = 2 * 1024 * 1024;
static const size_t cache_line = 64;

static bool permitted(size_t bytes) {
    return !gls_alloc_permit || gls_alloc_permit(bytes);
}

void *gls_alloc(size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || !permitted(bytes))
        return NULL;
    return calloc(count ? count : 1, size);
}

void gls_free(void *memory) {
    free(memory);
}

static void *map(size_t bytes, bool huge_pages) {
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED)
        return NULL;
    if (huge_pages && bytes >= huge_page)
        madvise(base, bytes, MADV_HUGEPAGE); /* advice: a kernel without them is no failure */
    return base;
}

bool gls_arena_create(gls_arena *arena, size_t bytes, bool huge_pages) {
    *arena = (gls_arena){0};
    if (bytes == 0)
        return true;
    if (bytes > PTRDIFF_MAX - huge_page || !permitted(bytes))
        return false;
    const bool mapped = bytes >= map_from;
    void *base;
    if (mapped) {
        base = map(bytes, huge_pages);
    } else {
        bytes = (bytes + cache_line - 1) / cache_line * cache_line;
        base = aligned_alloc(cache_line, bytes);
        if (base)
            memset(base, 0, bytes);
    }
    if (!base)
        return false;
    *arena = (gls_arena){.base = base, .bytes = bytes, .mapped = mapped};
    return true;
}

void gls_arena_destroy(gls_arena *arena) {
    if (arena->mapped)
        munmap(arena->base, arena->bytes);
    else
        free(arena->base);
    *arena = (gls_arena){0};
}
