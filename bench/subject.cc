// SPDX-License-Identifier: Apache-2.0
// Optimizers over arrays (see subject.h).
#include "subject.h"

#include <algorithm>
#include <vector>

glissade_step_options step_options() {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    return options;
}

// ---- making ----

Subject::Subject(const Engine &engine, const std::shared_ptr<Arrays> &arrays)
    : all(arrays), table(engine.kernels()), tuned(engine.info().streams == 0),
      optimizer(make_optimizer(engine)) {
    last.size = sizeof last;
}

void Subject::add(const Rule &rule, const std::vector<glissade_tensor> &tensors) {
    check(rule.add(optimizer.get(), tensors, &group), "adding a group");
}

Subject::Subject(const Engine &engine, const std::shared_ptr<Arrays> &arrays,
                 const glissade_sgd_options &options)
    : Subject(engine, arrays) {
    std::vector<glissade_tensor> tensors = all->tensors();
    for (size_t i = 0; options.momentum != 0 && i < tensors.size(); i++)
        tensors[i].momentum = all->momenta(engine).get(i);
    add(SgdRule{"", options}, tensors);
}

Subject::Subject(const Engine &engine, const std::shared_ptr<Arrays> &arrays, const Format &format,
                 const Rule &rule)
    : Subject(engine, arrays) {
    std::vector<glissade_tensor> tensors = all->tensors();
    if (format.copy)
        rounded.reset(new Placed(engine, all->model, size_of(GLISSADE_DTYPE_BF16)));
    for (size_t i = 0; i < tensors.size(); i++) {
        tensors[i].master = format.master;
        std::fill_n(tensors[i].state_format, static_cast<size_t>(GLISSADE_STATES), format.state);
        tensors[i].copy_dtype = format.copy ? GLISSADE_DTYPE_BF16 : GLISSADE_DTYPE_F32;
        tensors[i].copy = format.copy ? rounded->get(i) : nullptr;
        tensors[i].columns = all->model.columns.empty() ? 0 : all->model.columns[i];
    }
    add(rule, tensors);
    if (format.average)
        check(glissade_optimizer_set_average(optimizer.get(), group, 0.999), "averaging");
}

// ---- stepping ----

void Subject::step(const glissade_step_options &options) {
    check(glissade_optimizer_step(optimizer.get(), &options, &last), "a step");
}

void Subject::step(bool zero_gradients) {
    glissade_step_options options = step_options();
    options.zero_gradients = zero_gradients;
    step(options);
}

void Subject::settle() {
    const int trials = tuned && bytes() >= GLS_WALK_FROM ? GLS_TUNER_CANDIDATES * GLS_TUNER_ROUNDS : 0;
    for (int i = 0; i < trials + 3; i++)
        step();
}

void Subject::set_counts(uint64_t first, uint64_t stride) {
    for (uint32_t i = 0; i < all->model.lengths.size(); i++) {
        glissade_tensor_info info = {};
        info.size = sizeof info;
        check(glissade_optimizer_get_tensor(optimizer.get(), {group, i}, &info), "asking for a tensor");
        const uint64_t count = first + i * stride;
        check(glissade_optimizer_set_counts(optimizer.get(), {group, i}, count, info.momentum ? count : 0),
              "setting counts");
    }
}
