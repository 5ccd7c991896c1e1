/* SPDX-License-Identifier: Apache-2.0 */
/* What a test must know of the emulator it may be running in (.ci/run). Built with guarded.c. */
#ifndef TESTS_SUPPORT_EMULATED_H
#define TESTS_SUPPORT_EMULATED_H

#include <stdbool.h>

#include "glissade/engine.h"

/* Whether an emulator runs this program, 20 times as slowly: samples should be smaller. */
bool emulated(void);

/*
 * The place to use for a guarded array on an instruction set: `place`, but where masked loads touch lanes
 * that are masked out, an AVX2 array is not put against the guard at its end. The architecture forbids such
 * touches and qemu 7.2 makes them (a load of no lanes faults; probed here, with no code of the library's).
 */
int emulated_place(glissade_isa isa, int place);

#endif
