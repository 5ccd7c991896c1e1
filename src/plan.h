/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a group: which run of elements of which tensor is whose. A pure function of lengths, thread
 * count and rotation; it never looks at an address, and never changes once made.
 *
 * A tensor of more than threads x GLS_BLOCK elements is split into one part per thread, so that a step over a
 * single layer is parallel too; where each part lies follows from a formula and costs no table. Smaller
 * tensors are packed: laid end to end in their order and cut into pieces of equal length, one a thread.
 */
#ifndef GLS_PLAN_H
#define GLS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    GLS_BLOCK =
        16384, /* elements: cuts are multiples of this from the tensor's start where that balances, ... */
    GLS_CUT_UNIT = 256, /* ... and of this otherwise */
};

/* Where the next group goes on, so that what does not divide evenly falls on another thread each time. */
typedef struct gls_rotation {
    uint32_t split, packed; /* threads */
} gls_rotation;

/* A place in the packed tensors: a position in their order, and GLS_CUT_UNITs from that tensor's start. */
typedef struct gls_cut {
    uint32_t packed, unit;
} gls_cut;

typedef struct gls_plan {
    uint32_t threads, tensor_count;
    uint32_t split_count; /* order[0 .. split_count - 1] are split, the rest packed */
    uint32_t
        piece_count; /* pieces of the packed tensors; piece i goes to thread (first_thread + i) mod threads */
    uint32_t first_thread;
    uint32_t *order;   /* tensor numbers, ascending in each of the two parts */
    uint32_t *place;   /* by tensor: its place in `order` */
    uint32_t *surplus; /* by place among the split: the thread whose part is the first with a unit more */
    gls_cut *cuts;     /* piece_count + 1 of them */
} gls_plan;

typedef struct gls_range {
    size_t begin, end; /* elements; empty if equal */
} gls_range;

/* Every element, whichever thread owns it: for work that the calling thread does alone. */
#define GLS_ALL_SHARDS UINT32_MAX

/* Makes the plan and moves the rotation on. False, with nothing changed, without memory. */
bool gls_plan_create(gls_plan *plan, const size_t *lengths, uint32_t count, uint32_t threads,
                     gls_rotation *rotation);
void gls_plan_destroy(gls_plan *plan);

/* The run of a tensor, `length` elements long, that a thread owns; all of it for GLS_ALL_SHARDS. */
gls_range gls_plan_range(const gls_plan *plan, uint32_t tensor, size_t length, uint32_t thread);

/*
 * Goes over the tensors of which a shard may own something, and their runs:
 *     for (gls_cursor c = gls_plan_start(plan, shard); gls_plan_next(&c);)
 *         ... c.tensor ... gls_cursor_range(&c, length) ...
 * Inline, because ten thousand tensors go through it while the memory waits: calls and divisions cost 4 % of
 * their step.
 */
typedef struct gls_cursor {
    const gls_plan *plan;
    uint32_t shard, tensor;
    uint32_t place, split_end, packed_begin,
        end; /* places in `order`: [place, split_end) and [packed_begin, end) */
} gls_cursor;

gls_cursor gls_plan_start(const gls_plan *plan, uint32_t shard);

static inline bool gls_plan_next(gls_cursor *cursor) {
    if (cursor->place == cursor->split_end && cursor->place < cursor->packed_begin)
        cursor->place = cursor->packed_begin;
    if (cursor->place >= cursor->split_end && cursor->place >= cursor->end)
        return false;
    cursor->tensor = cursor->plan->order[cursor->place++];
    return true;
}

/* The run that the cursor's shard owns of its present tensor; a piece cuts none but its first and its last.
 */
static inline gls_range gls_cursor_range(const gls_cursor *cursor, size_t length) {
    const uint32_t place = cursor->place - 1;
    if (place > cursor->packed_begin && place + 1 < cursor->end)
        return (gls_range){0, length};
    return gls_plan_range(cursor->plan, cursor->tensor, length, cursor->shard);
}

/* Goes likewise over the tensors that no thread owns whole, and perhaps some that one does. */
gls_cursor gls_plan_start_shared(const gls_plan *plan);
bool gls_plan_next_shared(gls_cursor *cursor);

#endif
