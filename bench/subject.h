/* SPDX-License-Identifier: Apache-2.0 */
/* What a benchmark steps: an optimizer of one group over a model's arrays. */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <cstddef>
#include <cstdint>
#include <memory>

#include "arrays.h"
#include "engine.h"
#include "formats.h"
#include "rules.h"

/* Every default. */
glissade_step_options step_options();

class Subject {
  public:
    /* Floats under SGD, whose momentum is the arrays': all who step these arrays share it. */
    Subject(const Engine &engine, const std::shared_ptr<Arrays> &arrays, const glissade_sgd_options &options);
    /* Any rule in any format, which the arrays' elements must have. What it keeps is the library's. */
    Subject(const Engine &engine, const std::shared_ptr<Arrays> &arrays, const Format &format,
            const Rule &rule);
    Subject(const Subject &) = delete;
    Subject &operator=(const Subject &) = delete;

    void step(const glissade_step_options &options);
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
        return table;
    }
    Arrays &arrays() const {
        return *all;
    }
    const Placed *copies() const { /* of the parameters; NULL without */
        return rounded.get();
    }
    size_t bytes() const { /* of all arrays */
        return bench_bytes(optimizer.get());
    }

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
    Subject(const Engine &engine, const std::shared_ptr<Arrays> &arrays);
    void add(const Rule &rule, const std::vector<glissade_tensor> &tensors);

    const std::shared_ptr<Arrays> all;
    std::unique_ptr<Placed> rounded;
    const gls_kernels &table;
    const bool tuned;
    const OptimizerHandle optimizer;
    uint32_t group = 0;
    glissade_step_report last = {};
};

#endif
