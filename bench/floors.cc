// SPDX-License-Identifier: Apache-2.0
// Ways to read a step's arrays, and the fastest of them (see floors.h).
#include "floors.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <tuple>
#include <vector>

#include <benchmark/benchmark.h>

#include "measure.h"
#include "walks.h"

namespace {

// ---- the ways ----

// Runs read(spans, count, n) on every thread's parts, for each pass with the arrays that it reads.
template <class Read> void read_phases(const Subject &subject, const Read &read) {
    const uint32_t phases = bench_phases(subject.get());
    for (uint32_t phase = 0; phase < phases; phase++)
        subject.pass([&](const bench_part &part) {
            bench_span spans[BENCH_SPANS_MAX];
            size_t count = 0;
            for (uint32_t i = 0; i < part.span_count; i++)
                if (part.spans[i].phases >> phase & 1)
                    spans[count++] = part.spans[i];
            benchmark::DoNotOptimize(read(spans, count, part.n));
        });
}

// All arrays side by side, in the elements' order.
Floor beside(const std::string &name, size_t streams, size_t lead) {
    return {"beside" + name, [=](const Subject &subject) {
                const bench_reads &reads = best_reads();
                read_phases(subject, [&](const bench_span *spans, size_t count, size_t n) {
                    return reads.beside(spans, count, n, streams, lead);
                });
            }};
}

// One array after the other, so many elements of each; 0: all that a thread owns of a tensor.
Floor stretches(const std::string &name, size_t stretch, bool ahead) {
    return {name + (ahead ? "_lead" : ""), [=](const Subject &subject) {
                const bench_reads &reads = best_reads();
                const size_t lead = ahead ? GLS_LEAD * sizeof(float) : 0;
                read_phases(subject, [&](const bench_span *spans, size_t count, size_t n) {
                    const size_t step = stretch ? stretch : n;
                    uint64_t digest = 0;
                    for (size_t begin = 0; begin < n; begin += step)
                        for (size_t i = 0; i < count; i++) {
                            const bool last = begin + step >= n;
                            const size_t from = spans[i].block * begin / BENCH_READ_BLOCK;
                            const size_t to =
                                last ? spans[i].bytes : spans[i].block * (begin + step) / BENCH_READ_BLOCK;
                            digest ^= reads.run(spans[i].at + from, to - from, lead);
                        }
                    return digest;
                });
            }};
}

// The kernels that the library reads floats with.
Floor kernels(const Walk &walk) {
    return {"kernel_" + walk.name, [=](const Subject &subject) { read_pass(subject, walk.walk); }};
}

Floor library() {
    return {"library", [](const Subject &subject) {
                uint32_t digest;
                check(glissade_optimizer_read(subject.get(), &digest, nullptr), "reading");
                benchmark::DoNotOptimize(digest);
            }};
}

// ---- the fastest ----

std::vector<Floor> ways(const Subject &subject) {
    std::vector<Floor> all = {
        beside("", 1, 0),
        beside("_lead", 1, GLS_LEAD),
        beside("_lead_far", 1, 2 * GLS_LEAD),
        beside("_streams_2", 2, 0),
        beside("_streams_4", 4, 0),
        beside("_streams_6", 6, 0),
        stretches("stretches_256", 256, true),
        stretches("stretches_1024", 1024, false),
        stretches("stretches_1024", 1024, true),
        stretches("stretches_4096", 4096, false),
        stretches("stretches_4096", 4096, true),
        stretches("arrays", 0, false),
        stretches("arrays", 0, true),
    };
    if (bench_phases(subject.get()) > 1)
        return all; // the rest reads everything once
    all.push_back(library());
    if (bench_floats(subject.get()))
        for (const Walk &walk : walks({2, 4, 6}))
            all.push_back(kernels(walk));
    return all;
}

// By its best time: other work on the machine only adds to it.
struct Contestant {
    Floor floor;
    double seconds;
};

void read_in_turn(const Subject &subject, std::vector<Contestant> &contestants, int rounds) {
    for (int round = 0; round < rounds; round++)
        for (Contestant &contestant : contestants)
            contestant.seconds =
                std::min(contestant.seconds, seconds_of([&] { contestant.floor.read(subject); }));
    std::sort(contestants.begin(), contestants.end(),
              [](const Contestant &a, const Contestant &b) { return a.seconds < b.seconds; });
}

// The slower half is left out early: reading gigabytes in twenty ways takes a while.
Floor try_all(const Subject &subject) {
    std::vector<Contestant> contestants;
    for (const Floor &floor : ways(subject))
        contestants.push_back({floor, HUGE_VAL});
    read_in_turn(subject, contestants, 2);
    for (const int rounds : {2, 4}) {
        contestants.resize((contestants.size() + 1) / 2);
        read_in_turn(subject, contestants, rounds);
    }
    return contestants.front().floor;
}

} // namespace

Floor best_floor(const Engine &engine, const Subject &subject) {
    static std::map<std::tuple<uint64_t, uint32_t, int>, Floor> known;
    const glissade_engine_info info = engine.info();
    const auto key = std::make_tuple(bench_layout(subject.get()), info.threads, static_cast<int>(info.isa));
    const auto found = known.find(key);
    return found != known.end() ? found->second : known[key] = try_all(subject);
}
