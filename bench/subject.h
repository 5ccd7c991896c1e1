/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a benchmark works on: an engine, a model's arrays, and an optimizer over them. Arrays are kept from
 * one benchmark to the next, because filling gigabytes takes longer than stepping them. Failures of the
 * library are thrown.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "library.h"
#include "models.h"

/* Throws std::runtime_error, saying what was tried and why it failed. */
[[noreturn]] void fail(glissade_status status, const char *what);

inline void check(glissade_status status, const char *what) {
    if (status)
        fail(status, what);
}

/* ---- engine ---- */

/* Every default. */
glissade_engine_options engine_options();

class Engine {
  public:
    explicit Engine(const glissade_engine_options &options = engine_options());
    ~Engine();
    Engine(const Engine &) = delete;
    Engine &operator=(const Engine &) = delete;

    glissade_engine *get() const {
        return engine;
    }
    glissade_engine_info info() const;
    glissade_pu_info pu(uint32_t index) const;

  private:
    glissade_engine *engine = nullptr;
};

/* An optimizer without groups. */
using OptimizerHandle = std::unique_ptr<glissade_optimizer, void (*)(glissade_optimizer *)>;
OptimizerHandle make_optimizer(const Engine &engine);

/* ---- arrays ---- */

/* An array for each tensor, placed as the first group of an optimizer is divided. Zero. */
class Placed {
  public:
    Placed(const Engine &engine, const Model &model);
    ~Placed();
    Placed(const Placed &) = delete;
    Placed &operator=(const Placed &) = delete;

    float *get(size_t tensor) const;

  private:
    glissade_arrays *arrays = nullptr;
};

/* Parameters, gradients and momentum of a model. */
struct Arrays {
    Arrays(const Engine &engine, const Model &model);

    /* Parameters and gradients bell-shaped about 0 with deviations 0.02 and 0.001; momentum 0; no subnormals.
     */
    void fill(const Engine &engine);

    const Model model;
    const Placed parameters, gradients, momenta;
    bool spoilt = true; /* set by who writes values that others should not find; the next user refills */
};

/*
 * Filled arrays, kept for the next who asks the same. `copy` tells apart sets that are used side by side. The
 * least recently used go when all together exceed half of the free memory; a model that does not fit is
 * refused.
 */
std::shared_ptr<Arrays> arrays_for(const Engine &engine, const Model &model, int copy = 0);

/* ---- rules ---- */

struct Rule {
    std::string name;
    glissade_sgd_options options;
};

Rule sgd();
Rule momentum();
Rule ewma();          /* debiased */
Rule ewma_deferred(); /* the same, deferring what is below the gradient's root mean square */
Rule nesterov();

/* ---- subject ---- */

/* An optimizer of one group over a model's arrays. */
class Subject {
  public:
    Subject(const Engine &engine, std::shared_ptr<Arrays> arrays, const glissade_sgd_options &options);
    Subject(const Subject &) = delete;
    Subject &operator=(const Subject &) = delete;

    void step(bool zero_gradients = false);
    /* Steps until caches are warm and, where the library looks for its walk, it has found one. */
    void settle();
    const glissade_step_report &report() const { /* of the last step */
        return last;
    }
    glissade_optimizer *get() const {
        return optimizer.get();
    }
    const gls_kernels &kernels() const {
        return *table;
    }
    Arrays &arrays() const {
        return *all;
    }
    bool has_momentum() const {
        return options.momentum != 0;
    }
    size_t array_count() const { /* parameters, gradients, state */
        return 2u + has_momentum() + (options.defer_threshold != 0);
    }
    size_t bytes() const; /* of all arrays */

    /* Every tensor's counts: the first's, and how much later each next one is. */
    void set_counts(uint64_t first, uint64_t stride = 0);

    /* Runs visit(part) on every thread's parts, side by side (see inside.h). */
    template <class Visit> void pass(const Visit &visit) const {
        bench_pass(
            optimizer.get(),
            [](void *context, const bench_part *part) { (*static_cast<const Visit *>(context))(*part); },
            const_cast<Visit *>(&visit));
    }

  private:
    const std::shared_ptr<Arrays> all;
    const glissade_sgd_options options;
    const gls_kernels *table;
    const bool tuned;
    const OptimizerHandle optimizer;
    const uint32_t group;
    glissade_step_options step_options;
    glissade_step_report last;
};

#endif
