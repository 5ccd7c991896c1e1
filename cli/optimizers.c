/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of optimizers. Learning rates are those that did best on Fashion-MNIST in docs/optimizers.md; everything
 * else is the library's default, but where a row or an adjust_ function says otherwise.
 */
#include "optimizers.h"

#include <math.h>

/* The two calls of a rule that the table needs, for any rule. */
#define RULE_CALLS(rule)                                                                                     \
    static void begin_##rule(union rule_options *options, double learning_rate, double weight_decay) {       \
        glissade_##rule##_options_init(&options->rule, sizeof options->rule);                                \
        options->rule.learning_rate = learning_rate;                                                         \
        options->rule.weight_decay = weight_decay;                                                           \
    }                                                                                                        \
    static glissade_status add_##rule(glissade_optimizer *optimizer, const glissade_tensor *tensors,         \
                                      size_t count, const void *options, uint32_t *group) {                  \
        return glissade_optimizer_add_##rule(optimizer, tensors, count, options, group);                     \
    }

RULE_CALLS(sgd)
RULE_CALLS(adam)
RULE_CALLS(nadam)
RULE_CALLS(radam)
RULE_CALLS(adamax)
RULE_CALLS(adagrad)
RULE_CALLS(adadelta)
RULE_CALLS(rmsprop)
RULE_CALLS(lion)
RULE_CALLS(ademamix)
RULE_CALLS(adabelief)
RULE_CALLS(adopt)
RULE_CALLS(schedule_free_sgd)
RULE_CALLS(schedule_free_adamw)
RULE_CALLS(qhm)
RULE_CALLS(lars)
RULE_CALLS(lamb)
RULE_CALLS(rprop)
RULE_CALLS(asgd)
RULE_CALLS(adafactor)

/* ---- what is more than a default ---- */

static void begin_sgd_with_momentum(union rule_options *options, double learning_rate, double weight_decay) {
    begin_sgd(options, learning_rate, weight_decay);
    options->sgd.momentum = 0.9;
}

static void adjust_sgd(union rule_options *options, const struct hyperparameters *settled, uint64_t steps) {
    (void)steps;
    options->sgd.dampening = settled->dampening;
    options->sgd.nesterov = settled->nesterov;
    options->sgd.debias = settled->debias;
}

static void adjust_adam(union rule_options *options, const struct hyperparameters *settled, uint64_t steps) {
    (void)settled, (void)steps;
    options->adam.decay = GLISSADE_DECAY_COUPLED;
}

static void adjust_amsgrad(union rule_options *options, const struct hyperparameters *settled,
                           uint64_t steps) {
    adjust_adam(options, settled, steps);
    options->adam.amsgrad = true;
}

/*
 * The paper warms up for as many steps as there will be, since the start is unstable without, and its slow average, of
 * 10,000 steps, is for runs that are many times longer. In a run of 3,910 steps most of that average is of weights long
 * left behind (87.3 % of the held-out images right, 89.8 % with one of 1,000 steps): it is to last a fifth of the run.
 */
static void adjust_ademamix(union rule_options *options, const struct hyperparameters *settled,
                            uint64_t steps) {
    glissade_ademamix_options *ademamix = &options->ademamix;
    double fifth = 1.0 - 5.0 / (double)steps;
    ademamix->warmup = steps;
    ademamix->beta3 = fmin(ademamix->beta3, fmax(settled->momentum, fifth));
}

/* The default would begin the mean after a million steps, long after the end: it is of the second half. */
static void adjust_asgd(union rule_options *options, const struct hyperparameters *settled, uint64_t steps) {
    (void)settled;
    options->asgd.t0 = (double)(steps / 2);
}

/* ---- the table ---- */

#define RULE(rule)       .begin = begin_##rule, .add = add_##rule
#define AT(rule, member) offsetof(glissade_##rule##_options, member)
/* Adam and its relatives: averages of gradients and of their squares. The two calls last, as they are before the rate. */
#define RULE_OF_MOMENTS(rule)                                                                                \
    .momentum = AT(rule, beta1), .beta2 = AT(rule, beta2), .eps = AT(rule, eps), RULE(rule)

