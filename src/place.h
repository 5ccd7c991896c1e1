/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays in an arena, each page on the NUMA node of the thread that the plan says will own it. */
#ifndef GLS_PLACE_H
#define GLS_PLACE_H

#include "alloc.h"
#include "engine.h"
#include "plan.h"

/*
 * Allocates zeroed arrays of lengths[i] floats for tensors divided by `plan`, first-touched by their owners,
 * and writes where each starts to offsets[i], in bytes. Large arrays start on a page, so that cuts fall
 * between pages; others on a cache line. Returns OK, TOO_LARGE or OUT_OF_MEMORY.
 */
glissade_status gls_place_arrays(glissade_engine *engine, const gls_plan *plan, const size_t *lengths,
                                 gls_arena *arena, size_t *offsets, glissade_error *error);

#endif
