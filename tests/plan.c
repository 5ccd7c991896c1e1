/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the plan of a group promises, over many lists of lengths and 1 to 300 threads: every element has one
 * owner, cuts fall where they may, cursors find what a thread owns and little else, shares are even, what
 * does not divide evenly moves on from group to group. A plan is a pure function, so nothing here runs on
 * threads.
 */
#include "alloc.h"
#include "plan.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

enum { THREADS_MAX = 300 };

static uint64_t random_state;

static uint64_t random_bits(void) {
    uint64_t z = random_state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* What one plan was found to be. */
typedef struct shares {
    uint64_t owned[THREADS_MAX]; /* elements */
    size_t runs[THREADS_MAX];    /* non-empty ranges */
} shares;

static uint64_t spread(const uint64_t *owned, uint32_t threads) {
    uint64_t least = UINT64_MAX, most = 0;
    for (uint32_t i = 0; i < threads; i++) {
        least = owned[i] < least ? owned[i] : least;
        most = owned[i] > most ? owned[i] : most;
    }
    return most - least;
}

static int by_begin(const void *a, const void *b) {
    const size_t x = ((const gls_range *)a)->begin, y = ((const gls_range *)b)->begin;
    return x < y ? -1 : x > y;
}

/* A tensor of more than a block a thread is split over all threads. */
static bool is_split(size_t length, uint32_t threads) {
    return length / GLS_BLOCK >= threads && length > (size_t)threads * GLS_BLOCK;
}

/* What cuts must be multiples of: blocks where that is even, or as good as even, in a tensor that is split.
 */
static size_t unit_of(size_t length, uint32_t threads) {
    const size_t blocks = length / GLS_BLOCK;
    const bool even = length % GLS_BLOCK == 0 && blocks % threads == 0;
    return is_split(length, threads) && (even || blocks / threads >= 32) ? GLS_BLOCK : GLS_CUT_UNIT;
}

/* The ranges of one tensor, put in order, lie end to end and are cut where they may be. How many there are.
 */
static uint32_t check_tensor(const gls_plan *plan, uint32_t tensor, size_t length, shares *found) {
    gls_range ranges[THREADS_MAX];
    uint32_t count = 0;
    for (uint32_t thread = 0; thread < plan->threads; thread++) {
        const gls_range range = gls_plan_range(plan, tensor, length, thread);
        cr_assert(range.begin <= range.end && range.end <= length,
                  "thread %u of %u owns [%zu, %zu) of %zu elements", thread, plan->threads, range.begin,
                  range.end, length);
        if (range.begin == range.end)
            continue;
        ranges[count++] = range;
        found->owned[thread] += range.end - range.begin;
        found->runs[thread]++;
    }
    qsort(ranges, count, sizeof *ranges, by_begin);
    const size_t unit = unit_of(length, plan->threads);
    size_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(ranges[i].begin, end, "tensor %u: a range begins at %zu, the one before ends at %zu",
                     tensor, ranges[i].begin, end);
        cr_assert_eq(ranges[i].begin % unit, 0, "tensor %u of %zu elements is cut at %zu, no multiple of %zu",
                     tensor, length, ranges[i].begin, unit);
        end = ranges[i].end;
    }
    cr_assert_eq(end, length, "tensor %u: %zu of %zu elements are owned", tensor, end, length);
    cr_assert(!is_split(length, plan->threads) || count == plan->threads,
              "tensor %u of %zu elements goes to %u of %u threads", tensor, length, count, plan->threads);
    const gls_range all = gls_plan_range(plan, tensor, length, GLS_ALL_SHARDS);
    cr_assert(all.begin == 0 && all.end == length);
    return count;
}

/* A cursor visits each tensor at most once and misses none of which its shard owns something. */
static void check_cursor(const gls_plan *plan, const size_t *lengths, uint32_t shard, const shares *found) {
    size_t visits = 0, runs = 0, empty = 0;
    uint8_t *seen = calloc(plan->tensor_count, 1);
    for (gls_cursor c = gls_plan_start(plan, shard); gls_plan_next(&c); visits++) {
        cr_assert_lt(c.tensor, plan->tensor_count);
        cr_assert(!seen[c.tensor], "shard %u visits tensor %u twice", shard, c.tensor);
        seen[c.tensor] = 1;
        const gls_range range = gls_plan_range(plan, c.tensor, lengths[c.tensor], shard);
        const gls_range quick = gls_cursor_range(&c, lengths[c.tensor]);
        cr_assert(quick.begin == range.begin && quick.end == range.end,
                  "shard %u, tensor %u: the cursor says [%zu, %zu), the plan [%zu, %zu)", shard, c.tensor,
                  quick.begin, quick.end, range.begin, range.end);
        runs += range.begin < range.end;
        empty += lengths[c.tensor] == 0;
    }
    free(seen);
    if (shard == GLS_ALL_SHARDS) {
        cr_assert_eq(visits, plan->tensor_count);
        return;
    }
    cr_assert_eq(runs, found->runs[shard], "shard %u visits %zu tensors that it owns part of, of %zu", shard,
                 runs, found->runs[shard]);
    cr_assert(visits <= runs + empty, "shard %u visits %zu tensors to find work in %zu", shard, visits, runs);
}

