/* SPDX-License-Identifier: Apache-2.0 */
/* Saves and loads from many threads, a part of the stress program. */
#ifndef STRESS_SAVES_H
#define STRESS_SAVES_H

#include <stdbool.h>

/* Callers who save, aside and not, step, watch, cancel and load, so many rounds; whether every file was what it should be. */
bool stress_saves(unsigned rounds);

#endif
