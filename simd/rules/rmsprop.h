/* SPDX-License-Identifier: Apache-2.0 */
/* RMSprop: plain, with momentum, and centred with or without; the sequence of glissade/rmsprop.h. */
enum {
    RMSPROP_ALPHA = GLS_SCALAR_OWN,
    RMSPROP_KAPPA, /* 1 - alpha */
    RMSPROP_ZETA,  /* alpha kappa */
    RMSPROP_EPS,
    RMSPROP_MOMENTUM,
};

static VF_INLINE vf rmsprop_average(const vf *c, vf v, vf weight, vf x) {
    return rule_stored(c, vf_fma(vf_mul(weight, x), x, vf_mul(c[RMSPROP_ALPHA], v)));
}

static VF_INLINE vf rmsprop_ratio(const vf *c, vf g, vf v) {
    return vf_div(g, vf_add(vf_sqrt(v), c[RMSPROP_EPS]));
}

static VF_INLINE vf rmsprop_buffer(const vf *c, vf b, vf d) {
    return rule_stored(c, vf_fma(c[RMSPROP_MOMENTUM], b, d));
}

static VF_INLINE rule_elements rmsprop_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rmsprop_average(c, x.s[0], c[RMSPROP_KAPPA], g);
    return rule_descend(c, x, g, rmsprop_ratio(c, g, x.s[0]));
}

static VF_INLINE rule_elements rmsprop_momentum_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rmsprop_average(c, x.s[0], c[RMSPROP_KAPPA], g);
    x.s[1] = rmsprop_buffer(c, x.s[1], rmsprop_ratio(c, g, x.s[0]));
    return rule_descend(c, x, g, x.s[1]);
}

static VF_INLINE rule_elements rmsprop_centered_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x), e = vf_sub(g, x.s[2]);
    x.s[0] = rmsprop_average(c, x.s[0], c[RMSPROP_ZETA], e);
    x.s[2] = rule_stored(c, vf_fma(c[RMSPROP_KAPPA], e, x.s[2]));
    const vf d = rmsprop_ratio(c, g, x.s[0]);
    const vf_mask on = rule_on(c[RMSPROP_MOMENTUM]);
    x.s[1] = vf_select(on, rmsprop_buffer(c, x.s[1], d), x.s[1]);
    return rule_descend(c, x, g, vf_select(on, x.s[1], d));
}
