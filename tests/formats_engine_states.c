/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State in number formats, under every rule, beside a twin of floats whose state the test rounds after each step: a step
 * uses its own new state as it is, and the next one what became of it. And that a run can be interrupted: a new
 * optimizer that is given arrays, counts and numbers goes on to the same bits. Part of the formats_engine program.
 */
#include "formats_engine.h"

#include "formats.h"
#include "optimizer.h"

#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <string.h>

/* A whole number of blocks, one that is cut short, and more than a stretch that is staged. */
static const size_t lengths[] = {256, 300, 1500, 5000};

enum { TENSORS = sizeof lengths / sizeof *lengths, STEPS = 3, LONGEST = 5000 };

static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
}

TestSuite(formats_states, .init = setup, .fini = teardown, .timeout = 120);

typedef struct subject {
    variant variant;
    layout layout;
    int step;
} subject;

#define SAME(it, condition, ...)                                                                             \
    cr_assert(condition, "%s, %s, step %d: %s %zu of tensor %zu", (it)->variant.name,                        \
              layout_text(&(it)->layout), (it)->step, __VA_ARGS__)

static bool same_float(float a, float b) {
    return value_bits(a) == value_bits(b);
}

static void create(const subject *it, fleet *tensors, const layout *formats, bool own) {
    const rule_options options = variant_options(&it->variant);
    fleet_create(tensors, formats, lengths, TENSORS, 1, own);
    tensors->tensors[2].columns = 50;
    fleet_fill_parameters(tensors, 1);
    cr_assert(fleet_add(tensors, engine, it->variant.rule, &options), "%s refuses %s", it->variant.name,
              layout_text(formats));
}

static void step(const subject *it, fleet *tensors) {
    fleet_fill_gradients(tensors, (uint64_t)it->step + 10);
    fleet_step(tensors, NULL);
}

/* ---- what floats become ---- */

/* Which arrays hold nothing below zero, a rule's header says in words and its implementation in bits. */
static bool is_unsigned(const fleet *tensors, int s) {
    return tensors->optimizer->groups[0]->algorithm->unsigned_states >> s & 1;
}

/* A block's unit: the largest magnitude by the largest code's, or 0 where that is too small. */
static float unit_of(const format_map *map, const float *x, size_t n) {
    float largest = 0;
    for (size_t i = 0; i < n; i++)
        largest = fmaxf(largest, map->is_signed || x[i] > 0 ? fabsf(x[i]) : 0);
    const float unit = largest / (float)map->top;
    return unit < FLT_MIN ? 0 : unit;
}

/* What n floats become in 8 bits, and what they are afterwards. */
static void quantise(const format_map *map, float *x, uint8_t *codes, float *units, size_t n) {
    for (size_t i = 0; i < n; i++) {
        float *unit = &units[i / 256];
        if (i % 256 == 0)
            *unit = unit_of(map, x + i, n - i < 256 ? n - i : 256);
        const bool lost = *unit == 0 || (!map->is_signed && x[i] <= 0);
        uint32_t code = lost ? 0 : format_code_of(map, fabsf(x[i]) / *unit);
        if (!lost && !map->is_signed && code == 0)
            code = 1;
        codes[i] = (uint8_t)format_code_byte(map, code, x[i] < 0);
        x[i] = copysignf((float)(format_code_magnitude(map, code) * (double)*unit), code ? x[i] : 1.0f);
    }
}

/* ---- beside a twin ---- */

static float before[TENSORS][LONGEST]; /* parameters */

/* Whether the state of a tensor is what the twin's became, which the twin takes over. */
static void check_bf16(const subject *it, const uint16_t *got, float *twin, size_t n, size_t tensor) {
    for (size_t j = 0; j < n; j++) {
        SAME(it, got[j] == half_of(GLISSADE_DTYPE_BF16, twin[j]), "state", j, tensor);
        twin[j] = rounded_to(GLISSADE_DTYPE_BF16, twin[j]);
    }
}

static void check_quantised(const subject *it, const format_map *map, const uint8_t *got, float *twin,
                            size_t n, size_t tensor) {
    static uint8_t codes[LONGEST];
    static float units[LONGEST / 256 + 1];
    quantise(map, twin, codes, units, n);
    const float *got_units = (const float *)(const void *)(got + (n + 3) / 4 * 4);
    for (size_t j = 0; j < n; j++) {
        SAME(it, same_float(got_units[j / 256], units[j / 256]), "unit of state", j, tensor);
        SAME(it, got[j] == codes[j], "code of state", j, tensor);
    }
}

