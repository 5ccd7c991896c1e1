/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common ground of the engine-level tests: engines, models with reproducible values, and the update rule
 * written out once more, element by element, from the text of glissade/sgd.h. Knows no test framework, so
 * that forked children and the stress program can use it too: what must not fail ends the process.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include "glissade/glissade.h"

enum { MODEL_TENSORS = 8 };

/*
 * Whether a child may allocate memory whatever the parent's other threads were doing when it was forked. glibc sees to
 * that; the allocators of some sanitizers (gcc 12's among them) keep a lock that a thread of the parent held, and the
 * child waits for it for ever.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SCENARIO_FORKS_ANY_TIME false
#else
#define SCENARIO_FORKS_ANY_TIME true
#endif

/* Parameters, gradients, momentum and residuals of a few tensors, with what else the library should know. */
typedef struct model {
    size_t count;
    size_t length[MODEL_TENSORS];
    float *p[MODEL_TENSORS], *g[MODEL_TENSORS], *m[MODEL_TENSORS], *r[MODEL_TENSORS];
    uint64_t t[MODEL_TENSORS], k[MODEL_TENSORS];
    uint64_t acted[MODEL_TENSORS];
    double rms[MODEL_TENSORS];
    bool holds[MODEL_TENSORS]; /* the next step takes the residual into account */
    bool has_residual;         /* the library gives one to every tensor */
    bool own_momentum;         /* m is handed to the library, which otherwise has its own */
    bool own_residual;         /* so is r; set by model_own_residual */
    float *memory;
    size_t floats;
} model;

/* Ends the process with a line on stderr unless the condition holds. */
#define REQUIRE(condition, ...)                                                                              \
    do {                                                                                                     \
        if (!(condition))                                                                                    \
            scenario_die(__FILE__, __LINE__, __VA_ARGS__);                                                   \
    } while (0)
__attribute__((noreturn, format(printf, 3, 4))) void scenario_die(const char *file, int line,
                                                                  const char *format, ...);

/* How often to repeat what depends on timing: TEST_RUNS in the environment, or 20. */
unsigned scenario_runs(void);

/* Takes every GLISSADE_ variable out of the environment. */
void scenario_clear_environment(void);

/* ---- models ---- */

/* The value of element i of array `array` of whatever `seed` stands for: normal numbers of many magnitudes,
 * now and then zero or a subnormal. */
float scenario_value(uint64_t seed, uint64_t array, size_t i);

/* Parameters are filled, gradients zero. Arrays lie `offset` floats after a multiple of 64 bytes. */
void model_create(model *it, const size_t *lengths, size_t count, bool own_momentum, size_t offset);
/* Residuals are handed to the library, too, and count from the first step on. */
void model_own_residual(model *it);
/* Seven tensors, 90,685 elements, one of them empty: enough for the team. */
void model_create_usual(model *it, bool own_momentum);
void model_copy(model *to, const model *from);
void model_destroy(model *it);
/* Gradients of a step, the same for every model of these lengths. */
void model_fill_gradients(model *it, uint64_t step);
uint64_t model_hash(const model *it);
/* NULL if parameters and gradients have the same bits, else where they first differ. */
const char *model_difference(const model *a, const model *b);

/* The step of glissade/sgd.h for every tensor whose bit in `present` is set, on the model's own state. */
void model_reference_step(model *it, const glissade_sgd_options *rule, double gradient_scale,
                          bool zero_gradients, uint32_t present);

/* ---- the library ---- */

/* `threads` threads even where there are fewer CPUs. */
glissade_engine *scenario_engine(uint32_t threads);
glissade_optimizer *scenario_optimizer(glissade_engine *engine);
/* Adds the whole model as one group, gradients present. */
uint32_t scenario_add(glissade_optimizer *optimizer, model *it, const glissade_sgd_options *rule);
/* Momentum, dampening, coupled decay. */
glissade_sgd_options scenario_rule(double momentum);
void scenario_step(glissade_optimizer *optimizer);
glissade_tensor_info scenario_info(glissade_optimizer *optimizer, uint32_t group, uint32_t tensor);
/* NULL if counts, momentum and what deferral leaves behind are those of the model, else what is not. */
const char *scenario_state_difference(glissade_optimizer *optimizer, uint32_t group, const model *it);

/* A training run of the usual model on the engine, and what it should give: hashes of the parameters. */
uint64_t scenario_train(glissade_engine *engine, uint64_t steps);
uint64_t scenario_expected(uint64_t steps);

#endif
