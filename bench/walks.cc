// SPDX-License-Identifier: Apache-2.0
// Walks (see walks.h).
#include "walks.h"

#include <map>

#include <benchmark/benchmark.h>

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
        for (const float *state : {part.m, part.v, part.r})
            if (state && count < GLS_READ_ARRAYS_MAX)
                arrays[count++] = state;
        benchmark::DoNotOptimize(kernels.read(arrays, count, part.n, &walk));
    });
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
