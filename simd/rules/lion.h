/* SPDX-License-Identifier: Apache-2.0 */
/* Lion; the sequence of glissade/lion.h. */
enum {
    LION_BETA1 = GLS_SCALAR_OWN,
    LION_KAPPA1, /* 1 - beta1 */
    LION_BETA2,
    LION_KAPPA2,
};

static VF_INLINE rule_elements lion_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x), m = x.s[0];
    x.s[0] = rule_stored(c, vf_fma(c[LION_BETA2], m, vf_mul(c[LION_KAPPA2], g)));
    return rule_descend(c, x, g, rule_sign(vf_fma(c[LION_BETA1], m, vf_mul(c[LION_KAPPA1], g))));
}
