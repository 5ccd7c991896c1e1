/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of a plan's tensors in one arena, each page first touched by the thread that owns it. */
#ifndef GLS_PLACE_H
#define GLS_PLACE_H

#include "alloc.h"
#include "engine.h"
#include "error.h"
#include "plan.h"
#include "storage.h"

/*
 * Allocates zeroed arrays, lengths[i] elements for tensor i of the plan, formats[i] (NULL: float), and writes where each
 * starts: offsets[i] bytes from the arena's base. Returns OK, TOO_LARGE or OUT_OF_MEMORY.
 */
glissade_status gls_place_arrays(glissade_engine *engine, const gls_plan *plan, const size_t *lengths,
                                 const gls_format *formats, gls_arena *arena, size_t *offsets,
                                 glissade_error *error);

#endif
