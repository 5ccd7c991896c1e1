/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A model's arrays in memory, filled. They are kept from one benchmark to the next, because filling gigabytes takes
 * longer than stepping them.
 */
#ifndef BENCH_ARRAYS_H
#define BENCH_ARRAYS_H

#include <cstddef>
#include <memory>

#include "engine.h"
#include "models.h"

/* An array for each tensor, placed as the first group of an optimizer is divided. Zero. */
class Placed {
  public:
    Placed(const Engine &engine, const Model &model, size_t element = sizeof(float));
    ~Placed();
    Placed(const Placed &) = delete;
    Placed &operator=(const Placed &) = delete;

    float *get(size_t tensor) const;
    /* One of a tensor's elements. */
    void *at(size_t tensor, size_t i) const;

  private:
    glissade_arrays *arrays = nullptr;
    const size_t element;
};

/* Of what numbers parameters and gradients are. */
struct Elements {
    glissade_dtype parameter, gradient;
};
constexpr Elements floats = {GLISSADE_DTYPE_F32, GLISSADE_DTYPE_F32};
size_t size_of(glissade_dtype dtype);

/* Parameters and gradients of a model, and a momentum for those who share one. */
class Arrays {
  public:
    Arrays(const Engine &engine, const Model &model, Elements elements);

    /* Parameters and gradients bell-shaped about 0 with deviations 0.02 and 0.001; momentum 0; no subnormals but of
     * half precision. */
    void fill(const Engine &engine);

    /* Descriptors of all tensors, without state. */
    std::vector<glissade_tensor> tensors() const;
    /* Made, zero, when it is first asked for. */
    const Placed &momenta(const Engine &engine);

    const Model model;
    const Elements elements;
    const Placed parameters, gradients;
    bool spoilt = true; /* set by who writes values that others should not find; the next user refills */

  private:
    std::unique_ptr<Placed> momentum;
};

/*
 * Filled arrays, kept for the next who asks the same. `copy` tells apart sets that are used side by side. The
 * least recently used go when all together exceed half of the free memory; a model that does not fit is
 * refused.
 */
std::shared_ptr<Arrays> arrays_for(const Engine &engine, const Model &model, int copy = 0,
                                   Elements elements = floats);

#endif
