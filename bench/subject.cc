// SPDX-License-Identifier: Apache-2.0
// Engines, arrays, optimizers (see subject.h).
#include "subject.h"

#include <algorithm>
#include <fstream>
#include <list>
#include <stdexcept>
#include <utility>
#include <vector>

void fail(glissade_status status, const char *what) {
    throw std::runtime_error(std::string(what) + ": " + glissade_status_text(status));
}

static void check(const glissade_error &error, const char *what) {
    if (error.status)
        throw std::runtime_error(std::string(what) + ": " + error.message);
}

// ---- engine ----

glissade_engine_options engine_options() {
    glissade_engine_options options;
    glissade_engine_options_init(&options, sizeof options);
    return options;
}

Engine::Engine(const glissade_engine_options &options) {
    glissade_error error;
    if (glissade_engine_create(&options, &engine, &error))
        check(error, "making an engine");
}

Engine::~Engine() {
    glissade_engine_destroy(&engine);
}

glissade_engine_info Engine::info() const {
    glissade_engine_info info = {};
    info.size = sizeof info;
    check(glissade_engine_get_info(engine, &info), "asking the engine");
    return info;
}

glissade_pu_info Engine::pu(uint32_t index) const {
    glissade_pu_info info = {};
    info.size = sizeof info;
    check(glissade_engine_get_pu(engine, index, &info), "asking the engine for a CPU");
    return info;
}

OptimizerHandle make_optimizer(const Engine &engine) {
    glissade_optimizer *made = nullptr;
    check(glissade_optimizer_create(engine.get(), &made, nullptr), "making an optimizer");
    return {made, [](glissade_optimizer *optimizer) { glissade_optimizer_destroy(&optimizer); }};
}

// ---- arrays ----

static uint32_t add_group(glissade_optimizer *optimizer, const Arrays &arrays,
                          const glissade_sgd_options &options) {
    std::vector<glissade_tensor> tensors(arrays.model.lengths.size());
    for (size_t i = 0; i < tensors.size(); i++) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = arrays.parameters.get(i);
        tensors[i].gradient = arrays.gradients.get(i);
        tensors[i].momentum = options.momentum != 0 ? arrays.momenta.get(i) : nullptr;
        tensors[i].length = arrays.model.lengths[i];
    }
    uint32_t group = 0;
    check(glissade_optimizer_add_sgd(optimizer, tensors.data(), tensors.size(), &options, &group),
          "adding a group");
    return group;
}

Placed::Placed(const Engine &engine, const Model &model) {
    const auto optimizer = make_optimizer(engine);
    glissade_error error;
    if (glissade_arrays_create(optimizer.get(), model.lengths.data(), model.lengths.size(), &arrays, &error))
        check(error, "making arrays");
}

Placed::~Placed() {
    glissade_arrays_destroy(&arrays);
}

float *Placed::get(size_t tensor) const {
    return glissade_arrays_get(arrays, tensor);
}

Arrays::Arrays(const Engine &engine, const Model &model)
    : model(model), parameters(engine, model), gradients(engine, model), momenta(engine, model) {
}

// The sum of four 16-bit uniforms out of one mixed counter (SplitMix64's), centred and scaled; the odd half
// keeps it from 0.
static float near_normal(uint64_t counter, float deviation) {
    uint64_t x = counter * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ x >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ x >> 27) * UINT64_C(0x94D049BB133111EB);
    x ^= x >> 31;
    const uint32_t sum =
        static_cast<uint32_t>((x & 0xFFFF) + (x >> 16 & 0xFFFF) + (x >> 32 & 0xFFFF) + (x >> 48));
    const float to_unit_deviation = 1.7320508f / 65536;
    return (static_cast<float>(sum) - 131070.5f) * (to_unit_deviation * deviation);
}

void Arrays::fill(const Engine &engine) {
    const auto optimizer = make_optimizer(engine);
    add_group(optimizer.get(), *this, momentum().options);
    bench_pass(
        optimizer.get(),
        [](void *, const bench_part *part) {
            const uint64_t first = (static_cast<uint64_t>(part->tensor) << 32) + 2 * part->begin;
            for (size_t i = 0; i < part->n; i++) {
                part->p[i] = near_normal(first + 2 * i, 0.02f);
                part->g[i] = near_normal(first + 2 * i + 1, 0.001f);
                part->m[i] = 0;
            }
        },
        nullptr);
    spoilt = false;
}

// ---- arrays kept ----