/* The cursor over shared tensors misses none that has several owners, and visits few others. */
static void check_shared(const gls_plan *plan, const uint8_t *several) {
    size_t visits = 0, left = 0;
    uint8_t *seen = calloc(plan->tensor_count, 1);
    for (gls_cursor c = gls_plan_start_shared(plan); gls_plan_next_shared(&c); visits++) {
        cr_assert_lt(c.tensor, plan->tensor_count);
        seen[c.tensor] = 1;
    }
    for (uint32_t i = 0; i < plan->tensor_count; i++)
        left += several[i] && !seen[i];
    free(seen);
    cr_assert_eq(left, 0, "%zu tensors with several owners are not visited", left);
    cr_assert(visits <= plan->split_count + plan->piece_count, "%zu visits, for %u split tensors, %u pieces",
              visits, plan->split_count, plan->piece_count);
}

/* Checks everything that holds for any plan; returns each thread's share. */
static shares check_plan(const size_t *lengths, uint32_t count, uint32_t threads, gls_rotation *rotation) {
    gls_plan plan;
    shares found = {{0}, {0}};
    cr_assert(gls_plan_create(&plan, lengths, count, threads, rotation));
    cr_assert(plan.threads == threads && plan.tensor_count == count);
    uint8_t *several = calloc(count, 1);
    for (uint32_t i = 0; i < count; i++)
        several[i] = check_tensor(&plan, i, lengths[i], &found) > 1;
    check_shared(&plan, several);
    free(several);
    for (uint32_t thread = 0; thread < threads; thread++)
        check_cursor(&plan, lengths, thread, &found);
    check_cursor(&plan, lengths, GLS_ALL_SHARDS, &found);
    cr_assert(rotation->split < threads && rotation->packed < threads);
    gls_plan_destroy(&plan);
    return found;
}

/*
 * How uneven a group may be. Split tensors: the surplus units go round, one block of difference at most, but
 * the thread with a tensor's last unit lacks what that is short of a whole one. Packed ones, when there is a
 * block for each thread: each end of a piece moves by at most the larger of half a cut unit and a 64th of a
 * piece; with less, whole pieces of one to two blocks go to some threads.
 */
static void check_balance(const size_t *lengths, uint32_t count, uint32_t threads, const shares *found) {
    size_t packed = 0, lacking = 0;
    for (uint32_t i = 0; i < count; i++)
        if (is_split(lengths[i], threads))
            lacking += unit_of(lengths[i], threads) - 1;
        else
            packed += lengths[i];
    const size_t piece = packed / threads;
    const size_t shift = piece / 64 > GLS_CUT_UNIT / 2 ? piece / 64 : GLS_CUT_UNIT / 2;
    const size_t uneven = piece >= GLS_BLOCK ? 4 * shift + 2 : 2 * GLS_BLOCK + 2 * GLS_CUT_UNIT;
    const size_t bound = GLS_BLOCK + lacking + (packed ? uneven : 0);
    cr_assert(spread(found->owned, threads) <= bound,
              "%u tensors over %u threads: shares differ by %zu elements, more than %zu", count, threads,
              (size_t)spread(found->owned, threads), bound);
}

static void check(const size_t *lengths, uint32_t count, uint32_t threads) {
    gls_rotation rotation = {(uint32_t)(random_bits() % threads), (uint32_t)(random_bits() % threads)};
    const shares found = check_plan(lengths, count, threads, &rotation);
    check_balance(lengths, count, threads, &found);
}

/* ---- lists ---- */

/* A length of one of several kinds, many of them next to where the plan changes its ways. */
static size_t random_length(uint32_t threads, unsigned kind) {
    const size_t turn = (size_t)threads * GLS_BLOCK;
    switch (kind) {
    case 0:
        return random_bits() % 1000;
    case 1:
        return (size_t)1 << random_bits() % 25;
    case 2:
        return turn + random_bits() % 3 - 1;
    case 3:
        return random_bits() % 4 ? 0 : random_bits() % (2 * turn);
    case 4:
        return (random_bits() % 40 + 1) * GLS_CUT_UNIT + random_bits() % 3 - 1;
    case 5:
        return (random_bits() % 9 + 1) * GLS_BLOCK + random_bits() % 3 - 1;
    case 6:
        return random_bits() % (4 * turn);
    default:
        return random_length(threads, (unsigned)(random_bits() % 7));
    }
}

