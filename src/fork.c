/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fork. A child that opens a parallel region after its parent has used libgomp waits for threads that do not
 * exist, so children run on the calling thread alone. getpid in every step would cost 0.1 us; a handler costs
 * nothing.
 */
#include "fork.h"

#include <pthread.h>

/* Written in the child's only thread, before fork returns there. */
static volatile uint32_t generation = 1;

static void in_child(void) {
    generation++;
}

__attribute__((constructor)) static void register_handler(void) {
    /* If there is no room for a handler, forking goes unnoticed; there is nobody to tell at load time. */
    (void)pthread_atfork(NULL, NULL, in_child);
}

uint32_t gls_fork_generation(void) {
    return generation;
}

bool gls_fork_is_child(void) {
    return generation != 1;
}
