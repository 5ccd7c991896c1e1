/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every rule with every number format: the same bits on every instruction set, with 1, 2, 3 and 8 threads, wherever the
 * arrays lie and whoever owns them. What the bits should be, formats_engine_models.c and formats_engine_states.c say.
 *
 * A case is a rule with a parameter, a gradient and a state in some formats, and options of the rule and of the step
 * that a hash chooses, so that all pairs come up without all combinations being run. Three steps: one
 * without anything special, one that lacks a tensor's gradient and zeroes the others, one with values that are hard in
 * some cases. Which NaN a result is differs between machines and is not compared.
 */
#include "formats_engine.h"

#include "emulated.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Below, at and above a block that shares a scale and a stretch that is staged; and enough for the team, with one tensor
 * that two threads split. Two are matrices. */
static const size_t lengths[] = {1, 255, 256, 257, 1000, 1025, 16384, 33000};
static const size_t columns[] = {0, 0, 0, 0, 40, 0, 0, 250};

enum { TENSORS = sizeof lengths / sizeof *lengths, TOTAL = 52178, ABSENT = 4, STEPS = 3 };
enum { CASES = 13, MACHINES = 4 * 4 };

/* ---- values, made once in every format ---- */

typedef enum what { PARAMETERS, FIRST, SECOND, THIRD, HARD } what;

static void *values[HARD + 1][GLISSADE_DTYPE_F64 + 1];

static void make_values(void) {
    float *x = malloc(TOTAL * sizeof *x);
    for (int i = 0; i <= HARD; i++) {
        size_t at = 0;
        for (size_t tensor = 0; tensor < TENSORS; tensor++)
            for (size_t j = 0; j < lengths[tensor]; j++, at++)
                x[at] = scenario_value((uint64_t)i, tensor, j);
        cr_assert_eq(at, TOTAL);
        /* Of the last gradients some are infinite, NaN, huge or subnormal; a block in 8 bits is lost with each. */
        for (at = 77; i == HARD && at < TOTAL; at += 997)
            x[at] = value_of_bits(value_at(FILL_MIXED, 5, at));
        for (glissade_dtype dtype = 0; dtype <= GLISSADE_DTYPE_F64; dtype++) {
            values[i][dtype] = malloc(TOTAL * dtype_bytes(dtype));
            cr_assert_not_null(values[i][dtype]);
            array_write(dtype, values[i][dtype], x, TOTAL);
        }
    }
    free(x);
}

static void take_values(void *to, glissade_dtype dtype, what which, size_t tensor) {
    size_t start = 0;
    for (size_t i = 0; i < tensor; i++)
        start += lengths[i];
    memcpy(to, (const char *)values[which][dtype] + start * dtype_bytes(dtype),
           lengths[tensor] * dtype_bytes(dtype));
}

/* ---- cases ---- */

typedef struct scene {
    variant variant;
    rule_options options;
    layout layout;
    double average; /* decay; 1: none */
    bool hard;
    glissade_step_options step;
} scene;

static bool coin(uint64_t random, int bit) {
    return random >> bit & 1;
}

/* Every form comes up once or twice, every format of a gradient with every format of state once. */
static void choose_layout(scene *it, size_t which, int number) {
    if (number == CASES - 1) {
        it->layout = layout_of_form(FORM_F64);
        return;
    }
    it->layout = layout_of_form((number + (int)which) % FORM_F64);
    it->layout.gradient = (glissade_dtype)(number % 3);
    it->layout.state = (glissade_state_format)(number % 4);
}

static void choose_step(scene *it, uint64_t random) {
    glissade_step_options_init(&it->step, sizeof it->step);
    it->step.gradient_scale = coin(random, 0) ? 3 : 1;
    it->step.accumulated = coin(random, 1) ? 2 : 1;
    it->step.clip_value = coin(random, 2) ? 0.75 : 0;
    it->step.clip_norm = coin(random, 3) && coin(random, 4) ? 2.5 : 0;
    it->step.clip_tensor_norm = coin(random, 5) && coin(random, 6) ? 1.5 : 0;
    it->step.skip_nonfinite = coin(random, 7) && coin(random, 8);
}

