/* SPDX-License-Identifier: Apache-2.0 */
/* LAMB, in two passes: lamb_moments makes the moments and measures the direction, lamb_apply makes it again, for which
 * it needs the gradient only if it is cautious, and takes the step. The sequence of glissade/lamb.h. */
enum {
    LAMB_BETA1 = GLS_SCALAR_OWN,
    LAMB_KAPPA1, /* 1 - beta1 */
    LAMB_BETA2,
    LAMB_KAPPA2,
    LAMB_W,     /* D1 / sqrt(D2) */
    LAMB_EPS,   /* eps D1 */
    LAMB_DECAY, /* weight_decay if it joins the direction, else 0 */
};

static VF_INLINE vf lamb_direction(const vf *c, rule_elements x, vf g) {
    const vf r = vf_div(x.s[0], vf_fma(c[LAMB_W], vf_sqrt(x.s[1]), c[LAMB_EPS]));
    const vf d = x.cautious ? rule_masked(r, g) : r;
    return vf_select(rule_on(c[LAMB_DECAY]), vf_fma(c[LAMB_DECAY], x.p, d), d);
}

static VF_INLINE rule_elements lamb_moments_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[LAMB_BETA1], x.s[0], vf_mul(c[LAMB_KAPPA1], g)));
    x.s[1] = rule_stored(c, vf_fma(vf_mul(c[LAMB_KAPPA2], g), g, vf_mul(c[LAMB_BETA2], x.s[1])));
    x.g = lamb_direction(c, x, g);
    return x;
}

static VF_INLINE rule_elements lamb_apply_lane(const vf *c, rule_elements x) {
    const vf u = lamb_direction(c, x, rule_gradient(c, x));
    x.p = vf_fma(c[GLS_SCALAR_MINUS_ETA], u, x.p);
    return x;
}
