/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing a file while calls fail: whatever fails, the path is afterwards the old file or the new one, whole; no
 * descriptor and no temporary file is left; and the next writer succeeds. Knows no test framework: a trial that goes
 * wrong ends the process with a line that says which.
 */
#ifndef TRIALS_H
#define TRIALS_H

#include "faults.h"
#include "files.h"

/* What writes version after version of a file of that name in the folder. */
typedef struct writer {
    const char *what;
    folder *home;
    const char *name;
    void *context;
    void (*prepare)(void *context, uint64_t version); /* before it is written, while nothing fails; or NULL */
    glissade_status (*write)(void *context, const char *path, uint64_t version, glissade_error *error);
    /* NULL if the path is that version, whole, else what it is not. */
    const char *(*difference)(void *context, const char *path, uint64_t version);
} writer;

typedef enum outcome { SUCCEEDS, FAILS, EITHER } outcome;

/* A kind of fault, and what is to come of it. */
typedef struct ordeal {
    fault_call call;
    int error_number;
    outcome expected;
    bool for_good, direct;
    const char *words; /* that the message has, if it fails; or NULL */
} ordeal;

/* Makes the writer's first, second, ... such call fail, until there is none left. How many trials that took. */
unsigned trial_each(const writer *it, const ordeal *what);

/* The same for allocations: each fails with OUT_OF_MEMORY, and the file stays the old one. */
unsigned trial_memory(const writer *it);

#endif
