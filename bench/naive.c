/* SPDX-License-Identifier: Apache-2.0 */
/* The passes of naive.h. */
#include "naive.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "own.h"

/* Sums that the compiler may not reorder are kept in so many lanes. */
enum { LANES = 32 };

/* What is not finite leaves something other than 0 behind when it is multiplied by 0. */
static bool unscale(float *restrict g, size_t n, float factor) {
    float found[LANES] = {0};
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++) {
            found[lane] += 0.0f * g[i + lane];
            g[i + lane] *= factor;
        }
    for (; i < n; i++) {
        found[0] += 0.0f * g[i];
        g[i] *= factor;
    }
    for (size_t lane = 1; lane < LANES; lane++)
        found[0] += found[lane];
    return found[0] == 0;
}

static double squares(const float *restrict g, size_t n) {
    double sums[LANES] = {0};
    size_t i = 0;
    for (; n - i >= LANES; i += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            sums[lane] += (double)g[i + lane] * (double)g[i + lane];
    for (; i < n; i++)
        sums[0] += (double)g[i] * (double)g[i];
    for (size_t lane = 1; lane < LANES; lane++)
        sums[0] += sums[lane];
    return sums[0];
}

static void scale(float *restrict g, size_t n, float factor) {
    for (size_t i = 0; i < n; i++)
        g[i] *= factor;
}

static void clamp(float *restrict g, size_t n, float limit) {
    for (size_t i = 0; i < n; i++) {
        const float least = g[i] < -limit ? -limit : g[i];
        g[i] = least > limit ? limit : least;
    }
}

static void zero(float *g, size_t n) {
    memset(g, 0, n * sizeof *g);
}

static void momentum(float *restrict p, const float *restrict g, float *restrict m, size_t n,
                     const bench_rates *rates) {
    const float rate = rates->rate, beta = rates->beta1;
    for (size_t i = 0; i < n; i++) {
        m[i] = beta * m[i] + g[i];
        p[i] -= rate * m[i];
    }
}

static void adamw(float *restrict p, const float *restrict g, float *restrict m, float *restrict v, size_t n,
                  const bench_rates *rates) {
    const bench_rates r = *rates;
    const float kappa1 = 1 - r.beta1, kappa2 = 1 - r.beta2;
    for (size_t i = 0; i < n; i++) {
        m[i] = r.beta1 * m[i] + kappa1 * g[i];
        v[i] = r.beta2 * v[i] + kappa2 * g[i] * g[i];
        p[i] = p[i] * r.decay - r.rate * (m[i] / (sqrtf(v[i]) * r.root + r.eps));
    }
}

static void average(float *restrict to, const float *restrict p, size_t n, float weight) {
    for (size_t i = 0; i < n; i++)
        to[i] += weight * (p[i] - to[i]);
}

static void copy_bf16(unsigned short *restrict copy, const float *restrict p, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &p[i], sizeof bits);
        copy[i] = (unsigned short)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
    }
}

const bench_naive BENCH_OWN(bench_naive) = {.unscale = unscale,
                                            .squares = squares,
                                            .scale = scale,
                                            .clamp = clamp,
                                            .zero = zero,
                                            .momentum = momentum,
                                            .adamw = adamw,
                                            .average = average,
                                            .copy_bf16 = copy_bf16};
