/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loops of loops.h, in plain C that the compiler vectorises, walked by the library's own walk. The build
 * defines BENCH_ISA for each set of compiler flags.
 */
#include "loops.h"

#include "own.h"

/* What the walk hands to a loop at once: a cache line, whatever the vectors. */
typedef float vf_element;
enum { VF_LANES = 16 };

#include "walk.h"

#define EACH(count, statement)                                                                               \
    for (size_t j = 0; j < (size_t)(count); j++)                                                             \
    statement

static void copy(float *restrict to, const float *restrict from, size_t n, const gls_walk *walk) {
#define COPY_WHOLE(i)       EACH(VF_LANES, to[(i) + j] = from[(i) + j])
#define COPY_PART(i, left)  EACH(left, to[(i) + j] = from[(i) + j])
#define COPY_AHEAD(i, lead) gls_prefetch(from, i, lead, 0, 0), gls_prefetch(to, i, lead, 1, 1)
    GLS_WALK(n, walk, COPY_WHOLE, COPY_PART, COPY_AHEAD);
#undef COPY_WHOLE
#undef COPY_PART
#undef COPY_AHEAD
}

/* The factor must not be known to the compiler, which would leave the loop out. */
static float volatile const one = 1.0f;

static void touch(float *restrict p, float *restrict g, float *restrict m, size_t n, const gls_walk *walk) {
    const float factor = one;
#define TOUCH(k)            p[k] *= factor, g[k] *= factor, m[k] *= factor
#define TOUCH_WHOLE(i)      EACH(VF_LANES, (TOUCH((i) + j)))
#define TOUCH_PART(i, left) EACH(left, (TOUCH((i) + j)))
#define TOUCH_AHEAD(i, lead)                                                                                 \
    gls_prefetch(p, i, lead, 0, 1), gls_prefetch(g, i, lead, 1, 1), gls_prefetch(m, i, lead, 2, 1)
    GLS_WALK(n, walk, TOUCH_WHOLE, TOUCH_PART, TOUCH_AHEAD);
#undef TOUCH
#undef TOUCH_WHOLE
#undef TOUCH_PART
#undef TOUCH_AHEAD
}

static void divide(float *restrict p, const float *restrict g, float *restrict m, size_t n,
                   const gls_walk *walk, float beta, float kappa, float divisor, float rate) {
#define DIVIDE(k)            m[k] = beta * m[k] + kappa * g[k], p[k] -= rate * (m[k] / divisor)
#define DIVIDE_WHOLE(i)      EACH(VF_LANES, (DIVIDE((i) + j)))
#define DIVIDE_PART(i, left) EACH(left, (DIVIDE((i) + j)))
#define DIVIDE_AHEAD(i, lead)                                                                                \
    gls_prefetch(p, i, lead, 0, 1), gls_prefetch(g, i, lead, 1, 0), gls_prefetch(m, i, lead, 2, 1)
    GLS_WALK(n, walk, DIVIDE_WHOLE, DIVIDE_PART, DIVIDE_AHEAD);
#undef DIVIDE
#undef DIVIDE_WHOLE
#undef DIVIDE_PART
#undef DIVIDE_AHEAD
}

/* Nothing may be fused: the listing's operations are library calls, each of which ends before the next. */
#define BARRIER() __asm__ volatile("" : : : "memory")

static void materialise(float *restrict p, const float *restrict g, float *restrict m,
                        float *restrict average, size_t n, float beta, float kappa, float divisor,
                        float rate) {
    EACH(n, m[j] *= beta);
    BARRIER();
    EACH(n, m[j] += kappa * g[j]);
    BARRIER();
    EACH(n, average[j] = m[j] / divisor);
    BARRIER();
    EACH(n, p[j] -= rate * average[j]);
}

const bench_loops BENCH_OWN(bench_loops) = {
    .copy = copy, .touch = touch, .divide = divide, .materialise = materialise};
