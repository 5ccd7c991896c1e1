// SPDX-License-Identifier: Apache-2.0
// The rules and their hyperparameters (see rules.h).
#include "rules.h"

// The same gradients every step: keeps parameters near where they began.
static const double learning_rate = 1e-5;

// ---- stochastic gradient descent ----

SgdRule::operator Rule() const {
    const glissade_sgd_options copy = options;
    return {name, [copy](glissade_optimizer *optimizer, const std::vector<glissade_tensor> &tensors,
                         uint32_t *group) {
                return glissade_optimizer_add_sgd(optimizer, tensors.data(), tensors.size(), &copy, group);
            }};
}

static SgdRule sgd_rule(const char *name, double beta) {
    SgdRule made = {name, {}};
    glissade_sgd_options_init(&made.options, sizeof made.options);
    made.options.learning_rate = learning_rate;
    made.options.momentum = beta;
    return made;
}

SgdRule sgd() {
    return sgd_rule("sgd", 0);
}

SgdRule momentum() {
    return sgd_rule("momentum", 0.9);
}

SgdRule ewma() {
    SgdRule made = sgd_rule("ewma", 0.9);
    made.options.dampening = made.options.momentum;
    made.options.debias = true;
    return made;
}

SgdRule ewma_deferred() {
    SgdRule made = ewma();
    made.name = "ewma_deferred";
    made.options.defer_threshold = 1;
    made.options.defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS;
    return made;
}

SgdRule nesterov() {
    SgdRule made = sgd_rule("nesterov", 0.9);
    made.options.nesterov = true;
    return made;
}

// ---- the adaptive family ----

template <class Options, class Init, class Add, class Change>
static Rule family_rule(const char *name, Init init, Add add, Change change) {
    Options options;
    init(&options, sizeof options);
    options.learning_rate = learning_rate;
    change(options);
    return {name, [options, add](glissade_optimizer *optimizer, const std::vector<glissade_tensor> &tensors,
                                 uint32_t *group) {
                return add(optimizer, tensors.data(), tensors.size(), &options, group);
            }};
}

// A rule by its name in the library, with what differs from the defaults: statements on its options `o`.
#define RULE(name, library_name, ...)                                                                        \
    family_rule<glissade_##library_name##_options>(name, glissade_##library_name##_options_init,             \
                                                   glissade_optimizer_add_##library_name,                    \
                                                   [](glissade_##library_name##_options &o) {                \
                                                       (void)o;                                              \
                                                       __VA_ARGS__;                                          \
                                                   })

Rule adamw() {
    return RULE("adamw", adam, o.weight_decay = 0.01);
}

const std::vector<Rule> &family_rules() {
    static const std::vector<Rule> rules = {
        RULE("adam", adam, ),
        adamw(),
        RULE("adamw_cautious", adam, o.weight_decay = 0.01, o.cautious = true),
        RULE("amsgrad", adam, o.weight_decay = 0.01, o.amsgrad = true),
        RULE("nadam", nadam, ),
        RULE("radam", radam, ),
        RULE("adamax", adamax, ),
        RULE("adagrad", adagrad, ),
        RULE("adadelta", adadelta, ),
        RULE("rmsprop", rmsprop, ),
        RULE("rmsprop_momentum", rmsprop, o.momentum = 0.9),
        RULE("rmsprop_centered", rmsprop, o.centered = true),
        RULE("qhm", qhm, ),
        RULE("lion", lion, o.weight_decay = 0.01),
        RULE("ademamix", ademamix, ),
        RULE("adabelief", adabelief, ),
        RULE("adopt", adopt, ),
        RULE("rprop", rprop, ),
        RULE("asgd", asgd, ),
        RULE("schedule_free_sgd", schedule_free_sgd, ),
        RULE("schedule_free_adamw", schedule_free_adamw, ),
        RULE("lars", lars, ),
        RULE("lamb", lamb, ),
        RULE("adafactor", adafactor, ),
    };
    return rules;
}