/* How many were rounded up, beside how many should have been on average, and the variance of that. */
static struct { double ups, expected, variance; } coins;

/* The random bits are an array's own in each step: the counter has the group, tensor and array, and the step. */
static gls_random bits_of(const fleet *tensors, const glissade_tensor_info *info, int s, size_t tensor) {
    return (gls_random){.counter = {tensors->group, (uint32_t)tensor | (uint32_t)(GLS_ARRAY_STATE + s) << 24,
                                    (uint32_t)info->steps - 1}};
}

static void check_stochastic(const subject *it, const gls_random *random, const uint16_t *got, float *twin,
                             size_t n, size_t tensor) {
    for (size_t j = 0; j < n; j++) {
        const uint32_t bits = value_bits(twin[j]), cut = bits & 0xFFFF, up = got[j] - (bits >> 16);
        const double part = cut / 65536.0;
        SAME(it, up == (cut + format_random_halfword(random, j)) >> 16, "state", j, tensor);
        coins.ups += up;
        coins.expected += part;
        coins.variance += part * (1 - part);
        twin[j] = float_of_half(GLISSADE_DTYPE_BF16, got[j]);
    }
}

/* LAMB and Adafactor make their direction again in a pass that reads the state as it is kept, which is off by a 64th at
 * most in bf16; the twin goes on from that. */
static void check_parameter(const subject *it, const float *got, float *twin, const float *old, size_t n,
                            size_t tensor) {
    const char *name = it->variant.rule->name;
    const bool again = strcmp(name, "lamb") == 0 || strcmp(name, "adafactor") == 0;
    for (size_t j = 0; j < n; j++) {
        const float off = fabsf(got[j] - twin[j]), update = fabsf(twin[j] - old[j]);
        const float decay = fabsf(old[j]) * 0.001f; /* rates times weight_decay are less */
        if (!again)
            SAME(it, same_float(got[j], twin[j]), "parameter", j, tensor);
        else if (it->layout.state != GLISSADE_STATE_Q8)
            SAME(it, off <= (update + decay) / 64 + fabsf(twin[j]) * FLT_EPSILON, "parameter", j, tensor);
        twin[j] = got[j];
    }
}

static void check_tensor(const subject *it, const fleet *tensors, const fleet *twin, size_t i) {
    const glissade_tensor_info info = fleet_info(tensors, i), expected = fleet_info(twin, i);
    const size_t n = fleet_state_length(twin, &expected);
    check_parameter(it, info.parameter, expected.parameter, before[i], lengths[i], i);
    for (int s = 0; s < GLISSADE_STATES; s++) {
        const format_map *map = &format_maps[is_unsigned(tensors, s)];
        const gls_random random = bits_of(tensors, &info, s, i);
        if (!expected.state[s])
            continue;
        if (info.state_format[s] == GLISSADE_STATE_BF16)
            check_bf16(it, info.state[s], expected.state[s], n, i);
        else if (info.state_format[s] == GLISSADE_STATE_BF16_STOCHASTIC)
            check_stochastic(it, &random, info.state[s], expected.state[s], n, i);
        else if (info.state_format[s] == GLISSADE_STATE_Q8)
            check_quantised(it, map, info.state[s], expected.state[s], n, i);
        else
            cr_assert(memcmp(info.state[s], expected.state[s], n * sizeof(float)) == 0, "%s: state %d",
                      it->variant.name, s);
    }
}

static void run_beside_twin(glissade_state_format format) {
    for (size_t v = 0; v < variants_count(); v++) {
        subject it = {.variant = variant_at(v), .layout = {.state = format}};
        const layout floats = {0};
        fleet tensors, twin;
        create(&it, &tensors, &it.layout, false);
        create(&it, &twin, &floats, false);
        for (it.step = 0; it.step < STEPS; it.step++) {
            for (size_t i = 0; i < TENSORS; i++)
                memcpy(before[i], tensors.tensors[i].parameter, lengths[i] * sizeof(float));
            step(&it, &tensors);
            step(&it, &twin);
            for (size_t i = 0; i < TENSORS; i++)
                check_tensor(&it, &tensors, &twin, i);
        }
        fleet_destroy(&tensors);
        fleet_destroy(&twin);
    }
}

Test(formats_states, bf16) {
    run_beside_twin(GLISSADE_STATE_BF16);
}