/* Flags and the way to decay as the hash has them. */
static void choose_options(scene *it, uint64_t random) {
    int bit = 20;
    it->options = variant_options(&it->variant);
    if (it->variant.rule == &rule_sgd)
        return;
    for (const rule_field *field = it->variant.rule->fields(); field->name; field++)
        if (field->type == RULE_FLAG || field->type == RULE_CHOICE)
            rule_write(field, &it->options, coin(random, bit++));
}

static scene make_scene(size_t which, int number) {
    const uint64_t random = random_at(20260, which * CASES + (size_t)number);
    scene it = {.variant = variant_at(which)};
    choose_layout(&it, which, number);
    choose_step(&it, random);
    choose_options(&it, random);
    it.average = coin(random, 10) && it.layout.parameter != GLISSADE_DTYPE_F64 ? 0.9 : 1;
    it.hard = coin(random, 12) && coin(random, 13);
    return it;
}

/* ---- digests ---- */

/* One of every array of every tensor, and of its numbers. */
enum { SLOTS = 6 + GLISSADE_STATES };
typedef struct digests {
    uint64_t of[TENSORS][SLOTS];
    bool has_state[TENSORS][GLISSADE_STATES];
} digests;

static uint64_t stir(uint64_t h, uint64_t value) {
    h = (h ^ value) * 0x9FB21C651E98DF25u;
    return h ^ h >> 29;
}

/* In four lanes, because one multiplication waits for the one before. */
static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n) {
    const char *x = bytes;
    uint64_t lanes[4] = {h, 1, 2, 3}, words[4];
    for (; n >= sizeof words; n -= sizeof words, x += sizeof words) {
        memcpy(words, x, sizeof words);
        for (int i = 0; i < 4; i++)
            lanes[i] = stir(lanes[i], words[i]);
    }
    for (size_t i = 0; i < n; i++)
        lanes[0] = stir(lanes[0], (unsigned char)x[i]);
    return stir(stir(stir(lanes[0], lanes[1]), lanes[2]), lanes[3]);
}

/* Elements as their bits, one NaN for all. */
static void canonical(void *to, glissade_dtype dtype, const void *x, size_t n) {
    const uint16_t infinity = dtype == GLISSADE_DTYPE_BF16 ? 0x7F80 : 0x7C00;
    memcpy(to, x, n * dtype_bytes(dtype));
    uint64_t *wide = to;
    uint32_t *single = to;
    uint16_t *half = to;
    for (size_t i = 0; dtype == GLISSADE_DTYPE_F64 && i < n; i++)
        wide[i] = (wide[i] & INT64_MAX) > 0x7FF0000000000000u ? INT64_MAX : wide[i];
    for (size_t i = 0; dtype == GLISSADE_DTYPE_F32 && i < n; i++)
        single[i] = value_canonical(single[i]);
    for (size_t i = 0; dtype != GLISSADE_DTYPE_F64 && dtype != GLISSADE_DTYPE_F32 && i < n; i++)
        half[i] = (half[i] & 0x7FFF) > infinity ? 0x7FFF : half[i];
}

static uint64_t hash_array(glissade_dtype dtype, const void *x, size_t n) {
    enum { PIECE = 512 };
    uint64_t h = n, piece[PIECE];
    for (size_t i = 0; x && i < n; i += PIECE) {
        const size_t count = n - i < PIECE ? n - i : PIECE;
        canonical(piece, dtype, (const char *)x + i * dtype_bytes(dtype), count);
        h = hash_bytes(h, piece, count * dtype_bytes(dtype));
    }
    return h;
}

static uint64_t hash_state(const glissade_tensor_info *info, int s, size_t n) {
    const size_t codes = (n + 3) / 4 * 4;
    const void *x = info->state[s];
    switch (info->state_format[s]) {
    case GLISSADE_STATE_FULL:
        return hash_array(
            info->parameter_dtype == GLISSADE_DTYPE_F64 ? GLISSADE_DTYPE_F64 : GLISSADE_DTYPE_F32, x, n);
    case GLISSADE_STATE_Q8:
        return stir(hash_bytes(n, x, n),
                    hash_array(GLISSADE_DTYPE_F32, (const char *)x + codes, (n + 255) / 256));
    default:
        return hash_array(GLISSADE_DTYPE_BF16, x, n);
    }
}

