/* SPDX-License-Identifier: Apache-2.0 */
/* Adadelta; the sequence of glissade/adadelta.h. */
enum {
    ADADELTA_RHO = GLS_SCALAR_OWN,
    ADADELTA_KAPPA, /* 1 - rho */
    ADADELTA_EPS,
};

static VF_INLINE vf adadelta_average(const vf *c, vf average, vf x) {
    return rule_stored(c, vf_fma(vf_mul(c[ADADELTA_KAPPA], x), x, vf_mul(c[ADADELTA_RHO], average)));
}

static VF_INLINE rule_elements adadelta_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = adadelta_average(c, x.s[0], g);
    const vf ratio = vf_div(vf_add(x.s[1], c[ADADELTA_EPS]), vf_add(x.s[0], c[ADADELTA_EPS]));
    const vf d = vf_mul(vf_sqrt(ratio), g);
    x.s[1] = adadelta_average(c, x.s[1], d);
    return rule_descend(c, x, g, d);
}
