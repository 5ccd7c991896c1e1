/* SPDX-License-Identifier: Apache-2.0 */
/* NAdam; the sequence of glissade/nadam.h. */
enum {
    NADAM_BETA1 = GLS_SCALAR_OWN,
    NADAM_KAPPA1, /* 1 - beta1 */
    NADAM_BETA2,
    NADAM_KAPPA2,
    NADAM_N1,
    NADAM_N2,
    NADAM_W, /* 1 / sqrt(D2) */
    NADAM_EPS,
};

static VF_INLINE rule_elements nadam_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[NADAM_BETA1], x.s[0], vf_mul(c[NADAM_KAPPA1], g)));
    x.s[1] = rule_stored(c, vf_fma(vf_mul(c[NADAM_KAPPA2], g), g, vf_mul(c[NADAM_BETA2], x.s[1])));
    const vf ahead = vf_fma(c[NADAM_N1], x.s[0], vf_mul(c[NADAM_N2], g));
    return rule_descend(c, x, g, vf_div(ahead, vf_fma(c[NADAM_W], vf_sqrt(x.s[1]), c[NADAM_EPS])));
}
