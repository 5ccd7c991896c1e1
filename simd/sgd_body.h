/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stochastic gradient descent, written once against the vector vocabulary (vec_*.h). The sequence of
 * roundings is the one in glissade/sgd.h; sgd_lane below is the only place that holds it. Knows no instruction set.
 */
#include "squares.h"
#include "walk.h"

/* What a kernel does; constants at every call, and so are all branches on them. */
typedef struct sgd_kind {
    gls_momentum momentum;
    int nesterov;
    gls_decay decay;
    int zero, deferred;
} sgd_kind;

typedef struct sgd_vectors {
    vf s, weight_decay, momentum, kappa, flush, n1, n2, minus_lambda, minus_eta, tau;
} sgd_vectors;

/* What the update of one vector of elements starts from, and what becomes of it. */
typedef struct sgd_elements {
    vf p, g, m, r; /* g: the gradient as it came in, then s times it */
    vf_mask waits; /* where g was deferred */
} sgd_elements;

/* The arrays of one run, and what is gathered of it. */
typedef struct sgd_arrays {
    vf_element *p, *g, *m, *r;
    gls_squares *squares;
    size_t waiting;
} sgd_arrays;

typedef VF_SELECT_TYPE(gls_sgd_scalars, gls_sgd_scalars_f64) sgd_scalars;

static VF_INLINE sgd_vectors sgd_broadcast(const sgd_scalars *scalars, float tau) {
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
        .tau = vf_set1(tau),
    };
}

/* |x| < flush is false for a NaN, which therefore stays. */
static VF_INLINE vf sgd_stored(const sgd_vectors *c, vf x) {
    return vf_select(vf_less(vf_abs(x), c->flush), vf_set1(0.0f), x);
}

/* One vector of elements. */
static VF_INLINE sgd_elements sgd_lane(const sgd_vectors *c, sgd_elements x, sgd_kind kind) {
    x.g = vf_mul(c->s, x.g);
    vf g = x.g;
    if (kind.deferred) {
        /* |u| < tau is false for a NaN, which therefore acts at once. */
        const vf u = vf_add(x.r, g);
        x.waits = vf_less(vf_abs(u), c->tau);
        g = vf_select(x.waits, vf_set1(0.0f), u);
        x.r = sgd_stored(c, vf_select(x.waits, u, vf_set1(0.0f)));
    }
    if (kind.decay == GLS_DECAY_COUPLED)
        g = vf_fma(c->weight_decay, x.p, g);

    vf d = g;
    if (kind.momentum != GLS_MOMENTUM_NONE) {
        const vf m =
            kind.momentum == GLS_MOMENTUM_UNDAMPENED ? g : vf_fma(c->momentum, x.m, vf_mul(c->kappa, g));
        x.m = sgd_stored(c, m);
        d = kind.nesterov ? vf_fma(c->n1, x.m, vf_mul(c->n2, g)) : x.m;
    }

    const vf q = kind.decay == GLS_DECAY_DECOUPLED ? vf_fma(c->minus_lambda, x.p, x.p) : x.p;
    x.p = vf_fma(c->minus_eta, d, q);
    return x;
}

/* The first update does not read m, a step without momentum does not touch it. */
static VF_INLINE void sgd_whole(const sgd_vectors *c, sgd_arrays *x, size_t i, sgd_kind kind) {
    const sgd_elements old = {
        .p = vf_load(x->p + i),
        .g = vf_load(x->g + i),
        .m = kind.momentum == GLS_MOMENTUM_KEPT ? vf_load(x->m + i) : vf_set1(0.0f),
        .r = kind.deferred ? vf_load(x->r + i) : vf_set1(0.0f),
    };
    const sgd_elements updated = sgd_lane(c, old, kind);
    if (kind.deferred) {
        vf_store(x->r + i, updated.r);
        gls_squares_add(x->squares, i, updated.g);
        x->waiting += vf_count(updated.waits, VF_LANES);
    }
    if (kind.momentum != GLS_MOMENTUM_NONE)
        vf_store(x->m + i, updated.m);
    vf_store(x->p + i, updated.p);
    if (kind.zero)
        vf_store(x->g + i, vf_set1(0.0f));
}

static VF_INLINE void sgd_part(const sgd_vectors *c, sgd_arrays *x, size_t i, size_t left, sgd_kind kind) {
    const sgd_elements old = {
        .p = vf_load_part(x->p + i, left),
        .g = vf_load_part(x->g + i, left),
        .m = kind.momentum == GLS_MOMENTUM_KEPT ? vf_load_part(x->m + i, left) : vf_set1(0.0f),
        .r = kind.deferred ? vf_load_part(x->r + i, left) : vf_set1(0.0f),
    };
    const sgd_elements updated = sgd_lane(c, old, kind);
    if (kind.deferred) {
        vf_store_part(x->r + i, updated.r, left);
        gls_squares_add_part(x->squares, i, updated.g);
        x->waiting += vf_count(updated.waits, left);
    }
    if (kind.momentum != GLS_MOMENTUM_NONE)
        vf_store_part(x->m + i, updated.m, left);
    vf_store_part(x->p + i, updated.p, left);
    if (kind.zero)
        vf_store_part(x->g + i, vf_set1(0.0f), left);
}

static VF_INLINE void sgd_ahead(const sgd_arrays *x, size_t i, size_t lead, sgd_kind kind) {
    gls_prefetch(x->p, i, lead, 0, 1);
    gls_prefetch(x->g, i, lead, 1, kind.zero);
    if (kind.momentum != GLS_MOMENTUM_NONE)
        gls_prefetch(x->m, i, lead, 2, 1);
    if (kind.deferred)
        gls_prefetch(x->r, i, lead, 3, 1);
}

static VF_INLINE size_t sgd_run(const sgd_scalars *scalars, sgd_arrays x, const gls_residual *residual,
                                size_t n, const gls_walk *walk, sgd_kind kind) {
    const sgd_vectors c = sgd_broadcast(scalars, kind.deferred ? residual->tau : 0);
    gls_squares squares;
    if (kind.deferred) {
        x.r = (vf_element *)(void *)residual->r;
        x.squares = &squares;
        gls_squares_start(&squares, residual->sums, n, walk);
    }
#define SGD_WHOLE(i)       sgd_whole(&c, &x, i, kind)
#define SGD_PART(i, left)  sgd_part(&c, &x, i, left, kind)
#define SGD_AHEAD(i, lead) sgd_ahead(&x, i, lead, kind)
    GLS_WALK(n, walk, SGD_WHOLE, SGD_PART, SGD_AHEAD);
#undef SGD_WHOLE
#undef SGD_PART
#undef SGD_AHEAD
    if (kind.deferred)
        gls_squares_finish(&squares, n);
    return n - x.waiting;
}

#define GLS_SGD_KERNEL(name, momentum, nesterov, decay, zero, deferred)                                      \
    static size_t name(const void *scalars, void *p, void *g, void *m, const gls_residual *residual,         \
                       size_t n, const gls_walk *walk) {                                                     \
        const sgd_kind kind = {GLS_MOMENTUM_##momentum, nesterov, GLS_DECAY_##decay, zero, deferred};        \
        return sgd_run(scalars, (sgd_arrays){.p = p, .g = g, .m = m}, residual, n, walk, kind);              \
    }
#include "sgd_kernels.def"
#undef GLS_SGD_KERNEL
