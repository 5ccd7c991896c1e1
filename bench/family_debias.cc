// SPDX-License-Identifier: Apache-2.0
// debias/*: what the division by 1 - beta^k costs, the library's way and others, for one, 148 and 10,000
// tensors, beside the library's step without it.
#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>

#include "debias_ways.h"
#include "families.h"
#include "measure.h"
#include "walks.h"

namespace {

const double beta = 0.9;
const uint64_t first_count = 100000;

// A moving average, to be debiased or not.
glissade_sgd_options average_options(bool debias) {
    glissade_sgd_options options = ewma().options;
    options.momentum = options.dampening = beta;
    options.debias = debias;
    return options;
}

// As the library walks a step of the subject.
gls_walk walk_of(const Subject &subject) {
    const bool large = subject.bytes() >= GLS_WALK_FROM;
    return {subject.report().streams, large ? static_cast<size_t>(GLS_LEAD) : 0};
}

// What all of the family have in common: the way's step in turn with the library's step without debiasing.
std::vector<double> compare(benchmark::State &state, Subject &plain, const Action &step) {
    plain.step(); // writes the report that walk_of reads
    const Samples samples = interleave(state, step, [&] { plain.step(); });
    const double elements = static_cast<double>(plain.report().elements);
    report_time(state, samples.first, elements);
    report_ratio(state, "of_none", ratio_interval(samples.first, samples.second));
    return samples.first;
}

// The time of a step's divisors alone, on one thread, and how exact they are.
void report_scalars(benchmark::State &state, const Way &way, size_t tensors, uint64_t stride,
                    const std::vector<double> &steps) {
    Counts counts(tensors, first_count, stride, beta);
    std::vector<float> etas(tensors);
    std::vector<double> seconds;
    const int repeats = 1 + static_cast<int>(20000 / tensors);
    for (int i = 0; i < 21; i++)
        seconds.push_back(seconds_of(
            [&] {
                // Each waits for the one before, as a step waits for its own: overlapped they look far
                // cheaper.
                way.fill(counts, beta + 0.0 * static_cast<double>(etas.back()), 1e-5, etas);
                benchmark::DoNotOptimize(etas.data());
                benchmark::ClobberMemory();
            },
            repeats));
    state.counters["scalar_ns"] = median(seconds) * 1e9;
    state.counters["share_of_step"] = median(seconds) / median(steps);
    state.counters["error_999"] = error_at_999(way);
    state.counters["error_worst"] = error_anywhere(way);
}

// ---- the library ----

// Twice the same: how far a ratio strays by noise alone.
void run_none(benchmark::State &state, const Model &model) {
    const Engine engine(settled_options(model));
    const auto arrays = arrays_for(engine, model);
    Subject plain(engine, arrays, average_options(false)), same(engine, arrays, average_options(false));
    compare(state, plain, [&] { same.step(); });
}

// stride: by how much the tensors' counts differ. The library computes a divisor once for every run of
// tensors with one count.
void run_library(benchmark::State &state, const Model &model, uint64_t stride) {
    const Engine engine(settled_options(model));
    const auto arrays = arrays_for(engine, model);
    Subject plain(engine, arrays, average_options(false)), debiased(engine, arrays, average_options(true));
    debiased.set_counts(first_count, stride);
    const std::vector<double> steps = compare(state, plain, [&] { debiased.step(); });
    report_scalars(state, library_way(), stride ? model.lengths.size() : 1, stride, steps);
}

// ---- the library's kernel, with scalars computed otherwise ----

void run_way(benchmark::State &state, const Model &model, const Way &way) {
    const Engine engine(settled_options(model));
    Subject plain(engine, arrays_for(engine, model), average_options(false));
    const glissade_sgd_options options = average_options(false);
    const gls_sgd_scalars scalars = gls_sgd_round(&options, 1, false, first_count);
    gls_sgd_kernel *kernel = (*plain.kernels().sgd)[0][GLS_MOMENTUM_KEPT][0][GLS_DECAY_NONE][0];
    Counts counts(model.lengths.size(), first_count, 0, beta);
    std::vector<float> etas(model.lengths.size());
    const auto steps = compare(state, plain, [&] {
        way.fill(counts, beta, options.learning_rate, etas);
        const gls_walk walk = walk_of(plain);
        plain.pass([&](const bench_part &part) {
            gls_sgd_scalars own = scalars;
            own.minus_eta = -etas[part.tensor];
            kernel(&own, part.p, part.g, part.m, nullptr, part.n, &walk);
        });
    });
    report_scalars(state, way, model.lengths.size(), 0, steps);
}

// ---- other loops ----

// The scalars that both loops take.
struct LoopScalars {
    float decay = static_cast<float>(beta), kappa = static_cast<float>(1 - beta);
    float divisor = static_cast<float>(gls_debias(beta, 1000)), rate = 1e-5f;
};

void run_divide(benchmark::State &state, const Model &model) {
    const Engine engine(settled_options(model));
    Subject plain(engine, arrays_for(engine, model), average_options(false));
    const LoopScalars s;
    compare(state, plain, [&] {
        const gls_walk walk = walk_of(plain);
        plain.pass([&](const bench_part &part) {
            best_loops().divide(part.p, part.g, part.m, part.n, &walk, s.decay, s.kappa, s.divisor, s.rate);
        });
    });
}

// The temporary lies in arrays that stay, or is allocated and freed for every tensor in every step.
void run_materialise(benchmark::State &state, const Model &model, bool allocate) {
    const Engine engine(settled_options(model));
    Subject plain(engine, arrays_for(engine, model), average_options(false));
    const std::unique_ptr<Placed> kept(allocate ? nullptr : new Placed(engine, model));
    std::atomic<bool> failed(false);
    const LoopScalars s;
    compare(state, plain, [&] {
        plain.pass([&](const bench_part &part) {
            float *average = allocate ? static_cast<float *>(std::malloc(part.n * sizeof(float)))
                                      : kept->get(part.tensor) + part.begin;
            if (!average) {
                failed = true;
                return;
            }
            best_loops().materialise(part.p, part.g, part.m, average, part.n, s.decay, s.kappa, s.divisor,
                                     s.rate);
            if (allocate)
                std::free(average);
        });
        if (failed)
            throw std::bad_alloc();
    });
}

} // namespace

void add_debias() {
    for (const Model &model : {flat_124m(), gpt2_124m(), equal_tensors(10000, 1000)}) {
        const auto add = [&](const std::string &way, const Body &body) {
            add_paired("debias/" + way + "/f32/" + model.name, pairs_for(model) / 2 + 3, body);
        };
        add("none", [=](benchmark::State &state) { run_none(state, model); });
        add("library", [=](benchmark::State &state) { run_library(state, model, 0); });
        if (model.lengths.size() > 1)
            add("library_distinct", [=](benchmark::State &state) { run_library(state, model, 1); });
        for (const Way &way : other_ways())
            add(way.name, [=](benchmark::State &state) { run_way(state, model, way); });
        add("divide", [=](benchmark::State &state) { run_divide(state, model); });
        add("materialise", [=](benchmark::State &state) { run_materialise(state, model, false); });
        add("materialise_alloc", [=](benchmark::State &state) { run_materialise(state, model, true); });
    }
}
