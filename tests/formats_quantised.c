/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Block-wise 8-bit: the code of a magnitude and the value of a code by their definition, all codes there and back, what
 * a block's scale becomes, and how large errors are. Part of the formats program.
 */
#include "formats.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <stdlib.h>

enum { UNIT = GLS_QUANTISED_BLOCK, CODES = 256 };

/* One map on one instruction set. */
typedef struct subject {
    int map;
    glissade_isa isa;
} subject;

static const format_map *map_of(const subject *s) {
    return &format_maps[s->map];
}

static struct criterion_test_params subjects(void) {
    subject *all = cr_malloc(2 * GLISSADE_ISA_NEON * sizeof *all);
    size_t count = 0;
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (int map = 0; map < 2 && glissade_isa_available(isa); map++)
            all[count++] = (subject){map, isa};
    return cr_make_param_array(subject, all, count, NULL);
}

static uint32_t largest_code(const format_map *map) {
    return (1u << map->bits) - 1;
}

/* The codes of one block whose unit is 1, because its largest magnitude is put first. */
static void codes_of(const subject *s, uint8_t *codes, const float *x, size_t n) {
    float block[UNIT] = {(float)map_of(s)->top}, scale;
    uint8_t all[UNIT];
    memcpy(block + 1, x, n * sizeof *x);
    format_quantise(formats_of(s->isa), map_of(s), all, &scale, block, n + 1);
    cr_assert_eq(scale, 1.0f);
    cr_assert_eq(all[0], largest_code(map_of(s)));
    memcpy(codes, all + 1, n);
}

/* ---- codes ---- */

ParameterizedTestParameters(formats_quantised, values) {
    return subjects();
}

/* Every byte's value, times units for which the product is exact, rounded, subnormal and infinite. */
ParameterizedTest(subject *s, formats_quantised, values) {
    static const float units[] = {1.0f, 0.1f, FLT_MIN, 1e-30f, 0x1.FFFFFEp127f, 0.0f};
    uint8_t codes[CODES];
    float x[CODES];
    for (int i = 0; i < CODES; i++)
        codes[i] = (uint8_t)i;
    for (size_t u = 0; u < sizeof units / sizeof *units; u++) {
        format_expand(formats_of(s->isa), map_of(s), x, codes, &units[u], CODES);
        for (uint32_t i = 0; i < CODES; i++) {
            const bool negative = map_of(s)->is_signed && i > 127;
            const uint32_t magnitude = negative ? 256 - i : i;
            const double value =
                magnitude == 128 && negative ? 2 : format_code_magnitude(map_of(s), magnitude);
            const float wanted = (float)((negative ? -value : value) * (double)units[u]);
            cr_assert_eq(value_bits(x[i]), value_bits(wanted), "code %u, unit %a: %a, should be %a", i,
                         (double)units[u], (double)x[i], (double)wanted);
        }
    }
}

ParameterizedTestParameters(formats_quantised, codes_come_back) {
    return subjects();
}

/* All codes but -128, which is never made, in one block. */
ParameterizedTest(subject *s, formats_quantised, codes_come_back) {
    for (int exponent = -126; exponent <= 126; exponent += 4) {
        const float unit = ldexpf(1, exponent);
        uint8_t codes[CODES], back[CODES];
        float x[CODES], scale;
        for (int i = 0; i < CODES; i++)
            codes[i] = (uint8_t)(map_of(s)->is_signed && i == 128 ? 0 : i);
        format_expand(formats_of(s->isa), map_of(s), x, codes, &unit, CODES);
        format_quantise(formats_of(s->isa), map_of(s), back, &scale, x, CODES);
        cr_assert_eq(scale, unit);
        /* Products below the least subnormal number have become 0. */
        for (int i = 0; i < CODES; i++)
            cr_assert_eq(back[i], fabsf(x[i]) >= FLT_MIN ? codes[i] : back[i], "unit 2^%d, code %d", exponent,
                         i);
        if (exponent > -60)
            cr_assert_arr_eq(back, codes, sizeof codes);
    }
}

/* Neighbours of every boundary between codes, and a walk through all magnitudes of a block. */
static size_t hard_magnitudes(const format_map *map, float *y, size_t room) {
    size_t count = 0;
    for (uint32_t code = 0; code < largest_code(map); code++) {
        const double middle = (format_code_magnitude(map, code) + format_code_magnitude(map, code + 1)) / 2;
        const uint32_t bits = value_bits((float)middle);
        for (uint32_t i = 0; i < 41; i++)
            y[count++] = value_of_bits(bits + i - 20);
    }
    for (uint32_t bits = 0x00800000; bits <= value_bits((float)map->top) && count < room; bits += 4099)
        y[count++] = value_of_bits(bits);
    return count;
}

