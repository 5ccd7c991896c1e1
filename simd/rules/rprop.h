/* SPDX-License-Identifier: Apache-2.0 */
/* Rprop; the sequence of glissade/rprop.h. */
enum {
    RPROP_FIRST = GLS_SCALAR_OWN, /* 1 in the tensor's first step, else 0 */
    RPROP_START,                  /* step size before the first step */
    RPROP_ETA_MINUS,
    RPROP_ETA_PLUS,
    RPROP_STEP_MIN,
    RPROP_STEP_MAX,
};

static VF_INLINE rule_elements rprop_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    const vf along = vf_mul(rule_sign(x.s[0]), g);
    const vf_mask kept = vf_less(rule_zero(), along), turned = vf_less(along, rule_zero());
    const vf factor =
        vf_select(kept, c[RPROP_ETA_PLUS], vf_select(turned, c[RPROP_ETA_MINUS], vf_set1(1.0f)));
    const vf size = vf_mul(factor, vf_select(rule_on(c[RPROP_FIRST]), c[RPROP_START], x.s[1]));
    x.s[0] = vf_select(turned, rule_zero(), rule_sign(g));
    x.s[1] = rule_stored(c, rule_min(rule_max(size, c[RPROP_STEP_MIN]), c[RPROP_STEP_MAX]));
    return rule_descend(c, x, g, vf_mul(x.s[0], x.s[1]));
}
