/* SPDX-License-Identifier: Apache-2.0 */
/* Rules by name (see rules_list.h). */
#include "rules_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A field of another type than its line says does not compile. */
#define FIELD(field, of, type)                                                                               \
    {#field, offsetof(options_type, field), _Generic(((options_type *)NULL)->field, of : type)},
#define D(field) FIELD(field, double, RULE_DOUBLE)
#define B(field) FIELD(field, bool, RULE_FLAG)
#define U(field) FIELD(field, uint64_t, RULE_COUNT)
#define C(field) {#field, offsetof(options_type, field), RULE_CHOICE},

/* A list of fields is a function's own: only in a function can one name stand for each rule's struct in turn. */
#define CALLS(name, ...)                                                                                     \
    _Static_assert(sizeof(glissade_##name##_options) <= sizeof(rule_options), "room for any options");       \
    static const rule_field *name##_fields(void) {                                                           \
        typedef glissade_##name##_options options_type;                                                      \
        static const rule_field fields[] = {D(learning_rate) D(weight_decay) C(decay) B(maximize)            \
                                                __VA_ARGS__{NULL, 0, 0}};                                    \
        return fields;                                                                                       \
    }                                                                                                        \
    static void name##_init(void *options, size_t size) {                                                    \
        glissade_##name##_options_init(options, size);                                                       \
    }                                                                                                        \
    static glissade_status name##_add(glissade_optimizer *optimizer, const glissade_tensor *tensors,         \
                                      size_t count, const void *options, uint32_t *group) {                  \
        return glissade_optimizer_add_##name(optimizer, tensors, count, options, group);                     \
    }                                                                                                        \
    static glissade_status name##_set(glissade_optimizer *optimizer, uint32_t group, const void *options) {  \
        return glissade_optimizer_set_##name(optimizer, group, options);                                     \
    }                                                                                                        \
    static glissade_status name##_get(glissade_optimizer *optimizer, uint32_t group, void *options) {        \
        return glissade_optimizer_get_##name(optimizer, group, options);                                     \
    }

#define ENTRY(name)                                                                                          \
    .size = sizeof(glissade_##name##_options), .fields = name##_fields, .init = name##_init,                 \
    .add = name##_add, .set = name##_set, .get = name##_get

#define RULE(name, own) CALLS(name, B(cautious) own)
#include "rules.def"
#undef RULE
CALLS(sgd, C(first_step) C(defer_unit) D(momentum) D(dampening) D(defer_threshold) B(nesterov) B(debias))

const rule rules_list[] = {
#define RULE(rule, own) {.name = #rule, ENTRY(rule)},
#include "rules.def"
#undef RULE
};

const rule rule_sgd = {.name = "sgd", ENTRY(sgd)};

size_t rules_count(void) {
    return sizeof rules_list / sizeof *rules_list;
}

const rule *rule_find(const char *name) {
    for (size_t i = 0; i < rules_count(); i++)
        if (strcmp(rules_list[i].name, name) == 0)
            return &rules_list[i];
    return strcmp(name, rule_sgd.name) == 0 ? &rule_sgd : NULL;
}

/* ---- fields ---- */

const rule_field *rule_find_field(const rule *it, const char *name) {
    for (const rule_field *field = it->fields(); field->name; field++)
        if (strcmp(field->name, name) == 0)
            return field;
    return NULL;
}

double rule_read(const rule_field *field, const void *options) {
    const char *at = (const char *)options + field->offset;
    double number;
    uint64_t count;
    int choice;
    bool flag;
    switch (field->type) {
    case RULE_DOUBLE:
        memcpy(&number, at, sizeof number);
        return number;
    case RULE_COUNT:
        memcpy(&count, at, sizeof count);
        return (double)count;
    case RULE_CHOICE:
        memcpy(&choice, at, sizeof choice);
        return choice;
    default:
        memcpy(&flag, at, sizeof flag);
        return flag;
    }
}

void rule_write(const rule_field *field, void *options, double value) {
    char *at = (char *)options + field->offset;
    const uint64_t count = value > 0 ? (uint64_t)value : 0;
    const int choice = (int)count;
    const bool flag = value != 0;
    if (field->type == RULE_DOUBLE)
        memcpy(at, &value, sizeof value);
    else if (field->type == RULE_COUNT)
        memcpy(at, &count, sizeof count);
    else if (field->type == RULE_CHOICE)
        memcpy(at, &choice, sizeof choice);
    else
        memcpy(at, &flag, sizeof flag);
}

void rule_defaults(const rule *it, rule_options *options) {
    it->init(options, it->size);
}

static double value_of(const char *text) {
    if (strcmp(text, "coupled") == 0)
        return GLISSADE_DECAY_COUPLED;
    if (strcmp(text, "decoupled") == 0)
        return GLISSADE_DECAY_DECOUPLED;
    return strtod(text, NULL);
}

const char *rule_assign(const rule *it, rule_options *options, const char *text) {
    static char key[48];
    char value[48];
    int used;
    for (; sscanf(text, " %47[^= ]=%47s%n", key, value, &used) == 2; text += used) {
        const rule_field *field = rule_find_field(it, key);
        if (!field)
            return key;
        rule_write(field, options, value_of(value));
    }
    return NULL;
}
