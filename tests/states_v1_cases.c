/* SPDX-License-Identifier: Apache-2.0 */
/* Cases of format version 1 (see states_v1_cases.h). */
#include "states_v1_cases.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const v1_case cases[] = {
    {"sgd",
     {{.rule = "sgd",
       .values = "learning_rate=0.05 momentum=0.75 dampening=0.5 weight_decay=0.01 defer_threshold=0.5 "
                 "defer_unit=1",
       .lengths = {40, 7},
       .columns = 8,
       .labelled = true},
      {.rule = "sgd",
       .values = "learning_rate=0.1 momentum=0.9 dampening=0.9 nesterov=1 debias=1 weight_decay=0.02 decay=1 "
                 "maximize=1",
       .lengths = {12, 1, 3}}}},
    {"adam",
     {{.rule = "adam",
       .values = "weight_decay=0.01 amsgrad=1",
       .lengths = {24, 5},
       .columns = 6,
       .average = 0.75,
       .labelled = true},
      {.rule = "adam",
       .values = "decay=0 weight_decay=0.1 debias=0 cautious=1 beta1=0.8 eps=1e-4",
       .lengths = {9, 4, 3}}}},
    {"eight_bit",
     {{.rule = "adam", .formats = {.state = GLISSADE_STATE_Q8}, .lengths = {300, 5}, .labelled = true},
      {.rule = "lion",
       .values = "weight_decay=0.1",
       .formats = {.copy = GLISSADE_DTYPE_BF16, .state = GLISSADE_STATE_Q8},
       .lengths = {520, 256, 3}}}},
    {"halves",
     {{.rule = "adam",
       .values = "weight_decay=0.01",
       .formats = {.parameter = GLISSADE_DTYPE_BF16,
                   .gradient = GLISSADE_DTYPE_BF16,
                   .master = GLISSADE_MASTER_SPLIT,
                   .state = GLISSADE_STATE_BF16_STOCHASTIC},
       .lengths = {33, 6},
       .labelled = true},
      {.rule = "rmsprop",
       .values = "momentum=0.9 centered=1",
       .formats = {.parameter = GLISSADE_DTYPE_F16,
                   .gradient = GLISSADE_DTYPE_F16,
                   .master = GLISSADE_MASTER_F32,
                   .state = GLISSADE_STATE_BF16},
       .lengths = {17, 2, 3}}}},
    {"schedule_free",
     {{.rule = "schedule_free_adamw",
       .values = "weight_decay=0.01 warmup_steps=3",
       .lengths = {21, 5},
       .labelled = true,
       .evaluation = true},
      {.rule = "schedule_free_sgd", .values = "r=0.5", .lengths = {11, 2, 3}}}},
    {"nadam_adafactor",
     {{.rule = "nadam",
       .formats = {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64},
       .lengths = {15, 4},
       .labelled = true},
      {.rule = "adafactor", .values = "learning_rate=0.05", .lengths = {48, 5, 3}, .columns = 8}}},
};

size_t v1_count(void) {
    return sizeof cases / sizeof *cases;
}

const v1_case *v1_at(size_t index) {
    return &cases[index];
}

/* ---- optimizers ---- */

static void must(glissade_status status, const v1_run *run, const char *what) {
    REQUIRE(!status, "%s: %s: %s", run->it->name, what, glissade_optimizer_message(run->optimizer));
}

static void name_tensors(const v1_run *run, uint32_t group) {
    static const char *const names[V1_TENSORS] = {"layer.0.weight", "the \"gain\" \\ of \xc3\xa9",
                                                  "empty/../x"};
    const v1_group *it = &run->it->groups[group];
    const uint64_t shape[3] = {it->columns ? it->lengths[0] / it->columns : it->lengths[0], 1,
                               it->columns ? it->columns : 1};
    glissade_label labels[V1_TENSORS] = {{0}};
    for (size_t i = 0; i < V1_TENSORS; i++)
        labels[i] = (glissade_label){.size = sizeof *labels, .name = names[i]};
    labels[0].rank = 3;
    labels[0].shape = shape;
    must(glissade_optimizer_set_labels(run->optimizer, run->groups[group], labels, V1_TENSORS), run,
         "labels");
}

static void fill(held *tensor, bool gradient, uint64_t seed, uint64_t array) {
    float values[600];
    REQUIRE(tensor->length <= 600, "%zu elements", tensor->length);
    for (size_t i = 0; i < tensor->length; i++)
        values[i] = scenario_value(seed, array, i);
    array_write(gradient ? tensor->layout.gradient : tensor->layout.parameter,
                gradient ? tensor->gradient : tensor->parameter, values, tensor->length);
}

static void add_group(v1_run *run, uint32_t group, bool begins) {
    const v1_group *it = &run->it->groups[group];
    const rule *by = rule_find(it->rule);
    glissade_tensor descriptors[V1_TENSORS];
    rule_options options;
    REQUIRE(by, "there is no rule %s", it->rule);
    rule_defaults(by, &options);
    REQUIRE(!rule_assign(by, &options, it->values ? it->values : ""), "values of %s", it->rule);
    for (uint32_t i = 0; i < V1_TENSORS; i++) {
        held *tensor = &run->tensors[group][i];
        held_create(tensor, &it->formats, it->lengths[i], 0, false);
        tensor->columns = i == 0 ? it->columns : 0;
        if (begins)
            fill(tensor, false, 1, group * V1_TENSORS + i);
        descriptors[i] = held_descriptor(tensor);
    }
    must(by->add(run->optimizer, descriptors, V1_TENSORS, &options, &run->groups[group]), run, it->rule);
    if (it->labelled)
        name_tensors(run, group);
    if (it->average != 0 && begins)
        must(glissade_optimizer_set_average(run->optimizer, run->groups[group], it->average), run, "average");
}

