/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs that are interrupted: saved to a file, loaded into a new optimizer on an engine with another number of threads
 * and another instruction set, and gone on with. Every bit must be what it would have been, under every rule and with
 * every number format. In a new process it is the same, because nothing but the file goes from one to the other here
 * either: the new optimizer has been added with other hyperparameters, and other seeds.
 */
#include "states.h"

#include "emulated.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* None, a block and near it, a matrix, more than the team splits. */
static const size_t lengths[] = {0, 1, 255, 256, 300, 1000, 5000, 33000};
static const size_t columns[] = {0, 0, 0, 0, 0, 40, 50, 0};

enum { TENSORS = sizeof lengths / sizeof *lengths, ABSENT = 4, BEFORE = 2, AFTER = 2, ENGINES = 4 };

static glissade_engine *engines[ENGINES];
static folder place;

static glissade_engine *make_engine(uint32_t threads, bool scalar) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = threads;
    options.isa = scalar ? GLISSADE_ISA_SCALAR : GLISSADE_ISA_AUTO;
    options.oversubscribe = true;
    cr_assert_eq(glissade_engine_create(&options, &engine, NULL), GLISSADE_STATUS_OK);
    return engine;
}

static void setup(void) {
    static const uint32_t threads[ENGINES] = {2, 1, 3, 8};
    scenario_clear_environment();
    folder_create(&place, FOLDER_MEMORY);
    for (uint32_t i = 0; i < ENGINES; i++)
        engines[i] = make_engine(threads[i], i % 2);
}

static void teardown(void) {
    for (int i = 0; i < ENGINES; i++)
        glissade_engine_destroy(&engines[i]);
    folder_destroy(&place);
}

TestSuite(states_resume, .init = setup, .fini = teardown, .timeout = 240);

/* ---- a run ---- */

typedef struct scene {
    variant variant;
    layout layout;
    int number, step;
} scene;

static const char *text_of(const scene *it) {
    static char text[256];
    snprintf(text, sizeof text, "%s, %s, case %d", it->variant.name, layout_text(&it->layout), it->number);
    return text;
}

/* Other options than the run's, which the file has to bring. `own`: arrays are the test's. */
static bool create(const scene *it, fleet *tensors, glissade_engine *engine, bool fresh, bool own) {
    rule_options options;
    rule_defaults(it->variant.rule, &options);
    if (!fresh)
        options = variant_options(&it->variant);
    fleet_create(tensors, &it->layout, lengths, TENSORS, 3, own);
    for (size_t i = 0; i < TENSORS; i++)
        tensors->tensors[i].columns = columns[i];
    fleet_fill_parameters(tensors, fresh ? 99 : 1);
    for (size_t i = 0; i < TENSORS && own; i++)
        tensors->tensors[i].own = true;
    return fleet_add(tensors, engine, it->variant.rule, &options);
}

static void step(const scene *it, fleet *tensors, int number) {
    const glissade_tensor_ref absent = {tensors->group, ABSENT};
    fleet_fill_gradients(tensors, (uint64_t)number + 10);
    cr_assert_eq(glissade_optimizer_set_gradient(tensors->optimizer, absent,
                                                 number % 2 ? NULL : tensors->tensors[ABSENT].gradient),
                 GLISSADE_STATUS_OK);
    (void)it;
    fleet_step(tensors, NULL);
}

static void check_same(const scene *it, const fleet *a, const fleet *b, const char *when) {
    for (size_t i = 0; i < TENSORS; i++) {
        const char *difference = states_difference(a, i, b, i);
        cr_assert_null(difference, "%s: %s of tensor %zu %s", text_of(it), difference, i, when);
        cr_assert(held_intact(&b->tensors[i]), "%s: tensor %zu was left", text_of(it), i);
    }
}

