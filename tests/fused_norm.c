/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Norms of gradients, to the bit, against sums taken here in the order that glissade/optimizer.h gives: on every
 * instruction set, with any number of threads and pages walked in turn, of gradients in every format at once. Part of
 * the fused program.
 */
#include "formats_engine.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

TestSuite(fused_norm, .init = scenario_clear_environment, .timeout = 120);

#define OK(call, optimizer)                                                                                  \
    cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_optimizer_message(optimizer))

/* ---- the order ---- */

static double sum_run(glissade_dtype dtype, const void *g, size_t first, size_t n) {
    double lanes[16] = {0};
    for (size_t i = 0; i < n; i++) {
        const double x = array_read(dtype, g, first + i);
        lanes[i % 16] = fma(x, x, lanes[i % 16]);
    }
    for (int half = 8; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* What stands left of the top of the tree is the largest power of two that leaves one. */
static double sum_tree(const double *x, size_t count) {
    size_t left = 1;
    if (count < 2)
        return count ? x[0] : 0;
    while (2 * left < count)
        left *= 2;
    return sum_tree(x, left) + sum_tree(x + left, count - left);
}

static double square_of(glissade_dtype dtype, const void *g, size_t n) {
    const size_t runs = (n + 255) / 256;
    double *sums = calloc(runs + 1, sizeof *sums);
    cr_assert_not_null(sums);
    for (size_t run = 0; run < runs; run++)
        sums[run] = sum_run(dtype, g, 256 * run, n - 256 * run < 256 ? n - 256 * run : 256);
    const double square = sum_tree(sums, runs);
    free(sums);
    return square;
}

/* ---- gradients of every format ---- */

enum { GROUPS = 4, PER_GROUP = 6, ALL = GROUPS * PER_GROUP };

/* The longest is split over threads. */
static const size_t lengths[PER_GROUP] = {700, 33000, 0, 257, 1, 16384};

typedef struct scene {
    glissade_optimizer *optimizer;
    held tensors[ALL];
    bool absent[ALL];
} scene;

static void add_group(scene *it, uint32_t number) {
    static const layout formats[GROUPS] = {{0},
                                           {.gradient = GLISSADE_DTYPE_BF16},
                                           {.parameter = GLISSADE_DTYPE_F16, .gradient = GLISSADE_DTYPE_F16},
                                           {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64}};
    static const char *const rules[GROUPS] = {"adam", "sgd", "adam", "sgd"};
    const rule *by = rule_find(rules[number]);
    glissade_tensor descriptors[PER_GROUP];
    rule_options options;
    uint32_t group;
    rule_defaults(by, &options);
    for (size_t i = 0; i < PER_GROUP; i++) {
        held *tensor = &it->tensors[number * PER_GROUP + i];
        held_create(tensor, &formats[number], lengths[i], number + i, false);
        for (size_t j = 0; j < lengths[i]; j++) {
            const float value = scenario_value(number, i, j);
            array_write(tensor->layout.gradient,
                        (char *)tensor->gradient + j * dtype_bytes(tensor->layout.gradient), &value, 1);
        }
        descriptors[i] = held_descriptor(tensor);
        if (it->absent[number * PER_GROUP + i])
            descriptors[i].gradient = NULL;
    }
    OK(by->add(it->optimizer, descriptors, PER_GROUP, &options, &group), it->optimizer);
    cr_assert_eq(group, number);
}

static void create(scene *it, glissade_engine *engine) {
    static const size_t absent[] = {3, 8, 16};
    *it = (scene){.optimizer = scenario_optimizer(engine)};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        it->absent[absent[i]] = true;
    for (uint32_t group = 0; group < GROUPS; group++)
        add_group(it, group);
}

static void destroy(scene *it) {
    glissade_optimizer_destroy(&it->optimizer);
    for (size_t i = 0; i < ALL; i++)
        held_destroy(&it->tensors[i]);
}

/* The norm over those that are present and chosen. */
static double expected_norm(const scene *it, const bool *chosen, double scale) {
    double squares[ALL] = {0};
    for (size_t i = 0; i < ALL; i++)
        if (!it->absent[i] && chosen[i])
            squares[i] =
                square_of(it->tensors[i].layout.gradient, it->tensors[i].gradient, it->tensors[i].length);
    return sqrt(sum_tree(squares, ALL)) / fabs(scale);
}

static glissade_engine *engine_of(glissade_isa isa, uint32_t threads, uint32_t streams) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_engine_options_init(&options, sizeof options);
    options.isa = isa;
    options.threads = threads;
    options.streams = streams;
    options.oversubscribe = true;
    cr_assert_eq(glissade_engine_create(&options, &engine, NULL), GLISSADE_STATUS_OK);
    return engine;
}

static double norm_with(const scene *it, const glissade_step_options *options) {
    double norm = -7;
    glissade_step_report report = {.size = sizeof report};
    OK(glissade_optimizer_grad_norm(it->optimizer, options, &norm, &report), it->optimizer);
    cr_assert(report.norm == norm || (isnan(norm) && isnan(report.norm)));
    cr_assert_eq(report.passes, 1);
    cr_assert_eq(report.tensors, 0);
    return norm;
}

static void check_norms(const scene *it, const char *where) {
    bool every[ALL], some[ALL] = {false};
    memset(every, true, sizeof every);
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    cr_assert(norm_with(it, NULL) == expected_norm(it, every, 1), "%s: %a, not %a", where,
              norm_with(it, NULL), expected_norm(it, every, 1));
    options.gradient_scale = -640;
    options.accumulated = 3;
    cr_assert(norm_with(it, &options) == expected_norm(it, every, 1920), "%s, scaled", where);
    /* In the order of groups and tensors, whatever that of the list is. */
    const glissade_tensor_ref listed[] = {{3, 1}, {0, 1}, {2, 5}, {0, 0}, {1, 2}, {0, 3}, {2, 0}};
    for (size_t i = 0; i < sizeof listed / sizeof *listed; i++)
        some[listed[i].group * PER_GROUP + listed[i].index] = true;
    options.tensors = listed;
    options.tensor_count = sizeof listed / sizeof *listed;
    cr_assert(norm_with(it, &options) == expected_norm(it, some, 1920), "%s, listed", where);
    options.tensor_count = 0;
    cr_assert(norm_with(it, &options) == 0, "%s, none", where);
}

Test(fused_norm, in_the_order_of_the_header) {
    static const uint32_t threads[] = {1, 2, 3, 8};
    static scene it;
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++)
        for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
            char where[64];
            if (!glissade_isa_available(isa))
                continue;
            glissade_engine *engine = engine_of(isa, threads[t], 1);
            snprintf(where, sizeof where, "%s with %u threads", glissade_isa_name(isa), threads[t]);
            create(&it, engine);
            check_norms(&it, where);
            destroy(&it);
            glissade_engine_destroy(&engine);
        }
}

