/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the state files of format version 1 in goldens/state/v1_*.safetensors were saved from, for those who load them.
 * states_v1_make.c has made the files once; the cases stay as they are, since the files do. Knows no test framework.
 */
#ifndef STATES_V1_CASES_H
#define STATES_V1_CASES_H

#include "formats_engine.h"

enum { V1_GROUPS = 2, V1_TENSORS = 3, V1_BEFORE = 4, V1_AFTER = 3 };

typedef struct v1_group {
    const char *rule, *values; /* that differ from the defaults */
    layout formats;
    size_t lengths[V1_TENSORS], columns; /* columns: of the first */
    double average;                      /* decay of the weights' average; 0: none */
    bool labelled, evaluation;           /* evaluation: saved at that point */
} v1_group;

typedef struct v1_case {
    const char *name;
    v1_group groups[V1_GROUPS];
} v1_case;

size_t v1_count(void);
const v1_case *v1_at(size_t index);

typedef struct v1_run {
    const v1_case *it;
    glissade_optimizer *optimizer;
    uint32_t groups[V1_GROUPS];
    held tensors[V1_GROUPS][V1_TENSORS];
} v1_run;

/* An optimizer with the case's groups; with parameters only where training begins, else with zeros. */
void v1_create(v1_run *run, const v1_case *it, glissade_engine *engine, bool begins);
void v1_destroy(v1_run *run);

/* Steps from `first` to before `end`, the first being 0. Those after a save follow it at once. */
void v1_train(v1_run *run, int first, int end);

/* Everything, parameters too. */
glissade_status v1_save(v1_run *run, const char *path);
glissade_status v1_load(v1_run *run, const char *path, glissade_load_report *report);

/* Of all parameters, arrays of state and counts. */
uint64_t v1_digest(const v1_run *run);

#endif
