/* SPDX-License-Identifier: Apache-2.0 */
/* Dividing a group among threads (see plan.h). No system call, no OpenMP, no hwloc. */
#include "plan.h"

#include "alloc.h"

/*
 * The unit in which a split tensor is cut: blocks, if that is even or if a thread has so many that half of
 * one does not matter (1.6 %); else the finest. Surplus units go round from tensor to tensor, but the last,
 * incomplete one would always fall on the last thread.
 */
static size_t unit_of(size_t length, uint32_t threads) {
    enum { MANY = 32 };
    const bool even = length % GLS_BLOCK == 0 && length / GLS_BLOCK % threads == 0;
    return even || length / GLS_BLOCK / threads >= MANY ? GLS_BLOCK : GLS_CUT_UNIT;
}

static size_t units_of(size_t length, uint32_t threads) {
    const size_t unit = unit_of(length, threads);
    return length / unit + (length % unit != 0);
}

static bool is_split(size_t length, uint32_t threads) {
    return length / GLS_BLOCK > threads || (length / GLS_BLOCK == threads && length % GLS_BLOCK);
}

/*
 * A split tensor of U units gives every thread U / T, and one more to U mod T threads in a circle from
 * `surplus` on. Where thread's part begins: the even shares before it, and the surplus units given to threads
 * before it.
 */
static size_t split_point(size_t units, uint32_t threads, uint32_t surplus, uint32_t thread) {
    const uint32_t extra = (uint32_t)(units % threads);
    const uint32_t after =
        thread > surplus ? thread - surplus : 0; /* threads from `surplus` up to this one */
    uint32_t given;
    if (surplus + extra <= threads) {
        given = after < extra ? after : extra;
    } else {
        const uint32_t wrapped = surplus + extra - threads; /* threads 0 .. wrapped - 1 have one, too */
        given = (thread < wrapped ? thread : wrapped) + after;
    }
    return units / threads * thread + given;
}

static gls_range split_range(const gls_plan *plan, uint32_t place, size_t length, uint32_t thread) {
    const size_t unit = unit_of(length, plan->threads), units = units_of(length, plan->threads);
    const uint32_t surplus = plan->surplus[place];
    gls_range range = {split_point(units, plan->threads, surplus, thread) * unit,
                       split_point(units, plan->threads, surplus, thread + 1) * unit};
    if (range.end > length)
        range.end = length;
    return range;
}

/* The piece of the packed tensors that a thread owns; piece_count if it owns none. */
static uint32_t piece_of(const gls_plan *plan, uint32_t thread) {
    const uint32_t piece = (thread + plan->threads - plan->first_thread) % plan->threads;
    return piece < plan->piece_count ? piece : plan->piece_count;
}

static gls_range packed_range(const gls_plan *plan, uint32_t place, size_t length, uint32_t thread) {
    const uint32_t piece = piece_of(plan, thread), packed = place - plan->split_count;
    if (piece == plan->piece_count)
        return (gls_range){0, 0};
    const gls_cut from = plan->cuts[piece], to = plan->cuts[piece + 1];
    if (packed < from.packed || packed > to.packed)
        return (gls_range){0, 0};
    return (gls_range){packed == from.packed ? (size_t)from.unit * GLS_CUT_UNIT : 0,
                       packed == to.packed ? (size_t)to.unit * GLS_CUT_UNIT : length};
}

gls_range gls_plan_range(const gls_plan *plan, uint32_t tensor, size_t length, uint32_t thread) {
    if (thread == GLS_ALL_SHARDS)
        return (gls_range){0, length};
    const uint32_t place = plan->place[tensor];
    return place < plan->split_count ? split_range(plan, place, length, thread)
                                     : packed_range(plan, place, length, thread);
}

gls_cursor gls_plan_start(const gls_plan *plan, uint32_t shard) {
    gls_cursor cursor = {
        .plan = plan, .shard = shard, .split_end = plan->split_count, .packed_begin = plan->split_count};
    if (shard == GLS_ALL_SHARDS) {
        cursor.end = plan->tensor_count;
        return cursor;
    }
    const uint32_t piece = piece_of(plan, shard);
    if (piece < plan->piece_count) {
        const gls_cut from = plan->cuts[piece], to = plan->cuts[piece + 1];
        cursor.packed_begin += from.packed;
        cursor.end = plan->split_count + to.packed + (to.unit > 0);
    }
    return cursor;
}

/* All that are split, then the packed ones within which a piece ends: place counts pieces from split_end on.
 */
gls_cursor gls_plan_start_shared(const gls_plan *plan) {
    return (gls_cursor){
        .plan = plan, .split_end = plan->split_count, .end = plan->split_count + plan->piece_count};
}

