// SPDX-License-Identifier: Apache-2.0
// The read-only floor (see floor.h).
#include "walks.h"

#include <map>
#include <tuple>

#include <benchmark/benchmark.h>

#include "measure.h"

std::vector<Walk> walks(const std::vector<size_t> &streams) {
    std::vector<Walk> all = {{"straight", {1, 0}}, {"lead", {1, GLS_LEAD}}};
    for (const size_t count : streams)
        all.push_back({"streams_" + std::to_string(count), {count, GLS_LEAD}});
    return all;
}

void read_pass(const Subject &subject, const gls_walk &walk) {
    const gls_kernels &kernels = subject.kernels();
    subject.pass([&](const bench_part &part) {
        const float *arrays[GLS_READ_ARRAYS_MAX] = {part.p, part.g};
        size_t count = 2;
        for (const float *state : {part.m, part.r})
            if (state)
                arrays[count++] = state;
        benchmark::DoNotOptimize(kernels.read(arrays, count, part.n, &walk));
    });
}

static Walk try_all(const Subject &subject) {
    const std::vector<Walk> candidates = walks({2, 4, 6});
    const int rounds = subject.bytes() > size_t{2} << 30 ? 3 : 7;
    std::vector<std::vector<double>> seconds(candidates.size());
    for (int round = -1; round < rounds; round++)
        for (size_t i = 0; i < candidates.size(); i++) {
            const double took = seconds_of([&] { read_pass(subject, candidates[i].walk); });
            if (round >= 0) // the first warms up
                seconds[i].push_back(took);
        }
    size_t best = 0;
    for (size_t i = 1; i < candidates.size(); i++)
        if (median(seconds[i]) < median(seconds[best]))
            best = i;
    return candidates[best];
}

Walk best_read(const Engine &engine, const Subject &subject) {
    static std::map<std::tuple<std::string, size_t, uint32_t, int>, Walk> known;
    const glissade_engine_info info = engine.info();
    const auto key = std::make_tuple(subject.arrays().model.name, subject.array_count(), info.threads,
                                     static_cast<int>(info.isa));
    const auto found = known.find(key);
    if (found != known.end())
        return found->second;
    return known[key] = try_all(subject);
}

glissade_engine_options settled_options(const Model &model) {
    static std::map<std::string, uint32_t> known;
    if (!known.count(model.name)) {
        const Engine engine;
        Subject subject(engine, arrays_for(engine, model), momentum().options);
        subject.settle();
        known[model.name] = subject.report().streams;
    }
    glissade_engine_options options = engine_options();
    options.streams = known[model.name];
    return options;
}
