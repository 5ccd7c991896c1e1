/* SPDX-License-Identifier: Apache-2.0 */
/* The whole of Glissade: optimizer steps of neural-network training on CPUs. Start reading at optimizer.h and
 * sgd.h. */
#ifndef GLISSADE_GLISSADE_H
#define GLISSADE_GLISSADE_H

#include "glissade/adam.h"
#include "glissade/base.h"
#include "glissade/engine.h"
#include "glissade/optimizer.h"
#include "glissade/schedule.h"
#include "glissade/sgd.h"

#endif