static void copy_parameters(const fleet *from, fleet *to) {
    for (size_t i = 0; i < TENSORS; i++)
        memcpy(to->tensors[i].parameter, from->tensors[i].parameter,
               lengths[i] * dtype_bytes(from->tensors[i].layout.parameter));
}

static void resume(scene *it) {
    fleet straight, resumed;
    const char *path = folder_at(&place, "state.safetensors");
    glissade_load_options options = states_load_options();
    const bool averages = it->layout.parameter != GLISSADE_DTYPE_F64 && it->number % 4 != 3;
    if (!create(it, &straight, engines[it->number % ENGINES], false, it->number % 3 == 1)) {
        fleet_destroy(&straight);
        return;
    }
    cr_assert_eq(glissade_optimizer_set_seed(straight.optimizer, 20261123), GLISSADE_STATUS_OK);
    if (averages)
        cr_assert_eq(glissade_optimizer_set_average(straight.optimizer, straight.group, 0.9),
                     GLISSADE_STATUS_OK);
    for (int i = 0; i < BEFORE; i++)
        step(it, &straight, i);
    options.parameters = it->number % 2;
    states_save(straight.optimizer, path, options.parameters);
    cr_assert(create(it, &resumed, engines[(it->number + 1) % ENGINES], true, it->number % 3 == 2));
    step(it, &resumed, 77); /* a past of its own that must be gone without a trace */
    if (!options.parameters)
        copy_parameters(&straight, &resumed);
    states_load(resumed.optimizer, path, &options);
    if (options.parameters)
        check_same(it, &straight, &resumed, "when it was loaded");
    for (int i = 0; i < AFTER; i++) {
        step(it, &straight, BEFORE + i);
        step(it, &resumed, BEFORE + i);
    }
    check_same(it, &straight, &resumed, "afterwards");
    fleet_destroy(&straight);
    fleet_destroy(&resumed);
}

static struct criterion_test_params all_variants(void) {
    size_t *indices = cr_malloc(variants_count() * sizeof *indices);
    for (size_t i = 0; i < variants_count(); i++)
        indices[i] = i;
    return cr_make_param_array(size_t, indices, variants_count(), NULL);
}

ParameterizedTestParameters(states_resume, every_rule_and_format) {
    return all_variants();
}

ParameterizedTest(size_t *index, states_resume, every_rule_and_format) {
    scene it = {.variant = variant_at(*index)};
    for (int form = 0; form < FORMS; form++)
        for (glissade_state_format format = 0; format <= GLISSADE_STATE_Q8; format++) {
            it.layout = layout_of_form(form);
            if (form == FORM_F64 && format)
                continue;
            it.layout.state = format;
            it.number++;
            if (form != FORM_F64)
                it.layout.gradient = (glissade_dtype)((unsigned)it.number % 3);
            if (!emulated() || it.number % 5 == 0)
                resume(&it);
        }
}

/* ---- other ways ---- */

/* Changes one of a fleet's hyperparameters. */
static void change(fleet *it, const char *assignment) {
    rule_options options = it->options;
    options.size = it->rule->size;
    cr_assert_eq(it->rule->get(it->optimizer, it->group, &options), GLISSADE_STATUS_OK);
    cr_assert_null(rule_assign(it->rule, &options, assignment));
    cr_assert_eq(it->rule->set(it->optimizer, it->group, &options), GLISSADE_STATUS_OK, "%s: %s", assignment,
                 glissade_optimizer_message(it->optimizer));
}

/* Two fleets that are alike, the second of which comes from the first's file and its own past. */
static void pair_create(scene *it, const char *name, const char *values, fleet pair[2]) {
    it->variant = (variant){rule_find(name), name, values};
    for (int i = 0; i < 2; i++)
        cr_assert(create(it, &pair[i], engines[i], i, false));
}

static void pair_step(const scene *it, fleet pair[2], int number) {
    step(it, &pair[0], number);
    step(it, &pair[1], number);
    check_same(it, &pair[0], &pair[1], "after a step");
}