namespace {

struct Kept {
    std::string model;
    uint32_t threads;
    bool huge_pages;
    int copy;
    std::shared_ptr<Arrays> arrays;
};

std::list<Kept> kept; // most recently used first

// With the residuals that a deferring rule's optimizer adds.
size_t bytes_of(const Model &model) {
    return 4 * sizeof(float) * model.elements();
}

// What can be allocated without swapping, as the kernel estimates it; all of it if it does not say.
size_t free_memory() {
    std::ifstream file("/proc/meminfo");
    std::string name, unit;
    size_t kilobytes;
    while (file >> name >> kilobytes && std::getline(file, unit))
        if (name == "MemAvailable:")
            return kilobytes * 1024;
    return SIZE_MAX;
}

// Drops sets that nobody uses, least recently used first, until what stays and `needed` are half of the free
// memory.
void make_room(size_t needed) {
    size_t held = 0;
    for (const Kept &entry : kept)
        held += bytes_of(entry.arrays->model);
    const size_t limit = std::max(needed, free_memory() / 2 + held / 2);
    for (auto entry = kept.end(); entry != kept.begin() && held + needed > limit;) {
        --entry;
        if (entry->arrays.use_count() > 1)
            continue;
        held -= bytes_of(entry->arrays->model);
        entry = kept.erase(entry);
    }
    const size_t spare = 512u << 20; // the process's own, and other people's
    if (needed + spare > free_memory())
        throw std::runtime_error("skipped: needs " + std::to_string((needed + spare) >> 20) +
                                 " MiB of free memory");
}

} // namespace

std::shared_ptr<Arrays> arrays_for(const Engine &engine, const Model &model, int copy) {
    const glissade_engine_info info = engine.info();
    const auto same = [&](const Kept &entry) {
        return entry.model == model.name && entry.threads == info.threads && entry.copy == copy &&
               entry.huge_pages == info.huge_pages;
    };
    const auto found = std::find_if(kept.begin(), kept.end(), same);
    if (found != kept.end()) {
        kept.splice(kept.begin(), kept, found);
    } else {
        make_room(bytes_of(model));
        kept.push_front(
            {model.name, info.threads, info.huge_pages, copy, std::make_shared<Arrays>(engine, model)});
    }
    Arrays &arrays = *kept.front().arrays;
    if (arrays.spoilt)
        arrays.fill(engine);
    return kept.front().arrays;
}

// ---- rules ----

static Rule rule(const char *name, double beta) {
    Rule made = {name, {}};
    glissade_sgd_options_init(&made.options, sizeof made.options);
    made.options.learning_rate =
        1e-5; // the same gradients every step: keeps parameters near where they began
    made.options.momentum = beta;
    return made;
}

Rule sgd() {
    return rule("sgd", 0);
}

Rule momentum() {
    return rule("momentum", 0.9);
}

Rule ewma() {
    Rule made = rule("ewma", 0.9);
    made.options.dampening = made.options.momentum;
    made.options.debias = true;
    return made;
}

Rule ewma_deferred() {
    Rule made = ewma();
    made.name = "ewma_deferred";
    made.options.defer_threshold = 1;
    made.options.defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS;
    return made;
}

Rule nesterov() {
    Rule made = rule("nesterov", 0.9);
    made.options.nesterov = true;
    return made;
}

// ---- subject ----

Subject::Subject(const Engine &engine, std::shared_ptr<Arrays> arrays, const glissade_sgd_options &options)
    : all(std::move(arrays)), options(options), table(gls_dispatch_kernels(engine.info().isa)),
      tuned(engine.info().streams == 0), optimizer(make_optimizer(engine)),
      group(add_group(optimizer.get(), *all, options)), last() {
    glissade_step_options_init(&step_options, sizeof step_options);
    last.size = sizeof last;
}

void Subject::step(bool zero_gradients) {
    step_options.zero_gradients = zero_gradients;
    check(glissade_optimizer_step(optimizer.get(), &step_options, &last), "a step");
}

void Subject::settle() {
    const int trials = tuned && bytes() >= GLS_WALK_FROM ? GLS_TUNER_CANDIDATES * GLS_TUNER_ROUNDS : 0;
    for (int i = 0; i < trials + 3; i++)
        step();
}

size_t Subject::bytes() const {
    return array_count() * sizeof(float) * all->model.elements();
}

void Subject::set_counts(uint64_t first, uint64_t stride) {
    for (uint32_t i = 0; i < all->model.lengths.size(); i++) {
        const uint64_t count = first + i * stride;
        check(glissade_optimizer_set_counts(optimizer.get(), {group, i}, count, has_momentum() ? count : 0),
              "setting counts");
    }
}
