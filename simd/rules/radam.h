/* SPDX-License-Identifier: Apache-2.0 */
/* RAdam; the sequence of glissade/radam.h. */
enum {
    RADAM_BETA1 = GLS_SCALAR_OWN,
    RADAM_KAPPA1, /* 1 - beta1 */
    RADAM_BETA2,
    RADAM_KAPPA2,
    RADAM_EPS,
    RADAM_RECTIFIED, /* 1 or 0 */
};

/* A kernel without the division would save nothing: the second moment is read and written in any case. */
static VF_INLINE rule_elements radam_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[RADAM_BETA1], x.s[0], vf_mul(c[RADAM_KAPPA1], g)));
    x.s[1] = rule_stored(c, vf_fma(vf_mul(c[RADAM_KAPPA2], g), g, vf_mul(c[RADAM_BETA2], x.s[1])));
    const vf ratio = vf_div(x.s[0], vf_add(vf_sqrt(x.s[1]), c[RADAM_EPS]));
    return rule_descend(c, x, g, vf_select(rule_on(c[RADAM_RECTIFIED]), ratio, x.s[0]));
}
