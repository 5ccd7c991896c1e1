/* SPDX-License-Identifier: Apache-2.0 */
/* A progress bar on stderr, for people: drawn on a terminal only, so that a pipe or a log stays clean. */
#ifndef GLISSADE_CLI_PROGRESS_H
#define GLISSADE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    bool visible;
    double drawn_at; /* seconds of clock_seconds() */
};

/* Seconds of a clock that only moves forward. */
double clock_seconds(void);

void progress_start(struct progress *progress, bool quiet);

/* Draws the bar with its label, at most ten times a second. */
void progress_update(struct progress *progress, const char *label, size_t done, size_t total);

/* Erases the bar, before anything else is printed. */
void progress_clear(struct progress *progress);

#endif
