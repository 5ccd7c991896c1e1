/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the suites of faults have in common: a folder, an engine of two threads, and a count of trials that is printed at
 * the end of each test. Included once by each source, which then is TRIALS_SUITE(its name).
 */
#ifndef TRIALS_SUITE_H
#define TRIALS_SUITE_H

#include "trials.h"

#include <criterion/criterion.h>

#include <stdio.h>

static folder home;
static glissade_engine *team;
static unsigned trials;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
    team = scenario_engine(2);
    trials = 0;
}

static void teardown(void) {
    fprintf(stderr, "# %u faults\n", trials);
    glissade_engine_destroy(&team);
    folder_destroy(&home);
}

#define TRIALS_SUITE(name) TestSuite(name, .init = setup, .fini = teardown, .timeout = 200)

#endif
