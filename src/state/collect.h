/* SPDX-License-Identifier: Apache-2.0 */
/* What a state file holds: names, shapes and places of an optimizer's arrays, and everything else as text. */
#ifndef GLS_COLLECT_H
#define GLS_COLLECT_H

#include "file/write.h"
#include "glissade/state.h"
#include "optimizer.h"

/* Whether an array is the caller's, and not one that the library made for the group. */
bool gls_group_is_callers(const gls_group *group, const void *array);

/*
 * Fills the writing's heading, sources and room with the optimizer's state as it is: the sources are the live arrays.
 * The writing's options are set already. Returns OK, INVALID_OPTION, DUPLICATE_TENSOR, TOO_LARGE, OUT_OF_MEMORY, with
 * the message on the optimizer.
 */
glissade_status gls_state_collect(glissade_optimizer *optimizer, const glissade_save_options *options,
                                  gls_writing *writing);

#endif