static int ascending(const void *a, const void *b) {
    const float left = *(const float *)a, right = *(const float *)b;
    return (left > right) - (left < right);
}

ParameterizedTestParameters(formats_quantised, code_of_a_magnitude) {
    return subjects();
}

ParameterizedTest(subject *s, formats_quantised, code_of_a_magnitude) {
    enum { ROOM = 300000, AT_ONCE = UNIT - 1 };
    static float y[ROOM + AT_ONCE];
    const size_t count = hard_magnitudes(map_of(s), y, ROOM);
    cr_assert_lt(count, ROOM); /* the walk arrived */
    qsort(y, count, sizeof *y, ascending);
    uint32_t before = 0;
    for (size_t i = 0; i < count; i += AT_ONCE) {
        uint8_t codes[AT_ONCE];
        codes_of(s, codes, y + i, AT_ONCE);
        for (size_t j = 0; j < AT_ONCE && i + j < count; before = codes[j++]) {
            uint32_t wanted = format_code_of(map_of(s), y[i + j]);
            if (!map_of(s)->is_signed && wanted == 0)
                wanted = 1;
            cr_assert_eq(codes[j], wanted, "%a: code %u, should be %u", (double)y[i + j], codes[j], wanted);
            cr_assert_geq(codes[j], before, "not monotone at %a", (double)y[i + j]);
        }
    }
}

ParameterizedTestParameters(formats_quantised, ties) {
    return subjects();
}

/* A magnitude midway between two codes of an octave has the even one. */
ParameterizedTest(subject *s, formats_quantised, ties) {
    const format_map *map = map_of(s);
    int ties = 0;
    for (uint32_t code = 1u << map->octave; code < largest_code(map); code++) {
        const float tie =
            (float)((format_code_magnitude(map, code) + format_code_magnitude(map, code + 1)) / 2);
        const uint32_t even = code + code % 2;
        uint8_t codes[2];
        codes_of(s, codes, (float[]){tie, -tie}, 2);
        cr_assert_eq(codes[0], even, "between %u and %u: %u", code, code + 1, codes[0]);
        cr_assert_eq(codes[1], map->is_signed ? 256 - even : 0);
        ties++;
    }
    cr_assert_eq(ties, (int)largest_code(map) - (1 << map->octave));
}

/* ---- signs, and what is not ordinary ---- */

ParameterizedTestParameters(formats_quantised, signs) {
    return subjects();
}

ParameterizedTest(subject *s, formats_quantised, signs) {
    const bool is_signed = map_of(s)->is_signed;
    const float x[] = {0.0f, -0.0f, 1.0f, -1.0f, 0x1p-149f, -0x1p-149f, 0x1p-80f, -0x1p-80f};
    static const uint8_t with_sign[] = {0, 0, 96, 256 - 96, 0, 0, 0, 0},
                         without[] = {0, 0, 240, 0, 1, 0, 1, 0};
    uint8_t codes[8];
    codes_of(s, codes, x, 8);
    cr_assert_arr_eq(codes, is_signed ? with_sign : without, sizeof codes);

    /* The largest magnitude counts, unsigned the largest number. */
    const float block[] = {0.5f, -3.0f, 1.0f};
    float scale;
    format_quantise(formats_of(s->isa), map_of(s), codes, &scale, block, 3);
    cr_assert_eq(scale, (is_signed ? 3.0f : 1.0f) / (float)map_of(s)->top);
    cr_assert_eq(codes[1], is_signed ? 256 - 127 : 0);
}

static void check_whole_block(const subject *s, const float *x, size_t n, uint32_t scale_bits) {
    const size_t blocks = (n + UNIT - 1) / UNIT;
    float scales[3], back[3 * UNIT];
    uint8_t codes[3 * UNIT];
    memset(codes, 0xEE, sizeof codes);
    format_quantise(formats_of(s->isa), map_of(s), codes, scales, x, n);
    format_expand(formats_of(s->isa), map_of(s), back, codes, scales, n);
    cr_assert_eq(value_bits(scales[blocks - 1]), scale_bits, "n %zu: scale 0x%08x, should be 0x%08x", n,
                 value_bits(scales[blocks - 1]), scale_bits);
    for (size_t i = (blocks - 1) * UNIT; i < n; i++) {
        cr_assert_eq(codes[i], 0);
        cr_assert_eq(value_bits(back[i]), scale_bits ? 0x7FC00000 : 0, "n %zu: x[%zu] = %a", n, i,
                     (double)back[i]);
    }
}

