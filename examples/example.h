/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the longer examples share: ending the program when a call or a self-check fails. Must hide no call of
 * the library: the examples are there to show them.
 */
#ifndef GLISSADE_EXAMPLE_H
#define GLISSADE_EXAMPLE_H

#include <glissade/glissade.h>
#include <stdio.h>
#include <stdlib.h>

/* For creating calls, which leave their message in an error record. */
static inline void require_created(glissade_status status, const glissade_error *error) {
    if (status == GLISSADE_STATUS_OK)
        return;
    fprintf(stderr, "%s: %s\n", glissade_status_name(status), error->message);
    exit(1);
}

/* For calls on an optimizer, which keeps the message. */
static inline void require(glissade_status status, const glissade_optimizer *optimizer) {
    if (status == GLISSADE_STATUS_OK)
        return;
    fprintf(stderr, "%s: %s\n", glissade_status_name(status), glissade_optimizer_message(optimizer));
    exit(1);
}

/* For what an example promises about its own results. */
static inline void check(bool condition, const char *expectation) {
    if (condition)
        return;
    fprintf(stderr, "not as expected: %s\n", expectation);
    exit(1);
}

#endif