static void pair_hand_over(fleet pair[2]) {
    const char *path = folder_at(&place, "state.safetensors");
    glissade_load_options options = states_load_options();
    options.parameters = true;
    states_save(pair[0].optimizer, path, true);
    states_load(pair[1].optimizer, path, &options);
}

static void pair_destroy(fleet pair[2]) {
    fleet_destroy(&pair[0]);
    fleet_destroy(&pair[1]);
}

static void set_point(const fleet *it, glissade_point point) {
    cr_assert_eq(glissade_optimizer_set_point(it->optimizer, it->group, point), GLISSADE_STATUS_OK);
}

static void check_points(const char *name, glissade_point saved, glissade_point before) {
    scene it = {.layout = layout_of_form(3)};
    fleet pair[2];
    pair_create(&it, name, "warmup_steps=3", pair);
    for (int i = 0; i < 3; i++)
        step(&it, &pair[0], i);
    step(&it, &pair[1], 77);
    set_point(&pair[0], saved);
    set_point(&pair[1], before);
    pair_hand_over(pair);
    for (int i = 0; i < 2 && saved == GLISSADE_POINT_EVALUATION; i++) {
        cr_assert_eq(glissade_optimizer_step(pair[i].optimizer, NULL, NULL),
                     GLISSADE_STATUS_INVALID_COMBINATION);
        set_point(&pair[i], GLISSADE_POINT_TRAINING);
    }
    pair_step(&it, pair, 3);
    pair_step(&it, pair, 4);
    pair_destroy(pair);
}

Test(states_resume, points) {
    static const char *const rules[] = {"schedule_free_sgd", "schedule_free_adamw"};
    for (unsigned i = 0; i < 8; i++)
        check_points(rules[i & 1], (glissade_point)(i >> 1 & 1), (glissade_point)(i >> 2));
}

static bool has_residuals(const char *path) {
    glissade_file *file;
    bool any = false;
    cr_assert_eq(glissade_file_open(path, &file, NULL), GLISSADE_STATUS_OK);
    for (size_t i = 0; i < glissade_file_count(file); i++) {
        glissade_file_tensor tensor = {.size = sizeof tensor};
        cr_assert_eq(glissade_file_get(file, i, &tensor), GLISSADE_STATUS_OK);
        any = any || strstr(tensor.name, "residual");
    }
    glissade_file_close(&file);
    return any;
}

Test(states_resume, residuals_that_are_to_be_released) {
    scene it = {.layout = {0}};
    fleet pair[2];
    pair_create(&it, "sgd", "defer_threshold=0.5 momentum=0.5", pair);
    step(&it, &pair[0], 0);
    step(&it, &pair[0], 1);
    change(&pair[0], "defer_threshold=0");
    pair_hand_over(pair);
    cr_assert(has_residuals(folder_at(&place, "state.safetensors")));
    pair_step(&it, pair, 2);
    pair_step(&it, pair, 3);
    /* Nothing is left of them in the file, and so of those that were collected in the meantime. */
    change(&pair[1], "defer_threshold=0.25");
    step(&it, &pair[1], 88);
    pair_hand_over(pair);
    cr_assert(!has_residuals(folder_at(&place, "state.safetensors")));
    step(&it, &pair[0], 4);
    step(&it, &pair[1], 4);
    for (size_t i = 0; i < TENSORS; i++)
        cr_assert_arr_eq(pair[0].tensors[i].parameter, pair[1].tensors[i].parameter,
                         lengths[i] * sizeof(float));
    pair_destroy(pair);
}

