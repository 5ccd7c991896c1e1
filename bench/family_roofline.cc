// SPDX-License-Identifier: Apache-2.0
// roofline/*: what the memory gives when nothing is computed, over a step's own arrays, threads and parts:
// reading them, copying one into another, rewriting all in place; straight, prefetched, and several pages in
// turn.
#include "families.h"
#include "walks.h"
#include "measure.h"

namespace {

struct Operation {
    const char *name;
    double bytes; // read and written, for each element
    std::function<void(const Subject &, const gls_walk &)> run;
};

void copy_pass(const Subject &subject, const gls_walk &walk) {
    subject.pass([&](const bench_part &part) { best_loops().copy(part.m, part.g, part.n, &walk); });
}

void update_pass(const Subject &subject, const gls_walk &walk) {
    subject.pass([&](const bench_part &part) { best_loops().touch(part.p, part.g, part.m, part.n, &walk); });
}

void run_roofline(benchmark::State &state, const Model &model, const Operation &operation,
                  const gls_walk &walk) {
    const Engine engine;
    const Subject subject(engine, arrays_for(engine, model), momentum().options);
    const gls_walk straight = {1, 0};
    const Samples samples = interleave(
        state, [&] { operation.run(subject, walk); }, [&] { operation.run(subject, straight); });
    const double elements = static_cast<double>(model.elements());
    report_time(state, samples.first, elements, elements * operation.bytes);
    report_ratio(state, "of_straight", ratio_interval(samples.first, samples.second));
}

} // namespace

void add_roofline() {
    const Model model = gpt2_124m();
    const Operation operations[] = {
        {"read", 12, read_pass}, {"copy", 8, copy_pass}, {"update", 24, update_pass}};
    for (const Operation &operation : operations)
        for (const Walk &walk : walks({2, 4, 6}))
            add_paired(std::string("roofline/") + operation.name + "/f32/" + model.name + "/" + walk.name, 11,
                       [=](benchmark::State &state) { run_roofline(state, model, operation, walk.walk); });
}