Test(formats_states, eight_bits) {
    run_beside_twin(GLISSADE_STATE_Q8);
}

/* So many coins lie within 5 standard deviations of their mean. */
Test(formats_states, stochastic_bf16) {
    run_beside_twin(GLISSADE_STATE_BF16_STOCHASTIC);
    const double off = (coins.ups - coins.expected) / sqrt(coins.variance);
    cr_assert(coins.variance > 5e4, "%g coins", coins.variance);
    cr_assert(fabs(off) < 5, "%g were rounded up, %g expected: %g standard deviations", coins.ups,
              coins.expected, off);
}

/* ---- subnormal numbers ---- */

/* Gradients that make averages subnormal, and averages of squares. */
static void fill_tiny_gradients(fleet *tensors) {
    for (size_t i = 0; i < TENSORS; i++)
        for (size_t j = 0; j < lengths[i]; j++)
            ((float *)tensors->tensors[i].gradient)[j] = ldexpf(scenario_value(3, i, j), j % 2 ? -124 : -64);
}

/* Of the states that a rule flushes; the others are parameters, too. */
static size_t subnormal_states(const fleet *tensors) {
    const char *name = tensors->rule->name;
    const bool first_is_point = strcmp(name, "asgd") == 0 || strncmp(name, "schedule_free", 13) == 0;
    size_t count = 0;
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(tensors, i);
        for (int s = first_is_point; s < GLISSADE_STATES; s++)
            for (size_t j = 0; info.state[s] && j < fleet_state_length(tensors, &info); j++)
                count += fpclassify(((float *)info.state[s])[j]) == FP_SUBNORMAL;
    }
    return count;
}

static size_t step_with_tiny_gradients(const variant *by, bool keeps) {
    glissade_engine_options options;
    glissade_engine *special;
    const rule_options plain = variant_options(by);
    const layout floats = {0};
    fleet tensors;
    glissade_engine_options_init(&options, sizeof options);
    options.keep_subnormals = keeps;
    cr_assert_eq(glissade_engine_create(&options, &special, NULL), GLISSADE_STATUS_OK);
    fleet_create(&tensors, &floats, lengths, TENSORS, 0, false);
    cr_assert(fleet_add(&tensors, special, by->rule, &plain));
    size_t count = 0;
    for (int i = 0; i < STEPS; i++) {
        fill_tiny_gradients(&tensors);
        fleet_step(&tensors, NULL);
        count += subnormal_states(&tensors);
    }
    fleet_destroy(&tensors);
    glissade_engine_destroy(&special);
    return count;
}

/* Which rules can have them at all: not those whose states are points, signs or at least eps. */
Test(formats_states, subnormal_numbers_are_kept_or_not) {
    size_t with = 0;
    for (size_t v = 0; v < variants_count(); v++) {
        const variant by = variant_at(v);
        cr_assert_eq(step_with_tiny_gradients(&by, false), 0, "%s keeps subnormal state", by.name);
        with += step_with_tiny_gradients(&by, true) > 0;
    }
    cr_assert(with >= 14, "%zu rules keep subnormal state where they are told to", with);
}

/* ---- random numbers ---- */

/* The states of two tensors that are alike, so that they differ in their random bits alone, after so many steps. */
static size_t stochastic_states(uint64_t seed, int steps, uint16_t states[2][2][LONGEST]) {
    const subject it = {.variant = {rule_find("adam"), "adam", ""},
                        .layout = {.state = GLISSADE_STATE_BF16_STOCHASTIC}};
    const rule_options options = variant_options(&it.variant);
    static const size_t alike[] = {LONGEST, LONGEST};
    fleet tensors;
    fleet_create(&tensors, &it.layout, alike, 2, 0, false);
    cr_assert(fleet_add(&tensors, engine, it.variant.rule, &options));
    cr_assert_eq(glissade_optimizer_set_seed(tensors.optimizer, seed), GLISSADE_STATUS_OK);
    for (int i = 0; i < steps; i++) {
        for (size_t tensor = 0; tensor < 2; tensor++)
            for (size_t j = 0; j < LONGEST; j++)
                ((float *)tensors.tensors[tensor].gradient)[j] = 1.003f; /* both moments need rounding */
        fleet_step(&tensors, NULL);
    }
    for (size_t tensor = 0; tensor < 2; tensor++)
        for (int s = 0; s < 2; s++)
            memcpy(states[tensor][s], fleet_info(&tensors, tensor).state[s], LONGEST * sizeof(uint16_t));
    fleet_destroy(&tensors);
    return sizeof states[0][0];
}

