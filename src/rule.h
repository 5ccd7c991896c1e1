/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules of the adaptive family share: hyperparameters read, checked and kept by a table, the scalars that all
 * have, the calls that add, set and get a group. A rule itself is one source in rules/: its options' table and
 * defaults, its scalars, its kernel.
 */
#ifndef GLS_RULE_H
#define GLS_RULE_H

#include "glissade/rule.h"
#include "optimizer.h"
#include "options.h"

/* The first fields of every options struct of the family. */
typedef struct gls_rule_head {
    size_t size;
    double learning_rate, weight_decay;
    glissade_decay decay;
    bool maximize, cautious;
} gls_rule_head;

/* What a hyperparameter accepts: of type double a range, of another type whatever that holds. */
typedef enum gls_field_kind {
    GLS_ACCEPT_FINITE,                   /* 0 to the largest float */
    GLS_ACCEPT_POSITIVE,                 /* the smallest normal float to the largest */
    GLS_ACCEPT_FRACTION,                 /* at least 0 and below 1 */
    GLS_ACCEPT_UNIT,                     /* 0 to 1 */
    GLS_ACCEPT_NEGATIVE,                 /* the negative of the largest float to 0 */
    GLS_ACCEPT_RANGES,                   /* how many of these there are */
    GLS_ACCEPT_FLAG = GLS_ACCEPT_RANGES, /* bool */
    GLS_ACCEPT_COUNT,                    /* uint64_t */
    GLS_ACCEPT_CHOICE                    /* an enumeration of 0 and 1 */
} gls_field_kind;

typedef struct gls_field {
    const char *name;
    size_t offset;
    gls_field_kind accepts;
} gls_field;

/* Fields of type double, bool, uint64_t and of an enumeration; of another type than its line says none compiles. */
#define GLS_FIELD(type, field, kind)                                                                         \
    { #field, offsetof(type, field), _Generic(((type *)NULL)->field, double : GLS_ACCEPT_##kind) }
#define GLS_FLAG(type, field)                                                                                \
    { #field, offsetof(type, field), _Generic(((type *)NULL)->field, bool : GLS_ACCEPT_FLAG) }
#define GLS_COUNT(type, field)                                                                               \
    { #field, offsetof(type, field), _Generic(((type *)NULL)->field, uint64_t : GLS_ACCEPT_COUNT) }
#define GLS_CHOICE(type, field)                                                                              \
    { #field, offsetof(type, field), _Generic(((type *)NULL)->field, unsigned : GLS_ACCEPT_CHOICE) }

/* What a rule's scalars are made from. */
typedef struct gls_rule_context {
    const void *options;
    uint64_t t; /* number of this step of the tensor, from 1 on */
    uint32_t phase;
    const double *numbers, *norms; /* the tensor's own, if the rule has them */
    double factor;                 /* magnitude of s */
    bool factored;                 /* the first state comes as the product of averages */
    size_t length;                 /* elements of the tensor */
    double largest;                /* that an element can be: of float or double */
} gls_rule_context;

struct gls_rule_table {
    gls_layout layout;
    const void *defaults;
    const gls_field *fields; /* all but those of the head; ends with a NULL name */
    /* Contradictions among values that are each in range; may be NULL. */
    glissade_status (*check)(const void *options, glissade_error *error);
    /* Why a group must not change to these; may be NULL. */
    glissade_status (*change)(const gls_group *group, const void *options, glissade_error *error);
    /* Which kernel a pass runs; GLS_RULE_COUNT: none, it measures the gradient. */
    gls_rule (*kernel)(const void *options, uint32_t phase);
    /* Writes the rule's own scalars from c[GLS_SCALAR_OWN] on, and those of the others that it wants otherwise:
     * -learning_rate stands in c[GLS_SCALAR_MINUS_ETA]. */
    void (*scalars)(const gls_rule_context *context, double *c);
};

/* Members of gls_algorithm that are the same for the family. */
void gls_rule_prepare(const gls_group *group, const gls_request *request, const gls_subject *subject,
                      gls_call *call);
size_t gls_rule_run(const gls_call *call, const gls_operands *arrays, const gls_gather *gather, size_t n,
                    const gls_walk *walk);
double *gls_rule_learning_rate(gls_group *group);
bool gls_rule_is_timeless(const gls_group *group); /* of rules that always are */
glissade_status gls_rule_check(const gls_group *group, const void *options, glissade_error *error);

/* Fields of the head; ends with a NULL name. */
extern const gls_field gls_rule_head_fields[];

#define GLS_RULE_MEMBERS                                                                                     \
    .fields = gls_rule_head_fields, .check = gls_rule_check, .prepare = gls_rule_prepare,                    \
    .run = gls_rule_run, .learning_rate = gls_rule_learning_rate

/* The one pass of most rules. */
#define GLS_RULE_ONE_PASS                                                                                    \
    .phases = 1,                                                                                             \
    .phase = {                                                                                               \
        {.reads_gradient = true, .reads_states = true, .writes_states = true, .writes_parameter = true}}

/* Bodies of the public calls. */
glissade_status gls_rule_add(glissade_optimizer *optimizer, const gls_algorithm *algorithm,
                             const glissade_tensor *tensors, size_t count, const void *options,
                             uint32_t *group);
glissade_status gls_rule_set(glissade_optimizer *optimizer, const gls_algorithm *algorithm, uint32_t group,
                             const void *options);
glissade_status gls_rule_get(glissade_optimizer *optimizer, const gls_algorithm *algorithm, uint32_t group,
                             void *options);

/* The four public calls of a rule: glissade_NAME_options_init, glissade_optimizer_add_NAME, ..set.., ..get... */
#define GLS_RULE_CALLS(name, algorithm)                                                                      \
    void glissade_##name##_options_init(glissade_##name##_options *options, size_t size) {                   \
        gls_options_init(&(algorithm).rule->layout, options, size, (algorithm).rule->defaults);              \
    }                                                                                                        \
    glissade_status glissade_optimizer_add_##name(                                                           \
        glissade_optimizer *optimizer, const glissade_tensor *tensors, size_t count,                         \
        const glissade_##name##_options *options, uint32_t *group) {                                         \
        GLS_OPTIMIZER_CALL(optimizer,                                                                        \
                           gls_rule_add(optimizer, &(algorithm), tensors, count, options, group));           \
    }                                                                                                        \
    glissade_status glissade_optimizer_set_##name(glissade_optimizer *optimizer, uint32_t group,             \
                                                  const glissade_##name##_options *options) {                \
        GLS_OPTIMIZER_CALL(optimizer, gls_rule_set(optimizer, &(algorithm), group, options));                \
    }                                                                                                        \
    glissade_status glissade_optimizer_get_##name(glissade_optimizer *optimizer, uint32_t group,             \
                                                  glissade_##name##_options *options) {                      \
        GLS_OPTIMIZER_CALL(optimizer, gls_rule_get(optimizer, &(algorithm), group, options));                \
    }                                                                                                        \
    _Static_assert(                                                                                          \
        offsetof(glissade_##name##_options, learning_rate) == offsetof(gls_rule_head, learning_rate) &&      \
            offsetof(glissade_##name##_options, weight_decay) == offsetof(gls_rule_head, weight_decay) &&    \
            offsetof(glissade_##name##_options, decay) == offsetof(gls_rule_head, decay) &&                  \
            offsetof(glissade_##name##_options, maximize) == offsetof(gls_rule_head, maximize) &&            \
            offsetof(glissade_##name##_options, cautious) == offsetof(gls_rule_head, cautious),              \
        "options of the family begin alike")

#endif
