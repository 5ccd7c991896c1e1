/* SPDX-License-Identifier: Apache-2.0 */
/* AdEMAMix; the sequence of glissade/ademamix.h. */
enum {
    ADEMAMIX_BETA1 = GLS_SCALAR_OWN,
    ADEMAMIX_KAPPA1, /* 1 - beta1 */
    ADEMAMIX_BETA2,
    ADEMAMIX_KAPPA2,
    ADEMAMIX_BETA3, /* of the warm-up */
    ADEMAMIX_KAPPA3,
    ADEMAMIX_A, /* alpha D1 */
    ADEMAMIX_W, /* 1 / sqrt(D2) */
    ADEMAMIX_EPS,
};

static VF_INLINE rule_elements ademamix_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[ADEMAMIX_BETA1], x.s[0], vf_mul(c[ADEMAMIX_KAPPA1], g)));
    x.s[1] = rule_stored(c, vf_fma(vf_mul(c[ADEMAMIX_KAPPA2], g), g, vf_mul(c[ADEMAMIX_BETA2], x.s[1])));
    x.s[2] = rule_stored(c, vf_fma(c[ADEMAMIX_BETA3], x.s[2], vf_mul(c[ADEMAMIX_KAPPA3], g)));
    const vf mixed = vf_fma(c[ADEMAMIX_A], x.s[2], x.s[0]);
    const vf size = vf_fma(c[ADEMAMIX_W], vf_sqrt(x.s[1]), c[ADEMAMIX_EPS]);
    return rule_descend(c, x, g, vf_div(mixed, size));
}
