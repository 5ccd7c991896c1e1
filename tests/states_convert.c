/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrays in other number formats than the optimizer's: rounded to nearest once, from wherever they lie, whatever range is
 * asked for; and through whole files.
 */
#include "states_model.h"

#include "engine.h"
#include "formats.h"
#include "state/convert.h"

#include <criterion/criterion.h>

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1500, BLOCKS = (N + 255) / 256, ROOM = N * 8 + 64 };

static folder place;
static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&place, FOLDER_MEMORY);
    engine = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
    folder_destroy(&place);
}

TestSuite(states_convert, .init = setup, .fini = teardown, .timeout = 60);

/* ---- by definition ---- */

/* A double as the nearest half, ties to even: the neighbours below and above it, and what lies between. */
static uint16_t nearest_half(glissade_dtype dtype, double x) {
    const int exponent = dtype == GLISSADE_DTYPE_F16 ? 5 : 8, fraction = 15 - exponent;
    const uint32_t infinity = ((1u << exponent) - 1) << fraction, sign = signbit(x) ? 0x8000 : 0;
    uint32_t low = 0, high = infinity;
    if (isnan(x))
        return (uint16_t)(infinity + 1);
    if (isinf(x))
        return (uint16_t)(sign | infinity);
    while (high - low > 1) {
        const uint32_t middle = (low + high) / 2;
        *(format_magnitude(middle, exponent, fraction) <= fabs(x) ? &low : &high) = middle;
    }
    const double between =
        (format_magnitude(low, exponent, fraction) + format_magnitude(high, exponent, fraction)) / 2;
    const bool up = fabs(x) > between || (fabs(x) == between && low & 1);
    return (uint16_t)(sign | (up ? high : low));
}

/* Halfway between neighbours of each format, a little off, tiny, huge, and whatever bits say. */
static double hard_double(size_t i) {
    const uint64_t bits = random_at(7, i);
    double x;
    memcpy(&x, &bits, sizeof x);
    switch (i % 8) {
    case 0:
        return x;
    case 1: /* near a tie of bf16, and exactly one */
    case 2:
        x = ldexp((double)(0x101 + 2 * (bits & 0x7F)), (int)(bits >> 20 & 255) - 140);
        return i % 16 < 8 ? x : i % 32 < 16 ? nextafter(x, 0) : nextafter(x, HUGE_VAL);
    case 3:
    case 4: /* of f16 */
        x = -ldexp((double)(0x801 + 2 * (bits & 0x3FF)), (int)(bits >> 20 & 31) - 36);
        return i % 16 < 8 ? x : i % 32 < 16 ? nextafter(x, 0) : nextafter(x, HUGE_VAL);
    case 5: /* looks like a tie once it is a float */
        x = ldexp((double)(0x101 + 2 * (bits & 0x7F)), (int)(bits >> 20 & 63) - 30);
        return x + ldexp(x, bits & 1 ? -40 : -45) * (bits & 2 ? 1 : -1);
    case 6: {
        static const double edges[] = {65504,      65519.999999999,
                                       65520,      65520.00001,
                                       FLT_MAX,    0x1.fep127,
                                       0x1.ffp127, 0x1.fefffffffp127,
                                       1e39,       DBL_MAX,
                                       HUGE_VAL,   -HUGE_VAL,
                                       NAN,        0,
                                       -0.0,       DBL_TRUE_MIN,
                                       0x1p-25,    0x1.0000001p-25,
                                       0x1p-134,   0x1.0001p-134};
        return edges[bits % (sizeof edges / sizeof *edges)];
    }
    default:
        return (double)value_of_bits((uint32_t)bits);
    }
}

/* ---- single conversions ---- */

/* Converts ranges of 512 elements, from and to memory that is as little aligned as it may be. */
static void convert(glissade_file_dtype dtype, const void *elements, size_t bytes, const void *units,
                    gls_format format, bool is_unsigned, void *to) {
    static char room[ROOM], unit_room[BLOCKS * 4 + 8];
    const gls_kept kept = {format, is_unsigned, to, N};
    memcpy(room + 1, elements, bytes);
    if (units)
        memcpy(unit_room + 3, units, BLOCKS * sizeof(float));
    const gls_stored stored = {dtype, room + 1, units ? unit_room + 3 : NULL};
    for (size_t begin = 0; begin < N; begin += 512)
        gls_convert(engine->kernels->formats, &stored, &kept,
                    (gls_range){begin, begin + 512 < N ? begin + 512 : N}, false);
}

