/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An optimizer with a past, to which things are done that must not change it: two groups, one with momentum
 * of the library's and one that defers, with momentum of the caller's, two steps made. Twins under the reference step say what
 * everything should be. Knows no test framework.
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include "scenario.h"

typedef struct subject {
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    model first, second; /* groups 0 and 1 */
    model first_twin, second_twin;
    glissade_sgd_options first_rule, second_rule;
    uint64_t steps;
} subject;

/* Takes over a reference to the engine. */
void subject_create(subject *it, glissade_engine *engine);
void subject_destroy(subject *it);

/* NULL if values, state, counts, addresses and hyperparameters are what they should be, else what is not. */
const char *subject_change(subject *it);

/* Makes a step with new gradients; returns as subject_change. */
const char *subject_step(subject *it);

/* The tests' own part of a refused call: its status, what its message names, and that nothing changed. */
#define SUBJECT_REFUSED(subject, call, expected, names)                                                      \
    do {                                                                                                     \
        const glissade_status status_ = (call);                                                              \
        cr_assert_eq(status_, expected, "%s: %s, not %s", #call, glissade_status_name(status_), #expected);  \
        const char *message_ = glissade_optimizer_message((subject)->optimizer);                             \
        cr_assert(strstr(message_, names), "%s: the message \"%s\" does not name %s", #call, message_,       \
                  names);                                                                                    \
        const char *change_ = subject_change(subject);                                                       \
        cr_assert_null(change_, "%s: %s", #call, change_);                                                   \
    } while (0)

#endif
