/* SPDX-License-Identifier: Apache-2.0 */
/* Averaged SGD; the sequence of glissade/asgd.h. */
enum {
    ASGD_LAMBD = GLS_SCALAR_OWN,
    ASGD_MU,
    ASGD_WHOLE, /* 1 where mu is, else 0 */
};

static VF_INLINE rule_elements asgd_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x), average = x.s[0];
    x = rule_descend(c, x, g, vf_fma(c[ASGD_LAMBD], x.p, g));
    x.s[0] = vf_select(rule_on(c[ASGD_WHOLE]), x.p, vf_fma(c[ASGD_MU], vf_sub(x.p, average), average));
    return x;
}
