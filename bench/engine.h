/* SPDX-License-Identifier: Apache-2.0 */
/* Engines and empty optimizers, for C++. Failures of the library are thrown. */
#ifndef BENCH_ENGINE_H
#define BENCH_ENGINE_H

#include <cstdint>
#include <memory>

#include "library.h"

/* Throws std::runtime_error, saying what was tried and why it failed. */
[[noreturn]] void fail(glissade_status status, const char *what);

inline void check(glissade_status status, const char *what) {
    if (status)
        fail(status, what);
}

/* The same by what a creating call wrote. */
void check(const glissade_error &error, const char *what);

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
    const gls_kernels &kernels() const;

  private:
    glissade_engine *engine = nullptr;
};

/* An optimizer without groups. */
using OptimizerHandle = std::unique_ptr<glissade_optimizer, void (*)(glissade_optimizer *)>;
OptimizerHandle make_optimizer(const Engine &engine);

#endif
