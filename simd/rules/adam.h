/* SPDX-License-Identifier: Apache-2.0 */
/* Adam and AdamW, and with the largest second moment so far AMSGrad; the sequence of glissade/adam.h. */
enum {
    ADAM_BETA1 = GLS_SCALAR_OWN,
    ADAM_KAPPA1, /* 1 - beta1 */
    ADAM_BETA2,
    ADAM_KAPPA2,
    ADAM_W, /* 1 / sqrt(D2) */
    ADAM_EPS,
};

static VF_INLINE vf adam_first(const vf *c, vf m, vf g) {
    return rule_stored(c, vf_fma(c[ADAM_BETA1], m, vf_mul(c[ADAM_KAPPA1], g)));
}

static VF_INLINE vf adam_second(const vf *c, vf v, vf g) {
    return rule_stored(c, vf_fma(vf_mul(c[ADAM_KAPPA2], g), g, vf_mul(c[ADAM_BETA2], v)));
}

static VF_INLINE vf adam_ratio(const vf *c, vf m, vf v) {
    return vf_div(m, vf_fma(c[ADAM_W], vf_sqrt(v), c[ADAM_EPS]));
}

static VF_INLINE rule_elements adam_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = adam_first(c, x.s[0], g);
    x.s[1] = adam_second(c, x.s[1], g);
    return rule_descend(c, x, g, adam_ratio(c, x.s[0], x.s[1]));
}

static VF_INLINE rule_elements amsgrad_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = adam_first(c, x.s[0], g);
    x.s[1] = adam_second(c, x.s[1], g);
    x.s[2] = rule_max(x.s[2], x.s[1]);
    return rule_descend(c, x, g, adam_ratio(c, x.s[0], x.s[2]));
}
