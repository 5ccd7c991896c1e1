/* SPDX-License-Identifier: Apache-2.0 */
/* Thresholds of deferred gradients (see deferral.h). Allocates nothing; knows no update rule. */
#include "deferral.h"

#include <float.h>
#include <math.h>

/* A mean square that is not finite defers nothing: what made it so must be seen. */
float gls_deferral_tau(const gls_deferral *deferral, gls_threshold threshold) {
    const double tau = threshold.relative ? threshold.value * deferral->rms : threshold.value;
    if (!isfinite(tau) || tau < (double)FLT_MIN)
        return 0;
    return tau > (double)FLT_MAX ? FLT_MAX : (float)tau;
}

uint64_t gls_deferral_settle(gls_deferral *deferral, size_t n, bool deferred, gls_threshold threshold) {
    const uint64_t acted = atomic_exchange_explicit(&deferral->acting, 0, memory_order_relaxed);
    const bool known = deferred && n && threshold.value != 0;
    deferral->acted = deferred ? acted : n;
    deferral->rms = known ? sqrt(gls_sums_total(&deferral->sums, n) / (double)n) : 0;
    deferral->holds = deferral->holds && threshold.value != 0;
    return deferral->acted;
}
