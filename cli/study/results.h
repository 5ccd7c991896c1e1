/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a study's runs, runs.csv: a heading that says what made it, then a line a run, appended as it ends
 * by one write. So a killed study loses the runs in flight and nothing else; a last line without its end is cut
 * off when the study goes on. Any other damage is refused.
 */
#ifndef GLISSADE_CLI_STUDY_RESULTS_H
#define GLISSADE_CLI_STUDY_RESULTS_H

#include "study.h"

struct result {
    struct run_settings settings;
    struct run_outcome outcome;
};

struct results {
    struct result *items; /* as they ended */
    size_t count, capacity;
    struct run_index index;
    bool synthetic;  /* the data of the runs are the built-in set */
    int file;        /* -1: not open */
    char path[4096]; /* of runs.csv */
};

/*
 * Opens runs.csv in settings->output, making both if need be, and holds a lock on it until results_close: two
 * studies cannot work on one folder. A file of the same study, mode, seed and data is read and will be gone on
 * with; another is refused, and so is a folder without runs.csv that holds a file of a name that the study
 * writes. settings->force starts anew over both, but not over a runs.csv that no study began. Where the file
 * is refused nothing has been changed.
 *
 * With settings->tables the file is read only, and must have runs. `dataset` may then be NULL, to take the
 * file's word for the data.
 *
 * Failures have been reported when it returns, and results_close is still due.
 */
enum exit_code results_open(struct results *results, const struct study *study,
                            const struct study_settings *settings, const struct dataset *dataset);

/* Writes a run to the file, and takes it in as it reads from there. Failures have been reported. */
enum exit_code results_append(struct results *results, const struct run_settings *settings,
                              const struct run_outcome *outcome);
void results_close(struct results *results);

/* Takes in a run that is not there yet, without a file; returns false if memory is short. */
bool results_add(struct results *results, const struct result *result);

/* The outcome of a run; NULL if it has not been done. Good until the next run is taken in. */
const struct run_outcome *results_find(const struct results *results, const struct run_settings *settings);

#endif