bool gls_plan_next_shared(gls_cursor *cursor) {
    const gls_plan *plan = cursor->plan;
    for (; cursor->place < cursor->end; cursor->place++) {
        const bool split = cursor->place < cursor->split_end;
        const gls_cut cut = split ? (gls_cut){0, 0} : plan->cuts[cursor->place - cursor->split_end];
        if (!split && cut.unit == 0)
            continue;
        cursor->tensor = plan->order[split ? cursor->place : cursor->split_end + cut.packed];
        cursor->place++;
        return true;
    }
    return false;
}

/* The multiple of `unit` nearest to offset. */
static size_t nearest(size_t offset, size_t unit) {
    return (offset + unit / 2) / unit * unit;
}

static size_t distance(size_t a, size_t b) {
    return a > b ? a - b : b - a;
}

/*
 * The cut for an ideal place `offset` elements into a packed tensor: at a multiple of a block, or the
 * tensor's end, if that shifts less than a 64th of a piece; else at a multiple of GLS_CUT_UNIT. An end is
 * written as the next's start.
 */
static gls_cut round_cut(uint32_t packed, size_t offset, size_t length, size_t piece) {
    const size_t block = nearest(offset, GLS_BLOCK), fine = nearest(offset, GLS_CUT_UNIT);
    if (block < length && distance(block, offset) <= piece / 64)
        return (gls_cut){packed, (uint32_t)(block / GLS_CUT_UNIT)};
    if (length - offset <= piece / 64 || fine >= length)
        return (gls_cut){packed + 1, 0};
    return (gls_cut){packed, (uint32_t)(fine / GLS_CUT_UNIT)};
}

/* Cuts the packed tensors, `total` elements together, into plan->piece_count pieces. */
static void cut_packed(gls_plan *plan, const size_t *lengths, size_t total) {
    const uint32_t packed_count = plan->tensor_count - plan->split_count;
    const size_t piece = total / plan->piece_count, rest = total % plan->piece_count;
    uint32_t packed = 0;
    size_t before = 0; /* elements of packed tensors 0 .. packed - 1 */
    for (uint32_t i = 1; i < plan->piece_count; i++) {
        const size_t ideal = piece * i + rest * i / plan->piece_count;
        while (before + lengths[plan->order[plan->split_count + packed]] <= ideal)
            before += lengths[plan->order[plan->split_count + packed++]];
        plan->cuts[i] =
            round_cut(packed, ideal - before, lengths[plan->order[plan->split_count + packed]], piece);
    }
    plan->cuts[0] = (gls_cut){0, 0};
    plan->cuts[plan->piece_count] = (gls_cut){packed_count, 0};
}

static uint32_t count_split(const size_t *lengths, uint32_t count, uint32_t threads) {
    uint32_t split = 0;
    for (uint32_t i = 0; i < count; i++)
        split += is_split(lengths[i], threads);
    return split;
}

/* Split tensors first, packed ones behind; returns the elements of the packed. */
static size_t order_tensors(gls_plan *plan, const size_t *lengths, gls_rotation *rotation) {
    size_t total = 0;
    for (uint32_t i = 0, next_split = 0, next_packed = plan->split_count; i < plan->tensor_count; i++) {
        if (is_split(lengths[i], plan->threads)) {
            plan->surplus[next_split] = rotation->split;
            rotation->split =
                (uint32_t)((rotation->split + units_of(lengths[i], plan->threads)) % plan->threads);
            plan->place[i] = next_split++;
        } else {
            total += lengths[i];
            plan->place[i] = next_packed++;
        }
        plan->order[plan->place[i]] = i;
    }
    return total;
}

bool gls_plan_create(gls_plan *plan, const size_t *lengths, uint32_t count, uint32_t threads,
                     gls_rotation *rotation) {
    gls_rotation next = *rotation;
    *plan = (gls_plan){.threads = threads,
                       .tensor_count = count,
                       .split_count = count_split(lengths, count, threads),
                       .first_thread = rotation->packed};
    plan->order = gls_alloc(count, sizeof *plan->order);
    plan->place = gls_alloc(count, sizeof *plan->place);
    plan->surplus = gls_alloc(plan->split_count, sizeof *plan->surplus);
    if (plan->order && plan->place && plan->surplus) {
        const size_t total = order_tensors(plan, lengths, &next);
        /* A piece of less than a block is not worth waking a thread for. */
        const size_t worthwhile = total / GLS_BLOCK ? total / GLS_BLOCK : 1;
        plan->piece_count = worthwhile < threads ? (uint32_t)worthwhile : threads;
        plan->cuts = gls_alloc(plan->piece_count + 1, sizeof *plan->cuts);
        if (plan->cuts) {
            if (total)
                cut_packed(plan, lengths, total);
            else
                plan->cuts[1] = (gls_cut){count - plan->split_count, 0};
            next.packed = total ? (next.packed + plan->piece_count) % threads : next.packed;
            *rotation = next;
            return true;
        }
    }
    gls_plan_destroy(plan);
    return false;
}

void gls_plan_destroy(gls_plan *plan) {
    gls_free(plan->order);
    gls_free(plan->place);
    gls_free(plan->surplus);
    gls_free(plan->cuts);
    *plan = (gls_plan){0};
}
