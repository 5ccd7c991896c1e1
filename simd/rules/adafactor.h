/* SPDX-License-Identifier: Apache-2.0 */
/* Adafactor, in two passes: adafactor_moments makes the second moment, unless it comes as a product of averages, and
 * measures the direction, adafactor_apply makes it again and takes the step. The sequence of glissade/adafactor.h. */
enum {
    ADAFACTOR_NEW = GLS_SCALAR_OWN, /* weight of this step in the second moment */
    ADAFACTOR_OLD,
    ADAFACTOR_LEAST,   /* that the second moment counts as */
    ADAFACTOR_PRODUCT, /* 1: it comes as a product */
};

static VF_INLINE vf adafactor_direction(const vf *c, vf v, vf g) {
    return vf_div(g, vf_sqrt(rule_max(v, c[ADAFACTOR_LEAST])));
}

static VF_INLINE rule_elements adafactor_moments_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    const vf v = rule_stored(c, vf_fma(vf_mul(c[ADAFACTOR_NEW], g), g, vf_mul(c[ADAFACTOR_OLD], x.s[0])));
    x.s[0] = vf_select(rule_on(c[ADAFACTOR_PRODUCT]), x.s[0], v);
    x.g = adafactor_direction(c, x.s[0], g);
    return x;
}

static VF_INLINE rule_elements adafactor_apply_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    return rule_descend(c, x, g, adafactor_direction(c, x.s[0], g));
}
