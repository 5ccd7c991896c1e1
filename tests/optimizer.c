/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What steps do to values and counts, through the public interface: the rule of glissade/sgd.h over several
 * steps, changing hyperparameters, absent and moving gradients, however the work is divided. Expected bits
 * come from scenario.c's own reading of the header.
 */
#include "scenario.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#define OK(call)                                                                                             \
    do {                                                                                                     \
        const glissade_status status_ = (call);                                                              \
        cr_assert_eq(status_, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_status_name(status_));           \
    } while (0)

/* A model under the library, its twin under the reference, and what steps both. */
typedef struct pair {
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    model library, twin;
    glissade_sgd_options rule;
    uint32_t group;
    uint64_t step;
} pair;

/* One thread gets tensors of the same number but smaller: it needs no work worth a team. */
static void pair_create(pair *it, uint32_t threads, const glissade_sgd_options *rule, bool own_momentum) {
    static const size_t small[] = {3001, 300, 0, 1027, 1, 999, 255};
    *it = (pair){.rule = *rule};
    it->engine = scenario_engine(threads);
    it->optimizer = scenario_optimizer(it->engine);
    if (threads > 1)
        model_create_usual(&it->library, own_momentum);
    else
        model_create(&it->library, small, sizeof small / sizeof *small, own_momentum, 0);
    model_copy(&it->twin, &it->library);
    it->group = scenario_add(it->optimizer, &it->library, rule);
}

static void pair_check(pair *it, const char *when) {
    const char *difference = model_difference(&it->library, &it->twin);
    cr_assert_null(difference, "%s, step %llu: %s", when, (unsigned long long)it->step, difference);
    difference = scenario_state_difference(it->optimizer, it->group, &it->twin);
    cr_assert_null(difference, "%s, step %llu: %s", when, (unsigned long long)it->step, difference);
}

static void pair_step(pair *it, double scale, bool zero, uint32_t present, const char *when) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.gradient_scale = scale;
    options.zero_gradients = zero;
    model_fill_gradients(&it->library, it->step);
    model_fill_gradients(&it->twin, it->step);
    for (uint32_t i = 0; i < it->library.count; i++)
        OK(glissade_optimizer_set_gradient(it->optimizer, (glissade_tensor_ref){it->group, i},
                                           present >> i & 1 ? it->library.g[i] : NULL));
    OK(glissade_optimizer_step(it->optimizer, &options, NULL));
    model_reference_step(&it->twin, &it->rule, scale, zero, present);
    it->step++;
    pair_check(it, when);
}

static void pair_set(pair *it, const glissade_sgd_options *rule) {
    OK(glissade_optimizer_set_sgd(it->optimizer, it->group, rule));
    if (rule->momentum == 0)
        memset(it->twin.k, 0, sizeof it->twin.k);
    it->rule = *rule;
}

static void pair_destroy(pair *it) {
    glissade_optimizer_destroy(&it->optimizer);
    glissade_engine_destroy(&it->engine);
    model_destroy(&it->library);
    model_destroy(&it->twin);
}

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(optimizer, .init = setup, .timeout = 60);

/* ---- the rule ---- */

/* Every combination of choices that the header allows, numbered. */
static bool combination(unsigned number, glissade_sgd_options *rule) {
    *rule = scenario_rule(number & 1 ? 0.9 : 0);
    rule->dampening = number & 2 ? rule->momentum : 0;
    rule->weight_decay = number & 4 ? 0.01 : 0;
    rule->decay = number & 8 ? GLISSADE_DECAY_DECOUPLED : GLISSADE_DECAY_COUPLED;
    rule->first_step = number & 16 ? GLISSADE_FIRST_STEP_UNDAMPENED : GLISSADE_FIRST_STEP_DAMPENED;
    rule->nesterov = number & 32;
    rule->debias = number & 64;
    rule->maximize = number & 128;
    const bool needs_momentum = rule->nesterov || rule->debias;
    return !(needs_momentum && rule->momentum == 0) &&
           !(rule->debias && rule->first_step == GLISSADE_FIRST_STEP_UNDAMPENED);
}

