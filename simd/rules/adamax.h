/* SPDX-License-Identifier: Apache-2.0 */
/* Adamax; the sequence of glissade/adamax.h. */
enum {
    ADAMAX_BETA1 = GLS_SCALAR_OWN,
    ADAMAX_KAPPA1,       /* 1 - beta1 */
    ADAMAX_MINUS_KAPPA2, /* beta2 - 1 */
    ADAMAX_EPS,
};

static VF_INLINE rule_elements adamax_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[ADAMAX_BETA1], x.s[0], vf_mul(c[ADAMAX_KAPPA1], g)));
    const vf faded = vf_fma(c[ADAMAX_MINUS_KAPPA2], x.s[1], x.s[1]);
    x.s[1] = rule_stored(c, rule_max(faded, vf_add(vf_abs(g), c[ADAMAX_EPS])));
    return rule_descend(c, x, g, vf_div(x.s[0], x.s[1]));
}
