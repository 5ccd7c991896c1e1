// SPDX-License-Identifier: Apache-2.0
// step/* of one model: every rule in float, momentum and AdamW in every combination of number formats, each beside its
// floor and beside the same model's float steps.
#include <memory>

#include "families.h"
#include "floors.h"
#include "measure.h"

namespace {

// What stands beside the subject: steps of the same model over arrays of their own, settled.
class References {
  public:
    explicit References(const Engine &engine, const Model &model, bool with_adamw)
        : momentum(engine, arrays_for(engine, model, 1), f32(), ::momentum()) {
        momentum.settle();
        if (!with_adamw)
            return;
        adamw.reset(new Subject(engine, arrays_for(engine, model, 2), f32(), ::adamw()));
        adamw->settle();
    }

    Subject momentum;
    std::unique_ptr<Subject> adamw;

    // The kernel of the momentum step, from start to end and without prefetching.
    void step_straight() const {
        const glissade_sgd_options options = ::momentum().options;
        const gls_sgd_scalars scalars = gls_sgd_round(&options, 1, false, 1000);
        const gls_walk straight = {1, 0};
        gls_sgd_kernel *kernel = (*momentum.kernels().sgd)[0][GLS_MOMENTUM_KEPT][0][GLS_DECAY_NONE][0];
        momentum.pass([&](const bench_part &part) {
            kernel(&scalars, part.p, part.g, part.m, nullptr, part.n, &straight);
        });
    }
};

// The momentum step and the straight one, on arrays of their own, stand between the subject's step and its floor, whose
// arrays are the same.
void run_combination(benchmark::State &state, const Model &model, const Format &format, const Rule &rule,
                     bool with_adamw) {
    const Engine engine;
    const auto arrays = arrays_for(engine, model, 0, {format.parameter, format.gradient});
    Subject subject(engine, arrays, format, rule);
    arrays->spoilt = true; // rules differ in how far they go
    subject.settle();
    const Floor floor = best_floor(engine, subject);
    References references(engine, model, with_adamw);
    std::vector<Action> actions = {
        [&] { subject.step(); },
        [&] { references.momentum.step(); },
        [&] { floor.read(subject); },
        [&] { references.step_straight(); },
    };
    if (with_adamw)
        actions.push_back([&] { references.adamw->step(); });
    const Turns turns = take_turns(state, actions);
    report_step(state, turns[0], subject.report());
    report_ratio(state, "of_floor", ratio_interval(turns[2], turns[0]));
    report_ratio(state, "of_momentum", ratio_interval(turns[0], turns[1]));
    report_ratio(state, "of_straight_momentum", ratio_interval(turns[0], turns[3]));
    if (with_adamw)
        report_ratio(state, "of_adamw", ratio_interval(turns[0], turns[4]));
    state.counters["floor_ms"] = median(turns[2]) * 1e3;
    state.SetLabel("floor: " + floor.name);
}

void add_combination(const Model &model, const Format &format, const Rule &rule, bool with_adamw) {
    add_paired("step/" + rule.name + "/" + format.name + "/" + model.name, pairs_for(model),
               [=](benchmark::State &state) { run_combination(state, model, format, rule, with_adamw); });
}

} // namespace

void add_combinations(const Model &model) {
    for (const Rule &rule :
         {Rule(sgd()), Rule(momentum()), Rule(ewma()), Rule(nesterov()), Rule(ewma_deferred())})
        add_combination(model, f32(), rule, false);
    for (const Rule &rule : family_rules())
        add_combination(model, f32(), rule, false);
    for (const Format &format : mixed_formats()) {
        add_combination(model, format, momentum(), false);
        add_combination(model, format, adamw(), true);
    }
}
