/* SPDX-License-Identifier: Apache-2.0 */
/* The progress bar and the clock behind it. Must not print anything where stderr is no terminal. */
#include "progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

static const double seconds_between_drawings = 0.1;

double clock_seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

void format_duration(double seconds, char text[DURATION_SIZE]) {
    const double longest = 999.0 * 3600.0 + 3599.0;
    unsigned long whole = 0;
    if (seconds >= 0.0)
        whole = (unsigned long)(seconds < longest ? seconds : longest);
    unsigned hours = (unsigned)(whole / 3600), minutes = (unsigned)(whole / 60 % 60),
             rest = (unsigned)(whole % 60);
    if (hours > 0)
        snprintf(text, DURATION_SIZE, "%u:%02u:%02u", hours % 1000, minutes, rest);
    else
        snprintf(text, DURATION_SIZE, "%u:%02u", minutes, rest);
}

void progress_start(struct progress *progress, bool quiet) {
    const char *terminal = getenv("TERM");
    progress->visible =
        !quiet && isatty(STDERR_FILENO) && (terminal == NULL || strcmp(terminal, "dumb") != 0);
    progress->drawn_at = 0.0;
}

static int terminal_columns(void) {
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void progress_update(struct progress *progress, const char *label, size_t done, size_t total) {
    static const char full[] = "##############################";
    const int longest = sizeof full - 1, shortest = 5;
    if (!progress->visible || total == 0)
        return;
    double now = clock_seconds();
    if (now - progress->drawn_at < seconds_between_drawings)
        return;
    progress->drawn_at = now;
    /* A line that went on in the next row could not be erased. The last column stays free: some terminals move on
     * as soon as it is written. */
    const int columns = terminal_columns() - 1, percent = (int)(100.0 * (double)done / (double)total);
    const int around = (int)strlen(" [] 100 %");
    int width = columns - (int)strlen(label) - around;
    width = width < longest ? width : longest;
    if (width < shortest) {
        fprintf(stderr, "\r\033[K%.*s", columns, label);
    } else {
        int filled = (int)((double)width * (double)done / (double)total);
        fprintf(stderr, "\r\033[K%s [%.*s%*s] %3d %%", label, filled, full, width - filled, "", percent);
    }
    fflush(stderr);
}

void progress_clear(struct progress *progress) {
    if (progress->visible) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
