/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds and sums of deferred gradients (see deferral.h). Allocates nothing; knows no update rule. */
#include "deferral.h"

#include <float.h>
#include <math.h>

enum { UNITS_OF_BLOCK = GLS_BLOCK / GLS_SUM_UNIT };

_Static_assert(GLS_CUT_UNIT % GLS_SUM_UNIT == 0, "a cut divides no unit");

size_t gls_deferral_units(size_t n) {
    return n / GLS_SUM_UNIT + (n % GLS_SUM_UNIT != 0);
}

size_t gls_deferral_blocks(size_t n) {
    return n / GLS_BLOCK + (n % GLS_BLOCK != 0);
}

/* A mean square that is not finite defers nothing: what made it so must be seen. */
float gls_deferral_tau(const gls_deferral *deferral, gls_threshold threshold) {
    const double tau = threshold.relative ? threshold.value * deferral->rms : threshold.value;
    if (!isfinite(tau) || tau < (double)FLT_MIN)
        return 0;
    return tau > (double)FLT_MAX ? FLT_MAX : (float)tau;
}

/* Neighbours paired up a tree, an odd last one passing up. A block's units make a subtree of their own, so that
 * summing blocks first gives the same tree. */
static double sum_pairwise(double *x, size_t count) {
    for (; count > 1; count = count / 2 + count % 2) {
        for (size_t i = 0; i < count / 2; i++)
            x[i] = x[2 * i] + x[2 * i + 1];
        if (count % 2)
            x[count / 2] = x[count - 1];
    }
    return count ? x[0] : 0;
}

static void fold_block(const gls_deferral *deferral, size_t block, size_t n) {
    const size_t begin = block * UNITS_OF_BLOCK, left = gls_deferral_units(n) - begin;
    const size_t count = left < UNITS_OF_BLOCK ? left : UNITS_OF_BLOCK;
    double sums[UNITS_OF_BLOCK];
    for (size_t i = 0; i < count; i++)
        sums[i] = deferral->units[begin + i];
    deferral->blocks[block] = sum_pairwise(sums, count);
}

void gls_deferral_fold(const gls_deferral *deferral, gls_range range, size_t n) {
    const size_t end = range.end == n ? gls_deferral_blocks(n) : range.end / GLS_BLOCK;
    for (size_t block = gls_deferral_blocks(range.begin); block < end; block++)
        fold_block(deferral, block, n);
}

void gls_deferral_fold_divided(const gls_deferral *deferral, const gls_plan *plan, uint32_t tensor,
                               size_t n) {
    for (uint32_t thread = 0; thread < plan->threads; thread++) {
        const gls_range range = gls_plan_range(plan, tensor, n, thread);
        if (range.begin < range.end && range.begin % GLS_BLOCK)
            fold_block(deferral, range.begin / GLS_BLOCK, n);
    }
}

uint64_t gls_deferral_settle(gls_deferral *deferral, size_t n, bool deferred, gls_threshold threshold) {
    const uint64_t acted = atomic_exchange_explicit(&deferral->acting, 0, memory_order_relaxed);
    const bool known = deferred && n && threshold.value != 0;
    deferral->acted = deferred ? acted : n;
    deferral->rms = known ? sqrt(sum_pairwise(deferral->blocks, gls_deferral_blocks(n)) / (double)n) : 0;
    deferral->holds = deferral->holds && threshold.value != 0;
    return deferral->acted;
}