static const struct optimizer optimizers[] = {
    {"sgd", "SGD", begin_sgd_with_momentum, add_sgd, 0.3, .momentum = AT(sgd, momentum),
     .adjust = adjust_sgd},
    {"adam", "Adam", RULE_OF_MOMENTS(adam), 0.002, .adjust = adjust_adam},
    {"adamw", "AdamW", RULE_OF_MOMENTS(adam), 0.002, 0.01},
    {"amsgrad", "AMSGrad", RULE_OF_MOMENTS(adam), 0.004, .adjust = adjust_amsgrad},
    {"nadam", "NAdam", RULE_OF_MOMENTS(nadam), 0.004},
    {"radam", "RAdam", RULE_OF_MOMENTS(radam), 0.008},
    {"adamax", "Adamax", RULE_OF_MOMENTS(adamax), 0.016},
    {"adagrad", "Adagrad", RULE(adagrad), 0.03, .eps = AT(adagrad, eps)},
    {"adadelta", "Adadelta", RULE(adadelta), 1.0, .beta2 = AT(adadelta, rho), .eps = AT(adadelta, eps)},
    {"rmsprop", "RMSprop", RULE(rmsprop), 0.001, .momentum = AT(rmsprop, momentum),
     .beta2 = AT(rmsprop, alpha), .eps = AT(rmsprop, eps)},
    {"lion", "Lion", RULE(lion), 0.0003, .momentum = AT(lion, beta1), .beta2 = AT(lion, beta2)},
    {"ademamix", "AdEMAMix", RULE_OF_MOMENTS(ademamix), 0.001, .adjust = adjust_ademamix},
    {"adabelief", "AdaBelief", RULE_OF_MOMENTS(adabelief), 0.002},
    {"adopt", "ADOPT", RULE_OF_MOMENTS(adopt), 0.002},
    {"schedule-free-sgd", "schedule-free SGD", RULE(schedule_free_sgd), 0.5, .schedule = SCHEDULE_CONSTANT,
     .momentum = AT(schedule_free_sgd, beta), .full_states = 1, .evaluation = EVALUATE_POINT},
    {"schedule-free-adamw", "schedule-free AdamW", RULE_OF_MOMENTS(schedule_free_adamw), 0.005,
     .schedule = SCHEDULE_CONSTANT, .full_states = 1, .evaluation = EVALUATE_POINT},
    {"qhm", "QHM", RULE(qhm), 0.3, .momentum = AT(qhm, beta)},
    {"lars", "LARS", RULE(lars), 3.0, 1e-4, .momentum = AT(lars, momentum), .eps = AT(lars, eps)},
    {"lamb", "LAMB", RULE_OF_MOMENTS(lamb), 0.006, 0.01},
    {"adafactor", "Adafactor", RULE(adafactor), 0.03, .full_states = 1},
    {"rprop", "Rprop", RULE(rprop), 0.003, .batch_size = 1000000, .epochs = 100, .full_states = 2},
    {"asgd", "ASGD", RULE(asgd), 0.3, .schedule = SCHEDULE_CONSTANT, .full_states = 1,
     .evaluation = EVALUATE_STATE, .adjust = adjust_asgd},
};

const struct optimizer *optimizer_at(size_t place) {
    return place < sizeof optimizers / sizeof *optimizers ? &optimizers[place] : NULL;
}

const char *optimizer_name(size_t place) {
    const struct optimizer *optimizer = optimizer_at(place);
    return optimizer != NULL ? optimizer->name : NULL;
}

bool optimizer_is_sgd(const struct optimizer *optimizer) {
    return optimizer == &optimizers[0];
}

/* ---- hyperparameters ---- */

static bool report_foreign(const struct optimizer *optimizer, const char *command, const char *option) {
    report_error("%s: option '--%s' cannot be used with '--optimizer %s', which has no such number", command,
                 option, optimizer->name);
    return false;
}

static bool has_all(const struct optimizer *optimizer, const char *command,
                    const struct hyperparameters *given) {
    bool sgd = optimizer_is_sgd(optimizer);
    const struct {
        const char *option;
        bool given, known;
    } options[] = {
        {"momentum", !isnan(given->momentum), optimizer->momentum != 0},
        {"beta2", !isnan(given->beta2), optimizer->beta2 != 0},
        {"eps", !isnan(given->eps), optimizer->eps != 0},
        {"dampening", !isnan(given->dampening), sgd},
        {"debias", given->debias, sgd},
        {"no-debias", given->no_debias, sgd},
        {"nesterov", given->nesterov, sgd},
    };
    for (size_t i = 0; i < sizeof options / sizeof *options; ++i)
        if (options[i].given && !options[i].known)
            return report_foreign(optimizer, command, options[i].option);
    return true;
}

/* The number at an offset of a rule's options. */
static double *number_at(union rule_options *options, size_t offset) {
    return (double *)(void *)((char *)options + offset);
}

/* Takes a number over to the options, or from them if it was not given. */
static void settle_number(union rule_options *options, size_t offset, double *given) {
    if (offset != 0 && isnan(*given))
        *given = *number_at(options, offset);
}

static void settle_sgd(struct hyperparameters *given) {
    /* Without momentum there is no average whose bias could be removed. An explicit --debias stays, for the
     * library to refuse with its own words. */
    if (given->momentum > 0.0 && !given->no_debias)
        given->debias = true;
    if (isnan(given->dampening))
        given->dampening = given->momentum;
}

bool optimizer_settle(const struct optimizer *optimizer, const char *command, struct hyperparameters *given) {
    if (given->debias && given->no_debias) {
        report_error("%s: options '--debias' and '--no-debias' exclude each other", command);
        return false;
    }
    if (!has_all(optimizer, command, given))
        return false;
    if (isnan(given->learning_rate))
        given->learning_rate = optimizer->learning_rate;
    if (isnan(given->weight_decay))
        given->weight_decay = optimizer->weight_decay;
    union rule_options defaults;
    optimizer->begin(&defaults, given->learning_rate, given->weight_decay);
    settle_number(&defaults, optimizer->momentum, &given->momentum);
    settle_number(&defaults, optimizer->beta2, &given->beta2);
    settle_number(&defaults, optimizer->eps, &given->eps);
    if (optimizer_is_sgd(optimizer))
        settle_sgd(given);
    return true;
}

void optimizer_configure(const struct optimizer *optimizer, const struct hyperparameters *settled,
                         uint64_t steps, union rule_options *options) {
    optimizer->begin(options, settled->learning_rate, settled->weight_decay);
    if (optimizer->momentum != 0)
        *number_at(options, optimizer->momentum) = settled->momentum;
    if (optimizer->beta2 != 0)
        *number_at(options, optimizer->beta2) = settled->beta2;
    if (optimizer->eps != 0)
        *number_at(options, optimizer->eps) = settled->eps;
    if (optimizer->adjust != NULL)
        optimizer->adjust(options, settled, steps);
}
