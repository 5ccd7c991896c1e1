// SPDX-License-Identifier: Apache-2.0
// overhead/*: what remains when there is next to nothing to update, and what the parts of a large step cost
// by themselves.
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include "families.h"
#include "measure.h"

// ---- small steps ----

static void run_small(benchmark::State &state, const SgdRule &rule, glissade_isa isa) {
    glissade_engine_options options = engine_options();
    options.threads = 1;
    options.isa = isa;
    const Engine engine(options);
    Subject subject(engine, arrays_for(engine, equal_tensors(1, 1000)), rule.options);
    for (auto _ : state)
        subject.step();
    state.SetItemsProcessed(static_cast<int64_t>(state.iterations()) * 1000);
}

static void run_empty(benchmark::State &state, bool listed) {
    const Engine engine;
    Subject subject(engine, arrays_for(engine, equal_tensors(148, 1000)), momentum().options);
    const OptimizerHandle bare = make_optimizer(engine);
    glissade_optimizer *optimizer = listed ? subject.get() : bare.get();
    const glissade_tensor_ref nothing = {0, 0};
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.tensors = listed ? &nothing : nullptr; // a list of length 0, or all of no groups
    for (auto _ : state)
        check(glissade_optimizer_step(optimizer, &options, nullptr), "an empty step");
}

// ---- the team ----

// The CPUs that the engine's threads are bound to; empty if they are not.
static std::vector<uint32_t> cpus_of(const Engine &engine) {
    const glissade_engine_info info = engine.info();
    std::vector<uint32_t> cpus(info.threads);
    uint32_t found = 0;
    for (uint32_t i = 0; i < info.pus; i++) {
        const glissade_pu_info pu = engine.pu(i);
        if (pu.thread >= 0) {
            cpus[static_cast<uint32_t>(pu.thread)] = pu.os_index;
            found++;
        }
    }
    if (found != info.threads)
        cpus.clear();
    return cpus;
}

static void run_pin(benchmark::State &state) {
    const std::vector<uint32_t> cpus = cpus_of(Engine());
    gls_cpuset saved;
    if (cpus.empty() || !gls_pin_bind(cpus[0], &saved))
        throw std::runtime_error("skipped: threads cannot be bound here");
    gls_pin_restore(&saved);
    for (auto _ : state) {
        gls_pin_bind(cpus[0], &saved);
        gls_pin_restore(&saved);
    }
}

static gls_team empty_team(const Engine &engine, const std::vector<uint32_t> &cpus) {
    gls_team team = {};
    team.shards = engine.info().threads;
    team.cpus = cpus.empty() ? nullptr : cpus.data();
    team.work = [](void *, uint32_t) {};
    return team;
}

static void run_region(benchmark::State &state, bool pinned) {
    const Engine engine;
    const std::vector<uint32_t> cpus = pinned ? cpus_of(engine) : std::vector<uint32_t>();
    if (pinned && cpus.empty())
        throw std::runtime_error("skipped: threads cannot be bound here");
    const gls_team team = empty_team(engine, cpus);
    for (auto _ : state)
        benchmark::DoNotOptimize(gls_team_run(&team));
}

// After a rest longer than the workers spin for.
static void run_region_asleep(benchmark::State &state) {
    const Engine engine;
    const gls_team team = empty_team(engine, {});
    std::vector<double> seconds;
    gls_team_run(&team);
    for (auto _ : state) {
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
        seconds.push_back(seconds_of([&] { gls_team_run(&team); }));
        state.SetIterationTime(seconds.back());
    }
    report_time(state, seconds);
}

// ---- set-up ----

static void run_engine(benchmark::State &state) {
    for (auto _ : state)
        const Engine engine;
}

static void run_first_touch(benchmark::State &state, bool huge_pages) {
    glissade_engine_options options = engine_options();
    options.huge_pages = huge_pages;
    const Engine engine(options);
    const Model model = flat("flat_64m", 64u << 20);
    std::vector<double> seconds;
    for (auto _ : state) {
        std::unique_ptr<Placed> placed;
        seconds.push_back(seconds_of([&] { placed.reset(new Placed(engine, model)); }));
        state.SetIterationTime(seconds.back());
    }
    report_time(state, seconds, 0, sizeof(float) * static_cast<double>(model.elements()));
}

void add_overhead() {
    for (const SgdRule &rule : {sgd(), momentum(), ewma(), nesterov()})
        add_small("overhead/" + rule.name + "/f32/1x1000",
                  [=](benchmark::State &state) { run_small(state, rule, GLISSADE_ISA_AUTO); });
#define GLS_ISA(name, isa)                                                                                   \
    if (glissade_isa_available(isa))                                                                         \
        add_small("overhead/momentum/f32/1x1000/" #name,                                                     \
                  [](benchmark::State &state) { run_small(state, momentum(), isa); });
#include "isas.def"
#undef GLS_ISA
    add_small("overhead/empty/f32/no_groups", [](benchmark::State &state) { run_empty(state, false); });
    add_small("overhead/empty/f32/148x1000", [](benchmark::State &state) { run_empty(state, true); });
    add_small("overhead/pin/none/one_thread", run_pin);
    add_small("overhead/region/none/awake", [](benchmark::State &state) { run_region(state, false); });
    add_small("overhead/region/none/awake_pinned", [](benchmark::State &state) { run_region(state, true); });
    add_counted("overhead/region/none/asleep", 51, run_region_asleep);
    add_small("overhead/engine/none/create", run_engine);
    add_counted("overhead/first_touch/f32/flat_64m/huge_pages", 5,
                [](benchmark::State &state) { run_first_touch(state, true); });
    add_counted("overhead/first_touch/f32/flat_64m/small_pages", 5,
                [](benchmark::State &state) { run_first_touch(state, false); });
}