Test(optimizer, every_combination_follows_the_header) {
    unsigned tried = 0;
    for (unsigned number = 0; number < 256; number++) {
        glissade_sgd_options rule;
        pair it;
        if (!combination(number, &rule))
            continue;
        tried++;
        pair_create(&it, number & 3 ? 1 : 2, &rule, number & 4);
        for (unsigned step = 0; step < 3; step++)
            pair_step(&it, step == 1 ? -1024 : 1, (number + step) & 1, UINT32_MAX, "combination");
        pair_destroy(&it);
    }
    cr_assert_eq(tried, 128);
}

Test(optimizer, hyperparameters_change_between_steps) {
    glissade_sgd_options rule = scenario_rule(0.5);
    pair it;
    pair_create(&it, 2, &rule, false);
    pair_step(&it, 1, false, UINT32_MAX, "as added");
    rule.learning_rate = 1;
    OK(glissade_optimizer_set_learning_rate(it.optimizer, it.group, 1));
    it.rule = rule;
    pair_step(&it, 1, false, UINT32_MAX, "rate set");
    rule.momentum = 0.99;
    rule.debias = rule.nesterov = true;
    rule.decay = GLISSADE_DECAY_DECOUPLED;
    pair_set(&it, &rule);
    pair_step(&it, 1, false, UINT32_MAX, "momentum changed and debiased");
    rule.learning_rate = 0;
    pair_set(&it, &rule);
    pair_step(&it, 1, false, UINT32_MAX, "a rate of zero");

    glissade_sgd_options read = {.size = sizeof read};
    OK(glissade_optimizer_get_sgd(it.optimizer, it.group, &read));
    cr_assert(read.momentum == 0.99 && read.learning_rate == 0 && read.debias && read.nesterov &&
              read.weight_decay == rule.weight_decay && read.dampening == rule.dampening &&
              read.decay == GLISSADE_DECAY_DECOUPLED && !read.maximize);
    pair_destroy(&it);
}

/* Dropping the momentum and raising it again starts anew: k from 0, whatever the array still holds. */
Test(optimizer, momentum_turned_off_and_on) {
    for (int own = 0; own < 2; own++) {
        glissade_sgd_options rule = scenario_rule(0), with = scenario_rule(0.75);
        pair it;
        pair_create(&it, 2, &rule, own);
        glissade_tensor_info info = {.size = sizeof info};
        OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){it.group, 0}, &info));
        cr_assert_eq(info.momentum, own ? it.library.m[0] : NULL);
        pair_step(&it, 1, false, UINT32_MAX, "without");
        pair_set(&it, &with);
        for (int i = 0; i < 3; i++)
            pair_step(&it, 1, false, UINT32_MAX, "turned on");
        pair_set(&it, &rule);
        pair_step(&it, 1, false, UINT32_MAX, "turned off");
        with.debias = true;
        pair_set(&it, &with);
        for (int i = 0; i < 3; i++)
            pair_step(&it, 1, false, UINT32_MAX, "turned on again");
        cr_assert_eq(it.twin.t[0], 8);
        cr_assert_eq(it.twin.k[0], 3);
        pair_destroy(&it);
    }
}

/* ---- gradients ---- */

Test(optimizer, absent_gradients_keep_counts_per_tensor) {
    static const uint32_t present[] = {0x7F, 0x01, 0x00, 0x2A, 0x55, 0x7E, 0x40, 0x7F};
    glissade_sgd_options rule = scenario_rule(0.9);
    rule.debias = true; /* so that the counts show in the bits */
    pair it;
    pair_create(&it, 3, &rule, false);
    for (size_t i = 0; i < sizeof present / sizeof *present; i++)
        pair_step(&it, 1, i & 1, present[i], "some absent");
    cr_assert_neq(it.twin.k[0], it.twin.k[6]);
    pair_destroy(&it);
}

