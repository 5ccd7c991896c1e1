/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files without the library's metadata, as PyTorch's flattened state gives them: counts come from `step`, hyperparameters
 * stay, and what has another meaning there, or not enough to go on by, is refused.
 */
#include "states_model.h"

#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 200 };

static folder place;
static glissade_engine *engine;
static float ones[N];

static void setup(void) {
    scenario_clear_environment();
    folder_create(&place, FOLDER_MEMORY);
    engine = scenario_engine(2);
    for (size_t i = 0; i < N; i++)
        ones[i] = (float)(i + 1);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
    folder_destroy(&place);
}

TestSuite(states_foreign, .init = setup, .fini = teardown, .timeout = 60);

/* ---- the library's own files without what makes them its own ---- */

static void strip(const char *from, const char *to) {
    enum { MOST = 64 };
    glissade_file *file;
    made tensors[MOST];
    void *data[MOST];
    cr_assert_eq(glissade_file_open(from, &file, NULL), GLISSADE_STATUS_OK);
    const size_t count = glissade_file_count(file);
    for (size_t i = 0; i < count; i++) {
        glissade_file_tensor tensor = {.size = sizeof tensor};
        cr_assert_eq(glissade_file_get(file, i, &tensor), GLISSADE_STATUS_OK);
        data[i] = malloc(tensor.bytes + 1);
        const glissade_file_target target = {i, data[i]};
        cr_assert_eq(glissade_file_read(NULL, file, &target, 1, NULL, NULL), GLISSADE_STATUS_OK);
        tensors[i] = (made){.name = tensor.name, .dtype = tensor.dtype, .rank = tensor.rank, .data = data[i]};
        for (uint32_t d = 0; d < tensor.rank; d++)
            tensors[i].shape[d] = tensor.shape[d];
    }
    states_write(to, tensors, count, NULL);
    for (size_t i = 0; i < count; i++)
        free(data[i]);
    glissade_file_close(&file);
}

/* Rules that a file without metadata says enough of: those without numbers of their own. */
static bool can_go_on(const variant *by) {
    static const char *const cannot[] = {"nadam", "schedule_free_sgd", "schedule_free_adamw", "sgd nesterov",
                                         "sgd deferring"};
    for (size_t i = 0; i < sizeof cannot / sizeof *cannot; i++)
        if (strcmp(by->name, cannot[i]) == 0)
            return false;
    return true;
}

/* A run goes on to the bit where there was nothing to lose: SGD's momentum counts as updated once, which is all the
 * same to steps without debiasing. */
Test(states_foreign, every_rule_goes_on) {
    const char *path = folder_at(&place, "state"), *bare = folder_at(&place, "bare");
    for (size_t v = 0; v < variants_count(); v++) {
        const variant by = variant_at(v);
        const planned_group group[] = {
            {by.rule->name,
             by.values,
             {PLAIN("a", N), SHAPED("b", 300, 20, 15), {.name = "c", .length = 300, .columns = 15}}},
            {.rule = NULL}};
        glissade_load_options options = states_load_options();
        planned straight, resumed;
        if (!can_go_on(&by))
            continue;
        planned_create(&straight, engine, group, 1);
        planned_create(&resumed, engine, group, 2);
        planned_step(&resumed, 9);
        for (int i = 0; i < 3; i++)
            planned_step(&straight, i);
        states_save(straight.optimizer, path, true);
        strip(path, bare);
        options.parameters = true;
        states_load(resumed.optimizer, bare, &options);
        cr_assert_eq(planned_info(&resumed, 0).steps, by.rule == &rule_sgd ? 1 : 3, "%s", by.name);
        for (int i = 3; i < 5; i++) {
            planned_step(&straight, i);
            planned_step(&resumed, i);
        }
        for (size_t i = 0; i < straight.count; i++)
            cr_assert_arr_eq(straight.held[i].parameter, resumed.held[i].parameter,
                             straight.held[i].length * sizeof(float), "%s", by.name);
        planned_destroy(&straight);
        planned_destroy(&resumed);
    }
}

/* ---- files as PyTorch would give them ---- */

typedef struct attempt {
    const char *rule, *values;
    made tensors[6];
    glissade_status status;
    const char *names; /* of the message; or what the counts are to be */
    uint64_t steps, updates;
} attempt;