/* So large that pages are walked in turn. */
Test(fused_norm, of_pages_walked_in_turn) {
    enum { N = 1700021 };
    static const size_t one[] = {N};
    static const uint32_t streams[] = {1, 4, 6};
    const layout formats[] = {{0}, {.gradient = GLISSADE_DTYPE_BF16}};
    rule_options options;
    rule_defaults(rule_find("adam"), &options);
    for (size_t f = 0; f < 2; f++) {
        fleet tensors;
        fleet_create(&tensors, &formats[f], one, 1, 3, false);
        fleet_fill_gradients(&tensors, 4);
        const double expected = sqrt(square_of(formats[f].gradient, tensors.tensors[0].gradient, N));
        for (size_t s = 0; s < sizeof streams / sizeof *streams; s++)
            for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
                double norm;
                glissade_step_report report = {.size = sizeof report};
                if (!glissade_isa_available(isa))
                    continue;
                glissade_engine *engine = engine_of(isa, 1 + (uint32_t)s, streams[s]);
                cr_assert(fleet_add(&tensors, engine, rule_find("adam"), &options));
                OK(glissade_optimizer_grad_norm(tensors.optimizer, NULL, &norm, &report), tensors.optimizer);
                cr_assert_eq(report.streams, streams[s]);
                cr_assert(norm == expected, "%s, %u pages: %a, not %a", glissade_isa_name(isa), streams[s],
                          norm, expected);
                glissade_optimizer_destroy(&tensors.optimizer);
                glissade_engine_destroy(&engine);
            }
        fleet_destroy(&tensors);
    }
}

