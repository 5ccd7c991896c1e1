/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that reads the environment. */
#include "environment.h"

#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "glissade/engine.h"
#include "kernel.h"
#include "options.h"
#include "pin.h"

static const char prefix[] = "GLISSADE_";

struct variable {
    const char *name;
    uint32_t min, max, multiple; /* of a number */
    const char *words[8];        /* or the words it takes instead */
    const char *fallback, *accepted, *help;
};

#define NUMBER(least, most, step) .min = least, .max = most, .multiple = step
#define WORDS(...)                .words = {__VA_ARGS__}
#define GLS_VARIABLE(enumerator, title, parser, standard, values, sentence)                                  \
    [GLS_##enumerator] = {.name = title, parser, .fallback = standard, .accepted = values, .help = sentence},

static const struct variable variables[GLS_VARIABLE_COUNT] = {
#include "environment.def"
};
#undef GLS_VARIABLE

static bool parse_number(const struct variable *variable, const char *text, uint32_t *value) {
    uint64_t number = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9')
            return false;
        number = number * 10 + (uint64_t)(*c - '0');
        if (number > variable->max)
            return false;
    }
    *value = (uint32_t)number;
    return number >= variable->min && number % variable->multiple == 0;
}

static bool parse_word(const struct variable *variable, const char *text, uint32_t *value) {
    for (uint32_t i = 0; variable->words[i]; i++)
        if (strcmp(variable->words[i], text) == 0) {
            *value = i;
            return true;
        }
    return false;
}

static glissade_status refuse_unknown(glissade_error *error) {
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, prefix, sizeof prefix - 1) != 0)
            continue;
        const int length = (int)strcspn(*entry, "=");
        bool known = false;
        for (int i = 0; i < GLS_VARIABLE_COUNT && !known; i++)
            known = (size_t)length == strlen(variables[i].name) &&
                    !strncmp(*entry, variables[i].name, (size_t)length);
        if (!known)
            return gls_error_set(
                error, GLISSADE_STATUS_UNKNOWN_VARIABLE,
                "environment variable %.60s does not exist; see `glissade info` for those that do", *entry);
    }
    return GLISSADE_STATUS_OK;
}

glissade_status gls_environment_read(gls_environment *environment, glissade_error *error) {
    *environment = (gls_environment){0};
    if (getauxval(AT_SECURE))
        return GLISSADE_STATUS_OK;
    for (int i = 0; i < GLS_VARIABLE_COUNT; i++) {
        const char *text = secure_getenv(variables[i].name);
        if (!text || !*text)
            continue;
        const bool words = variables[i].words[0] != NULL;
        if (!(words ? parse_word : parse_number)(&variables[i], text, &environment->value[i]))
            return gls_error_set(error, GLISSADE_STATUS_INVALID_ENVIRONMENT,
                                 "environment variable %s is \"%.60s\"; accepted: %s", variables[i].name,
                                 text, variables[i].accepted);
        environment->set[i] = true;
    }
    return refuse_unknown(error);
}

const char *gls_environment_name(gls_variable variable) {
    return variables[variable].name;
}

const char *gls_environment_accepted(gls_variable variable) {
    return variables[variable].accepted;
}

const char *gls_environment_word(gls_variable variable, uint32_t value) {
    return variables[variable].words[0] ? variables[variable].words[value] : NULL;
}

bool gls_environment_accepts(gls_variable variable, uint32_t value) {
    const struct variable *v = &variables[variable];
    return value >= v->min && value <= v->max && value % v->multiple == 0;
}

uint32_t glissade_variable_count(void) {
    return GLS_VARIABLE_COUNT;
}

glissade_status glissade_variable_get(uint32_t index, glissade_variable_info *info) {
    static const gls_layout layout = {"glissade_variable_info", {sizeof(glissade_variable_info)}};
    if (!info)
        return GLISSADE_STATUS_NULL_ARGUMENT;
    if (index >= GLS_VARIABLE_COUNT)
        return GLISSADE_STATUS_NOT_FOUND;
    const glissade_variable_info known = {.name = variables[index].name,
                                          .accepted = variables[index].accepted,
                                          .fallback = variables[index].fallback,
                                          .help = variables[index].help};
    return gls_options_write(&layout, info, &known, NULL);
}
