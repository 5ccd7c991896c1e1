/* SPDX-License-Identifier: Apache-2.0 */
/* What both ways of saving begin with. */
#ifndef GLS_SAVE_H
#define GLS_SAVE_H

#include "file/write.h"
#include "glissade/state.h"
#include "optimizer.h"

/* Makes a writing of the optimizer's state, for that path, whose sources are the live arrays; the caller destroys it,
 * also after a failure. Returns OK or what the public calls return, with the message on the optimizer. */
glissade_status gls_save_prepare(glissade_optimizer *optimizer, const char *path,
                                 const glissade_save_options *given, glissade_save_options *options,
                                 gls_writing *writing);

#endif
