/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two points of the schedule-free rules: what set_point makes of a parameter, in every format, to the bit; what it
 * leaves alone; what it forbids; saving and restoring at either point. That x is the mean it should be, the goldens say
 * (rules.c).
 */
#include "formats_engine.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Below, at and above a stretch that is staged; and enough for the team, with one tensor that threads split. */
static const size_t lengths[] = {1, 255, 1025, 16384, 70000};

enum { TENSORS = sizeof lengths / sizeof *lengths, LONGEST = 70000, RULES = 2 };

static const char *const names[RULES] = {"schedule_free_sgd", "schedule_free_adamw"};

/* A beta whose two weights are not exact. */
static const double beta = 0.85;
static const char *const values[RULES] = {
    "learning_rate=0.5 weight_decay=0.01 beta=0.85 warmup_steps=3 r=1",
    "learning_rate=0.05 weight_decay=0.01 beta1=0.85 beta2=0.9 warmup_steps=3 r=1",
};

#define OK(call) cr_assert_eq(call, GLISSADE_STATUS_OK, "%s", #call)

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(schedule_free, .init = setup, .timeout = 120);

static rule_options options_of(int which) {
    rule_options options;
    rule_defaults(rule_find(names[which]), &options);
    cr_assert_null(rule_assign(rule_find(names[which]), &options, values[which]));
    return options;
}

static void start(fleet *it, glissade_engine *engine, int which, const layout *formats, bool own) {
    const rule_options options = options_of(which);
    fleet_create(it, formats, lengths, TENSORS, 0, own);
    fleet_fill_parameters(it, 1);
    cr_assert(fleet_add(it, engine, rule_find(names[which]), &options));
}

static void step_to(fleet *it, unsigned from, unsigned to) {
    for (unsigned step = from; step <= to; step++) {
        fleet_fill_gradients(it, 10 + step);
        fleet_step(it, NULL);
    }
}

static glissade_status set_point(fleet *it, glissade_point point) {
    return glissade_optimizer_set_point(it->optimizer, it->group, point);
}

static uint32_t digest_of(const fleet *it) {
    uint32_t digest;
    OK(glissade_optimizer_read(it->optimizer, &digest, NULL));
    return digest;
}

/* ---- what it computes ---- */

typedef struct points {
    double p[LONGEST], z[LONGEST];
    float average[LONGEST];
} points;

static void read_points(const fleet *it, size_t tensor, points *to) {
    const glissade_tensor_info info = fleet_info(it, tensor);
    const bool wide = info.parameter_dtype == GLISSADE_DTYPE_F64;
    for (size_t i = 0; i < info.length; i++) {
        to->p[i] = fleet_parameter(&info, i);
        to->z[i] = array_read(wide ? GLISSADE_DTYPE_F64 : GLISSADE_DTYPE_F32, info.state[0], i);
        to->average[i] = info.average ? info.average[i] : 0;
    }
}

/* The header's formula in the type of the arrays, rounded to the parameter's format where that is all there is. */
static double blended(const glissade_tensor_info *info, double weight, double z, double p) {
    if (info->parameter_dtype == GLISSADE_DTYPE_F64)
        return fma(weight, z - p, p);
    const float narrow = (float)p, result = fmaf((float)weight, (float)z - narrow, narrow);
    return (double)(info->master ? result : rounded_to(info->parameter_dtype, result));
}

/* The parameter and its copy are roundings of it in full. */
static void assert_rounded(const glissade_tensor_info *info, size_t i, const char *text) {
    const double full = fleet_parameter(info, i), p = array_read(info->parameter_dtype, info->parameter, i);
    if (info->master == GLISSADE_MASTER_F32)
        cr_assert(p == (double)rounded_to(info->parameter_dtype, (float)full), "%s: parameter %zu", text, i);
    if (info->copy)
        cr_assert(array_read(info->copy_dtype, info->copy, i) ==
                      (double)rounded_to(info->copy_dtype, (float)full),
                  "%s: copy %zu", text, i);
}