Test(plan, random_lists, .timeout = 60) {
    enum { TENSORS = 400, LISTS = 3000 };
    static size_t lengths[TENSORS];
    random_state = 1;
    for (unsigned list = 0; list < LISTS; list++) {
        const uint32_t count = (uint32_t)(random_bits() % (list % 4 ? 20 : TENSORS)) + 1;
        const uint32_t threads =
            list % 3 ? (uint32_t)(random_bits() % THREADS_MAX) + 1 : (uint32_t)(random_bits() % 9) + 1;
        for (uint32_t i = 0; i < count; i++)
            lengths[i] = random_length(threads, list % 8);
        check(lengths, count, threads);
    }
}

Test(plan, one_tensor_of_every_awkward_length) {
    static const size_t offsets[] = {0, 1, 255, 256, 257, 16383};
    random_state = 2;
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads += threads < 20 ? 1 : 37)
        for (size_t blocks = 0; blocks <= threads + 2; blocks += blocks < 3 || blocks + 3 > threads ? 1 : 5)
            for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
                const size_t length = blocks * GLS_BLOCK + offsets[i];
                check(&length, 1, threads);
            }
}

Test(plan, every_thread_count) {
    static const size_t lengths[] = {1, 16384, 0, 5000000, 255, 256, 257, 16385, 0, 300000, 49152, 7};
    random_state = 3;
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads++)
        check(lengths, sizeof lengths / sizeof *lengths, threads);
}

Test(plan, empty_tensors) {
    static const size_t none[] = {0, 0, 0, 0}, around[] = {0, 20000, 0, 0, 20000, 0};
    for (uint32_t threads = 1; threads <= 9; threads++) {
        gls_rotation rotation = {0, 0};
        const shares found = check_plan(none, 4, threads, &rotation);
        cr_assert_eq(spread(found.owned, threads), 0);
        cr_assert(rotation.split == 0 && rotation.packed == 0,
                  "a group of nothing must not move the next group on");
        check_plan(around, 6, threads, &rotation);
    }
}

/* Lengths that fill the address space: the arithmetic must not wrap. */
Test(plan, immense_tensors) {
    const size_t most = PTRDIFF_MAX / sizeof(float);
    const size_t lengths[] = {most, 1, most - 1, most / 3, 16384};
    for (uint32_t threads = 1; threads <= THREADS_MAX; threads += 23) {
        gls_rotation rotation = {threads - 1, 0};
        check_plan(lengths, 5, threads, &rotation);
    }
}

Test(plan, ten_thousand_small_tensors, .timeout = 60) {
    enum { TENSORS = 10000 };
    static size_t lengths[TENSORS];
    for (size_t i = 0; i < TENSORS; i++)
        lengths[i] = 1000;
    static const uint32_t threads[] = {1, 2, 3, 16, 64, 300};
    random_state = 4;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        check(lengths, TENSORS, threads[i]);
}

/* ---- real models ---- */

static uint32_t gpt2(size_t *lengths) {
    const size_t width = 768;
    const size_t layer[] = {width, width, width * 3 * width, 3 * width, width * width,     width,
                            width, width, width * 4 * width, 4 * width, 4 * width * width, width};
    uint32_t count = 0;
    lengths[count++] = 50257 * width;
    lengths[count++] = 1024 * width;
    for (int i = 0; i < 12; i++)
        for (size_t j = 0; j < sizeof layer / sizeof *layer; j++)
            lengths[count++] = layer[j];
    lengths[count++] = width;
    lengths[count++] = width;
    return count;
}

Test(plan, gpt2_is_divided_evenly) {
    /* Stated bound: the most loaded thread has at most 2 % more than the mean up to 64 threads. */
    static const uint32_t threads[] = {2, 16, 64};
    size_t lengths[148];
    cr_assert_eq(gpt2(lengths), 148);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        gls_rotation rotation = {0, 0};
        const shares found = check_plan(lengths, 148, threads[i], &rotation);
        uint64_t total = 0, most = 0;
        for (uint32_t j = 0; j < threads[i]; j++) {
            total += found.owned[j];
            most = found.owned[j] > most ? found.owned[j] : most;
        }
        cr_assert_eq(total, 124439808);
        const double excess = (double)most * threads[i] / (double)total - 1;
        cr_log_info("%u threads: the most loaded has %.3f %% more than the mean", threads[i], 100 * excess);
        cr_assert(excess <= 0.02, "%u threads: the most loaded has %.2f %% more than the mean", threads[i],
                  100 * excess);
    }
}