Test(states_convert, doubles) {
    static double from[N];
    static float singles[N];
    static uint16_t halves[2][N];
    size_t finite = 0;
    for (size_t round = 0; round < 40; round++) {
        for (size_t i = 0; i < N; i++)
            from[i] = hard_double(round * N + i);
        convert(GLISSADE_FILE_F64, from, sizeof from, NULL, GLS_F32, false, singles);
        convert(GLISSADE_FILE_F64, from, sizeof from, NULL, GLS_BF16, false, halves[0]);
        convert(GLISSADE_FILE_F64, from, sizeof from, NULL, GLS_F16, false, halves[1]);
        for (size_t i = 0; i < N; i++) {
            const uint16_t bf16 = nearest_half(GLISSADE_DTYPE_BF16, from[i]),
                           f16 = nearest_half(GLISSADE_DTYPE_F16, from[i]);
            if (isnan(from[i])) {
                cr_assert(isnan(singles[i]) && (halves[0][i] & 0x7FFF) > 0x7F80 &&
                          (halves[1][i] & 0x7FFF) > 0x7C00);
                continue;
            }
            cr_assert_eq(value_bits(singles[i]), value_bits((float)from[i]), "%a", from[i]);
            cr_assert_eq(halves[0][i], bf16, "%a: %04x, not %04x", from[i], halves[0][i], bf16);
            cr_assert_eq(halves[1][i], f16, "%a: %04x, not %04x", from[i], halves[1][i], f16);
            finite++;
        }
    }
    cr_assert_gt(finite, 40 * N / 2);
}

/* Halves and floats among one another and to double. */
Test(states_convert, floats) {
    static float from[N], back[N];
    static double wide[N];
    static uint16_t halves[N], other[N];
    values_fill(from, N, FILL_BITS, 3, 0);
    for (size_t i = 0; i < N; i += 3)
        from[i] = scenario_value(1, 2, i);
    convert(GLISSADE_FILE_F32, from, sizeof from, NULL, GLS_F64, false, wide);
    convert(GLISSADE_FILE_F32, from, sizeof from, NULL, GLS_BF16_RANDOM, false, halves);
    for (size_t i = 0; i < N; i++) {
        cr_assert(isnan(from[i]) ? isnan(wide[i]) : wide[i] == (double)from[i]);
        cr_assert_eq(halves[i], half_of(GLISSADE_DTYPE_BF16, from[i]));
    }
    convert(GLISSADE_FILE_BF16, halves, sizeof halves, NULL, GLS_F32, false, back);
    convert(GLISSADE_FILE_BF16, halves, sizeof halves, NULL, GLS_F16, false, other);
    for (size_t i = 0; i < N; i++) {
        cr_assert_eq(value_bits(back[i]), value_bits(float_of_half(GLISSADE_DTYPE_BF16, halves[i])));
        cr_assert(isnan(back[i]) || other[i] == half_of(GLISSADE_DTYPE_F16, back[i]));
    }
    convert(GLISSADE_FILE_F16, other, sizeof other, NULL, GLS_F64, false, wide);
    for (size_t i = 0; i < N; i++)
        cr_assert(isnan(wide[i]) || wide[i] == (double)float_of_half(GLISSADE_DTYPE_F16, other[i]));
}

