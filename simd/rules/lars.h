/* SPDX-License-Identifier: Apache-2.0 */
/* LARS; the sequence of glissade/lars.h. */
enum { LARS_MOMENTUM = GLS_SCALAR_OWN, LARS_LOCAL };

static VF_INLINE rule_elements lars_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[LARS_MOMENTUM], x.s[0], vf_mul(c[LARS_LOCAL], g)));
    return rule_descend(c, x, g, x.s[0]);
}
