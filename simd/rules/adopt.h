/* SPDX-License-Identifier: Apache-2.0 */
/* ADOPT; the sequence of glissade/adopt.h. */
enum {
    ADOPT_FIRST = GLS_SCALAR_OWN, /* 1 in the tensor's first step, else 0 */
    ADOPT_BETA1,
    ADOPT_KAPPA1, /* 1 - beta1 */
    ADOPT_BETA2,  /* in the first step 0, and kappa2 1 */
    ADOPT_KAPPA2,
    ADOPT_EPS,
    ADOPT_BOUND,
    ADOPT_MINUS_BOUND,
};

static VF_INLINE rule_elements adopt_lane(const vf *c, rule_elements x) {
    const vf_mask first = rule_on(c[ADOPT_FIRST]);
    const vf g = rule_gradient(c, x), p = x.p;
    const vf a = vf_div(g, rule_max(vf_sqrt(x.s[1]), c[ADOPT_EPS]));
    const vf clipped = rule_max(rule_min(a, c[ADOPT_BOUND]), c[ADOPT_MINUS_BOUND]);
    const vf m = rule_stored(c, vf_fma(c[ADOPT_BETA1], x.s[0], vf_mul(c[ADOPT_KAPPA1], clipped)));
    x.s[0] = vf_select(first, rule_zero(), m);
    x.s[1] = rule_stored(c, vf_fma(vf_mul(c[ADOPT_KAPPA2], g), g, vf_mul(c[ADOPT_BETA2], x.s[1])));
    x = rule_descend(c, x, g, x.s[0]);
    x.p = vf_select(first, p, x.p);
    return x;
}
