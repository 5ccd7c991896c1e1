/* SPDX-License-Identifier: Apache-2.0 */
/* Schedule-free SGD and AdamW; the sequence of glissade/schedule_free.h. The parameter is y, state 0 is z. */
enum {
    SCHEDULE_FREE_FIRST = GLS_SCALAR_OWN, /* 1 in the tensor's first step, else 0 */
    SCHEDULE_FREE_PART,                   /* of the newest z in the mean */
    SCHEDULE_FREE_MINUS_RATE,             /* of z; that of y is everyone's -eta */
    SCHEDULE_FREE_DECAY,                  /* weight_decay if it is decoupled, else 0 */
    SCHEDULE_FREE_BETA2,                  /* these are AdamW's */
    SCHEDULE_FREE_KAPPA2,
    SCHEDULE_FREE_W, /* 1 / sqrt(D2) */
    SCHEDULE_FREE_EPS,
};

static VF_INLINE rule_elements schedule_free_move(const vf *c, rule_elements x, vf direction) {
    const vf y = x.p, z = vf_select(rule_on(c[SCHEDULE_FREE_FIRST]), y, x.s[0]);
    const vf decayed = vf_fma(c[SCHEDULE_FREE_DECAY], y, direction);
    const vf d = vf_select(rule_on(c[SCHEDULE_FREE_DECAY]), decayed, direction);
    x.p = vf_fma(c[GLS_SCALAR_MINUS_ETA], d, vf_fma(c[SCHEDULE_FREE_PART], vf_sub(z, y), y));
    x.s[0] = vf_fma(c[SCHEDULE_FREE_MINUS_RATE], d, z);
    return x;
}

static VF_INLINE rule_elements schedule_free_sgd_lane(const vf *c, rule_elements x) {
    return schedule_free_move(c, x, rule_gradient(c, x));
}

static VF_INLINE rule_elements schedule_free_adamw_lane(const vf *c, rule_elements x) {
    const vf g = rule_gradient(c, x);
    const vf square = vf_mul(c[SCHEDULE_FREE_KAPPA2], g);
    x.s[1] = rule_stored(c, vf_fma(square, g, vf_mul(c[SCHEDULE_FREE_BETA2], x.s[1])));
    const vf size = vf_fma(c[SCHEDULE_FREE_W], vf_sqrt(x.s[1]), c[SCHEDULE_FREE_EPS]);
    return schedule_free_move(c, x, vf_div(g, size));
}