static const float three = 3, half_step = 2.5f, minus = -1, none = 0, not_a_number = NAN;
static const double three_wide = 3, huge = 0x1p63;
static const int64_t three_large = 3, minus_large = -1;
static const int32_t three_small = 3;

#define F32(name, ...)                                                                                       \
    { name, GLISSADE_FILE_F32, __VA_ARGS__ }
#define VECTOR(name)                                                                                         \
    { "state.0." name, GLISSADE_FILE_F32, 1, {N}, ones }
#define STEP(type, value)                                                                                    \
    { "state.0.step", GLISSADE_FILE_##type, 0, {0}, &value }
#define MOMENTS VECTOR("exp_avg"), VECTOR("exp_avg_sq")

static void attempt_load(const attempt *it, size_t number) {
    const char *path = folder_at(&place, "state");
    static float p[N], g[N];
    rule_options options;
    glissade_tensor tensor;
    uint32_t group;
    size_t count = 0;
    const rule *by = rule_find(it->rule);
    rule_defaults(by, &options);
    cr_assert_null(rule_assign(by, &options, it->values));
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = p;
    tensor.gradient = g;
    tensor.length = N;
    tensor.columns = strcmp(it->rule, "adafactor") == 0 ? 20 : 0;
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    cr_assert_eq(by->add(optimizer, &tensor, 1, &options, &group), GLISSADE_STATUS_OK);
    memset(g, 0, sizeof g);
    scenario_step(optimizer);
    while (count < 6 && it->tensors[count].name)
        count++;
    states_write(path, it->tensors, count, NULL);
    snapshot before = snapshot_take(optimizer);
    const glissade_status status = glissade_optimizer_load(optimizer, path, NULL, NULL);
    const char *message = glissade_optimizer_message(optimizer);
    cr_assert_eq(status, it->status, "%zu: %s, %s", number, glissade_status_name(status), message);
    if (status) {
        snapshot after = snapshot_take(optimizer);
        cr_assert(strstr(message, it->names) && strstr(message, path), "%zu: \"%s\" does not name %s", number,
                  message, it->names);
        cr_assert(snapshot_same(&before, &after));
        snapshot_free(&after);
    } else {
        const glissade_tensor_info info = scenario_info(optimizer, 0, 0);
        cr_assert(info.steps == it->steps && info.momentum_updates == it->updates, "%zu: %llu, %llu", number,
                  (unsigned long long)info.steps, (unsigned long long)info.momentum_updates);
        scenario_step(optimizer);
    }
    snapshot_free(&before);
    glissade_optimizer_destroy(&optimizer);
}

static void attempt_all(const attempt *all, size_t count) {
    for (size_t i = 0; i < count; i++)
        attempt_load(&all[i], i);
}

#define ATTEMPT(all) attempt_all(all, sizeof all / sizeof *all)

Test(states_foreign, steps) {
    static const attempt all[] = {
        {"adam", "", {MOMENTS, STEP(F32, three)}, 0, NULL, 3, 3},
        {"adam", "", {MOMENTS, STEP(F64, three_wide)}, 0, NULL, 3, 3},
        {"adam", "", {MOMENTS, STEP(I64, three_large)}, 0, NULL, 3, 3},
        {"adam", "", {MOMENTS, STEP(I32, three_small)}, 0, NULL, 3, 3},
        {"adam", "", {MOMENTS, {"state.0.step", GLISSADE_FILE_F32, 1, {1}, &three}}, 0, NULL, 3, 3},
        {"adam", "", {STEP(F32, none)}, 0, NULL, 0, 0},
        {"adam",
         "",
         {MOMENTS, STEP(F32, half_step)},
         GLISSADE_STATUS_MISMATCH,
         "\"state.0.step\" is 2.5",
         0,
         0},
        {"adam", "", {MOMENTS, STEP(F32, minus)}, GLISSADE_STATUS_MISMATCH, "\"state.0.step\" is -1", 0, 0},
        {"adam",
         "",
         {MOMENTS, STEP(I64, minus_large)},
         GLISSADE_STATUS_MISMATCH,
         "\"state.0.step\" is -1",
         0,
         0},
        {"adam",
         "",
         {MOMENTS, STEP(F32, not_a_number)},
         GLISSADE_STATUS_MISMATCH,
         "\"state.0.step\" is nan",
         0,
         0},
        {"adam", "", {MOMENTS, STEP(F64, huge)}, GLISSADE_STATUS_MISMATCH, "\"state.0.step\" is 9.22", 0, 0},
        {"adam",
         "",
         {MOMENTS, STEP(BF16, three)},
         GLISSADE_STATUS_MISMATCH,
         "\"state.0.step\" is BF16",
         0,
         0},
        {"adam",
         "",
         {MOMENTS, {"state.0.step", GLISSADE_FILE_F32, 1, {2}, ones}},
         GLISSADE_STATUS_MISMATCH,
         "accepted: one number",
         0,
         0},
        {"adam",
         "",
         {MOMENTS, {"state.0.step", GLISSADE_FILE_F32, 1, {0}, ones}},
         GLISSADE_STATUS_MISMATCH,
         "accepted: one number",
         0,
         0},
        {"adam", "", {MOMENTS}, GLISSADE_STATUS_MISMATCH, "of tensor \"0\" there is no \"step\"", 0, 0},
        {"lion", "", {VECTOR("exp_avg")}, 0, NULL, 1, 1},
        {"qhm", "", {VECTOR("momentum_buffer")}, 0, NULL, 1, 1},
        {"lars", "", {VECTOR("momentum_buffer")}, 0, NULL, 1, 1},
        {"rmsprop", "", {VECTOR("square_avg"), STEP(F32, three)}, 0, NULL, 3, 3},
    };
    ATTEMPT(all);
}

Test(states_foreign, momentum) {
    static const attempt all[] = {
        {"sgd", "momentum=0.9", {VECTOR("momentum_buffer")}, 0, NULL, 1, 1},
        {"sgd", "momentum=0.9", {VECTOR("momentum_buffer"), STEP(F32, three)}, 0, NULL, 3, 3},
        {"sgd", "momentum=0.9", {STEP(F32, three)}, 0, NULL, 3, 0},
        {"sgd", "", {STEP(F32, three)}, 0, NULL, 3, 0},
        {"sgd",
         "momentum=0.9 debias=1",
         {VECTOR("momentum_buffer")},
         GLISSADE_STATUS_MISMATCH,
         "there is no \"step\"",
         0,
         0},
        {"sgd", "momentum=0.9 debias=1", {VECTOR("momentum_buffer"), STEP(F32, three)}, 0, NULL, 3, 3},
        {"sgd", "", {VECTOR("momentum_buffer")}, GLISSADE_STATUS_MISMATCH, "state.0.momentum_buffer", 0, 0},
        {"sgd",
         "momentum=0.9",
         {{"0", GLISSADE_FILE_F32, 1, {N}, ones}},
         GLISSADE_STATUS_MISMATCH,
         "nothing of tensor \"0\"",
         0,
         0},
        {"sgd",
         "",
         {{"0", GLISSADE_FILE_F32, 1, {N}, ones}},
         GLISSADE_STATUS_MISMATCH,
         "nothing of tensor \"0\"",
         0,
         0},
    };
    ATTEMPT(all);
}

Test(states_foreign, arrays) {
    static const attempt all[] = {
        {"adam",
         "",
         {VECTOR("exp_avg"), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "there is no \"exp_avg_sq\"",
         0,
         0},
        {"adam",
         "",
         {MOMENTS, VECTOR("max_exp_avg_sq"), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "state.0.max_exp_avg_sq",
         0,
         0},
        {"adam", "amsgrad=1", {MOMENTS, VECTOR("max_exp_avg_sq"), STEP(F32, three)}, 0, NULL, 3, 3},
        {"adam",
         "",
         {MOMENTS, STEP(F32, three), {"state.1.step", GLISSADE_FILE_F32, 0, {0}, ones}},
         GLISSADE_STATUS_MISMATCH,
         "state.1.step",
         0,
         0},
        {"adam",
         "",
         {{"state.0.exp_avg", GLISSADE_FILE_F32, 2, {10, 20}, ones}, VECTOR("exp_avg_sq"), STEP(F32, three)},
         0,
         NULL,
         3,
         3},
        {"adam",
         "",
         {{"state.0.exp_avg", GLISSADE_FILE_F32, 2, {10, 19}, ones}, VECTOR("exp_avg_sq"), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "[10, 19]",
         0,
         0},
        {"rmsprop",
         "centered=1",
         {VECTOR("square_avg"), VECTOR("grad_avg"), VECTOR("momentum_buffer"), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "variance",
         0,
         0},
        {"schedule_free_adamw",
         "",
         {VECTOR("z"), VECTOR("exp_avg_sq"), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "no \"numbers\", without which",
         0,
         0},
        {"nadam",
         "",
         {MOMENTS, STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "no \"mu_product\", without which",
         0,
         0},
        {"nadam", "", {MOMENTS, STEP(F32, three), F32("state.0.mu_product", 0, {0}, ones)}, 0, NULL, 3, 3},
        {"nadam",
         "",
         {MOMENTS, STEP(F32, three), F32("state.0.mu_product", 0, {0}, &not_a_number)},
         GLISSADE_STATUS_MISMATCH,
         "mu_product\" is nan",
         0,
         0},
        {"adafactor",
         "",
         {F32("state.0.row_var", 2, {10, 1}, ones), F32("state.0.col_var", 2, {1, 20}, ones),
          STEP(F32, three)},
         0,
         NULL,
         3,
         3},
        {"adafactor",
         "",
         {F32("state.0.row_var", 2, {10, 1}, ones), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "there is \"row_var\", but no \"col_var\"",
         0,
         0},
        {"adafactor",
         "",
         {F32("state.0.col_var", 2, {1, 20}, ones), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "there is \"col_var\", but no \"row_var\"",
         0,
         0},
        {"adafactor",
         "",
         {F32("state.0.row_var", 2, {20, 1}, ones), F32("state.0.col_var", 2, {1, 20}, ones),
          STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "[20, 1]; accepted: [10, 1]",
         0,
         0},
        {"adafactor",
         "",
         {VECTOR("variance"), STEP(F32, three)},
         GLISSADE_STATUS_MISMATCH,
         "state.0.variance",
         0,
         0},
    };
    ATTEMPT(all);
}

/* PyTorch fills the sum before the first step. */
Test(states_foreign, what_was_never_stepped) {
    static const made tensors[] = {VECTOR("sum"), STEP(F32, none)};
    static float p[N], g[N];
    glissade_tensor tensor;
    glissade_adagrad_options options;
    uint32_t group;
    glissade_tensor_init(&tensor, sizeof tensor);
    glissade_adagrad_options_init(&options, sizeof options);
    tensor.parameter = p;
    tensor.gradient = g;
    tensor.length = N;
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    cr_assert_eq(glissade_optimizer_add_adagrad(optimizer, &tensor, 1, &options, &group), GLISSADE_STATUS_OK);
    scenario_step(optimizer);
    states_write(folder_at(&place, "state"), tensors, 2, NULL);
    states_load(optimizer, folder_at(&place, "state"), NULL);
    const glissade_tensor_info info = scenario_info(optimizer, 0, 0);
    cr_assert_eq(info.steps, 0);
    for (size_t i = 0; i < N; i++)
        cr_assert_eq(((const float *)info.state[0])[i], 0);
    glissade_optimizer_destroy(&optimizer);
}

/* Parameters alone are enough for what has no state, and for what may lack it. */
Test(states_foreign, parameters_alone) {
    static const made weights = {"a", GLISSADE_FILE_F32, 1, {N}, ones};
    const planned_group plain[] = {{"sgd", "", {PLAIN("a", N)}}, {.rule = NULL}},
                        full[] = {{"adam", "", {PLAIN("a", N)}}, {.rule = NULL}};
    glissade_load_options options = states_load_options();
    const char *path = folder_at(&place, "state");
    planned a, b;
    planned_create(&a, engine, plain, 1);
    planned_create(&b, engine, full, 1);
    planned_step(&a, 1);
    planned_step(&b, 1);
    options.parameters = true;
    states_write(path, &weights, 1, NULL);
    states_load(a.optimizer, path, &options);
    cr_assert_eq(glissade_optimizer_load(b.optimizer, path, &options, NULL), GLISSADE_STATUS_MISMATCH);
    options.ignore_missing = true;
    states_load(b.optimizer, path, &options);
    cr_assert_arr_eq(a.held[0].parameter, ones, sizeof ones);
    cr_assert_arr_eq(b.held[0].parameter, ones, sizeof ones);
    cr_assert(planned_info(&a, 0).steps == 1 && planned_info(&b, 0).steps == 1);
    planned_destroy(&a);
    planned_destroy(&b);
}