/* What comes of a gradient that is not finite, the first of a tensor, more steps than a float counts. */
Test(states_resume, numbers_of_any_size) {
    static const double means[] = {0, 0x1p-1074, 0.1, HUGE_VAL, NAN};
    scene it = {.layout = {0}};
    fleet pair[2];
    pair_create(&it, "sgd", "defer_threshold=2 defer_unit=1 momentum=0.5", pair);
    for (uint32_t i = 0; i < 5; i++) {
        const glissade_tensor_ref ref = {pair[0].group, i};
        cr_assert_eq(glissade_optimizer_set_gradient_rms(pair[0].optimizer, ref, means[i]),
                     GLISSADE_STATUS_OK);
        cr_assert_eq(
            glissade_optimizer_set_counts(pair[0].optimizer, ref, INT64_MAX - i, (UINT64_C(1) << 40) + i),
            GLISSADE_STATUS_OK);
    }
    pair_hand_over(pair);
    for (uint32_t i = 0; i < 5; i++) {
        const glissade_tensor_info info = fleet_info(&pair[1], i);
        cr_assert(i == 4 ? info.gradient_rms != info.gradient_rms : info.gradient_rms == means[i]);
        cr_assert(info.steps == (uint64_t)INT64_MAX - i && info.momentum_updates == (UINT64_C(1) << 40) + i);
    }
    pair_destroy(pair);
    pair_create(&it, "adam", "", pair);
    const glissade_tensor_ref ref = {pair[0].group, 3};
    step(&it, &pair[0], 0);
    cr_assert_eq(glissade_optimizer_set_counts(pair[0].optimizer, ref, 16777217, 16777217),
                 GLISSADE_STATUS_OK);
    pair_hand_over(pair);
    cr_assert_eq(fleet_info(&pair[1], 3).steps, 16777217);
    pair_step(&it, pair, 1);
    pair_destroy(pair);
}

/* What is not in use for now goes on when it is again. */
Test(states_resume, arrays_that_are_kept) {
    scene it = {.layout = {0}};
    fleet pair[2];
    pair_create(&it, "adam", "amsgrad=1", pair);
    step(&it, &pair[0], 0);
    cr_assert_eq(glissade_optimizer_set_average(pair[0].optimizer, pair[0].group, 0.5), GLISSADE_STATUS_OK);
    step(&it, &pair[0], 1);
    cr_assert_eq(glissade_optimizer_set_average(pair[0].optimizer, pair[0].group, 1), GLISSADE_STATUS_OK);
    change(&pair[0], "amsgrad=0");
    pair_hand_over(pair);
    pair_step(&it, pair, 2);
    for (int i = 0; i < 2; i++) {
        change(&pair[i], "amsgrad=1");
        cr_assert_eq(glissade_optimizer_set_average(pair[i].optimizer, pair[i].group, 0.5),
                     GLISSADE_STATUS_OK);
    }
    pair_step(&it, pair, 3);
    pair_destroy(pair);
    pair_create(&it, "rmsprop", "centered=1 momentum=0.5", pair);
    step(&it, &pair[0], 0);
    change(&pair[0], "centered=0 momentum=0");
    pair_hand_over(pair);
    for (int i = 0; i < 2; i++)
        change(&pair[i], "centered=1 momentum=0.5");
    pair_step(&it, pair, 1);
    pair_destroy(pair);
}

/* A file of a run that was never stepped takes back what was. */
Test(states_resume, from_the_beginning) {
    for (size_t v = 0; v < variants_count(); v++) {
        scene it = {.layout = {.state = GLISSADE_STATE_BF16}};
        fleet pair[2];
        pair_create(&it, variant_at(v).rule->name, variant_at(v).values, pair);
        step(&it, &pair[1], 77);
        pair_hand_over(pair);
        pair_step(&it, pair, 0);
        pair_step(&it, pair, 1);
        pair_destroy(pair);
    }
}

/* ---- other places ---- */

enum { PLACES = 3, LENGTH = 5000 };

/* Three tensors under names, in groups of adam, rounded stochastically. */
typedef struct named {
    glissade_optimizer *optimizer;
    float p[PLACES][LENGTH], g[PLACES][LENGTH];
    glissade_tensor_ref at[PLACES];
} named;

