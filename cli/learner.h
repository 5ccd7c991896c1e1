/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every training of the command is made of: engine, optimizer, arrays, network and the order of the images, made
 * from a seed. Must not decide which rule updates, nor what is done with the steps.
 *
 * With `bf16` parameters and gradients are bf16, the parameters with a split master. CBLAS computes in float: the
 * network then works on a float copy of the parameters, exact, and its gradients are rounded to bf16. What is trained
 * is what a bf16 network with products that accumulate in float would be.
 */
#ifndef GLISSADE_CLI_LEARNER_H
#define GLISSADE_CLI_LEARNER_H

#include "network.h"
#include "report.h"

/* Calls glissade_optimizer_add_... with `options` of the rule's. */
typedef glissade_status learner_add(glissade_optimizer *optimizer, const glissade_tensor *tensors,
                                    size_t count, const void *options, uint32_t *group);

struct learner_settings {
    const char *command; /* that failures are reported of */
    const struct network_plan *plan;
    learner_add *add;
    const void *options;
    uint64_t seed, images, capacity; /* images: the first of the training set; capacity: of the network */
    uint32_t threads;                /* or GLISSADE_UNSET */
    bool bf16;
    glissade_state_format states; /* of the arrays of state that can have it ... */
    uint32_t full_states;         /* ... but for these, a bit each */
};

struct learner {
    const char *command;
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    glissade_arrays *parameters, *gradients;           /* the network's */
    glissade_arrays *half_parameters, *half_gradients; /* the optimizer's with bf16; otherwise NULL */
    uint32_t group;
    glissade_engine_info info;
    struct network network;
    uint32_t *order; /* the images, to be shuffled */
    struct random_source shuffle;
};

/* Sets everything up; failures have been reported when it returns, and learner_destroy is still due. */
enum exit_code learner_create(struct learner *learner, const struct learner_settings *settings,
                              const struct dataset *dataset);
void learner_destroy(struct learner *learner);

/* Puts the images into their own order, and the random source of their shuffles where the seed begins it. */
void learner_begin_order(struct learner *learner, uint64_t seed, uint64_t images);

/* Hands the network's gradients to the optimizer before a step, and its parameters to the network after one. */
void learner_give_gradients(struct learner *learner);
void learner_take_parameters(struct learner *learner);

/* Reports a failed call on the optimizer, and returns its exit code. */
enum exit_code learner_failure(const struct learner *learner, glissade_status status);

#endif
