/* SPDX-License-Identifier: Apache-2.0 */
/* Sums in a fixed order (see sums.h). Allocates nothing. */
#include "sums.h"

_Static_assert(GLS_CUT_UNIT % GLS_SUM_UNIT == 0, "a cut divides no unit");

size_t gls_sums_units(size_t n) {
    return n / GLS_SUM_UNIT + (n % GLS_SUM_UNIT != 0);
}

size_t gls_sums_blocks(size_t n) {
    return n / GLS_BLOCK + (n % GLS_BLOCK != 0);
}

double *gls_sums_take(gls_sums *sums, size_t n, double *room) {
    sums->units = room;
    sums->blocks = sums->units + gls_sums_units(n);
    return sums->blocks + gls_sums_blocks(n);
}

/* A block's units make a subtree of their own, so that summing blocks first gives the same tree. */
double gls_sums_pairwise(double *x, size_t count) {
    for (; count > 1; count = count / 2 + count % 2) {
        for (size_t i = 0; i < count / 2; i++)
            x[i] = x[2 * i] + x[2 * i + 1];
        if (count % 2)
            x[count / 2] = x[count - 1];
    }
    return count ? x[0] : 0;
}

void gls_sums_fold(const gls_sums *sums, size_t block, const double *units, size_t n) {
    const size_t left = gls_sums_units(n) - block * GLS_BLOCK_UNITS;
    const size_t count = left < GLS_BLOCK_UNITS ? left : GLS_BLOCK_UNITS;
    double copies[GLS_BLOCK_UNITS];
    for (size_t i = 0; i < count; i++)
        copies[i] = units[i];
    sums->blocks[block] = gls_sums_pairwise(copies, count);
}

void gls_sums_fold_divided(const gls_sums *sums, const gls_plan *plan, uint32_t tensor, size_t n) {
    for (uint32_t thread = 0; thread < plan->threads; thread++) {
        const gls_range range = gls_plan_range(plan, tensor, n, thread);
        const size_t block = range.begin / GLS_BLOCK;
        if (range.begin < range.end && range.begin % GLS_BLOCK)
            gls_sums_fold(sums, block, sums->units + block * GLS_BLOCK_UNITS, n);
    }
}

double gls_sums_total(const gls_sums *sums, size_t n) {
    return gls_sums_pairwise(sums->blocks, gls_sums_blocks(n));
}

gls_block_part gls_sums_part(gls_range range, size_t begin, size_t n) {
    const size_t block = begin / GLS_BLOCK, block_end = (block + 1) * GLS_BLOCK;
    const size_t end = block_end < range.end ? block_end : range.end;
    return (gls_block_part){.run = {begin, end},
                            .block = block,
                            .whole = begin % GLS_BLOCK == 0 && (end == block_end || end == n)};
}