/* Of 8 bits, by their definition; what is made into them is what the step's own kernels make. */
Test(states_convert, codes) {
    static float from[N], back[N], units[BLOCKS], expected_units[BLOCKS];
    static uint8_t expected[N];
    static union {
        uint8_t codes[N + BLOCKS * 4 + 8];
        float aligned;
    } written;
    static double wide[N];
    for (int u = 0; u < 2; u++) {
        const format_map *map = &format_maps[u];
        for (size_t i = 0; i < N; i++) {
            from[i] = u ? fabsf(scenario_value(1, 2, i)) : scenario_value(1, 2, i);
            wide[i] = (double)from[i] * (1 + 0x1p-40);
        }
        format_quantise(engine->kernels->formats, map, expected, expected_units, from, N);
        for (int d = 0; d < 2; d++) {
            convert(d ? GLISSADE_FILE_F64 : GLISSADE_FILE_F32, d ? (const void *)wide : from,
                    d ? sizeof wide : sizeof from, NULL, GLS_Q8, u, written.codes);
            memcpy(units, written.codes + N, sizeof units);
            cr_assert_arr_eq(written.codes, expected, N);
            cr_assert_arr_eq(units, expected_units, sizeof units);
        }
        convert(u ? GLISSADE_FILE_U8 : GLISSADE_FILE_I8, expected, N, expected_units, GLS_F32, false, back);
        for (size_t i = 0; i < N; i++) {
            const int code = u ? expected[i] : (int8_t)expected[i];
            const float value =
                (float)(format_code_magnitude(map, (uint32_t)abs(code)) * (double)expected_units[i / 256]);
            cr_assert_eq(back[i], code < 0 ? -value : value);
        }
    }
}

/* ---- through files ---- */

static const layout formats[] = {
    {0},
    {.parameter = GLISSADE_DTYPE_BF16, .state = GLISSADE_STATE_BF16},
    {.parameter = GLISSADE_DTYPE_F16, .gradient = GLISSADE_DTYPE_BF16, .state = GLISSADE_STATE_Q8},
    {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64},
    {.state = GLISSADE_STATE_BF16_STOCHASTIC}};

enum { FORMATS = sizeof formats / sizeof *formats };

/* bf16 is stored alike, however it is rounded. */
static bool is_same(const layout *a, const layout *b) {
    static const glissade_state_format stored[] = {GLISSADE_STATE_FULL, GLISSADE_STATE_BF16,
                                                   GLISSADE_STATE_BF16, GLISSADE_STATE_Q8};
    return a->parameter == b->parameter && stored[a->state] == stored[b->state];
}

/* An element of a state in full. */
static double state_of(const planned *it, size_t tensor, int s, size_t i) {
    const glissade_tensor_info info = planned_info(it, tensor);
    const size_t n = info.length;
    if (info.state_format[s] == GLISSADE_STATE_Q8) {
        const uint8_t *codes = info.state[s];
        const float *units = (const float *)(const void *)(codes + (n + 3) / 4 * 4);
        const int code = s ? codes[i] : (int8_t)codes[i];
        const double value =
            format_code_magnitude(&format_maps[s], (uint32_t)abs(code)) * (double)units[i / 256];
        return code < 0 ? -value : value;
    }
    if (info.state_format[s] != GLISSADE_STATE_FULL)
        return array_read(GLISSADE_DTYPE_BF16, info.state[s], i);
    return array_read(info.parameter_dtype == GLISSADE_DTYPE_F64 ? GLISSADE_DTYPE_F64 : GLISSADE_DTYPE_F32,
                      info.state[s], i);
}

/* Within what the coarser of the two formats has for an error. */
static void check_near(const planned *a, const planned *b, bool coarse) {
    const glissade_tensor_info x = planned_info(a, 0), y = planned_info(b, 0);
    cr_assert(x.steps == y.steps);
    for (size_t i = 0; i < x.length; i++) {
        const double p = array_read(x.parameter_dtype, x.parameter, i),
                     q = array_read(y.parameter_dtype, y.parameter, i);
        cr_assert(fabs(p - q) <= fabs(p) * 0x1p-8 + 0x1p-24, "%g, %g", p, q);
        for (int s = 0; s < 2; s++) {
            const double u = state_of(a, 0, s, i), v = state_of(b, 0, s, i);
            const double bound = fabs(u) * (coarse ? 0.3 : 0x1p-8) + (coarse ? 1 : 0x1p-120);
            cr_assert(fabs(u - v) <= bound, "state %d: %g, %g", s, u, v);
        }
    }
}

