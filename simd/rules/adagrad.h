/* SPDX-License-Identifier: Apache-2.0 */
/* Adagrad; the sequence of glissade/adagrad.h. */
enum {
    ADAGRAD_START = GLS_SCALAR_OWN, /* initial_accumulator in the first step, then 0 */
    ADAGRAD_EPS,
};

static VF_INLINE rule_elements adagrad_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    x.s[0] = rule_stored(c, vf_fma(g, g, vf_add(x.s[0], c[ADAGRAD_START])));
    return rule_descend(c, x, g, vf_div(g, vf_add(vf_sqrt(x.s[0]), c[ADAGRAD_EPS])));
}
