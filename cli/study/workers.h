/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs carried out several at a time, each in a process of its own: a run that crashes, or is killed, costs itself
 * alone, and each has the library and CBLAS on one thread, which for networks this small is the faster way to use
 * several cores.
 */
#ifndef GLISSADE_CLI_STUDY_WORKERS_H
#define GLISSADE_CLI_STUDY_WORKERS_H

#include "results.h"

/*
 * Carries out the runs of the plan that the results lack and appends their outcomes as they come. Goes on after a
 * failed run, having named it; returns FAILED at the end if there was one, or if it was interrupted by SIGINT,
 * SIGTERM or SIGHUP, after reporting it. `round` counts the study's plans, for the progress bar.
 */
enum exit_code workers_execute(const char *study, const struct study_settings *settings, unsigned round,
                               const struct run_plan *plan, const struct dataset *dataset,
                               struct results *results);

/* The signal that interrupted the last call; 0 if none did. */
int workers_interrupted(void);

#endif
