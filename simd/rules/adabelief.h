/* SPDX-License-Identifier: Apache-2.0 */
/* AdaBelief; the sequence of glissade/adabelief.h. */
enum {
    ADABELIEF_BETA1 = GLS_SCALAR_OWN,
    ADABELIEF_KAPPA1, /* 1 - beta1 */
    ADABELIEF_BETA2,
    ADABELIEF_KAPPA2,
    ADABELIEF_W, /* 1 / sqrt(D2) */
    ADABELIEF_EPS,
};

static VF_INLINE rule_elements adabelief_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[ADABELIEF_BETA1], x.s[0], vf_mul(c[ADABELIEF_KAPPA1], g)));
    const vf e = vf_sub(g, x.s[0]), square = vf_fma(vf_mul(c[ADABELIEF_KAPPA2], e), e, c[ADABELIEF_EPS]);
    x.s[1] = rule_stored(c, vf_fma(c[ADABELIEF_BETA2], x.s[1], square));
    const vf d = vf_div(x.s[0], vf_fma(c[ADABELIEF_W], vf_sqrt(x.s[1]), c[ADABELIEF_EPS]));
    return rule_descend(c, x, g, d);
}