Test(states_convert, files) {
    const char *path = folder_at(&place, "state");
    for (size_t f = 0; f < FORMATS; f++)
        for (size_t t = 0; t < FORMATS; t++) {
            const planned_group from[] = {{"adam", "", {FORMED("a", N, formats[f])}}, {.rule = NULL}},
                                to[] = {{"adam", "", {FORMED("a", N, formats[t])}}, {.rule = NULL}};
            glissade_load_options options = states_load_options();
            glissade_load_report report = {.size = sizeof report};
            planned a, b;
            const bool same = is_same(&formats[f], &formats[t]);
            planned_create(&a, engine, from, 1);
            planned_create(&b, engine, to, 2);
            planned_step(&a, 0);
            planned_step(&a, 1);
            states_save(a.optimizer, path, true);
            options.parameters = true;
            cr_assert_eq(glissade_optimizer_load(b.optimizer, path, &options, &report),
                         same ? GLISSADE_STATUS_OK : GLISSADE_STATUS_MISMATCH);
            options.convert = true;
            cr_assert_eq(glissade_optimizer_load(b.optimizer, path, &options, &report), GLISSADE_STATUS_OK,
                         "%s", glissade_optimizer_message(b.optimizer));
            cr_assert_eq(report.converted > 0, !same);
            check_near(&a, &b,
                       formats[f].state == GLISSADE_STATE_Q8 || formats[t].state == GLISSADE_STATE_Q8);
            planned_step(&b, 2);
            planned_destroy(&a);
            planned_destroy(&b);
        }
}

/* What no conversion leads to. */
Test(states_convert, refusals) {
    static const uint8_t bytes[N * 8];
    static const glissade_file_dtype dtypes[] = {
        GLISSADE_FILE_I8,   GLISSADE_FILE_U8,      GLISSADE_FILE_I16,     GLISSADE_FILE_U16,
        GLISSADE_FILE_I32,  GLISSADE_FILE_U32,     GLISSADE_FILE_I64,     GLISSADE_FILE_U64,
        GLISSADE_FILE_BOOL, GLISSADE_FILE_F8_E4M3, GLISSADE_FILE_F8_E5M2, GLISSADE_FILE_F8_E8M0};
    const planned_group to[] = {{"adam", "", {PLAIN("a", N)}}, {.rule = NULL}};
    glissade_load_options options = states_load_options();
    const char *path = folder_at(&place, "state");
    planned it;
    planned_create(&it, engine, to, 1);
    options.convert = options.parameters = options.ignore_missing = true;
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++)
        for (int what = 0; what < 2; what++) {
            const made tensor = {what ? "a" : "state.a.exp_avg", dtypes[i], 1, {N}, bytes};
            states_write(path, &tensor, 1, NULL);
            cr_assert_eq(glissade_optimizer_load(it.optimizer, path, &options, NULL),
                         GLISSADE_STATUS_MISMATCH);
            const char *message = glissade_optimizer_message(it.optimizer);
            const bool codes = !what && i < 2;
            cr_assert(
                strstr(message, codes ? "\"state.a.exp_avg.unit\", which its codes need" : "accepted: F32") &&
                    !strstr(message, "convert"),
                "%s", message);
        }
    planned_destroy(&it);
}

/* Units that do not fit their codes. */
Test(states_convert, units) {
    static const uint8_t bytes[N * 8];
    static const made units[] = {{"state.a.exp_avg.unit", GLISSADE_FILE_F32, 1, {BLOCKS - 1}, bytes},
                                 {"state.a.exp_avg.unit", GLISSADE_FILE_F32, 1, {BLOCKS + 1}, bytes},
                                 {"state.a.exp_avg.unit", GLISSADE_FILE_F64, 1, {BLOCKS}, bytes},
                                 {"state.a.exp_avg.unit", GLISSADE_FILE_F32, 0, {0}, bytes}};
    const layout stored = {.state = GLISSADE_STATE_Q8};
    const planned_group to[] = {{"adam", "", {FORMED("a", N, stored)}}, {.rule = NULL}};
    const char *path = folder_at(&place, "state");
    planned it;
    planned_create(&it, engine, to, 1);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const made tensors[] = {{"state.a.exp_avg", GLISSADE_FILE_I8, 1, {N}, bytes}, units[i]};
        states_write(path, tensors, 2, NULL);
        cr_assert_eq(glissade_optimizer_load(it.optimizer, path, NULL, NULL), GLISSADE_STATUS_MISMATCH);
        cr_assert(strstr(glissade_optimizer_message(it.optimizer), "state.a.exp_avg.unit"));
    }
    planned_destroy(&it);
}
