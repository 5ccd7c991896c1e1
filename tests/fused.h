/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of fused steps have in common. Included once by each source, which then is FUSED_SUITE(its name). */
#ifndef FUSED_H
#define FUSED_H

#include "formats_engine.h"

#include <criterion/criterion.h>

static const size_t lengths[] = {1, 300, 0, 1500, 5000};

enum { TENSORS = sizeof lengths / sizeof *lengths, MATRIX = 3, ABSENT = 1, STEPS = 3 };

static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
}

#define FUSED_SUITE(name) TestSuite(name, .init = setup, .fini = teardown, .timeout = 120)

#define OK(call, optimizer)                                                                                  \
    cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_optimizer_message(optimizer))

static inline glissade_step_options defaults(void) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    return options;
}

static inline glissade_step_report step(const fleet *tensors, const glissade_step_options *options) {
    glissade_step_report report = {.size = sizeof report};
    OK(glissade_optimizer_step(tensors->optimizer, options, &report), tensors->optimizer);
    return report;
}

static inline void create(fleet *tensors, const variant *by, const layout *formats) {
    const rule_options options = variant_options(by);
    fleet_create(tensors, formats, lengths, TENSORS, 0, false);
    tensors->tensors[MATRIX].columns = 50;
    fleet_fill_parameters(tensors, 1);
    cr_assert(fleet_add(tensors, engine, by->rule, &options), "%s refuses %s", by->name,
              layout_text(formats));
}

static inline void set_presence(const fleet *tensors, size_t tensor, bool present) {
    OK(glissade_optimizer_set_gradient(tensors->optimizer,
                                       (glissade_tensor_ref){tensors->group, (uint32_t)tensor},
                                       present ? tensors->tensors[tensor].gradient : NULL),
       tensors->optimizer);
}

/* Values of the steps' options. */
static const struct way {
    const char *name;
    double gradient_scale, clip_norm, clip_tensor_norm, clip_value, norm;
    uint32_t accumulated;
    uint32_t passes; /* that this adds to the rule's */
} ways[] = {
    {"scaled", 3, 0, 0, 0, -1, 1, 0},
    {"scaled, ascending", -0.7, 0, 0, 0, -1, 1, 0},
    {"sums of batches", 1, 0, 0, 0, -1, 7, 0},
    {"clipped", 1, 2.5, 0, 0, -1, 1, 1},
    {"clipped, norm known", 1, 2.5, 0, 0, 13, 1, 0},
    {"clipped, norm known to be little", 1, 2.5, 0, 0, 0.5, 1, 0},
    {"clipped, sums of scaled batches", 1024, 0.01, 0, 0, -1, 3, 1},
    {"not clipped", 1, 1e6, 0, 0, -1, 1, 1},
    {"clipped by tensor", 1, 0, 1.5, 0, -1, 1, 1},
    {"clipped by tensor and over all", -2, 3, 0.5, 0, -1, 2, 1},
    {"clipped by value", 1, 0, 0, 0.125, -1, 1, 0},
    {"clipped by value, sums of scaled batches", 5, 0, 0, 0.0625, -1, 3, 0},
    {"clipped in every way", 5, 2, 1, 0.03125, -1, 3, 1},
};

enum { WAYS = sizeof ways / sizeof *ways };

static inline glissade_step_options options_of(const struct way *way) {
    glissade_step_options options = defaults();
    options.gradient_scale = way->gradient_scale;
    options.clip_norm = way->clip_norm;
    options.clip_tensor_norm = way->clip_tensor_norm;
    options.clip_value = way->clip_value;
    options.norm = way->norm;
    options.accumulated = way->accumulated;
    return options;
}

#endif