/* In a whole block and in a short one, anywhere in it. */
static void check_odd_value(const subject *s, uint32_t bits, uint32_t scale_bits) {
    static const size_t lengths[] = {1, 7, 100, 255, 256, 257, 300, 511, 512, 513, 700};
    float x[3 * UNIT];
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        const size_t n = lengths[l], begin = (n - 1) / UNIT * UNIT;
        for (size_t at = begin; at < n; at += 1 + (n - begin) / 13) {
            for (size_t i = 0; i < n; i++)
                x[i] = i < begin || scale_bits ? 1.5f : 0.0f;
            x[at] = value_of_bits(bits);
            check_whole_block(s, x, n, scale_bits);
        }
    }
}

ParameterizedTestParameters(formats_quantised, odd_blocks) {
    return subjects();
}

ParameterizedTest(subject *s, formats_quantised, odd_blocks) {
    static const uint32_t bad[] = {0x7F800000, 0xFF800000, 0x7FC00000, 0xFFC00000,
                                   0x7F800001, 0xFF800001, 0xFFFFFFFF};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        check_odd_value(s, bad[i], 0x7FC00000);
    const float top = (float)map_of(s)->top;
    check_odd_value(s, 0x00000000, 0);
    check_odd_value(s, 0x80000000, 0);
    check_odd_value(s, 0x00000001, 0);
    check_odd_value(s, value_bits(FLT_MIN), 0);
    check_odd_value(s, value_bits(FLT_MIN * top) - 1, 0);

    uint8_t code;
    float scale;
    format_quantise(formats_of(s->isa), map_of(s), &code, &scale, (float[]){FLT_MIN * top}, 1);
    cr_assert_eq(scale, FLT_MIN);
    cr_assert_eq(code, largest_code(map_of(s)));
}

/* Blocks do not look at their neighbours, and a short last one is like any other. */
ParameterizedTestParameters(formats_quantised, blocks) {
    return subjects();
}

ParameterizedTest(subject *s, formats_quantised, blocks) {
    enum { MOST = 5 * UNIT };
    static float x[MOST], at_once[5], scale;
    static uint8_t codes[MOST], block[UNIT];
    values_fill(x, MOST, FILL_SPRINKLED, 4, 0);
    for (size_t n = MOST - UNIT - 40; n <= MOST; n += 13) {
        format_quantise(formats_of(s->isa), map_of(s), codes, at_once, x, n);
        for (size_t i = 0; i < n; i += UNIT) {
            const size_t length = n - i < UNIT ? n - i : UNIT;
            format_quantise(formats_of(GLISSADE_ISA_SCALAR), map_of(s), block, &scale, x + i, length);
            cr_assert_eq(value_bits(scale), value_bits(at_once[i / UNIT]));
            cr_assert_arr_eq(block, codes + i, length);
        }
    }
}

/* ---- errors ---- */

ParameterizedTestParameters(formats_quantised, largest_comes_back) {
    return subjects();
}

/* Within a unit in the last place, and finite, up to FLT_MAX. */
ParameterizedTest(subject *s, formats_quantised, largest_comes_back) {
    for (uint64_t i = 0; i < 200000; i++) {
        const uint32_t least = value_bits(FLT_MIN * (float)map_of(s)->top), range = 0x7F800000 - least;
        const uint32_t bits = i < 1000 ? 0x7F7FFFFF - (uint32_t)i : least + (uint32_t)random_at(1, i) % range;
        const float x = value_of_bits(bits);
        float scale, back;
        uint8_t code;
        format_quantise(formats_of(s->isa), map_of(s), &code, &scale, &x, 1);
        format_expand(formats_of(s->isa), map_of(s), &back, &code, &scale, 1);
        const int32_t off = (int32_t)(value_bits(back) - bits);
        cr_assert(off >= -1 && off <= 1, "%a comes back as %a", (double)x, (double)back);
        cr_assert(isfinite(back) && code == largest_code(map_of(s)));
    }
}

/* Half a step of the octave that y lies in, and a little for three roundings and for the bits that are cut off. */
static double error_bound(const format_map *map, double y) {
    const int groups = 1 << map->octave, down = y > 0 ? 1 - (int)floor(log2(y)) - 1 : 10000;
    const int fraction_bits = map->bits - 1 - map->octave - down / groups;
    if (fraction_bits < 0)
        return 2 * format_code_magnitude(map, (1u << map->octave)); /* below the codes that have all bits */
    return y * 0x1p-20 + ldexp(1, -down - fraction_bits - 1);
}

ParameterizedTestParameters(formats_quantised, error_is_bounded) {
    return subjects();
}

