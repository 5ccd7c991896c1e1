/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules of the adaptive family have in common: how elements come and go, how a gradient is scaled and decays
 * are applied. A rule is one function on vectors, NAME_lane in rules/NAME.h, which holds its sequence of roundings; the
 * kernels around it are made here. Knows no instruction set.
 */
#ifndef GLS_SIMD_RULE_BODY_H
#define GLS_SIMD_RULE_BODY_H

#include "squares.h"
#include "walk.h"

/* One vector of elements: parameter, gradient as it came in, state; and whether the rule is cautious, a constant. */
typedef struct rule_elements {
    vf p, g, s[GLS_STATES_MAX];
    int cautious;
} rule_elements;

/* A rule; c are its scalars in every lane. It leaves the new parameter and state, and may leave anything in g. */
typedef rule_elements rule_lane(const vf *c, rule_elements x);

/* ---- what rules are made of ---- */

static VF_INLINE vf rule_zero(void) {
    return vf_set1(0.0f);
}

/* Whether a scalar is above zero. It is so for all elements or none, which a compiler decides once. */
static VF_INLINE vf_mask rule_on(vf scalar) {
    return vf_less(rule_zero(), scalar);
}

/* g = s * gradient; g = fma(weight_decay, p, g) if that is coupled. */
static VF_INLINE vf rule_gradient(const vf *c, rule_elements x) {
    const vf g = vf_mul(c[GLS_SCALAR_S], x.g);
    return vf_select(rule_on(c[GLS_SCALAR_COUPLED]), vf_fma(c[GLS_SCALAR_COUPLED], x.p, g), g);
}

/* State as it is kept. |x| < flush is false for a NaN, which therefore stays. */
static VF_INLINE vf rule_stored(const vf *c, vf x) {
    return vf_select(vf_less(vf_abs(x), c[GLS_SCALAR_FLUSH]), rule_zero(), x);
}

/* a > b ? a : b, and NaN if either is. */
static VF_INLINE vf rule_max(vf a, vf b) {
    return vf_select(vf_nan(a), a, vf_select(vf_less(b, a), a, b));
}

/* a < b ? a : b, and NaN if either is. */
static VF_INLINE vf rule_min(vf a, vf b) {
    return vf_select(vf_nan(a), a, vf_select(vf_less(a, b), a, b));
}

/* 1, -1, or x itself where it is zero or NaN. */
static VF_INLINE vf rule_sign(vf x) {
    return vf_select(vf_less(rule_zero(), x), vf_set1(1.0f),
                     vf_select(vf_less(x, rule_zero()), vf_set1(-1.0f), x));
}

/* Where d and g differ in sign, or g is zero, d - d: zero, unless d is not finite. (No product, which could underflow.) */
static VF_INLINE vf rule_masked(vf d, vf g) {
    const vf sign = rule_sign(g), along = vf_mul(sign, d);
    return vf_select(vf_less(rule_zero(), along), d, vf_sub(d, d));
}

/* d = cautious ? masked(d, g) : d; q = fma(-lambda, p, p) with decoupled decay, else p; p = fma(-eta, d, q). */
static VF_INLINE rule_elements rule_descend(const vf *c, rule_elements x, vf g, vf d) {
    const vf_mask decays = vf_less(c[GLS_SCALAR_MINUS_LAMBDA], rule_zero());
    const vf q = vf_select(decays, vf_fma(c[GLS_SCALAR_MINUS_LAMBDA], x.p, x.p), x.p);
    x.p = vf_fma(c[GLS_SCALAR_MINUS_ETA], x.cautious ? rule_masked(d, g) : d, q);
    return x;
}

/* ---- kernels ---- */

/* Arrays of one run: the fields of gls_operands, of the elements' type. */
typedef struct rule_arrays {
    vf_element *p, *g, *s[GLS_STATES_MAX];
} rule_arrays;

/* What a kernel does; constants at every call, and so are all branches on them. */
typedef struct rule_kind {
    size_t states;
    int stores; /* the states; parameters are always stored, but for those that measure */
    int zero;   /* the gradient */
    int cautious;
} rule_kind;

static VF_INLINE rule_arrays rule_open(const gls_scalars *scalars, const gls_operands *arrays, size_t states,
                                       vf *c) {
    for (size_t i = 0; i < GLS_SCALARS_MAX; i++)
        c[i] = vf_set1(scalars->VF_SELECT_TYPE(f32, f64)[i]);
    rule_arrays a = {.p = arrays->p, .g = arrays->g};
    for (size_t s = 0; s < states; s++)
        a.s[s] = arrays->s[s];
    return a;
}

