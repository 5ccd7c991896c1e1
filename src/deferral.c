/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds and sums of deferred gradients (see deferral.h). Allocates nothing; knows no update rule. */
#include "deferral.h"

#include <float.h>
#include <math.h>

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

void gls_deferral_fold(const gls_deferral *deferral, size_t block, const double *units, size_t n) {
    const size_t left = gls_deferral_units(n) - block * GLS_BLOCK_UNITS;
    const size_t count = left < GLS_BLOCK_UNITS ? left : GLS_BLOCK_UNITS;
    double sums[GLS_BLOCK_UNITS];
    for (size_t i = 0; i < count; i++)
        sums[i] = units[i];
    deferral->blocks[block] = sum_pairwise(sums, count);
}

void gls_deferral_fold_divided(const gls_deferral *deferral, const gls_plan *plan, uint32_t tensor,
                               size_t n) {
    for (uint32_t thread = 0; thread < plan->threads; thread++) {
        const gls_range range = gls_plan_range(plan, tensor, n, thread);
        const size_t block = range.begin / GLS_BLOCK;
        if (range.begin < range.end && range.begin % GLS_BLOCK)
            gls_deferral_fold(deferral, block, deferral->units + block * GLS_BLOCK_UNITS, n);
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
