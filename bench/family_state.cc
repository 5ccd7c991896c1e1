// SPDX-License-Identifier: Apache-2.0
// decay/*: steps on state that has decayed to nothing, with and without the flush of subnormals, beside
// normal ones. allocation/*: what an optimizer allocates for a model beyond the state itself.
#include <atomic>
#include <cfloat>

#include "families.h"
#include "measure.h"
#include "walks.h"

// ---- decay ----

static void run_decay(benchmark::State &state, const Model &model, bool keep_subnormals) {
    glissade_engine_options options = settled_options(model);
    options.keep_subnormals = keep_subnormals;
    const Engine engine(options);
    Subject normal(engine, arrays_for(engine, model, 0), momentum().options);
    Subject decayed(engine, arrays_for(engine, model, 1), momentum().options);
    decayed.arrays().spoilt = true;
    decayed.step(); // the first update does not read the momentum
    decayed.pass([](const bench_part &part) {
        for (size_t i = 0; i < part.n; i++) {
            part.m[i] = 4 * FLT_MIN;
            part.g[i] = 0;
        }
    });
    for (int i = 0; i < 100; i++)
        decayed.step();
    const Samples samples = interleave(
        state, [&] { decayed.step(); }, [&] { normal.step(); });
    report_step(state, samples.first, decayed.report());
    report_ratio(state, "of_normal", ratio_interval(samples.first, samples.second));
}

void add_decay() {
    const Model model = resnet50();
    add_paired("decay/momentum/f32/" + model.name + "/flushed", 31,
               [=](benchmark::State &state) { run_decay(state, model, false); });
    add_paired("decay/momentum/f32/" + model.name + "/kept", 31,
               [=](benchmark::State &state) { run_decay(state, model, true); });
}

// ---- allocation ----

static std::atomic<size_t> requested;

static bool count_request(size_t bytes) {
    requested += bytes;
    return true;
}

// State is the caller's here, so that all the library asks for is its own: tables, plan, checks. What it
// frees again before the call returns counts too, so this is the upper bound of what it holds.
static void run_allocation(benchmark::State &state, const Model &model) {
    const Engine engine;
    const auto arrays = arrays_for(engine, model);
    std::vector<double> seconds;
    for (auto _ : state) {
        requested = 0;
        gls_alloc_permit = count_request;
        const double took = seconds_of([&] { Subject subject(engine, arrays, momentum().options); });
        gls_alloc_permit = nullptr;
        seconds.push_back(took);
        state.SetIterationTime(took);
    }
    report_time(state, seconds);
    const double bytes = static_cast<double>(requested), tensors = static_cast<double>(model.lengths.size());
    const double allowed = 256 * tensors + 8 * static_cast<double>(model.elements()) / 16384 + 65536;
    state.counters["bytes"] = bytes;
    state.counters["bytes_per_tensor"] = bytes / tensors;
    state.counters["of_allowed"] = bytes / allowed;
}

void add_allocation() {
    for (const Model &model : {flat_124m(), gpt2_124m(), resnet50(), equal_tensors(10000, 1000)})
        add_counted("allocation/momentum/f32/" + model.name, 5,
                    [=](benchmark::State &state) { run_allocation(state, model); });
}
