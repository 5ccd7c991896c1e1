/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules by name: their calls and the fields of their options, so that a test written once runs under all of them. Made
 * from rules.def, and SGD besides. Knows no test framework.
 */
#ifndef RULES_LIST_H
#define RULES_LIST_H

#include "glissade/glissade.h"

#include <stddef.h>

typedef enum rule_type { RULE_DOUBLE, RULE_FLAG, RULE_COUNT, RULE_CHOICE } rule_type;

/* A field of an options struct. */
typedef struct rule_field {
    const char *name; /* NULL ends a list */
    size_t offset;
    rule_type type;
} rule_field;

/* Room for any rule's options. */
typedef union rule_options {
    size_t size;
    double alignment;
    unsigned char bytes[512];
} rule_options;

typedef struct rule {
    const char *name;
    size_t size; /* of its options */
    const rule_field *(*fields)(void);
    void (*init)(void *options, size_t size);
    glissade_status (*add)(glissade_optimizer *optimizer, const glissade_tensor *tensors, size_t count,
                           const void *options, uint32_t *group);
    glissade_status (*set)(glissade_optimizer *optimizer, uint32_t group, const void *options);
    glissade_status (*get)(glissade_optimizer *optimizer, uint32_t group, void *options);
} rule;

/* The lines of rules.def, rules_count() of them. */
extern const rule rules_list[];
extern const rule rule_sgd;

/* By name, "sgd" too; NULL: unknown. */
const rule *rule_find(const char *name);
size_t rules_count(void);

const rule_field *rule_find_field(const rule *it, const char *name);
double rule_read(const rule_field *field, const void *options);
void rule_write(const rule_field *field, void *options, double value);

/* Writes the defaults; and then "key=value key=value ...", where a choice is its number, or for `decay` coupled or
 * decoupled. NULL, or the key that is not known. */
void rule_defaults(const rule *it, rule_options *options);
const char *rule_assign(const rule *it, rule_options *options, const char *text);

#endif
