/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the adaptive family: each rule of rules.def, leaving the gradient and zeroing it. */
#include "isa.h"
#include "rule_body.h"

#include "rules/adam.h"

#define GLS_RULE_UPDATE(name, kept)                                                                          \
    static void name##_leave(const gls_scalars *scalars, const gls_operands *arrays, size_t n,               \
                             const gls_walk *walk) {                                                         \
        rule_run(scalars, arrays, n, walk, name##_lane, (rule_kind){.states = kept, .stores = 1});           \
    }                                                                                                        \
    static void name##_zero(const gls_scalars *scalars, const gls_operands *arrays, size_t n,                \
                            const gls_walk *walk) {                                                          \
        rule_run(scalars, arrays, n, walk, name##_lane,                                                      \
                 (rule_kind){.states = kept, .stores = 1, .zero = 1});                                       \
    }
#define GLS_RULE_APPLY(name, kept)                                                                           \
    static void name##_leave(const gls_scalars *scalars, const gls_operands *arrays, size_t n,               \
                             const gls_walk *walk) {                                                         \
        rule_run(scalars, arrays, n, walk, name##_lane, (rule_kind){.states = kept});                        \
    }                                                                                                        \
    static void name##_zero(const gls_scalars *scalars, const gls_operands *arrays, size_t n,                \
                            const gls_walk *walk) {                                                          \
        rule_run(scalars, arrays, n, walk, name##_lane, (rule_kind){.states = kept, .zero = 1});             \
    }
#define GLS_RULE_MEASURE(name, kept)                                                                         \
    static void name##_measure(const gls_scalars *scalars, const gls_operands *arrays, double *sums,         \
                               size_t n, const gls_walk *walk) {                                             \
        rule_measure(scalars, arrays, sums, n, walk, name##_lane, kept);                                     \
    }
#define GLS_RULE(name, kind, kept) GLS_RULE_##kind(name, kept)
#include "rules.def"
#undef GLS_RULE

const gls_rule_kernels GLS_OWN(gls_rule_kernels) = {
#define GLS_ENTRY_UPDATE(name)     .update[GLS_RULE_##name] = {name##_leave, name##_zero},
#define GLS_ENTRY_APPLY(name)      GLS_ENTRY_UPDATE(name)
#define GLS_ENTRY_MEASURE(name)    .measure[GLS_RULE_##name] = name##_measure,
#define GLS_RULE(name, kind, kept) GLS_ENTRY_##kind(name)
#include "rules.def"
#undef GLS_RULE
};
