/* SPDX-License-Identifier: Apache-2.0 */
/* What the misuse suites have in common: the optimizer that is misused, made before each test and stepped after it.
 * Included once by each misuse source, which then is MISUSE_SUITE(its name). */
#ifndef MISUSE_H
#define MISUSE_H

#include "subject.h"

#include <criterion/criterion.h>

static subject it;

static void setup(void) {
    scenario_clear_environment();
    subject_create(&it, scenario_engine(2));
}

/* Whatever was refused, the next step is the one that would have followed anyway. */
static void teardown(void) {
    const char *change = subject_step(&it);
    cr_assert_null(change, "the step after: %s", change);
    subject_destroy(&it);
}

#define MISUSE_SUITE(name) TestSuite(name, .init = setup, .fini = teardown, .timeout = 60)

#define REFUSED(call, expected, names) SUBJECT_REFUSED(&it, call, GLISSADE_STATUS_##expected, names)

#endif