/* ---- what is not finite, and what is large ---- */

static void put(const scene *it, size_t tensor, size_t element, double value) {
    const held *at = &it->tensors[tensor];
    const float narrow = (float)value;
    if (at->layout.gradient == GLISSADE_DTYPE_F64)
        ((double *)at->gradient)[element] = value;
    else
        array_write(at->layout.gradient, (char *)at->gradient + element * dtype_bytes(at->layout.gradient),
                    &narrow, 1);
}

static glissade_step_report report_of(const scene *it, double *norm) {
    glissade_step_report report = {.size = sizeof report};
    OK(glissade_optimizer_grad_norm(it->optimizer, NULL, norm, &report), it->optimizer);
    return report;
}

Test(fused_norm, what_is_not_finite_is_told) {
    static scene it;
    double norm;
    glissade_engine *engine = engine_of(GLISSADE_ISA_AUTO, 2, 1);
    create(&it, engine);
    cr_assert_eq(report_of(&it, &norm).nonfinite, 0);
    put(&it, 19, 32999, -INFINITY); /* of double */
    cr_assert_eq(report_of(&it, &norm).nonfinite, 1);
    cr_assert(isinf(norm));
    put(&it, 13, 256, INFINITY); /* of f16 */
    put(&it, 13, 257, NAN);
    glissade_step_report report = report_of(&it, &norm);
    cr_assert_eq(report.nonfinite, 3);
    cr_assert_eq(report.first_nonfinite.group, 2);
    cr_assert_eq(report.first_nonfinite.index, 1);
    cr_assert(isnan(norm));
    put(&it, 11, 16383, NAN); /* of bf16 */
    put(&it, 1, 0, INFINITY);
    put(&it, 3, 0, NAN); /* absent */
    report = report_of(&it, &norm);
    cr_assert_eq(report.nonfinite, 5);
    cr_assert_eq(report.first_nonfinite.group, 0);
    cr_assert_eq(report.first_nonfinite.index, 1);
    destroy(&it);
    glissade_engine_destroy(&engine);
}

/* Doubles that are finite though their squares are not: their norm is infinite, but they are not what is told. */
Test(fused_norm, squares_that_overflow) {
    static scene it;
    double norm;
    glissade_engine *engine = engine_of(GLISSADE_ISA_AUTO, 2, 1);
    create(&it, engine);
    put(&it, 18, 5, 1e200);
    glissade_step_report report = report_of(&it, &norm);
    cr_assert(isinf(norm));
    cr_assert_eq(report.nonfinite, 0);
    put(&it, 19, 77, NAN);
    report = report_of(&it, &norm);
    cr_assert_eq(report.nonfinite, 1);
    cr_assert_eq(report.first_nonfinite.group, 3);
    cr_assert_eq(report.first_nonfinite.index, 1, "tensor %u", report.first_nonfinite.index);
    destroy(&it);
    glissade_engine_destroy(&engine);
}

/* The largest floats have squares that a double holds. */
Test(fused_norm, largest_floats) {
    static scene it;
    double norm;
    glissade_engine *engine = engine_of(GLISSADE_ISA_AUTO, 2, 1);
    create(&it, engine);
    for (size_t i = 0; i < 700; i++)
        put(&it, 0, i, 0x1.fffffep127);
    bool every[ALL];
    memset(every, true, sizeof every);
    cr_assert_eq(report_of(&it, &norm).nonfinite, 0);
    cr_assert(isfinite(norm) && norm == expected_norm(&it, every, 1));
    destroy(&it);
    glissade_engine_destroy(&engine);
}
