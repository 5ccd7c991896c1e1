/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar and the clock behind it. Must not print anything where stderr is no terminal. */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const double seconds_between_drawings = 0.1;

double clock_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void progress_start(struct progress *progress, bool quiet) {
    const char *terminal = getenv("TERM");
    progress->visible =
        !quiet && isatty(STDERR_FILENO) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
    progress->drawn_at = 0.0;
}

void progress_update(struct progress *progress, const char *label, size_t done, size_t total) {
    static const char full[] = "##############################";
    const size_t width = sizeof full - 1;
    if (!progress->visible || total == 0)
        return;
    double now = clock_seconds();
    if (now - progress->drawn_at < seconds_between_drawings)
        return;
    progress->drawn_at = now;
    int filled = (int)(width * done / total);
    fprintf(stderr, "\r\033[K%s [%.*s%*s] %3zu %%", label, filled, full, (int)width - filled, "",
            100 * done / total);
    fflush(stderr);
}

void progress_clear(struct progress *progress) {
    if (progress->visible) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
