/* SPDX-License-Identifier: Apache-2.0 */
/* The whole of Glissade: optimizer steps of neural-network training on CPUs. Start reading at optimizer.h and
 * sgd.h. */
#ifndef GLISSADE_GLISSADE_H
#define GLISSADE_GLISSADE_H

#include "glissade/adabelief.h"
#include "glissade/adadelta.h"
#include "glissade/adagrad.h"
#include "glissade/adafactor.h"
#include "glissade/adam.h"
#include "glissade/adamax.h"
#include "glissade/ademamix.h"
#include "glissade/adopt.h"
#include "glissade/asgd.h"
#include "glissade/base.h"
#include "glissade/engine.h"
#include "glissade/file.h"
#include "glissade/lamb.h"
#include "glissade/lars.h"
#include "glissade/lion.h"
#include "glissade/nadam.h"
#include "glissade/optimizer.h"
#include "glissade/qhm.h"
#include "glissade/radam.h"
#include "glissade/rmsprop.h"
#include "glissade/rprop.h"
#include "glissade/schedule.h"
#include "glissade/schedule_free.h"
#include "glissade/sgd.h"
#include "glissade/state.h"

#endif