static void named_create(named *it, glissade_engine *engine) {
    it->optimizer = scenario_optimizer(engine);
    for (size_t i = 0; i < PLACES; i++)
        for (size_t j = 0; j < LENGTH; j++)
            it->p[i][j] = scenario_value(1, i, j);
}

/* A group of the tensors of these places. */
static void named_add(named *it, const size_t *places, size_t count) {
    static const char *const names[PLACES] = {"first", "second.weight", "third"};
    glissade_tensor tensors[PLACES];
    glissade_label labels[PLACES];
    glissade_adam_options options;
    uint32_t group;
    glissade_adam_options_init(&options, sizeof options);
    for (size_t i = 0; i < count; i++) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = it->p[places[i]];
        tensors[i].gradient = it->g[places[i]];
        tensors[i].length = LENGTH;
        tensors[i].state_format[0] = tensors[i].state_format[1] = GLISSADE_STATE_BF16_STOCHASTIC;
        labels[i] = (glissade_label){.size = sizeof *labels, .name = names[places[i]]};
    }
    cr_assert_eq(glissade_optimizer_add_adam(it->optimizer, tensors, count, &options, &group),
                 GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_set_labels(it->optimizer, group, labels, count), GLISSADE_STATUS_OK);
    for (size_t i = 0; i < count; i++)
        it->at[places[i]] = (glissade_tensor_ref){group, (uint32_t)i};
}

static void named_step(named *it, int number) {
    for (size_t i = 0; i < PLACES; i++)
        for (size_t j = 0; j < LENGTH; j++)
            it->g[i][j] = scenario_value((uint64_t)number + 10, i, j);
    scenario_step(it->optimizer);
}

static void named_compare(const named *a, const named *b) {
    for (size_t i = 0; i < PLACES; i++) {
        const glissade_tensor_info x = scenario_info(a->optimizer, a->at[i].group, a->at[i].index),
                                   y = scenario_info(b->optimizer, b->at[i].group, b->at[i].index);
        cr_assert_arr_eq(a->p[i], b->p[i], sizeof a->p[i], "parameter %zu", i);
        for (int s = 0; s < 2; s++)
            cr_assert_arr_eq(x.state[s], y.state[s], LENGTH * sizeof(uint16_t), "state %d of %zu", s, i);
    }
}

/* Groups and tensors in another order, after a group that is no more; and a group more, which has random bits of its own. */
Test(states_resume, in_another_order) {
    static const size_t both[] = {0, 1}, third[] = {2}, swapped[] = {1, 0};
    static named straight, resumed;
    const char *path = folder_at(&place, "state.safetensors");
    glissade_load_options options = states_load_options();
    options.parameters = true;
    named_create(&straight, engines[0]);
    named_add(&straight, third, 1);
    cr_assert_eq(glissade_optimizer_remove_group(straight.optimizer, 0), GLISSADE_STATUS_OK);
    named_add(&straight, both, 2);
    named_add(&straight, third, 1);
    cr_assert_eq(glissade_optimizer_set_seed(straight.optimizer, 5), GLISSADE_STATUS_OK);
    named_step(&straight, 0);
    states_save(straight.optimizer, path, true);
    named_create(&resumed, engines[2]);
    named_add(&resumed, third, 1);
    named_add(&resumed, swapped, 2);
    states_load(resumed.optimizer, path, &options);
    for (int i = 1; i < 4; i++) {
        named_step(&straight, i);
        named_step(&resumed, i);
    }
    named_compare(&straight, &resumed);
    states_save(resumed.optimizer, path, true);
    states_load(straight.optimizer, path, &options);
    named_step(&straight, 4);
    named_step(&resumed, 4);
    named_compare(&straight, &resumed);
    glissade_optimizer_destroy(&straight.optimizer);
    glissade_optimizer_destroy(&resumed.optimizer);
}
