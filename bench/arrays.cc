// SPDX-License-Identifier: Apache-2.0
// Arrays, filled and kept (see arrays.h).
#include "arrays.h"

#include <algorithm>
#include <cstring>
#include <fstream>
#include <list>
#include <stdexcept>
#include <string>
#include <vector>

// ---- placing ----

// The library places floats: smaller elements take up fewer of them, divided at the same places but for a page.
static std::vector<size_t> lengths_of(const Model &model, size_t element) {
    std::vector<size_t> lengths = model.lengths;
    for (size_t &length : lengths)
        length = (length * element + sizeof(float) - 1) / sizeof(float);
    return lengths;
}

Placed::Placed(const Engine &engine, const Model &model, size_t element) : element(element) {
    const auto optimizer = make_optimizer(engine);
    const std::vector<size_t> lengths = lengths_of(model, element);
    glissade_error error;
    if (glissade_arrays_create(optimizer.get(), lengths.data(), lengths.size(), &arrays, &error))
        check(error, "making arrays");
}

Placed::~Placed() {
    glissade_arrays_destroy(&arrays);
}

float *Placed::get(size_t tensor) const {
    return glissade_arrays_get(arrays, tensor);
}

void *Placed::at(size_t tensor, size_t i) const {
    return reinterpret_cast<char *>(get(tensor)) + i * element;
}

// ---- filling ----

size_t size_of(glissade_dtype dtype) {
    return dtype == GLISSADE_DTYPE_F64 ? 8 : dtype == GLISSADE_DTYPE_F32 ? 4 : 2;
}

Arrays::Arrays(const Engine &engine, const Model &model, Elements elements)
    : model(model), elements(elements), parameters(engine, model, size_of(elements.parameter)),
      gradients(engine, model, size_of(elements.gradient)) {
}

std::vector<glissade_tensor> Arrays::tensors() const {
    std::vector<glissade_tensor> tensors(model.lengths.size());
    for (size_t i = 0; i < tensors.size(); i++) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = parameters.get(i);
        tensors[i].gradient = gradients.get(i);
        tensors[i].length = model.lengths[i];
        tensors[i].parameter_dtype = elements.parameter;
        tensors[i].gradient_dtype = elements.gradient;
    }
    return tensors;
}

const Placed &Arrays::momenta(const Engine &engine) {
    if (!momentum)
        momentum.reset(new Placed(engine, model));
    return *momentum;
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

static void store(const gls_format_kernels &kernels, glissade_dtype dtype, void *to, const float *from,
                  size_t n) {
    if (dtype == GLISSADE_DTYPE_BF16)
        kernels.narrow_bf16(static_cast<uint16_t *>(to), from, n);
    else if (dtype == GLISSADE_DTYPE_F16)
        kernels.narrow_f16(static_cast<uint16_t *>(to), from, n);
    else
        std::memcpy(to, from, n * sizeof *from);
}

void Arrays::fill(const Engine &engine) {
    struct Context {
        const Arrays *all;
        const gls_format_kernels *kernels;
    } context = {this, engine.kernels().formats};
    const auto optimizer = make_optimizer(engine);
    const auto described = tensors();
    glissade_sgd_options options;
    glissade_sgd_options_init(&options, sizeof options);
    uint32_t group = 0;
    check(glissade_optimizer_add_sgd(optimizer.get(), described.data(), described.size(), &options, &group),
          "adding a group");
    bench_pass(
        optimizer.get(),
        [](void *given, const bench_part *part) {
            const auto &[all, kernels] = *static_cast<const Context *>(given);
            enum { STRETCH = 256 };
            float p[STRETCH], g[STRETCH];
            for (size_t done = 0; done < part->n; done += STRETCH) {
                const size_t n = std::min<size_t>(part->n - done, STRETCH), begin = part->begin + done;
                const uint64_t first = (static_cast<uint64_t>(part->tensor) << 32) + 2 * begin;
                for (size_t i = 0; i < n; i++) {
                    p[i] = near_normal(first + 2 * i, 0.02f);
                    g[i] = near_normal(first + 2 * i + 1, 0.001f);
                }
                store(*kernels, all->elements.parameter, all->parameters.at(part->tensor, begin), p, n);
                store(*kernels, all->elements.gradient, all->gradients.at(part->tensor, begin), g, n);
                if (all->momentum)
                    std::memset(all->momentum->at(part->tensor, begin), 0, n * sizeof(float));
            }
        },
        &context);
    spoilt = false;
}

// ---- arrays kept ----

namespace {

struct Kept {
    std::string model;
    uint32_t threads;
    bool huge_pages;
    int copy;
    Elements elements;
    std::shared_ptr<Arrays> arrays;
};

std::list<Kept> kept; // most recently used first

// With a momentum, and the residuals that a deferring rule's optimizer adds.
size_t bytes_of(const Model &model, Elements elements) {
    return (2 * sizeof(float) + size_of(elements.parameter) + size_of(elements.gradient)) * model.elements();
}

size_t bytes_of(const Kept &entry) {
    return bytes_of(entry.arrays->model, entry.elements);
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
        held += bytes_of(entry);
    const size_t limit = std::max(needed, free_memory() / 2 + held / 2);
    for (auto entry = kept.end(); entry != kept.begin() && held + needed > limit;) {
        --entry;
        if (entry->arrays.use_count() > 1)
            continue;
        held -= bytes_of(*entry);
        entry = kept.erase(entry);
    }
    const size_t spare = 512u << 20; // the process's own, and other people's
    if (needed + spare > free_memory())
        throw std::runtime_error("skipped: needs " + std::to_string((needed + spare) >> 20) +
                                 " MiB of free memory");
}

} // namespace

std::shared_ptr<Arrays> arrays_for(const Engine &engine, const Model &model, int copy, Elements elements) {
    const glissade_engine_info info = engine.info();
    const auto same = [&](const Kept &entry) {
        return entry.model == model.name && entry.threads == info.threads && entry.copy == copy &&
               entry.huge_pages == info.huge_pages && entry.elements.parameter == elements.parameter &&
               entry.elements.gradient == elements.gradient;
    };
    const auto found = std::find_if(kept.begin(), kept.end(), same);
    if (found != kept.end()) {
        kept.splice(kept.begin(), kept, found);
    } else {
        make_room(bytes_of(model, elements));
        kept.push_front({model.name, info.threads, info.huge_pages, copy, elements,
                         std::make_shared<Arrays>(engine, model, elements)});
    }
    Arrays &arrays = *kept.front().arrays;
    if (arrays.spoilt)
        arrays.fill(engine);
    return kept.front().arrays;
}
