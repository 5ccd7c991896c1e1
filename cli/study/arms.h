/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that are compared. Each is a setting of the library's SGD, reached by its effective rate: the
 * length of a step, in gradients, that a constant gradient leads to in the end. The learning rate is that times
 * (1 - momentum) / (1 - dampening): so heavy ball at lr and its moving average at lr / (1 - momentum), the
 * matched pair, have one effective rate.
 */
#ifndef GLISSADE_CLI_STUDY_ARMS_H
#define GLISSADE_CLI_STUDY_ARMS_H

#include <glissade/glissade.h>

enum arm {
    ARM_PLAIN,      /* no momentum */
    ARM_HEAVY_BALL, /* dampening 0: torch.optim.SGD's default */
    ARM_UNDAMPENED, /* dampening = momentum, undampened first step: torch.optim.SGD(dampening=momentum) */
    ARM_EWMA,       /* dampening = momentum from the first step on, biased */
    ARM_DEBIASED,   /* and debiased */
    ARM_NESTEROV,   /* dampening 0: torch.optim.SGD(nesterov=True) */
    ARM_DEBIASED_NESTEROV, /* dampening = momentum, debiased */
    ARM_COUNT
};

const char *arm_name(enum arm arm);

/* Finds an arm by its name; returns ARM_COUNT if there is none. */
enum arm arm_find(const char *name);

/* The library's options for an arm; momentum is ignored by ARM_PLAIN. */
glissade_sgd_options arm_options(enum arm arm, double momentum, double rate);

#endif
