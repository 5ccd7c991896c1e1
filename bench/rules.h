/* SPDX-License-Identifier: Apache-2.0 */
/* The update rules that are measured, each as the call that adds a group under it. */
#ifndef BENCH_RULES_H
#define BENCH_RULES_H

#include <functional>
#include <string>
#include <vector>

#include "library.h"

struct Rule {
    std::string name; /* as in the benchmarks' names */
    std::function<glissade_status(glissade_optimizer *, const std::vector<glissade_tensor> &, uint32_t *)>
        add;
};

/* Stochastic gradient descent, whose options some families change or hand to its kernel themselves. */
struct SgdRule {
    std::string name;
    glissade_sgd_options options;

    operator Rule() const;
};

SgdRule sgd();
SgdRule momentum();
SgdRule ewma();          /* debiased */
SgdRule ewma_deferred(); /* the same, deferring what is below the gradient's root mean square */
SgdRule nesterov();

Rule adamw();
/* The adaptive family, adamw among them; a new rule is a line in rules.cc. */
const std::vector<Rule> &family_rules();

#endif