static void assert_blended(const fleet *it, size_t tensor, const points *before, double weight,
                           const char *text) {
    static points after;
    const glissade_tensor_info info = fleet_info(it, tensor);
    read_points(it, tensor, &after);
    for (size_t i = 0; i < info.length; i++) {
        const double expected = blended(&info, weight, before->z[i], before->p[i]);
        cr_assert(after.p[i] == expected, "%s: element %zu of tensor %zu is %a, not %a", text, i, tensor,
                  after.p[i], expected);
        assert_rounded(&info, i, text);
    }
    cr_assert_arr_eq(after.z, before->z, info.length * sizeof *after.z, "%s: z has changed", text);
    cr_assert_arr_eq(after.average, before->average, info.length * sizeof *after.average,
                     "%s: an average has changed", text);
}

/* A unit in the last place of the format that holds the parameter in full. */
static double unit_of(const glissade_tensor_info *info) {
    if (info->parameter_dtype == GLISSADE_DTYPE_F64)
        return 0x1p-52;
    const bool half = info->parameter_dtype != GLISSADE_DTYPE_F32 && !info->master;
    return !half ? 0x1p-23 : info->parameter_dtype == GLISSADE_DTYPE_F16 ? 0x1p-10 : 0x1p-7;
}

/* There and back: half a unit of x and half of y, and less of z - x; subnormal halves are 2^-24 apart. */
static void assert_returned(const fleet *it, size_t tensor, const points *before, const char *text) {
    static points after;
    const glissade_tensor_info info = fleet_info(it, tensor);
    read_points(it, tensor, &after);
    for (size_t i = 0; i < info.length; i++) {
        const double size = fmax(fabs(before->p[i]), fabs(before->z[i])),
                     allowed = 1.25 * fmax(size * unit_of(&info), 0x1p-24);
        cr_assert(fabs(after.p[i] - before->p[i]) <= allowed, "%s: element %zu comes back as %a, from %a",
                  text, i, after.p[i], before->p[i]);
    }
}