static uint64_t hash_master(const glissade_tensor_info *info) {
    if (info->master == GLISSADE_MASTER_SPLIT)
        return hash_bytes(0, info->master_state, info->length * sizeof(int16_t));
    return hash_array(GLISSADE_DTYPE_F32, info->master_state, info->length);
}

static uint64_t hash_numbers(const glissade_tensor_info *info) {
    uint64_t h = info->steps;
    h = stir(h, info->momentum_updates);
    h = stir(h, info->acted);
    h = stir(h, hash_array(GLISSADE_DTYPE_F64, &info->gradient_rms, 1));
    return stir(h, hash_array(GLISSADE_DTYPE_F64, info->numbers, 2));
}

static const char *const slot_names[SLOTS] = {"parameter", "gradient", "copy",    "master",  "average",
                                              "numbers",   "state 0",  "state 1", "state 2", "state 3"};

static void take_digests(const fleet *it, bool averaged, digests *out) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(it, i);
        uint64_t *of = out->of[i];
        of[0] = hash_array(info.parameter_dtype, info.parameter, info.length);
        of[1] = hash_array(info.gradient_dtype, it->tensors[i].gradient, info.length);
        of[2] = hash_array(info.copy_dtype, info.copy, info.length);
        of[3] = hash_master(&info);
        of[4] = averaged ? hash_array(GLISSADE_DTYPE_F32, info.average, info.length) : 0;
        of[5] = hash_numbers(&info);
        for (int s = 0; s < GLISSADE_STATES; s++) {
            out->has_state[i][s] = info.state[s];
            of[6 + s] = info.state[s] ? hash_state(&info, s, fleet_state_length(it, &info)) : 0;
        }
    }
}

/* States that were given but that the rule does not use have no counterpart. */
static const char *difference(const digests *expected, const digests *got) {
    static char text[64];
    for (size_t i = 0; i < TENSORS; i++)
        for (int slot = 0; slot < SLOTS; slot++)
            if ((slot < 6 || expected->has_state[i][slot - 6]) && expected->of[i][slot] != got->of[i][slot]) {
                snprintf(text, sizeof text, "%s of tensor %zu", slot_names[slot], i);
                return text;
            }
    return NULL;
}

/* ---- running ---- */

static void prepare_tensors(const scene *it, fleet *tensors) {
    for (size_t i = 0; i < TENSORS; i++) {
        held *tensor = &tensors->tensors[i];
        tensor->columns = columns[i];
        take_values(tensor->parameter, it->layout.parameter, PARAMETERS, i);
        /* What the library's master would start with; halves of a split one are 0. */
        for (size_t j = 0; tensor->own && it->layout.master == GLISSADE_MASTER_F32 && j < lengths[i]; j++)
            ((float *)tensor->master)[j] = (float)array_read(it->layout.parameter, tensor->parameter, j);
        for (size_t j = 0; tensor->own && tensor->layout.parameter != GLISSADE_DTYPE_F64 && j < lengths[i];
             j++)
            tensor->average[j] = (float)array_read(it->layout.parameter, tensor->parameter, j);
    }
}

static void make_step(const scene *it, fleet *tensors, int step) {
    glissade_step_options options = it->step;
    options.zero_gradients = step == 1;
    for (size_t i = 0; i < TENSORS; i++) {
        const what which = step == STEPS - 1 && it->hard ? HARD : (what)(FIRST + step);
        take_values(tensors->tensors[i].gradient, it->layout.gradient, which, i);
    }
    const glissade_tensor_ref absent = {tensors->group, ABSENT};
    cr_assert_eq(glissade_optimizer_set_gradient(tensors->optimizer, absent,
                                                 step == 1 ? NULL : tensors->tensors[ABSENT].gradient),
                 GLISSADE_STATUS_OK);
    fleet_step(tensors, &options);
    for (size_t i = 0; i < TENSORS && options.zero_gradients; i++) {
        const unsigned char *bytes = tensors->tensors[i].gradient;
        const size_t size = lengths[i] * dtype_bytes(it->layout.gradient);
        const bool zero = bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
        cr_assert(zero == (i != ABSENT), "%s: gradient %zu is %s", it->variant.name, i,
                  zero ? "zero" : "not zero");
    }
}

