// SPDX-License-Identifier: Apache-2.0
// step/*: the step of each rule on each model, beside the read-only floor. step_zero/*: with the gradients
// zeroed in the step, beside the step without. models/*: many tensors beside one array of as many elements.
#include "families.h"
#include "floors.h"
#include "measure.h"
#include "walks.h"

static void run_step(benchmark::State &state, const Model &model, const SgdRule &rule) {
    const Engine engine;
    Subject subject(engine, arrays_for(engine, model), rule.options);
    subject.settle();
    const Floor floor = best_floor(engine, subject);
    const Samples samples = interleave(
        state, [&] { subject.step(); }, [&] { floor.read(subject); });
    report_step(state, samples.first, subject.report());
    report_ratio(state, "of_floor", ratio_interval(samples.second, samples.first));
    state.counters["floor_ms"] = median(samples.second) * 1e3;
    state.SetLabel("floor: " + floor.name);
}

static void run_step_zero(benchmark::State &state, const Model &model, const SgdRule &rule) {
    const Engine engine;
    Subject subject(engine, arrays_for(engine, model), rule.options);
    subject.arrays().spoilt = true;
    subject.settle();
    const Samples samples = interleave(
        state, [&] { subject.step(true); }, [&] { subject.step(false); });
    subject.step(true); // so that the report is of such a step
    report_step(state, samples.first, subject.report());
    report_ratio(state, "of_step", ratio_interval(samples.first, samples.second));
}

void add_step() {
    const std::vector<SgdRule> rules = {sgd(), momentum(), ewma(), nesterov(), ewma_deferred()};
    // Each model's benchmarks together: its arrays are filled once.
    const Model models[] = {gpt2_124m(), resnet50(), bert_large(), flat_124m(), equal_tensors(10000, 1000)};
    for (const Model &model : models) {
        if (model.name == gpt2_124m().name)
            add_combinations(model);
        else
            for (const SgdRule &rule : rules)
                add_paired("step/" + rule.name + "/f32/" + model.name, pairs_for(model),
                           [=](benchmark::State &state) { run_step(state, model, rule); });
        for (const SgdRule &rule : {sgd(), momentum()})
            add_paired("step_zero/" + rule.name + "/f32/" + model.name, pairs_for(model),
                       [=](benchmark::State &state) { run_step_zero(state, model, rule); });
    }
}

// Both walked alike: straight, where tensors of 1,000 elements are too short for anything else.
static void run_models(benchmark::State &state, const Model &many, const Model &one,
                       const glissade_engine_options &options) {
    const Engine engine(options);
    Subject first(engine, arrays_for(engine, many), momentum().options);
    Subject second(engine, arrays_for(engine, one), momentum().options);
    const Samples samples = interleave(
        state, [&] { first.step(); }, [&] { second.step(); });
    report_step(state, samples.first, first.report());
    report_ratio(state, "of_flat", ratio_interval(samples.first, samples.second));
}

void add_models() {
    const Model small = equal_tensors(10000, 1000), small_flat = flat("flat_10m", 10000000);
    glissade_engine_options straight = engine_options();
    straight.streams = 1;
    add_paired("models/momentum/f32/" + small.name, 2 * pairs_for(small),
               [=](benchmark::State &state) { run_models(state, small, small_flat, straight); });
    const Model gpt2 = gpt2_124m(), gpt2_flat = flat_124m();
    add_paired("models/momentum/f32/" + gpt2.name, 2 * pairs_for(gpt2),
               [=](benchmark::State &state) { run_models(state, gpt2, gpt2_flat, settled_options(gpt2)); });
}
