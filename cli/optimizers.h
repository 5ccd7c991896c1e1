/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The optimizers by the names that the command line gives them: which rule of the library each is, with which defaults.
 * Must not train.
 */
#ifndef GLISSADE_CLI_OPTIMIZERS_H
#define GLISSADE_CLI_OPTIMIZERS_H

#include "course.h"
#include "learner.h"

/* What the command line can set. NAN: as the optimizer has it. */
struct hyperparameters {
    double learning_rate, weight_decay;
    double momentum; /* of the gradients' average, whatever the rule calls it */
    double beta2;    /* of the squares' average, or of a second one */
    double eps;
    double dampening; /* the following are SGD's */
    bool debias, no_debias, nesterov;
};

union rule_options;

/* What is to be tested, and would be kept in the end. */
enum evaluation {
    EVALUATE_PARAMETER,
    EVALUATE_POINT, /* glissade_optimizer_set_point's */
    EVALUATE_STATE  /* the first array of state */
};

struct optimizer {
    const char *name, *title;
    void (*begin)(union rule_options *options, double learning_rate, double weight_decay);
    learner_add *add;
    double learning_rate, weight_decay; /* defaults, as are schedule, batch_size and epochs */
    enum schedule schedule;
    uint64_t batch_size, epochs; /* 0: what is usual */
    size_t momentum, beta2, eps; /* offsets of what stands for them; 0: nothing does */
    uint32_t full_states;        /* arrays of state that have no other format, a bit each */
    enum evaluation evaluation;
    /* What else an optimizer is made of; NULL: nothing. */
    void (*adjust)(union rule_options *options, const struct hyperparameters *given, uint64_t steps);
};

union rule_options {
    glissade_sgd_options sgd;
    glissade_adam_options adam;
    glissade_nadam_options nadam;
    glissade_radam_options radam;
    glissade_adamax_options adamax;
    glissade_adagrad_options adagrad;
    glissade_adadelta_options adadelta;
    glissade_rmsprop_options rmsprop;
    glissade_lion_options lion;
    glissade_ademamix_options ademamix;
    glissade_adabelief_options adabelief;
    glissade_adopt_options adopt;
    glissade_schedule_free_sgd_options schedule_free_sgd;
    glissade_schedule_free_adamw_options schedule_free_adamw;
    glissade_qhm_options qhm;
    glissade_lars_options lars;
    glissade_lamb_options lamb;
    glissade_rprop_options rprop;
    glissade_asgd_options asgd;
    glissade_adafactor_options adafactor;
};

/* NULL after the last; the first is SGD. */
const struct optimizer *optimizer_at(size_t place);
const char *optimizer_name(size_t place);
bool optimizer_is_sgd(const struct optimizer *optimizer);

/*
 * Replaces what is NAN by the optimizer's own, but for what it does not have, and settles what depends on the rest.
 * Returns false, having reported it, if options were given that the optimizer does not have, or that exclude one
 * another.
 */
bool optimizer_settle(const struct optimizer *optimizer, const char *command, struct hyperparameters *given);

/* The rule's options for a run of so many steps, of what optimizer_settle left. */
void optimizer_configure(const struct optimizer *optimizer, const struct hyperparameters *settled,
                         uint64_t steps, union rule_options *options);

#endif
