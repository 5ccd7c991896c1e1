/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State that PyTorch left (goldens/state/torch_*.safetensors, which make_torch.py beside them made and describes), loaded
 * and gone on with: the parameters must be where PyTorch's own next steps take them. Errors are measured, and bounded, as
 * in rules.c: in ulps of the largest parameter or update of their element so far, and beside PyTorch its own distance
 * from float64 is allowed, too. interop/torch_state.py does the same for more optimizers, and the other way round, with
 * PyTorch itself.
 */
#include "recorded.h"
#include "rules_replay.h"
#include "scenario.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 20 }; /* of which the goldens record the second half */

#define GOLDEN(name) GOLDENS_DIR "/state/torch_" name ".safetensors"

static glissade_engine *engine;
static glissade_optimizer *optimizer;
static recorded training;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
    optimizer = scenario_optimizer(engine);
}

static void teardown(void) {
    recorded_close(&training);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
}

TestSuite(states_torch, .init = setup, .fini = teardown, .timeout = 60);

#define GOOD(call)                                                                                           \
    do {                                                                                                     \
        const char *wrong_ = (call);                                                                         \
        cr_assert_null(wrong_, "%s: %s", #call, wrong_);                                                     \
    } while (0)

static void load(const char *path, bool plain, uint64_t arrays) {
    glissade_load_options options;
    glissade_load_report report = {.size = sizeof report};
    glissade_load_options_init(&options, sizeof options);
    options.ignore_missing = plain; /* it says nothing of a tensor that was never stepped */
    cr_assert_eq(glissade_optimizer_load(optimizer, path, &options, &report), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(optimizer));
    cr_assert_eq(report.tensors, training.tensor_count - plain);
    cr_assert_eq(report.missing, plain);
    cr_assert_eq(report.arrays, arrays);
    cr_assert_eq(report.extra, 0);
    cr_assert_not(report.verified);
}

/* Distances in ulps of reach; a NaN is as far away as can be. */
static double distance(double a, double b, double reach) {
    const double ulps = fabs(a - b) / rules_ulp(reach);
    return ulps >= 0 ? ulps : INFINITY;
}

static double compare(const recorded_tensor *tensor) {
    const size_t n = tensor->length;
    const float *got = tensor->parameter.data;
    float *after = recorded_read(&training, "after", tensor->name, n * sizeof *after);
    double *exact = recorded_read(&training, "exact", tensor->name, n * sizeof *exact),
           *reach = recorded_read(&training, "reach", tensor->name, n * sizeof *reach), worst = 0;
    const double allowed = rules_bound(STEPS);
    cr_assert(after && exact && reach, "%s is not whole in the golden", tensor->name);
    for (size_t i = 0; i < n; i++) {
        const double own = distance((double)after[i], exact[i], reach[i]),
                     off = distance((double)got[i], exact[i], reach[i]),
                     apart = distance((double)got[i], (double)after[i], reach[i]);
        cr_assert(
            off <= allowed && apart <= allowed + own,
            "%s[%zu] is %a, not %a: %.2f ulp from float64 and %.2f from PyTorch, allowed %.2f and %.2f more",
            tensor->name, i, (double)got[i], (double)after[i], off, apart, allowed, own);
        worst = fmax(worst, apart);
    }
    free(after);
    free(exact);
    free(reach);
    return worst;
}

static uint64_t steps_of(const recorded_tensor *tensor) {
    return scenario_info(optimizer, tensor->place.group, tensor->place.index).steps;
}

/* `counted`: whether the state knows how many steps there were. */
static void go_on(const char *steps, const char *state, bool plain, bool counted) {
    double worst = 0;
    GOOD(recorded_open(&training, steps));
    GOOD(recorded_add(&training, optimizer));
    load(state, plain, (training.tensor_count - 1) * (counted ? 2 : 1));
    for (size_t i = 0; i < training.tensor_count; i++) {
        const bool late = training.tensors[i].gradients < training.steps;
        cr_assert_eq(steps_of(&training.tensors[i]),
                     late      ? 0
                     : counted ? STEPS - training.steps
                               : 1,
                     "%s", training.tensors[i].name);
    }
    GOOD(recorded_train(&training, optimizer));
    for (size_t i = 0; i < training.tensor_count; i++)
        worst = fmax(worst, compare(&training.tensors[i]));
    cr_log_info("%s: %.2f ulp from PyTorch, allowed %.2f", state, worst, rules_bound(STEPS));
}

/* Hyperparameters come with the state: those in the optimizer are others. */
static void go_on_with_hyperparameters(const char *steps, const char *state, bool counted) {
    static recorded known;
    GOOD(recorded_open(&known, steps));
    GOOD(recorded_open(&training, steps));
    for (size_t i = 0; i < training.group_count; i++)
        rule_defaults(training.groups[i].rule, &training.groups[i].options);
    GOOD(recorded_add(&training, optimizer));
    load(state, false, (training.tensor_count - 1) * (counted ? 2 : 1));
    for (size_t i = 0; i < training.group_count; i++) {
        const rule *it = training.groups[i].rule;
        rule_options got = {.size = it->size};
        const uint32_t group = training.tensors[training.groups[i].first].place.group;
        cr_assert_eq(it->get(optimizer, group, &got), GLISSADE_STATUS_OK);
        for (const rule_field *field = it->fields(); field->name; field++)
            cr_assert(rule_read(field, &got) == rule_read(field, &known.groups[i].options),
                      "%s of group %zu is %a", field->name, i, rule_read(field, &got));
    }
    recorded_close(&known);
    GOOD(recorded_train(&training, optimizer));
    for (size_t i = 0; i < training.tensor_count; i++)
        (void)compare(&training.tensors[i]);
}

Test(states_torch, sgd) {
    go_on(GOLDEN("sgd_steps"), GOLDEN("sgd"), false, false);
}

Test(states_torch, sgd_without_metadata) {
    go_on(GOLDEN("sgd_steps"), GOLDEN("sgd_plain"), true, false);
}

Test(states_torch, sgd_with_hyperparameters) {
    go_on_with_hyperparameters(GOLDEN("sgd_steps"), GOLDEN("sgd"), false);
}

Test(states_torch, adamw) {
    go_on(GOLDEN("adamw_steps"), GOLDEN("adamw"), false, true);
}

Test(states_torch, adamw_without_metadata) {
    go_on(GOLDEN("adamw_steps"), GOLDEN("adamw_plain"), true, true);
}

Test(states_torch, adamw_with_hyperparameters) {
    go_on_with_hyperparameters(GOLDEN("adamw_steps"), GOLDEN("adamw"), true);
}

/* Without the option a file that says nothing of a tensor is refused, by the tensor's name. */
Test(states_torch, what_a_plain_file_lacks) {
    GOOD(recorded_open(&training, GOLDEN("adamw_steps")));
    GOOD(recorded_add(&training, optimizer));
    cr_assert_eq(glissade_optimizer_load(optimizer, GOLDEN("adamw_plain"), NULL, NULL),
                 GLISSADE_STATUS_MISMATCH);
    cr_assert(strstr(glissade_optimizer_message(optimizer), "\"late\""), "%s",
              glissade_optimizer_message(optimizer));
}
