// SPDX-License-Identifier: Apache-2.0
// Registering and measuring (see measure.h).
#include "measure.h"

#include <algorithm>
#include <chrono>
#include <exception>

double effort = 1;

// ---- registering ----

static std::map<std::string, std::string> reasons;

const std::map<std::string, std::string> &skipped() {
    return reasons;
}

// Passes what the body throws on as a skipped benchmark.
static benchmark::internal::Benchmark *add(const std::string &name, const Body &body) {
    return benchmark::RegisterBenchmark(name.c_str(), [name, body](benchmark::State &state) {
        try {
            body(state);
        } catch (const std::exception &failure) {
            reasons[name] = failure.what();
            state.SkipWithError(failure.what());
        }
    });
}

void add_counted(const std::string &name, int iterations, const Body &body) {
    const int wanted = static_cast<int>(iterations * effort + 0.5);
    add(name, body)->Iterations(std::max(wanted, 1))->UseManualTime()->Unit(benchmark::kMillisecond);
}

void add_paired(const std::string &name, int pairs, const Body &body) {
    const int least = static_cast<int>(6 / effort) + 1; // for an interval of 95 %
    add_counted(name, std::max(pairs, least), body);
}

void add_small(const std::string &name, const Body &body) {
    add(name, body)->UseRealTime()->MinTime(0.1 * effort)->Unit(benchmark::kNanosecond);
}

int pairs_for(const Model &model) {
    const size_t elements = model.elements();
    if (elements > 200000000)
        return 13;
    return elements > 100000000 ? 25 : 61;
}

// ---- measuring ----

double seconds_of(const Action &action, int repeats) {
    const auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; i++)
        action();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    return took.count() / repeats;
}

Samples interleave(benchmark::State &state, const Action &first, const Action &second, int repeats) {
    for (int i = 0; i < 2; i++) {
        first();
        second();
    }
    Samples samples;
    bool swapped = false;
    for (auto _ : state) {
        if (swapped)
            samples.second.push_back(seconds_of(second, repeats));
        samples.first.push_back(seconds_of(first, repeats));
        if (!swapped)
            samples.second.push_back(seconds_of(second, repeats));
        swapped = !swapped;
        state.SetIterationTime(samples.first.back());
    }
    return samples;
}

Turns take_turns(benchmark::State &state, const std::vector<Action> &actions, const Action &before) {
    Turns turns(actions.size());
    const auto run = [&](size_t i) {
        if (before)
            before();
        return seconds_of(actions[i]);
    };
    for (size_t i = 0; i < 2 * actions.size(); i++)
        run(i % actions.size());
    for (auto _ : state) {
        for (size_t i = 0; i < actions.size(); i++)
            turns[i].push_back(run(i));
        state.SetIterationTime(turns[0].back());
    }
    return turns;
}

// ---- reporting ----

void report_ratio(benchmark::State &state, const std::string &name, const Interval &ratio) {
    state.counters[name] = ratio.median;
    state.counters[name + "_lo"] = ratio.low;
    state.counters[name + "_hi"] = ratio.high;
}

void report_time(benchmark::State &state, const std::vector<double> &seconds, double elements, double bytes) {
    const double typical = median(seconds);
    if (typical <= 0)
        return;
    state.counters["median_ms"] = typical * 1e3;
    if (elements > 0)
        state.counters["parameters_per_second"] = elements / typical;
    if (bytes > 0)
        state.counters["bytes_per_second"] = bytes / typical;
}

void report_step(benchmark::State &state, const std::vector<double> &seconds,
                 const glissade_step_report &report) {
    report_time(state, seconds, static_cast<double>(report.elements), static_cast<double>(report.bytes));
    if (report.elements)
        state.counters["bytes_per_parameter"] =
            static_cast<double>(report.bytes) / static_cast<double>(report.elements);
    state.counters["streams"] = report.streams;
    state.counters["team"] = report.threads;
}
