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

/* "m:ss", or "h:mm:ss" from an hour on, of whole seconds; at most 999 hours, and 0:00 for what is no duration. */
enum { DURATION_SIZE = 16 };
void format_duration(double seconds, char text[DURATION_SIZE]);

void progress_start(struct progress *progress, bool quiet);

/* Draws the bar with its label, at most ten times a second and on one line of the terminal. */
void progress_update(struct progress *progress, const char *label, size_t done, size_t total);

/* Erases the bar, before anything else is printed. */
void progress_clear(struct progress *progress);

#endif