/* False: the rule refuses what was chosen. */
static bool run(scene *it, glissade_engine *engine, size_t offset, bool own, digests *out) {
    fleet tensors;
    memset(out, 0, sizeof *out);
    fleet_create(&tensors, &it->layout, lengths, TENSORS, offset, own);
    prepare_tensors(it, &tensors);
    const bool added = fleet_add(&tensors, engine, it->variant.rule, &it->options);
    if (added) {
        cr_assert_eq(glissade_optimizer_set_seed(tensors.optimizer, 20260), GLISSADE_STATUS_OK);
        if (it->average != 1)
            cr_assert_eq(glissade_optimizer_set_average(tensors.optimizer, tensors.group, it->average),
                         GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(tensors.optimizer));
        for (int step = 0; step < STEPS; step++)
            make_step(it, &tensors, step);
        take_digests(&tensors, it->average != 1, out);
        for (size_t i = 0; i < TENSORS; i++)
            cr_assert(held_intact(&tensors.tensors[i]), "%s, %s: bytes around tensor %zu were written",
                      it->variant.name, layout_text(&it->layout), i);
    }
    fleet_destroy(&tensors);
    return added;
}

typedef struct machine {
    glissade_engine *engine;
    char text[32];
} machine;

/* The first is scalar with one thread; those with as many threads follow each other. */
static size_t make_machines(machine machines[MACHINES]) {
    static const uint32_t threads[] = {1, 2, 3, 8};
    size_t count = 0;
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++)
        for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
            if (!glissade_isa_available(isa))
                continue;
            glissade_engine_options options;
            glissade_engine_options_init(&options, sizeof options);
            options.isa = isa;
            options.threads = threads[i];
            options.oversubscribe = true;
            machine *it = &machines[count++];
            cr_assert_eq(glissade_engine_create(&options, &it->engine, NULL), GLISSADE_STATUS_OK);
            snprintf(it->text, sizeof it->text, "%s with %u threads", glissade_isa_name(isa), threads[i]);
        }
    return count;
}

static struct criterion_test_params all_variants(void) {
    size_t *indices = cr_malloc(variants_count() * sizeof *indices);
    for (size_t i = 0; i < variants_count(); i++)
        indices[i] = i;
    return cr_make_param_array(size_t, indices, variants_count(), NULL);
}

ParameterizedTestParameters(formats_engine, same_bits_everywhere) {
    return all_variants();
}

/* Gradients of double are not deferred, which is all that is refused once a combination of flags was found. */
static bool run_reference(scene *it, glissade_engine *engine, digests *expected) {
    if (run(it, engine, 0, false, expected))
        return true;
    it->options = variant_options(&it->variant);
    const bool added = run(it, engine, 0, false, expected);
    cr_assert(added || it->layout.parameter == GLISSADE_DTYPE_F64, "%s refuses %s", it->variant.name,
              layout_text(&it->layout));
    return added;
}

ParameterizedTest(size_t *index, formats_engine, same_bits_everywhere) {
    static digests expected, got;
    machine machines[MACHINES];
    scenario_clear_environment();
    make_values();
    const size_t count = make_machines(machines);
    for (int number = 0; number < CASES; number += emulated() ? 4 : 1) {
        scene it = make_scene(*index, number);
        if (!run_reference(&it, machines[0].engine, &expected))
            continue;
        for (size_t m = 0; m < count; m++) {
            const size_t offset = (m * 5 + (size_t)number) % 16;
            const bool own = (m + (size_t)number) % 3 == 0;
            cr_assert(run(&it, machines[m].engine, offset, own, &got));
            const char *changed = difference(&expected, &got);
            cr_assert_null(changed, "%s, case %d, %s: with %s, %zu elements off%s, %s is another",
                           it.variant.name, number, layout_text(&it.layout), machines[m].text, offset,
                           own ? ", arrays of the caller's" : "", changed);
        }
    }
    for (size_t m = 0; m < count; m++)
        glissade_engine_destroy(&machines[m].engine);
}