/* In how many elements two arrays were rounded differently. */
static size_t differing(const uint16_t *a, const uint16_t *b, uint16_t common_a, uint16_t common_b) {
    size_t count = 0;
    for (size_t i = 0; i < LONGEST; i++)
        count += (a[i] - common_a) != (b[i] - common_b);
    return count;
}

static uint16_t least(const uint16_t *x) {
    uint16_t smallest = x[0];
    for (size_t i = 0; i < LONGEST; i++)
        smallest = x[i] < smallest ? x[i] : smallest;
    return smallest;
}

Test(formats_states, a_seed_says_it_all) {
    static uint16_t first[2][2][LONGEST], again[2][2][LONGEST], other[2][2][LONGEST];
    const size_t bytes = stochastic_states(0, 1, first);
    stochastic_states(0, 1, again);
    stochastic_states((uint64_t)1 << 40, 1, other);
    cr_assert_arr_eq(first, again, sizeof first);
    /* A tensor, an array, a seed, each with random bits of its own. Of independent coins some tenth differ at least. */
    const uint16_t *pairs[][2] = {{first[0][0], first[1][0]},
                                  {first[0][1], first[1][1]},
                                  {first[0][0], other[0][0]},
                                  {first[0][1], other[0][1]},
                                  {first[0][0], first[0][1]}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const size_t count = differing(pairs[i][0], pairs[i][1], least(pairs[i][0]), least(pairs[i][1]));
        cr_assert(count > LONGEST / 20, "pair %zu: %zu of %d differ", i, count, LONGEST);
    }
    cr_assert_eq(bytes, LONGEST * sizeof(uint16_t));
}

/* ---- interrupted ---- */

enum { BEFORE = 2, AFTER = 2 };

static void give_numbers(const fleet *from, fleet *to) {
    for (uint32_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(from, i);
        const glissade_tensor_ref ref = {to->group, i};
        cr_assert_eq(glissade_optimizer_set_counts(to->optimizer, ref, info.steps, info.momentum_updates),
                     GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(to->optimizer));
        cr_assert_eq(glissade_optimizer_set_numbers(to->optimizer, ref, info.numbers[0], info.numbers[1]),
                     GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(to->optimizer));
    }
}

static size_t state_bytes(const fleet *it, const glissade_tensor_info *info, int s) {
    return glissade_state_bytes(info->state_format[s], fleet_state_length(it, info),
                                info->parameter_dtype == GLISSADE_DTYPE_F64);
}

/* Everything that was saved, in arrays of the caller's, of tensors that no group has yet. */
static void give_arrays(const fleet *from, fleet *to) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(from, i);
        held *tensor = &to->tensors[i];
        tensor->columns = info.columns;
        memcpy(tensor->parameter, info.parameter, info.length * dtype_bytes(info.parameter_dtype));
        if (info.master)
            memcpy(tensor->master, info.master_state,
                   info.length * (info.master == GLISSADE_MASTER_SPLIT ? 2 : 4));
        if (info.average)
            memcpy(tensor->average, info.average, info.length * sizeof(float));
    }
}

/* A state that the rule keeps full lies elsewhere than it would have: it is written when the group knows. */
static void give_states(const fleet *from, fleet *to) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(from, i), here = fleet_info(to, i);
        for (int s = 0; s < GLISSADE_STATES; s++)
            if (info.state[s]) {
                cr_assert_eq(here.state_format[s], info.state_format[s]);
                cr_assert_eq(here.state[s], to->tensors[i].state[s]);
                memcpy(here.state[s], info.state[s], state_bytes(from, &info, s));
            }
    }
}

static void check_same(const subject *it, const fleet *straight, const fleet *resumed) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info a = fleet_info(straight, i), b = fleet_info(resumed, i);
        const size_t bytes = a.length * dtype_bytes(a.parameter_dtype);
        SAME(it, memcmp(a.parameter, b.parameter, bytes) == 0, "parameter", i, i);
        SAME(it, a.steps == b.steps && a.momentum_updates == b.momentum_updates, "counts", i, i);
        SAME(it, memcmp(a.numbers, b.numbers, sizeof a.numbers) == 0, "numbers", i, i);
        if (a.master)
            SAME(it,
                 memcmp(a.master_state, b.master_state,
                        a.length * (a.master == GLISSADE_MASTER_SPLIT ? 2 : 4)) == 0,
                 "master", i, i);
        if (a.average)
            SAME(it, memcmp(a.average, b.average, a.length * sizeof(float)) == 0, "average", i, i);
        for (int s = 0; s < GLISSADE_STATES; s++)
            if (a.state[s])
                SAME(it, memcmp(a.state[s], b.state[s], state_bytes(straight, &a, s)) == 0, "state",
                     (size_t)s, i);
    }
}

