/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An optimizer whose parameters and momentum are, after each step, numbers that follow from the step alone, so that
 * whoever finds a file of it can tell which step's it is and whether every element is that step's. Knows no test
 * framework: what must not fail ends the process.
 */
#ifndef STEPPER_H
#define STEPPER_H

#include "scenario.h"

enum { STEPPER_TENSORS = 3 };

typedef struct stepper {
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    size_t lengths[STEPPER_TENSORS];
    float *p[STEPPER_TENSORS], *g[STEPPER_TENSORS];
    uint64_t step;
} stepper;

/* About so many bytes of state and parameters; `engine` stays the caller's. At step 0. */
void stepper_create(stepper *it, glissade_engine *engine, size_t bytes);
void stepper_destroy(stepper *it);

/* Makes a step. */
void stepper_step(stepper *it);

/* What a save of it is to have: parameters, and the step in the metadata. `options` keeps pointing to `it` and to `text`,
 * which must live as long as a save; the text is that of the step as it is now. */
typedef struct stepper_text {
    char step[24];
    glissade_file_text line;
} stepper_text;
glissade_save_options stepper_options(const stepper *it, stepper_text *text);

/* Loads; the next step is the one that follows the file's. Returns as glissade_optimizer_load. */
glissade_status stepper_load(stepper *it, const char *path);

/* NULL if the file is whole and of one step of a stepper of this size, which is then *step; else what is not so. */
const char *stepper_check(const stepper *it, const char *path, uint64_t *step);
/* The same for a certain step. */
const char *stepper_difference(const stepper *it, const char *path, uint64_t step);

#endif