Test(optimizer, gradients_at_new_addresses) {
    glissade_sgd_options rule = scenario_rule(0.9);
    pair it;
    model other;
    pair_create(&it, 2, &rule, false);
    model_copy(&other, &it.library);
    for (uint64_t step = 0; step < 4; step++) {
        model *source = step & 1 ? &other : &it.library;
        void *gradients[MODEL_TENSORS];
        model_fill_gradients(source, step);
        model_fill_gradients(&it.twin, step);
        for (size_t i = 0; i < source->count; i++)
            gradients[i] = source->g[i];
        OK(glissade_optimizer_set_gradients(it.optimizer, it.group, gradients, source->count));
        memset(gradients, 0xFF, sizeof gradients); /* the list is not kept */
        OK(glissade_optimizer_step(it.optimizer, NULL, NULL));
        model_reference_step(&it.twin, &rule, 1, false, UINT32_MAX);
    }
    model_fill_gradients(&it.library, 9);
    model_fill_gradients(&it.twin, 9);
    pair_check(&it, "moving gradients");
    model_destroy(&other);
    pair_destroy(&it);
}

Test(optimizer, zeroing_alone_and_inside) {
    glissade_sgd_options rule = scenario_rule(0.9);
    pair it;
    pair_create(&it, 2, &rule, false);
    pair_step(&it, 1, true, 0x5F, "zeroing present gradients only");
    model_fill_gradients(&it.library, 5);
    model_fill_gradients(&it.twin, 5);
    for (uint32_t i = 0; i < it.library.count; i++)
        OK(glissade_optimizer_set_gradient(it.optimizer, (glissade_tensor_ref){it.group, i},
                                           i == 1 ? NULL : it.library.g[i]));
    OK(glissade_optimizer_zero_gradients(it.optimizer));
    for (size_t i = 0; i < it.twin.count; i++)
        if (i != 1)
            memset(it.twin.g[i], 0, it.twin.length[i] * sizeof(float));
    pair_check(&it, "zeroed alone");
    pair_destroy(&it);
}

/* ---- divisions of the work ---- */

static uint64_t run_subsets(uint32_t threads) {
    static const glissade_tensor_ref parts[][4] = {{{0, 6}, {1, 0}, {0, 2}},
                                                   {{1, 3}, {0, 0}, {0, 1}},
                                                   {{1, 1}, {1, 2}, {1, 4}, {0, 3}},
                                                   {{1, 6}, {0, 5}, {1, 5}, {0, 4}}};
    static const size_t sizes[] = {3, 3, 4, 4};
    glissade_sgd_options first = scenario_rule(0.9), second = scenario_rule(0);
    glissade_engine *engine = scenario_engine(threads);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    model a, b;
    model_create_usual(&a, false);
    model_create_usual(&b, false);
    scenario_add(optimizer, &a, &first);
    scenario_add(optimizer, &b, &second);
    for (uint64_t step = 0; step < 3; step++) {
        model_fill_gradients(&a, step);
        model_fill_gradients(&b, step + 100);
        for (size_t part = 0; part < 4; part++) {
            glissade_step_options options;
            glissade_step_report report = {.size = sizeof report};
            glissade_step_options_init(&options, sizeof options);
            options.tensors = parts[part];
            options.tensor_count = sizes[part];
            OK(glissade_optimizer_step(optimizer, &options, &report));
            cr_assert_eq(report.tensors, sizes[part]);
        }
    }
    const uint64_t hash = model_hash(&a) ^ 3 * model_hash(&b);
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    model_destroy(&a);
    model_destroy(&b);
    return hash;
}

Test(optimizer, steps_over_subsets_make_a_full_step) {
    glissade_sgd_options first = scenario_rule(0.9), second = scenario_rule(0);
    model a, b;
    model_create_usual(&a, false);
    model_create_usual(&b, false);
    for (uint64_t step = 0; step < 3; step++) {
        model_fill_gradients(&a, step);
        model_fill_gradients(&b, step + 100);
        model_reference_step(&a, &first, 1, false, UINT32_MAX);
        model_reference_step(&b, &second, 1, false, UINT32_MAX);
    }
    const uint64_t expected = model_hash(&a) ^ 3 * model_hash(&b);
    cr_assert_eq(run_subsets(1), expected);
    cr_assert_eq(run_subsets(3), expected);
    model_destroy(&a);
    model_destroy(&b);
}