static void start(const subject *it, const fleet *tensors) {
    cr_assert_eq(glissade_optimizer_set_seed(tensors->optimizer, 42), GLISSADE_STATUS_OK);
    if (it->layout.parameter != GLISSADE_DTYPE_F64)
        cr_assert_eq(glissade_optimizer_set_average(tensors->optimizer, tensors->group, 0.9),
                     GLISSADE_STATUS_OK);
}

static void check_resumption(subject *it) {
    fleet straight, resumed;
    const rule_options options = variant_options(&it->variant);
    create(it, &straight, &it->layout, false);
    start(it, &straight);
    for (it->step = 0; it->step < BEFORE; it->step++)
        step(it, &straight);
    fleet_create(&resumed, &it->layout, lengths, TENSORS, 5, true);
    give_arrays(&straight, &resumed);
    cr_assert(fleet_add(&resumed, engine, it->variant.rule, &options));
    start(it, &resumed);
    give_states(&straight, &resumed);
    give_numbers(&straight, &resumed);
    for (; it->step < BEFORE + AFTER; it->step++) {
        step(it, &straight);
        step(it, &resumed);
    }
    check_same(it, &straight, &resumed);
    for (size_t i = 0; i < TENSORS; i++)
        cr_assert(held_intact(&resumed.tensors[i]));
    fleet_destroy(&straight);
    fleet_destroy(&resumed);
}

/* Residuals are saved and restored in deferral.c. */
Test(formats_states, interrupted_runs_go_on) {
    for (size_t v = 0; v < variants_count(); v++)
        for (glissade_state_format format = 0; format <= GLISSADE_STATE_Q8; format++)
            for (int form = (int)format; form < FORMS; form += 4) {
                subject it = {.variant = variant_at(v), .layout = layout_of_form(form)};
                if (form != FORM_F64)
                    it.layout.state = format;
                if (!strstr(it.variant.name, "deferring"))
                    check_resumption(&it);
            }
}

/* ---- numbers ---- */

/* Halves the numbers of the last tensor, if the rule keeps any. */
static bool halve_numbers(const fleet *tensors) {
    const uint32_t last = (uint32_t)tensors->count - 1;
    const glissade_tensor_info info = fleet_info(tensors, last);
    return (info.numbers[0] != 0 || info.numbers[1] != 0) &&
           glissade_optimizer_set_numbers(tensors->optimizer, (glissade_tensor_ref){tensors->group, last},
                                          info.numbers[0] / 2, info.numbers[1] / 2) == GLISSADE_STATUS_OK;
}

/* Two that are alike but for their numbers go ways of their own: the second that of one that is alone. */
Test(formats_states, numbers_are_each_tensors_own) {
    static const size_t two[] = {300, 300};
    size_t kept = 0;
    for (size_t v = 0; v < variants_count(); v++) {
        const variant by = variant_at(v);
        const rule_options options = variant_options(&by);
        const layout floats = {0};
        fleet tensors[2];
        for (size_t f = 0; f < 2; f++) {
            fleet *it = &tensors[f];
            fleet_create(it, &floats, two, 2 - f, 0, false);
            for (size_t i = 0; i < it->count; i++)
                for (size_t j = 0; j < two[0]; j++)
                    ((float *)it->tensors[i].parameter)[j] = ((float *)it->tensors[i].gradient)[j] =
                        scenario_value(5, 0, j);
            cr_assert(fleet_add(it, engine, by.rule, &options));
            fleet_step(it, NULL);
            kept += halve_numbers(it);
            fleet_step(it, NULL);
        }
        cr_assert_arr_eq(tensors[0].tensors[1].parameter, tensors[1].tensors[0].parameter,
                         two[0] * sizeof(float), "%s", by.name);
        fleet_destroy(&tensors[0]);
        fleet_destroy(&tensors[1]);
    }
    cr_assert(kept >= 2 * 3, "%zu", kept);
}
