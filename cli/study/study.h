/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade study NAME`: what every study shares. A study says which runs it wants and makes tables and figures
 * of their outcomes; study.c drives it, workers.c carries the runs out, results.c keeps them.
 */
#ifndef GLISSADE_CLI_STUDY_STUDY_H
#define GLISSADE_CLI_STUDY_STUDY_H

#include "../dataset.h"
#include "../options.h"
#include "../report.h"
#include "plan.h"

struct results;

struct study_settings {
    const char *output; /* folder of everything that the study writes */
    const char *folder; /* of the data; NULL: where Debian's package puts them */
    uint64_t workers;   /* runs at a time */
    uint64_t seed;      /* of the first run; the others count up from it */
    bool quick, synthetic, force, tables, quiet;
};

/* A study made of training runs. */
struct study {
    const char *name;
    const struct command command;
    /*
     * Appends to `plan` every run that the study wants, as far as can be told from the outcomes that are there:
     * it is asked again whenever all runs of its last answer are done, until it wants nothing more.
     * Returns false if memory is short.
     */
    bool (*plan)(const struct study_settings *settings, const struct results *results, struct run_plan *plan);
    /* Writes tables, then figures, below settings->output, over those that are there. Failures have been reported
     * when it returns. */
    enum exit_code (*report)(const struct study_settings *settings, const struct results *results);
    const char *const *files; /* the names of all of them, in order to notice what is somebody else's */
    size_t file_count;
};

extern const struct study convergence_study, batch_study, deferral_study;

/* averages.c: needs no data and no runs. */
extern const struct command averages_command;
int averages_main(int argc, char **argv);

/* trace.c: a single run, of which it keeps every step. */
extern const struct command trace_command;
int trace_main(int argc, char **argv);

#endif
