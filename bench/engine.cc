// SPDX-License-Identifier: Apache-2.0
// Engines and empty optimizers (see engine.h).
#include "engine.h"

#include <stdexcept>
#include <string>

void fail(glissade_status status, const char *what) {
    throw std::runtime_error(std::string(what) + ": " + glissade_status_text(status));
}

void check(const glissade_error &error, const char *what) {
    if (error.status)
        throw std::runtime_error(std::string(what) + ": " + error.message);
}

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

const gls_kernels &Engine::kernels() const {
    return *gls_dispatch_kernels(info().isa);
}

OptimizerHandle make_optimizer(const Engine &engine) {
    glissade_optimizer *made = nullptr;
    check(glissade_optimizer_create(engine.get(), &made, nullptr), "making an optimizer");
    return {made, [](glissade_optimizer *optimizer) { glissade_optimizer_destroy(&optimizer); }};
}
