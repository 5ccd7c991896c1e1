/* SPDX-License-Identifier: Apache-2.0 */
/* Kept memory (see spare.h). What is kept changes hands by one exchange: a lock could be held at a fork. */
#include "spare.h"

#include <stdatomic.h>

struct gls_spare {
    atomic_uint references;
    _Atomic(gls_arena *) kept;
};

gls_spare *gls_spare_create(void) {
    gls_spare *spare = gls_alloc(1, sizeof *spare);
    if (spare) {
        atomic_init(&spare->references, 1);
        atomic_init(&spare->kept, NULL);
    }
    return spare;
}

void gls_spare_hold(gls_spare *spare) {
    atomic_fetch_add_explicit(&spare->references, 1, memory_order_relaxed);
}

static void discard(gls_arena *arena) {
    if (arena)
        gls_arena_destroy(arena);
    gls_free(arena);
}

void gls_spare_release(gls_spare *spare) {
    if (!spare || atomic_fetch_sub_explicit(&spare->references, 1, memory_order_acq_rel) != 1)
        return;
    discard(atomic_load(&spare->kept));
    gls_free(spare);
}

bool gls_spare_take(gls_spare *spare, gls_arena *arena, size_t bytes, bool huge_pages) {
    gls_arena *kept = atomic_exchange(&spare->kept, NULL);
    const bool fits = kept && kept->bytes >= bytes && kept->bytes / 2 <= bytes;
    if (fits)
        *arena = *kept;
    if (fits)
        gls_free(kept);
    else
        discard(kept);
    return fits || gls_arena_create(arena, bytes, huge_pages);
}

void gls_spare_give(gls_spare *spare, gls_arena *arena) {
    gls_arena *kept = gls_alloc(1, sizeof *kept);
    if (kept)
        *kept = *arena;
    else
        gls_arena_destroy(arena);
    *arena = (gls_arena){0};
    discard(atomic_exchange(&spare->kept, kept));
}