/* ---- rotation ---- */

/* Many groups of one tensor each: what is left over must not always fall on the same threads. */
static void check_rotation(size_t length, uint32_t threads, unsigned groups, uint64_t bound) {
    uint64_t owned[THREADS_MAX] = {0};
    gls_rotation rotation = {0, 0};
    for (unsigned group = 0; group < groups; group++) {
        const shares found = check_plan(&length, 1, threads, &rotation);
        for (uint32_t i = 0; i < threads; i++)
            owned[i] += found.owned[i];
    }
    cr_assert(spread(owned, threads) <= bound,
              "%u groups of one tensor of %zu elements over %u threads: shares differ by %zu", groups, length,
              threads, (size_t)spread(owned, threads));
}

Test(plan, groups_of_one_tensor_go_round) {
    for (uint32_t threads = 2; threads <= 64; threads *= 2) {
        const size_t turn = (size_t)threads * GLS_BLOCK;
        check_rotation(1000, threads, 4 * threads, 0);
        check_rotation(20000, threads, 3 * threads + 1, 20000);
        check_rotation(turn + GLS_BLOCK, threads, 5 * threads + 3, 2 * GLS_BLOCK);
        /* A unit short by 255 elements, always the last thread's: 1.6 % of its share. */
        check_rotation(turn + 1, threads, 3 * threads, 2 * GLS_BLOCK + 3 * threads * (GLS_CUT_UNIT - 1));
        check_rotation(36864 * (size_t)threads / 2, threads, 100, 2 * GLS_BLOCK);
    }
}

static void check_same(const gls_plan *a, const gls_plan *b) {
    cr_assert(a->threads == b->threads && a->tensor_count == b->tensor_count &&
              a->split_count == b->split_count && a->piece_count == b->piece_count &&
              a->first_thread == b->first_thread);
    cr_assert_eq(memcmp(a->order, b->order, a->tensor_count * sizeof *a->order), 0);
    cr_assert_eq(memcmp(a->place, b->place, a->tensor_count * sizeof *a->place), 0);
    cr_assert_eq(memcmp(a->cuts, b->cuts, (a->piece_count + 1) * sizeof *a->cuts), 0);
    if (a->split_count)
        cr_assert_eq(memcmp(a->surplus, b->surplus, a->split_count * sizeof *a->surplus), 0);
}

Test(plan, same_input_same_plan) {
    size_t lengths[148];
    const uint32_t count = gpt2(lengths);
    for (uint32_t threads = 1; threads <= 65; threads += 16) {
        gls_rotation first = {threads - 1, threads / 2}, second = first;
        gls_plan a, b;
        cr_assert(gls_plan_create(&a, lengths, count, threads, &first));
        cr_assert(gls_plan_create(&b, lengths, count, threads, &second));
        check_same(&a, &b);
        cr_assert(first.split == second.split && first.packed == second.packed);
        gls_plan_destroy(&a);
        gls_plan_destroy(&b);
    }
}

/* ---- memory ---- */

static size_t allowed, asked;

static bool count_down(size_t bytes) {
    asked += bytes;
    return allowed ? allowed-- > 0 : false;
}

Test(plan, without_memory_nothing_moves) {
    static const size_t lengths[] = {5000000, 70, 20000};
    gls_alloc_permit = count_down;
    for (size_t attempt = 0;; attempt++) {
        gls_rotation rotation = {1, 2};
        gls_plan plan;
        allowed = attempt;
        if (gls_plan_create(&plan, lengths, 3, 4, &rotation)) {
            cr_assert_gt(attempt, 0);
            cr_assert(rotation.split != 1 && rotation.packed == 3);
            gls_plan_destroy(&plan);
            break;
        }
        cr_assert_lt(attempt, 100);
        cr_assert(rotation.split == 1 && rotation.packed == 2, "a plan that failed moved the rotation");
        cr_assert(!plan.order && !plan.place && !plan.surplus && !plan.cuts);
    }
    gls_alloc_permit = NULL;
}

/* A split tensor costs no table, whatever its length; packed ones a cut a thread. */
Test(plan, tables_are_small) {
    static const size_t immense[] = {PTRDIFF_MAX / 4, PTRDIFF_MAX / 4};
    gls_rotation rotation = {0, 0};
    gls_plan plan;
    allowed = SIZE_MAX;
    asked = 0;
    gls_alloc_permit = count_down;
    cr_assert(gls_plan_create(&plan, immense, 2, 300, &rotation));
    gls_alloc_permit = NULL;
    cr_assert(asked <= 2 * 16 + 301 * sizeof(gls_cut), "a plan of two tensors takes %zu bytes", asked);
    gls_plan_destroy(&plan);
}