Test(optimizer, one_to_eight_threads_give_the_same_bits) {
    const uint64_t expected = scenario_expected(5);
    for (uint32_t threads = 1; threads <= 8; threads++) {
        glissade_engine *engine = scenario_engine(threads);
        cr_assert_eq(scenario_train(engine, 5), expected, "%u threads", threads);
        glissade_engine_destroy(&engine);
    }
}

Test(optimizer, several_engines_at_once) {
    const uint64_t expected = scenario_expected(2);
    glissade_engine *engines[4];
    for (uint32_t i = 0; i < 4; i++)
        engines[i] = scenario_engine(i + 1);
    for (int round = 0; round < 3; round++)
        for (uint32_t i = 0; i < 4; i++)
            cr_assert_eq(scenario_train(engines[i], 2), expected, "engine %u, round %d", i, round);
    for (uint32_t i = 0; i < 4; i++)
        glissade_engine_destroy(&engines[i]);
}

/* Trains one run of elements as a tensor of its own or in parts; ends of parts at any element. */
static void train_in_parts(float *p, size_t length, size_t parts, uint32_t threads) {
    glissade_engine *engine = scenario_engine(threads);
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    glissade_sgd_options rule = scenario_rule(0.9);
    rule.nesterov = rule.debias = true;
    glissade_tensor tensors[7];
    float *g = malloc(length * sizeof *g);
    for (size_t i = 0; i < length; i++)
        p[i] = scenario_value(0, 0, i);
    for (size_t i = 0; i < parts; i++) {
        const size_t begin = length * i / parts, end = length * (i + 1) / parts;
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = p + begin;
        tensors[i].gradient = g + begin;
        tensors[i].length = end - begin;
    }
    uint32_t group;
    OK(glissade_optimizer_add_sgd(optimizer, tensors, parts, &rule, &group));
    for (uint64_t step = 0; step < 3; step++) {
        for (size_t i = 0; i < length; i++)
            g[i] = scenario_value(step + 1, 0, i);
        OK(glissade_optimizer_step(optimizer, NULL, NULL));
    }
    glissade_optimizer_destroy(&optimizer);
    glissade_engine_destroy(&engine);
    free(g);
}

Test(optimizer, splitting_a_tensor_keeps_the_bits) {
    enum { LENGTH = 100003 };
    static float whole[LENGTH], parts[LENGTH];
    train_in_parts(whole, LENGTH, 1, 2);
    cr_assert_neq(whole[LENGTH - 1], scenario_value(0, 0, LENGTH - 1), "nothing was updated");
    for (size_t count = 2; count <= 7; count++) {
        train_in_parts(parts, LENGTH, count, (uint32_t)count % 3 + 1);
        cr_assert_eq(memcmp(whole, parts, sizeof whole), 0, "%zu parts give other bits", count);
    }
}

Test(optimizer, alignment_does_not_matter) {
    static const size_t lengths[] = {50021, 17, 65, 40000};
    uint64_t expected = 0;
    for (size_t offset = 0; offset < 16; offset++) {
        glissade_sgd_options rule = scenario_rule(0.9);
        glissade_engine *engine = scenario_engine(2);
        glissade_optimizer *optimizer = scenario_optimizer(engine);
        model it;
        model_create(&it, lengths, 4, offset & 1, offset);
        scenario_add(optimizer, &it, &rule);
        for (uint64_t step = 0; step < 3; step++) {
            model_fill_gradients(&it, step);
            OK(glissade_optimizer_step(optimizer, NULL, NULL));
        }
        expected = offset ? expected : model_hash(&it);
        cr_assert_eq(model_hash(&it), expected, "arrays %zu floats off a cache line give other bits", offset);
        glissade_optimizer_destroy(&optimizer);
        glissade_engine_destroy(&engine);
        model_destroy(&it);
    }
}
