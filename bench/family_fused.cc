// SPDX-License-Identifier: Apache-2.0
// fused/*: what a training loop does around its step, asked of one call, beside the bare step, beside the library's
// calls one after the other, and beside passes as they are usually written.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "families.h"
#include "measure.h"
#include "walks.h"

namespace {

const double scale = 1024, norm_limit = 1, value_limit = 0.001;
const float average_weight = 0.001f;

// What is wanted beside the update.
struct Wish {
    const char *name;
    bool unscale, skip, clip_norm, clip_value, zero;
    Format format;
};

std::vector<Wish> wishes() {
    return {
        {"whole", true, true, true, false, true, f32()},
        {"unscale", true, false, false, false, false, f32()},
        {"skip_nonfinite", false, true, false, false, false, f32()},
        {"clip_norm", false, false, true, false, false, f32()},
        {"clip_value", false, false, false, true, false, f32()},
        {"zero_gradients", false, false, false, false, true, f32()},
        {"bf16_copy", false, false, false, false, false, f32_bf16copy()},
        {"average", false, false, false, false, false, f32_average()},
    };
}

// ---- one call ----

glissade_step_options options_of(const Wish &wish) {
    glissade_step_options options = step_options();
    options.gradient_scale = wish.unscale ? scale : 1;
    options.skip_nonfinite = wish.skip;
    options.clip_norm = wish.clip_norm ? norm_limit : 0;
    options.clip_value = wish.clip_value ? value_limit : 0;
    options.zero_gradients = wish.zero;
    return options;
}

// ---- the library's calls, one after the other ----

double factor_for(double norm) {
    const double factor = norm_limit / (norm + 1e-6);
    return factor < 1 ? factor : 1;
}

void add_to(std::atomic<double> &sum, double value) {
    for (double seen = sum; !sum.compare_exchange_weak(seen, seen + value);)
        ;
}

// What the library has no call for is a pass of naive.h.
void step_in_calls(Subject &subject, const Wish &wish) {
    double factor = wish.unscale ? 1 / scale : 1;
    if (wish.skip || wish.clip_norm) {
        glissade_step_options options = step_options();
        options.gradient_scale = wish.unscale ? scale : 1;
        glissade_step_report found = {};
        found.size = sizeof found;
        double norm;
        check(glissade_optimizer_grad_norm(subject.get(), &options, &norm, &found), "a norm");
        if (wish.skip && found.nonfinite)
            return;
        if (wish.clip_norm)
            factor *= factor_for(norm);
    }
    const bench_naive &naive = best_naive();
    if (wish.unscale || wish.clip_norm)
        subject.pass(
            [&](const bench_part &part) { naive.scale(part.g, part.n, static_cast<float>(factor)); });
    if (wish.clip_value)
        subject.pass([&](const bench_part &part) { naive.clamp(part.g, part.n, value_limit); });
    subject.step();
    if (wish.zero)
        check(glissade_optimizer_zero_gradients(subject.get()), "zeroing");
}

// ---- passes as they are usually written ----

using Update = void (*)(const bench_part &part);

void update_momentum(const bench_part &part) {
    const bench_rates rates = {1e-5f, 0.9f, 0, 0, 0, 0};
    best_naive().momentum(part.p, part.g, part.m, part.n, &rates);
}

void update_adamw(const bench_part &part) {
    const bench_rates rates = {1e-5f, 0.9f, 0.999f, 1 - 1e-7f, 1, 1e-8f};
    best_naive().adamw(part.p, part.g, part.m, part.v, part.n, &rates);
}

double naive_norm(const Subject &subject) {
    std::atomic<double> square(0);
    subject.pass([&](const bench_part &part) { add_to(square, best_naive().squares(part.g, part.n)); });
    return std::sqrt(square);
}

// Gradients are unscaled and looked at in one pass.
void naive_gradients(const Subject &subject, const Wish &wish) {
    const bench_naive &naive = best_naive();
    std::atomic<bool> finite(true);
    if (wish.unscale)
        subject.pass([&](const bench_part &part) {
            if (!naive.unscale(part.g, part.n, static_cast<float>(1 / scale)))
                finite = false;
        });
    else if (wish.skip)
        finite = std::isfinite(naive_norm(subject));
    if (!finite)
        throw std::runtime_error("a gradient is not finite");
    if (wish.clip_norm) {
        const float factor = static_cast<float>(factor_for(naive_norm(subject)));
        subject.pass([&](const bench_part &part) { naive.scale(part.g, part.n, factor); });
    }
    if (wish.clip_value)
        subject.pass([&](const bench_part &part) { naive.clamp(part.g, part.n, value_limit); });
}

void step_naively(const Subject &subject, const Wish &wish, Update update) {
    const bench_naive &naive = best_naive();
    naive_gradients(subject, wish);
    subject.pass([&](const bench_part &part) { update(part); });
    if (wish.zero)
        subject.pass([&](const bench_part &part) { naive.zero(part.g, part.n); });
    if (wish.format.copy)
        subject.pass([&](const bench_part &part) {
            void *copy = subject.copies()->at(part.tensor, part.begin);
            naive.copy_bf16(static_cast<unsigned short *>(copy), part.p, part.n);
        });
    if (wish.format.average)
        subject.pass(
            [&](const bench_part &part) { naive.average(part.average, part.p, part.n, average_weight); });
}

// ---- measuring ----

// Gradients as a backward pass leaves them, neither zero nor subnormal: what was clipped, scaled or zeroed must not come
// again. (Some processors leave out a store of zeros over zeros.)
void renew_gradients(const Subject &subject) {
    static const std::vector<float> pattern = [] {
        std::vector<float> values(16384);
        for (size_t i = 0; i < values.size(); i++)
            values[i] = (static_cast<float>(i * 2654435761u % 65536) - 32767.5f) * 1e-7f;
        return values;
    }();
    subject.pass([&](const bench_part &part) {
        for (size_t i = 0; i < part.n; i += pattern.size())
            std::memcpy(part.g + i, pattern.data(),
                        std::min(part.n - i, pattern.size()) * sizeof *pattern.data());
    });
}

// All walk as the library would. One set of arrays serves them, because the same comes before each: its gradients are
// written anew.
void run_fused(benchmark::State &state, const Model &model, const Rule &rule, Update update,
               const Wish &wish) {
    const Engine engine(settled_options(model));
    const auto arrays = arrays_for(engine, model);
    arrays->spoilt = true;
    Subject bare(engine, arrays, f32(), rule), fused(engine, arrays, wish.format, rule);
    const glissade_step_options options = options_of(wish);
    const bool in_calls = !wish.format.copy && !wish.format.average; // for those the library has no calls
    std::vector<Action> actions = {
        [&] { fused.step(options); },
        [&] { bare.step(); },
        [&] { step_naively(fused, wish, update); },
    };
    if (in_calls)
        actions.push_back([&] { step_in_calls(bare, wish); });
    const Turns turns = take_turns(state, actions, [&] { renew_gradients(bare); });
    report_step(state, turns[0], fused.report());
    report_ratio(state, "of_step", ratio_interval(turns[0], turns[1]));
    report_ratio(state, "of_naive", ratio_interval(turns[0], turns[2]));
    if (in_calls)
        report_ratio(state, "of_separate", ratio_interval(turns[0], turns[3]));
    state.counters["passes"] = fused.report().passes;
}

} // namespace

void add_fused() {
    const Model model = gpt2_124m();
    const struct {
        Rule rule;
        Update update;
    } rules[] = {{momentum(), update_momentum}, {adamw(), update_adamw}};
    for (const auto &[rule, update] : rules)
        for (const Wish &wish : wishes()) {
            const Rule its = rule;
            const Update loop = update;
            add_paired("fused/" + rule.name + "/f32/" + model.name + "/" + wish.name, pairs_for(model),
                       [=](benchmark::State &state) { run_fused(state, model, its, loop, wish); });
        }
}
