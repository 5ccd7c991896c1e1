/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic gradient descent, written once against the vector vocabulary (vec_*.h). The sequence of
 * roundings is the one in glissade/sgd.h; sgd_lane below is the only place that holds it. Included by each
 * isa_*.c, after its vocabulary; knows no instruction set.
 */
#include "walk.h"

typedef struct sgd_vectors {
    vf s, weight_decay, momentum, kappa, flush, n1, n2, minus_lambda, minus_eta;
} sgd_vectors;

typedef struct sgd_result {
    vf p, m;
} sgd_result;

static VF_INLINE sgd_vectors sgd_broadcast(const gls_sgd_scalars *scalars) {
    return (sgd_vectors){
        .s = vf_set1(scalars->s),
        .weight_decay = vf_set1(scalars->weight_decay),
        .momentum = vf_set1(scalars->momentum),
        .kappa = vf_set1(scalars->kappa),
        .flush = vf_set1(scalars->flush),
        .n1 = vf_set1(scalars->n1),
        .n2 = vf_set1(scalars->n2),
        .minus_lambda = vf_set1(scalars->minus_lambda),
        .minus_eta = vf_set1(scalars->minus_eta),
    };
}

/* One vector of elements. momentum, nesterov and decay are constants at every call. */
static VF_INLINE sgd_result sgd_lane(const sgd_vectors *c, vf p, vf gradient, vf m, gls_momentum momentum,
                                     int nesterov, gls_decay decay) {
    vf g = vf_mul(c->s, gradient);
    if (decay == GLS_DECAY_COUPLED)
        g = vf_fma(c->weight_decay, p, g);

    vf d = g;
    if (momentum != GLS_MOMENTUM_NONE) {
        if (momentum == GLS_MOMENTUM_UNDAMPENED)
            m = g;
        else
            m = vf_fma(c->momentum, m, vf_mul(c->kappa, g));
        /* |m| < flush is false for a NaN, which therefore stays. */
        m = vf_select(vf_less(vf_abs(m), c->flush), vf_set1(0.0f), m);
        d = nesterov ? vf_fma(c->n1, m, vf_mul(c->n2, g)) : m;
    }

    const vf q = decay == GLS_DECAY_DECOUPLED ? vf_fma(c->minus_lambda, p, p) : p;
    return (sgd_result){.p = vf_fma(c->minus_eta, d, q), .m = m};
}

/* The first update does not read m, a step without momentum does not touch it. */
static VF_INLINE void sgd_whole(const sgd_vectors *c, float *p, float *g, float *m, size_t i,
                                gls_momentum momentum, int nesterov, gls_decay decay, int zero) {
    const vf m_old = momentum == GLS_MOMENTUM_KEPT ? vf_load(m + i) : vf_set1(0.0f);
    const sgd_result updated = sgd_lane(c, vf_load(p + i), vf_load(g + i), m_old, momentum, nesterov, decay);
    if (momentum != GLS_MOMENTUM_NONE)
        vf_store(m + i, updated.m);
    vf_store(p + i, updated.p);
    if (zero)
        vf_store(g + i, vf_set1(0.0f));
}

static VF_INLINE void sgd_part(const sgd_vectors *c, float *p, float *g, float *m, size_t i, size_t left,
                               gls_momentum momentum, int nesterov, gls_decay decay, int zero) {
    const vf m_old = momentum == GLS_MOMENTUM_KEPT ? vf_load_part(m + i, left) : vf_set1(0.0f);
    const sgd_result updated =
        sgd_lane(c, vf_load_part(p + i, left), vf_load_part(g + i, left), m_old, momentum, nesterov, decay);
    if (momentum != GLS_MOMENTUM_NONE)
        vf_store_part(m + i, updated.m, left);
    vf_store_part(p + i, updated.p, left);
    if (zero)
        vf_store_part(g + i, vf_set1(0.0f), left);
}

static VF_INLINE void sgd_ahead(const float *p, const float *g, const float *m, size_t i, size_t lead,
                                gls_momentum momentum, int zero) {
    gls_prefetch(p, i, lead, 0, 1);
    gls_prefetch(g, i, lead, 1, zero);
    if (momentum != GLS_MOMENTUM_NONE)
        gls_prefetch(m, i, lead, 2, 1);
}

static VF_INLINE void sgd_run(const gls_sgd_scalars *scalars, float *p, float *g, float *m, size_t n,
                              const gls_walk *walk, gls_momentum momentum, int nesterov, gls_decay decay,
                              int zero) {
    const sgd_vectors c = sgd_broadcast(scalars);
#define SGD_WHOLE(i)       sgd_whole(&c, p, g, m, i, momentum, nesterov, decay, zero)
#define SGD_PART(i, left)  sgd_part(&c, p, g, m, i, left, momentum, nesterov, decay, zero)
#define SGD_AHEAD(i, lead) sgd_ahead(p, g, m, i, lead, momentum, zero)
    GLS_WALK(n, walk, SGD_WHOLE, SGD_PART, SGD_AHEAD);
#undef SGD_WHOLE
#undef SGD_PART
#undef SGD_AHEAD
}

#define GLS_SGD_KERNEL(name, momentum, nesterov, decay, zero)                                                \
    static void name(const gls_sgd_scalars *scalars, float *p, float *g, float *m, size_t n,                 \
                     const gls_walk *walk) {                                                                 \
        sgd_run(scalars, p, g, m, n, walk, GLS_MOMENTUM_##momentum, nesterov, GLS_DECAY_##decay, zero);      \
    }
#include "sgd_kernels.def"
#undef GLS_SGD_KERNEL
