/* SPDX-License-Identifier: Apache-2.0 */
/* The table of the adaptive family: each rule of rules.def, cautious or not, leaving the gradient and zeroing it. */
#include "isa.h"
#include "rule_body.h"

#include "rules/adabelief.h"
#include "rules/adadelta.h"
#include "rules/adafactor.h"
#include "rules/adagrad.h"
#include "rules/adam.h"
#include "rules/adamax.h"
#include "rules/ademamix.h"
#include "rules/adopt.h"
#include "rules/asgd.h"
#include "rules/lamb.h"
#include "rules/lars.h"
#include "rules/lion.h"
#include "rules/nadam.h"
#include "rules/qhm.h"
#include "rules/radam.h"
#include "rules/rmsprop.h"
#include "rules/rprop.h"
#include "rules/schedule_free.h"

/* A kernel of a rule, and one that measures; the rest of the arguments says what kind. */
#define GLS_KERNEL(name, lane, ...)                                                                          \
    static void name(const gls_scalars *scalars, const gls_operands *arrays, size_t n,                       \
                     const gls_walk *walk) {                                                                 \
        rule_run(scalars, arrays, n, walk, lane, (rule_kind){__VA_ARGS__});                                  \
    }
#define GLS_MEASURING(name, lane, ...)                                                                       \
    static void name(const gls_scalars *scalars, const gls_operands *arrays, double *sums, size_t n,         \
                     const gls_walk *walk) {                                                                 \
        rule_measure(scalars, arrays, sums, n, walk, lane, (rule_kind){__VA_ARGS__});                        \
    }

#define GLS_KERNELS(name, kept, stored)                                                                      \
    GLS_KERNEL(name##_leave, name##_lane, .states = kept, .stores = stored)                                  \
    GLS_KERNEL(name##_zero, name##_lane, .states = kept, .stores = stored, .zero = 1)                        \
    GLS_KERNEL(name##_cautious, name##_lane, .states = kept, .stores = stored, .cautious = 1)                \
    GLS_KERNEL(name##_cautious_zero, name##_lane, .states = kept, .stores = stored, .zero = 1, .cautious = 1)
#define GLS_DEFINE_UPDATE(name, kept) GLS_KERNELS(name, kept, 1)
#define GLS_DEFINE_APPLY(name, kept)  GLS_KERNELS(name, kept, 0)
#define GLS_DEFINE_MEASURE(name, kept)                                                                       \
    GLS_MEASURING(name##_measure, name##_lane, .states = kept, .stores = 1)                                  \
    GLS_MEASURING(name##_cautious, name##_lane, .states = kept, .stores = 1, .cautious = 1)
#define GLS_RULE(name, kind, kept) GLS_DEFINE_##kind(name, kept)
#include "rules.def"
#undef GLS_RULE

const gls_rule_kernels GLS_OWN(gls_rule_kernels) = {
#define GLS_ENTRY_UPDATE(name)                                                                               \
    .update[GLS_RULE_##name] = {{name##_leave, name##_zero}, {name##_cautious, name##_cautious_zero}},
#define GLS_ENTRY_APPLY(name)      GLS_ENTRY_UPDATE(name)
#define GLS_ENTRY_MEASURE(name)    .measure[GLS_RULE_##name] = {name##_measure, name##_cautious},
#define GLS_RULE(name, kind, kept) GLS_ENTRY_##kind(name)
#include "rules.def"
#undef GLS_RULE
};