void v1_create(v1_run *run, const v1_case *it, glissade_engine *engine, bool begins) {
    *run = (v1_run){.it = it, .optimizer = scenario_optimizer(engine)};
    must(glissade_optimizer_set_seed(run->optimizer, begins ? 77 : 0), run, "seed");
    for (uint32_t g = 0; g < V1_GROUPS; g++)
        add_group(run, g, begins);
}

void v1_destroy(v1_run *run) {
    glissade_optimizer_destroy(&run->optimizer);
    for (size_t g = 0; g < V1_GROUPS; g++)
        for (size_t i = 0; i < V1_TENSORS; i++)
            held_destroy(&run->tensors[g][i]);
}

/* ---- steps ---- */

static void set_points(v1_run *run, glissade_point point) {
    for (uint32_t g = 0; g < V1_GROUPS; g++)
        if (run->it->groups[g].evaluation)
            must(glissade_optimizer_set_point(run->optimizer, run->groups[g], point), run, "point");
}

/* The last tensor of all has no gradient before the save, and one of the others none in the second step. */
static bool is_present(uint32_t group, uint32_t tensor, int step) {
    if (group == V1_GROUPS - 1 && tensor == V1_TENSORS - 1)
        return step >= V1_BEFORE;
    return group != 0 || tensor != 1 || step != 1;
}

void v1_train(v1_run *run, int first, int end) {
    set_points(run, GLISSADE_POINT_TRAINING);
    for (int step = first; step < end; step++) {
        for (uint32_t g = 0; g < V1_GROUPS; g++)
            for (uint32_t i = 0; i < V1_TENSORS; i++) {
                held *tensor = &run->tensors[g][i];
                fill(tensor, true, (uint64_t)step + 10, g * V1_TENSORS + i);
                must(glissade_optimizer_set_gradient(run->optimizer, (glissade_tensor_ref){run->groups[g], i},
                                                     is_present(g, i, step) ? tensor->gradient : NULL),
                     run, "gradient");
            }
        must(glissade_optimizer_step(run->optimizer, NULL, NULL), run, "step");
    }
}

/* One tensor of adam's has made more steps than a float counts. */
static void count_far(v1_run *run) {
    const uint64_t steps = ((uint64_t)1 << 24) + 5;
    if (strcmp(run->it->name, "adam") == 0)
        must(glissade_optimizer_set_counts(run->optimizer, (glissade_tensor_ref){run->groups[0], 1}, steps,
                                           steps),
             run, "counts");
}

glissade_status v1_save(v1_run *run, const char *path) {
    const glissade_file_text line = {"a \"key\"", "of the caller's, with \xc3\xa9"};
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    options.parameters = true;
    options.metadata = &line;
    options.lines = 1;
    count_far(run);
    set_points(run, GLISSADE_POINT_EVALUATION);
    return glissade_optimizer_save(run->optimizer, path, &options, NULL);
}

glissade_status v1_load(v1_run *run, const char *path, glissade_load_report *report) {
    glissade_load_options options;
    glissade_load_options_init(&options, sizeof options);
    options.parameters = options.need_checksums = true;
    return glissade_optimizer_load(run->optimizer, path, &options, report);
}

/* ---- digests ---- */

/* FNV-1a. */
static uint64_t digest(uint64_t hash, const void *bytes, size_t count) {
    for (size_t i = 0; bytes && i < count; i++)
        hash = (hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

/* Which NaN comes of a NaN is the machine's affair: there must be none. */
static uint64_t digest_tensor(uint64_t hash, const v1_run *run, uint32_t group, uint32_t index) {
    const glissade_tensor_info it = scenario_info(run->optimizer, run->groups[group], index);
    const size_t n = it.length;
    const bool wide = it.parameter_dtype == GLISSADE_DTYPE_F64,
               factored = strcmp(run->it->groups[group].rule, "adafactor") == 0 && it.columns;
    for (size_t i = 0; i < n; i++)
        REQUIRE(isfinite(array_read(it.parameter_dtype, it.parameter, i)), "%s: a parameter is not finite",
                run->it->name);
    hash = digest(hash, it.parameter, n * dtype_bytes(it.parameter_dtype));
    for (int s = 0; s < GLISSADE_STATES; s++) {
        const size_t elements = factored && s == 0 ? n / it.columns + it.columns : n;
        hash = digest(hash, it.state[s], glissade_state_bytes(it.state_format[s], elements, wide));
    }
    hash = digest(hash, it.master_state, n * (it.master == GLISSADE_MASTER_SPLIT ? 2 : 4));
    hash = digest(hash, it.average, n * sizeof(float));
    hash = digest(hash, it.residual, n * sizeof(float));
    const uint64_t counts[2] = {it.steps, it.momentum_updates};
    hash = digest(hash, counts, sizeof counts);
    hash = digest(hash, &it.gradient_rms, sizeof it.gradient_rms);
    return digest(hash, it.numbers, sizeof it.numbers);
}

uint64_t v1_digest(const v1_run *run) {
    uint64_t hash = 0xcbf29ce484222325u;
    for (uint32_t g = 0; g < V1_GROUPS; g++)
        for (uint32_t i = 0; i < V1_TENSORS; i++)
            hash = digest_tensor(hash, run, g, i);
    return hash;
}
