/* SPDX-License-Identifier: Apache-2.0 */
/* The environment variables: the table of them, and the one reading of them when an engine is made. */
#ifndef GLS_ENVIRONMENT_H
#define GLS_ENVIRONMENT_H

#include "error.h"

typedef enum gls_variable {
#define GLS_VARIABLE(enumerator, ...) GLS_##enumerator,
#include "environment.def"
#undef GLS_VARIABLE
    GLS_VARIABLE_COUNT
} gls_variable;

/* What the environment says: a number, or the place of a word in the variable's list. */
typedef struct gls_environment {
    bool set[GLS_VARIABLE_COUNT];
    uint32_t value[GLS_VARIABLE_COUNT];
} gls_environment;

/*
 * Reads every variable. Returns OK, INVALID_ENVIRONMENT or UNKNOWN_VARIABLE, with a message that names the
 * variable, its value and what is accepted. An empty value counts as unset. In a program that runs with
 * raised privileges the environment is not looked at.
 */
glissade_status gls_environment_read(gls_environment *environment, glissade_error *error);

const char *gls_environment_name(gls_variable variable);
const char *gls_environment_accepted(gls_variable variable);
/* The word for a value of a variable that takes words; NULL for one that takes numbers. */
const char *gls_environment_word(gls_variable variable, uint32_t value);
/* Whether a variable that takes numbers accepts this one. */
bool gls_environment_accepts(gls_variable variable, uint32_t value);

#endif
