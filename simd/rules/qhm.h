/* SPDX-License-Identifier: Apache-2.0 */
/* Quasi-hyperbolic momentum; the sequence of glissade/qhm.h. */
enum {
    QHM_BETA = GLS_SCALAR_OWN,
    QHM_KAPPA, /* 1 - beta */
    QHM_NU,
    QHM_REST, /* 1 - nu */
};

static VF_INLINE rule_elements qhm_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(c[QHM_BETA], x.s[0], vf_mul(c[QHM_KAPPA], g)));
    return rule_descend(c, x, g, vf_fma(c[QHM_NU], x.s[0], vf_mul(c[QHM_REST], g)));
}