static VF_INLINE rule_elements rule_load(const rule_arrays *a, size_t i, rule_kind kind) {
    rule_elements x = {.p = vf_load(a->p + i), .g = vf_load(a->g + i), .cautious = kind.cautious};
    for (size_t s = 0; s < kind.states; s++)
        x.s[s] = vf_load(a->s[s] + i);
    return x;
}

static VF_INLINE rule_elements rule_load_part(const rule_arrays *a, size_t i, size_t left, rule_kind kind) {
    rule_elements x = {
        .p = vf_load_part(a->p + i, left), .g = vf_load_part(a->g + i, left), .cautious = kind.cautious};
    for (size_t s = 0; s < kind.states; s++)
        x.s[s] = vf_load_part(a->s[s] + i, left);
    return x;
}

static VF_INLINE void rule_ahead(const rule_arrays *a, size_t i, size_t lead, rule_kind kind) {
    gls_prefetch(a->p, i, lead, 0, 1);
    gls_prefetch(a->g, i, lead, 1, kind.zero);
    for (size_t s = 0; s < kind.states; s++)
        gls_prefetch(a->s[s], i, lead, 2 + s, kind.stores);
}

static VF_INLINE void rule_whole(const vf *c, const rule_arrays *a, size_t i, rule_lane *lane,
                                 rule_kind kind) {
    const rule_elements x = lane(c, rule_load(a, i, kind));
    for (size_t s = 0; kind.stores && s < kind.states; s++)
        vf_store(a->s[s] + i, x.s[s]);
    vf_store(a->p + i, x.p);
    if (kind.zero)
        vf_store(a->g + i, rule_zero());
}

static VF_INLINE void rule_part(const vf *c, const rule_arrays *a, size_t i, size_t left, rule_lane *lane,
                                rule_kind kind) {
    const rule_elements x = lane(c, rule_load_part(a, i, left, kind));
    for (size_t s = 0; kind.stores && s < kind.states; s++)
        vf_store_part(a->s[s] + i, x.s[s], left);
    vf_store_part(a->p + i, x.p, left);
    if (kind.zero)
        vf_store_part(a->g + i, rule_zero(), left);
}

static VF_INLINE void rule_run(const gls_scalars *scalars, const gls_operands *arrays, size_t n,
                               const gls_walk *walk, rule_lane *lane, rule_kind kind) {
    vf c[GLS_SCALARS_MAX];
    const rule_arrays a = rule_open(scalars, arrays, kind.states, c);
#define RULE_WHOLE(i)       rule_whole(c, &a, i, lane, kind)
#define RULE_PART(i, left)  rule_part(c, &a, i, left, lane, kind)
#define RULE_AHEAD(i, lead) rule_ahead(&a, i, lead, kind)
    GLS_WALK(n, walk, RULE_WHOLE, RULE_PART, RULE_AHEAD);
#undef RULE_WHOLE
#undef RULE_PART
#undef RULE_AHEAD
}

static VF_INLINE void rule_measure_whole(const vf *c, const rule_arrays *a, size_t i, rule_lane *lane,
                                         rule_kind kind, gls_squares *squares) {
    const rule_elements x = lane(c, rule_load(a, i, kind));
    for (size_t s = 0; s < kind.states; s++)
        vf_store(a->s[s] + i, x.s[s]);
    gls_squares_add(squares, i, x.g);
}

static VF_INLINE void rule_measure_part(const vf *c, const rule_arrays *a, size_t i, size_t left,
                                        rule_lane *lane, rule_kind kind, gls_squares *squares) {
    const rule_elements x = lane(c, rule_load_part(a, i, left, kind));
    for (size_t s = 0; s < kind.states; s++)
        vf_store_part(a->s[s] + i, x.s[s], left);
    vf_element g[VF_LANES] = {0}; /* what the lane made of lanes past the end must not count */
    vf_store_part(g, x.g, left);
    gls_squares_add_part(squares, i, vf_load(g));
}

static VF_INLINE void rule_measure(const gls_scalars *scalars, const gls_operands *arrays, double *sums,
                                   size_t n, const gls_walk *walk, rule_lane *lane, rule_kind kind) {
    vf c[GLS_SCALARS_MAX];
    const rule_arrays a = rule_open(scalars, arrays, kind.states, c);
    gls_squares squares;
    gls_squares_start(&squares, sums, n, walk);
#define RULE_WHOLE(i)       rule_measure_whole(c, &a, i, lane, kind, &squares)
#define RULE_PART(i, left)  rule_measure_part(c, &a, i, left, lane, kind, &squares)
#define RULE_AHEAD(i, lead) rule_ahead(&a, i, lead, kind)
    GLS_WALK(n, walk, RULE_WHOLE, RULE_PART, RULE_AHEAD);
#undef RULE_WHOLE
#undef RULE_PART
#undef RULE_AHEAD
    gls_squares_finish(&squares, n);
}

#endif