static void there_and_back(int which, int form) {
    static fleet it;
    static points training[TENSORS], evaluation[TENSORS];
    const layout formats = layout_of_form(form);
    const char *text = layout_text(&formats);
    glissade_engine *engine = scenario_engine(2);
    start(&it, engine, which, &formats, false);
    if (form != FORM_F64)
        OK(glissade_optimizer_set_average(it.optimizer, it.group, 0.9));
    step_to(&it, 1, 5);
    for (size_t i = 0; i < TENSORS; i++)
        read_points(&it, i, &training[i]);
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    for (size_t i = 0; i < TENSORS; i++) {
        assert_blended(&it, i, &training[i], (beta - 1) / beta, text);
        read_points(&it, i, &evaluation[i]);
    }
    OK(set_point(&it, GLISSADE_POINT_TRAINING));
    for (size_t i = 0; i < TENSORS; i++) {
        assert_blended(&it, i, &evaluation[i], 1 - beta, text);
        assert_returned(&it, i, &training[i], text);
    }
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

Test(schedule_free, there_and_back_in_every_format) {
    for (int which = 0; which < RULES; which++)
        for (int form = 0; form < FORMS; form++)
            there_and_back(which, form);
}

/* The first step's mean is its z, by the same formula as all others: y is z, and so is x. */
Test(schedule_free, the_first_mean_is_z) {
    static fleet it;
    static points x;
    const layout floats = {0};
    glissade_engine *engine = scenario_engine(2);
    for (int which = 0; which < RULES; which++) {
        start(&it, engine, which, &floats, false);
        step_to(&it, 1, 1);
        OK(set_point(&it, GLISSADE_POINT_EVALUATION));
        for (size_t i = 0; i < TENSORS; i++) {
            read_points(&it, i, &x);
            for (size_t j = 0; j < lengths[i]; j++)
                cr_assert(x.p[j] == x.z[j], "element %zu is %a, not %a", j, x.p[j], x.z[j]);
        }
        fleet_destroy(&it);
    }
    glissade_engine_destroy(&engine);
}

/* Digests of both points, on an instruction set and with so many threads. */
static void digests(glissade_isa isa, uint32_t threads, int which, uint32_t found[2]) {
    static fleet it;
    const layout floats = {0};
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = threads;
    options.oversubscribe = true;
    options.isa = isa;
    OK(glissade_engine_create(&options, &engine, NULL));
    start(&it, engine, which, &floats, false);
    step_to(&it, 1, 3);
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    found[0] = digest_of(&it);
    OK(set_point(&it, GLISSADE_POINT_TRAINING));
    found[1] = digest_of(&it);
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

Test(schedule_free, same_bits_everywhere) {
    for (int which = 0; which < RULES; which++) {
        uint32_t expected[2], found[2];
        digests(GLISSADE_ISA_SCALAR, 1, which, expected);
        for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
            for (uint32_t threads = 1; glissade_isa_available(isa) && threads <= 3; threads++) {
                digests(isa, threads, which, found);
                cr_assert_arr_eq(found, expected, sizeof found, "%s on %s with %u threads", names[which],
                                 glissade_isa_name(isa), threads);
            }
    }
}

/* ---- what it leaves alone ---- */

Test(schedule_free, set_twice) {
    static fleet it;
    const layout floats = {0};
    glissade_engine *engine = scenario_engine(2);
    start(&it, engine, 0, &floats, false);
    step_to(&it, 1, 3);
    const uint32_t trained = digest_of(&it);
    OK(set_point(&it, GLISSADE_POINT_TRAINING));
    cr_assert_eq(digest_of(&it), trained, "a new group is at the point of training");
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    const uint32_t evaluated = digest_of(&it);
    cr_assert_neq(evaluated, trained);
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    cr_assert_eq(digest_of(&it), evaluated, "the second time changed something");
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

/* Of a tensor without a step z says nothing. */
Test(schedule_free, tensors_that_have_not_stepped) {
    static fleet it;
    static points before, after;
    const layout floats = {0};
    glissade_engine *engine = scenario_engine(2);
    start(&it, engine, 0, &floats, false);
    const glissade_tensor_ref absent = {it.group, 2};
    OK(glissade_optimizer_set_gradient(it.optimizer, absent, NULL));
    step_to(&it, 1, 3);
    const uint32_t trained = digest_of(&it);
    read_points(&it, absent.index, &before);
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    cr_assert_neq(digest_of(&it), trained, "the others are turned");
    read_points(&it, absent.index, &after);
    cr_assert_arr_eq(after.p, before.p, lengths[absent.index] * sizeof *after.p);
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

/* ---- what it forbids ---- */

static void assert_refused(const fleet *it, glissade_status status, glissade_status expected,
                           const char *text, uint32_t digest) {
    const char *message = glissade_optimizer_message(it->optimizer);
    cr_assert_eq(status, expected, "%s", glissade_status_name(status));
    cr_assert(strstr(message, text), "\"%s\" lacks \"%s\"", message, text);
    cr_assert_eq(digest_of(it), digest, "\"%s\", and something has changed", message);
}

/* Another group beside the fleet's. */
static uint32_t add_sgd(const fleet *it, float *p, float *g) {
    glissade_tensor tensor;
    glissade_sgd_options options;
    uint32_t group;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = p;
    tensor.gradient = g;
    tensor.length = 1;
    glissade_sgd_options_init(&options, sizeof options);
    OK(glissade_optimizer_add_sgd(it->optimizer, &tensor, 1, &options, &group));
    return group;
}

Test(schedule_free, no_step_at_the_point_of_evaluation) {
    static fleet it;
    const layout floats = {0};
    float p = 1, g = 1;
    double norm;
    glissade_step_options options;
    glissade_engine *engine = scenario_engine(2);
    start(&it, engine, 1, &floats, false);
    const glissade_tensor_ref other = {add_sgd(&it, &p, &g), 0}, own = {it.group, 3};
    step_to(&it, 1, 2);
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    uint32_t digest = digest_of(&it);
    assert_refused(&it, glissade_optimizer_step(it.optimizer, NULL, NULL),
                   GLISSADE_STATUS_INVALID_COMBINATION, "glissade_optimizer_set_point", digest);
    glissade_step_options_init(&options, sizeof options);
    options.tensors = &own;
    options.tensor_count = 1;
    assert_refused(&it, glissade_optimizer_step(it.optimizer, &options, NULL),
                   GLISSADE_STATUS_INVALID_COMBINATION, "glissade_optimizer_set_point", digest);
    cr_assert_eq(fleet_info(&it, own.index).steps, 2);
    OK(glissade_optimizer_grad_norm(it.optimizer, NULL, &norm, NULL));
    options.tensors = &other;
    OK(glissade_optimizer_step(it.optimizer, &options, NULL));
    cr_assert_neq(p, 1.0f, "a step of others alone goes on");
    OK(set_point(&it, GLISSADE_POINT_TRAINING));
    fleet_step(&it, NULL);
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

Test(schedule_free, arguments) {
    static fleet it;
    const layout floats = {0};
    float p = 1, g = 1;
    glissade_engine *engine = scenario_engine(2);
    start(&it, engine, 0, &floats, false);
    const uint32_t other = add_sgd(&it, &p, &g), digest = digest_of(&it);
    cr_assert_eq(glissade_optimizer_set_point(NULL, 0, GLISSADE_POINT_TRAINING),
                 GLISSADE_STATUS_NULL_ARGUMENT);
    assert_refused(&it, glissade_optimizer_set_point(it.optimizer, 7, GLISSADE_POINT_EVALUATION),
                   GLISSADE_STATUS_NOT_FOUND, "7", digest);
    assert_refused(&it, glissade_optimizer_set_point(it.optimizer, other, GLISSADE_POINT_EVALUATION),
                   GLISSADE_STATUS_NOT_FOUND, "sgd", digest);
    assert_refused(&it, set_point(&it, (glissade_point)2), GLISSADE_STATUS_INVALID_OPTION, "point is 2",
                   digest);
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

static glissade_status set_beta(fleet *it, double value) {
    glissade_schedule_free_sgd_options options;
    memcpy(&options, &it->options, sizeof options);
    options.beta = value;
    return glissade_optimizer_set_schedule_free_sgd(it->optimizer, it->group, &options);
}

/* Another beta would take y for another mix of the same z with another x. */
Test(schedule_free, beta_changes_at_the_point_of_evaluation) {
    static fleet it;
    static points x;
    const layout floats = {0};
    glissade_engine *engine = scenario_engine(2);
    start(&it, engine, 0, &floats, false);
    OK(set_beta(&it, 0.75));
    OK(set_beta(&it, beta));
    step_to(&it, 1, 3);
    const uint32_t digest = digest_of(&it);
    assert_refused(&it, set_beta(&it, 0.75), GLISSADE_STATUS_INVALID_COMBINATION, "beta is 0.75", digest);
    assert_refused(&it, set_beta(&it, 0), GLISSADE_STATUS_INVALID_HYPERPARAMETER, "beta is 0", digest);
    OK(set_beta(&it, beta));
    OK(set_point(&it, GLISSADE_POINT_EVALUATION));
    OK(set_beta(&it, 0.75));
    for (size_t i = 0; i < TENSORS; i++) {
        OK(set_point(&it, GLISSADE_POINT_EVALUATION));
        read_points(&it, i, &x);
        OK(set_point(&it, GLISSADE_POINT_TRAINING));
        assert_blended(&it, i, &x, 1 - 0.75, "another beta");
    }
    fleet_destroy(&it);
    glissade_engine_destroy(&engine);
}

Test(schedule_free, z_is_full_only) {
    static float p[256], g[256];
    for (int which = 0; which < RULES; which++) {
        const rule_options options = options_of(which);
        glissade_engine *engine = scenario_engine(1);
        glissade_optimizer *optimizer = scenario_optimizer(engine);
        uint32_t group;
        glissade_tensor tensor;
        glissade_tensor_init(&tensor, sizeof tensor);
        tensor.parameter = p;
        tensor.gradient = g;
        tensor.length = 256;
        tensor.state_format[1] = GLISSADE_STATE_Q8;
        OK(rule_find(names[which])->add(optimizer, &tensor, 1, &options, &group));
        OK(glissade_optimizer_remove_group(optimizer, group));
        tensor.state_format[0] = GLISSADE_STATE_BF16;
        cr_assert_eq(rule_find(names[which])->add(optimizer, &tensor, 1, &options, &group),
                     GLISSADE_STATUS_INVALID_COMBINATION);
        glissade_optimizer_destroy(&optimizer);
        glissade_engine_destroy(&engine);
    }
}

/* ---- saving and restoring ---- */

/* A tensor's arrays, the gradient aside. */
enum { PIECES = 3 + GLISSADE_STATES };
typedef struct piece {
    void *at;
    size_t bytes;
} piece;

static void list_pieces(const glissade_tensor_info *info, piece list[PIECES]) {
    const bool wide = info->parameter_dtype == GLISSADE_DTYPE_F64;
    const size_t low = info->master == GLISSADE_MASTER_SPLIT ? sizeof(int16_t) : sizeof(float);
    list[0] = (piece){info->parameter, info->length * dtype_bytes(info->parameter_dtype)};
    list[1] = (piece){info->master_state, info->length * low};
    list[2] = (piece){info->copy, info->length * dtype_bytes(info->copy_dtype)};
    for (size_t s = 0; s < GLISSADE_STATES; s++)
        list[3 + s] =
            (piece){info->state[s], glissade_state_bytes(info->state_format[s], info->length, wide)};
}

/* Gives a new group what the other has. */
static void restore(fleet *to, const fleet *from) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(from, i), fresh = fleet_info(to, i);
        const glissade_tensor_ref tensor = {to->group, (uint32_t)i};
        piece source[PIECES], target[PIECES];
        list_pieces(&info, source);
        list_pieces(&fresh, target);
        for (size_t j = 0; j < PIECES; j++)
            if (source[j].at)
                memcpy(target[j].at, source[j].at, source[j].bytes);
        OK(glissade_optimizer_set_counts(to->optimizer, tensor, info.steps, info.momentum_updates));
        OK(glissade_optimizer_set_numbers(to->optimizer, tensor, info.numbers[0], info.numbers[1]));
    }
}

static void assert_same(const fleet *a, const fleet *b, const char *text) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info ours = fleet_info(a, i), theirs = fleet_info(b, i);
        piece left[PIECES], right[PIECES];
        list_pieces(&ours, left);
        list_pieces(&theirs, right);
        for (size_t j = 0; j < PIECES; j++)
            if (left[j].at)
                cr_assert_arr_eq(left[j].at, right[j].at, left[j].bytes, "%s: array %zu of tensor %zu", text,
                                 j, i);
        cr_assert_arr_eq(ours.numbers, theirs.numbers, sizeof ours.numbers, "%s: numbers of tensor %zu", text,
                         i);
        cr_assert(ours.numbers[0] > 0 && ours.numbers[1] > 0);
    }
}

static void resume(int which, int form, glissade_point saved) {
    static fleet kept, fresh;
    const layout formats = layout_of_form(form);
    glissade_engine *engine = scenario_engine(2);
    start(&kept, engine, which, &formats, true);
    start(&fresh, engine, which, &formats, true);
    step_to(&kept, 1, 3);
    OK(set_point(&kept, saved));
    OK(set_point(&fresh, saved));
    restore(&fresh, &kept);
    OK(set_point(&kept, GLISSADE_POINT_TRAINING));
    OK(set_point(&fresh, GLISSADE_POINT_TRAINING));
    step_to(&kept, 4, 6);
    step_to(&fresh, 4, 6);
    assert_same(&kept, &fresh, layout_text(&formats));
    fleet_destroy(&kept);
    fleet_destroy(&fresh);
    glissade_engine_destroy(&engine);
}

Test(schedule_free, goes_on_from_either_point) {
    static const int forms[] = {0, 5, 7, FORM_F64};
    for (int which = 0; which < RULES; which++)
        for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
            resume(which, forms[i], GLISSADE_POINT_TRAINING);
            resume(which, forms[i], GLISSADE_POINT_EVALUATION);
        }
}
