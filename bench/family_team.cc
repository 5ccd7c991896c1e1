// SPDX-License-Identifier: Apache-2.0
// threads/*, isa/*, pin/*, walk/*: one choice of the engine at a time, each beside the plainest value of that
// choice.
#include <algorithm>

#include "families.h"
#include "walks.h"
#include "measure.h"

// Steps under one engine in turn with the same steps, on the same arrays, under another.
static Samples compare_engines(benchmark::State &state, const Model &model,
                               const glissade_engine_options &tried, const glissade_engine_options &plain,
                               int repeats = 1) {
    const Engine first_engine(tried), second_engine(plain);
    const auto arrays = arrays_for(first_engine, model);
    Subject first(first_engine, arrays, momentum().options),
        second(second_engine, arrays, momentum().options);
    first.settle();
    second.settle();
    const Samples samples = interleave(
        state, [&] { first.step(); }, [&] { second.step(); }, repeats);
    report_step(state, samples.first, first.report());
    return samples;
}

void add_threads() {
    const Model model = gpt2_124m();
    const uint32_t most = std::min<uint32_t>(Engine().info().pus, 16);
    glissade_engine_options one = engine_options();
    one.threads = 1;
    for (uint32_t threads = 1; threads <= most; threads++) {
        glissade_engine_options options = engine_options();
        options.threads = threads;
        add_paired("threads/momentum/f32/" + model.name + "/" + std::to_string(threads), 15,
                   [=](benchmark::State &state) {
                       const Samples samples = compare_engines(state, model, options, one);
                       report_ratio(state, "speedup", ratio_interval(samples.second, samples.first));
                   });
    }
}

static void add_one_isa(const Model &model, const char *name, glissade_isa isa) {
    if (!glissade_isa_available(isa))
        return;
    add_paired("isa/momentum/f32/" + model.name + "/" + name, 11, [=](benchmark::State &state) {
        const glissade_engine_options best = settled_options(model);
        glissade_engine_options options = best;
        options.isa = isa;
        const Samples samples = compare_engines(state, model, options, best);
        report_ratio(state, "of_auto", ratio_interval(samples.first, samples.second));
    });
}

void add_isa() {
    const Model model = gpt2_124m();
#define GLS_ISA(name, isa) add_one_isa(model, #name, isa);
#include "isas.def"
#undef GLS_ISA
}

static void add_one_pin(const Model &model, const char *name, glissade_pin pin) {
    const int repeats = model.elements() < 1000000 ? 20 : 1;
    add_paired("pin/momentum/f32/" + model.name + "/" + name, pairs_for(model) / 2,
               [=](benchmark::State &state) {
                   glissade_engine_options never = settled_options(model), options = never;
                   never.pin = GLISSADE_PIN_NEVER;
                   options.pin = pin;
                   const Samples samples = compare_engines(state, model, options, never, repeats);
                   report_ratio(state, "of_never", ratio_interval(samples.first, samples.second));
               });
}

void add_pin() {
    for (const Model &model : {flat("flat_256k", 256 << 10), gpt2_124m()}) {
        add_one_pin(model, "never", GLISSADE_PIN_NEVER);
        add_one_pin(model, "auto", GLISSADE_PIN_AUTO);
        add_one_pin(model, "always", GLISSADE_PIN_ALWAYS);
    }
}

// The step's own kernel, told how to walk whatever the size says.
static void run_walk(benchmark::State &state, const Model &model, const gls_walk &walk) {
    const Engine engine;
    const Subject subject(engine, arrays_for(engine, model), momentum().options);
    const glissade_sgd_options options = momentum().options;
    const gls_sgd_scalars scalars = gls_sgd_round(&options, 1, false, 1000);
    gls_sgd_kernel *kernel = (*subject.kernels().sgd)[0][GLS_MOMENTUM_KEPT][0][GLS_DECAY_NONE][0];
    const auto update = [&](const gls_walk &chosen) {
        subject.pass([&](const bench_part &part) {
            kernel(&scalars, part.p, part.g, part.m, nullptr, part.n, &chosen);
        });
    };
    const gls_walk straight = {1, 0};
    const double elements = static_cast<double>(model.elements());
    const int repeats = std::max(1, static_cast<int>(4e6 / elements));
    const Samples samples = interleave(
        state, [&] { update(walk); }, [&] { update(straight); }, repeats);
    report_time(state, samples.first, elements, elements * 20);
    report_ratio(state, "of_straight", ratio_interval(samples.first, samples.second));
}

void add_walk() {
    for (const Model &model : {flat("flat_128k", 128 << 10), flat("flat_1m", 1 << 20), gpt2_124m()})
        for (const Walk &walk : walks({2, 4, 6, 8}))
            add_paired("walk/momentum/f32/" + model.name + "/" + walk.name, pairs_for(model) / 2,
                       [=](benchmark::State &state) { run_walk(state, model, walk.walk); });
}