ParameterizedTest(subject *s, formats_quantised, error_is_bounded) {
    enum { MOST = 64 * UNIT };
    static const value_fill fills[] = {FILL_ORDINARY, FILL_HUGE, FILL_NEAR_MIN, FILL_ZEROS};
    static float x[MOST], back[MOST], scales[64];
    static uint8_t codes[MOST];
    for (size_t fill = 0; fill < sizeof fills / sizeof *fills; fill++) {
        values_fill(x, MOST, fills[fill], 8, 0);
        format_quantise(formats_of(s->isa), map_of(s), codes, scales, x, MOST);
        format_expand(formats_of(s->isa), map_of(s), back, codes, scales, MOST);
        for (size_t i = 0; i < MOST; i++) {
            const double unit = (double)scales[i / UNIT];
            const double exact = !map_of(s)->is_signed && x[i] < 0 ? 0 : (double)x[i];
            const double bound = unit * error_bound(map_of(s), unit > 0 ? fabs(exact) / unit : 0);
            cr_assert_leq(fabs((double)back[i] - exact), unit > 0 ? bound : 2 * FLT_MIN,
                          "%a comes back as %a", (double)x[i], (double)back[i]);
        }
    }
}

/* ---- figures of glissade/format.h ---- */

static double uniform(uint64_t seed, uint64_t i) {
    return ((double)(random_at(seed, i) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t seed, uint64_t i) {
    return sqrt(-2 * log(uniform(seed, 2 * i))) * cos(6.283185307179586 * uniform(seed, 2 * i + 1));
}

enum { SAMPLE = 1000 * UNIT };
static float sample[SAMPLE], restored[SAMPLE];

static void restore_sample(const format_map *map) {
    static uint8_t codes[SAMPLE];
    static float scales[SAMPLE / UNIT];
    format_quantise(formats_of(gls_dispatch_best()), map, codes, scales, sample, SAMPLE);
    format_expand(formats_of(gls_dispatch_best()), map, restored, codes, scales, SAMPLE);
}

/* The same by equal steps: 127 or 255 up to the block's largest. */
static void restore_linearly(int steps) {
    for (size_t begin = 0; begin < SAMPLE; begin += UNIT) {
        double largest = 0;
        for (size_t i = begin; i < begin + UNIT; i++)
            largest = fmax(largest, fabs((double)sample[i]));
        for (size_t i = begin; i < begin + UNIT; i++)
            restored[i] = (float)(nearbyint((double)sample[i] / largest * steps) * largest / steps);
    }
}

/* In percent: of the root mean square; of the square root. */
static double error_of_values(void) {
    double error = 0, all = 0;
    for (size_t i = 0; i < SAMPLE; i++) {
        error += pow((double)restored[i] - (double)sample[i], 2);
        all += pow((double)sample[i], 2);
    }
    return 100 * sqrt(error / all);
}

static double error_of_roots(void) {
    double error = 0;
    for (size_t i = 0; i < SAMPLE; i++)
        error += pow(sqrt((double)restored[i] / (double)sample[i]) - 1, 2);
    return 100 * sqrt(error / SAMPLE);
}

static void check_figure(const char *what, double got, double told) {
    cr_expect(fabs(got - told) < 0.02 * told + 0.006, "%s: %.3f %%, told is %.2f %%", what, got, told);
}

Test(formats_quantised, figures_of_momentum) {
    for (size_t i = 0; i < SAMPLE; i++)
        sample[i] = (float)normal(1, i);
    restore_sample(&format_maps[0]);
    check_figure("Gaussian", error_of_values(), 0.74);
    restore_linearly(127);
    check_figure("Gaussian, linear", error_of_values(), 0.70);
    for (size_t i = 0; i < SAMPLE; i++)
        sample[i] = (float)(log(uniform(2, i)) * (random_at(3, i) & 1 ? 1 : -1));
    restore_sample(&format_maps[0]);
    check_figure("Laplace", error_of_values(), 0.82);
    restore_linearly(127);
    check_figure("Laplace, linear", error_of_values(), 1.00);
}

Test(formats_quantised, figures_of_second_moments) {
    for (size_t i = 0; i < SAMPLE; i++)
        sample[i] = (float)pow(normal(4, i), 2);
    restore_sample(&format_maps[1]);
    check_figure("squared Gaussian", error_of_roots(), 0.83);
    restore_linearly(255);
    check_figure("squared Gaussian, linear", error_of_roots(), 33);
    for (size_t i = 0; i < SAMPLE; i++) {
        double sum = 0;
        for (uint64_t k = 0; k < 20; k++)
            sum += pow(normal(5 + k, i), 2);
        sample[i] = (float)(sum / 20);
    }
    restore_sample(&format_maps[1]);
    check_figure("mean of 20", error_of_roots(), 0.66);
    for (size_t i = 0; i < SAMPLE; i++)
        sample[i] *= (float)exp(2 * normal(30, i));
    restore_sample(&format_maps[1]);
    check_figure("mean of 20, scaled", error_of_roots(), 1.08);
}
