/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that ask a run to end. The handler must do no more than note it. */
#include "interruption.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t came;

static void note(int signal) {
    came = signal;
}

void interruption_catch(void) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = note, .sa_flags = (int)(SA_RESETHAND | SA_RESTART)};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; ++i) {
        struct sigaction former;
        if (sigaction(signals[i], NULL, &former) == 0 && former.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
}

int interruption_signal(void) {
    return came;
}

void interruption_raise(void) {
    if (came == 0)
        return;
    signal(came, SIG_DFL);
    raise(came);
}
