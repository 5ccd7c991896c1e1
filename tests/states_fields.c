/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers as text, exactly and in every locale; and that every hyperparameter of every rule goes through a file. */
#include "states.h"

#include "state/fields.h"
#include "values.h"

#include <criterion/criterion.h>

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static folder place;
static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&place, FOLDER_MEMORY);
    engine = scenario_engine(1);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
    folder_destroy(&place);
}

TestSuite(states_fields, .init = setup, .fini = teardown, .timeout = 60);

/* ---- numbers ---- */

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void check_number(double x) {
    char expected[64];
    double back = 1;
    const gls_number number = gls_hex_format(x);
    snprintf(expected, sizeof expected, "%a", x);
    cr_assert_str_eq(number.text, expected);
    cr_assert(gls_hex_parse(number.text, &back), "%s", number.text);
    cr_assert_eq(bits_of(back), bits_of(x), "%s", number.text);
    cr_assert(strtod(number.text, NULL) == x);
}

Test(states_fields, doubles) {
    static const double numbers[] = {
        0,    1,     0.1,      DBL_MAX,   DBL_MIN, DBL_TRUE_MIN, 0x1p-1023, 0x1p-30,   1 / 3.0,    0x1.8p700,
        1e-8, 0.999, 16777217, 0x1p-1073, FLT_MAX, HUGE_VAL,     1.0e23,    0x1p-1022, 0x1.1p-1040};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        check_number(numbers[i]);
        check_number(-numbers[i]);
    }
    for (uint64_t i = 0; i < 200000; i++) {
        const uint64_t bits = random_at(1, i);
        double x;
        memcpy(&x, &bits, sizeof x);
        if (isfinite(x))
            check_number(x);
    }
    double nan = 0;
    cr_assert(strcmp(gls_hex_format(NAN).text, "nan") == 0 && gls_hex_parse("nan", &nan) && isnan(nan));
}

/* Whatever the decimal point is elsewhere. */
Test(states_fields, locales) {
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "C.UTF-8", "C"};
    const char *set = NULL;
    for (size_t i = 0; !set && i < sizeof locales / sizeof *locales; i++)
        set = setlocale(LC_ALL, locales[i]);
    double x = 0;
    cr_log_info("locale %s", set);
    cr_assert_str_eq(gls_hex_format(1.5).text, "0x1.8p+0");
    cr_assert(gls_hex_parse("0x1.8p+0", &x) && x == 1.5);
    cr_assert(!gls_hex_parse("0x1,8p+0", &x));
}

/* Written by others: any number of digits, as long as a double holds it. */
Test(states_fields, other_notations) {
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0x1p0", 1},        {"0x10p-4", 1},    {"0x.8p1", 1},          {"0xA.8p0", 10.5},
                {"0x0.00p9", 0},     {"-0x0p+0", -0.0}, {"0x1.0000p+00001", 2}, {"0x8p-1077", 0x1p-1074},
                {"-inf", -HUGE_VAL}, {"0x001p0", 1}};
    static const char *const bad[] = {"",
                                      "0",
                                      "1",
                                      "0x",
                                      "0x1",
                                      "0xp0",
                                      "0x.p0",
                                      "0x1p",
                                      "0x1p+",
                                      "0x1p0 ",
                                      " 0x1p0",
                                      "+0x1p0",
                                      "0x1.2.3p0",
                                      "0x1p0x",
                                      "0x1p99999",
                                      "0x1p-99999",
                                      "0x1p1024",
                                      "0x1p-1075",
                                      "0x1.8p-1074",
                                      "infinity",
                                      "NaN",
                                      "0X1p0",
                                      "0x1p0.5",
                                      "--0x1p0",
                                      "0x1p123456",
                                      "0x12345678901234567p0",
                                      "1e-3",
                                      "0x1.00000000000008p0",
                                      "0x1.fffffffffffff8p-1"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double x = 7;
        cr_assert(gls_hex_parse(good[i].text, &x), "%s", good[i].text);
        cr_assert_eq(bits_of(x), bits_of(good[i].value), "%s", good[i].text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double x = 7;
        cr_assert(!gls_hex_parse(bad[i], &x) && x == 7, "%s", bad[i]);
    }
}

Test(states_fields, counts) {
    static const char *const bad[] = {
        "", "-1", "+1", " 1", "1 ", "1.0", "0x1", "18446744073709551616", "99999999999999999999", "a"};
    static const uint64_t good[] = {0, 1, 9, 10, UINT32_MAX, INT64_MAX, UINT64_MAX};
    uint64_t x = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        cr_assert(!gls_count_parse(bad[i], &x) && x == 7, "%s", bad[i]);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        cr_assert(gls_count_parse(gls_count_format(good[i]).text, &x) && x == good[i]);
    cr_assert(gls_count_parse("0000000000000000000000012", &x) && x == 12);
}

/* ---- hyperparameters ---- */

static const rule *rule_of(size_t i) {
    return i < rules_count() ? &rules_list[i] : &rule_sgd;
}

/* A group of one tensor; NULL if the rule refuses the options. */
static glissade_optimizer *optimizer_of(const rule *it, const rule_options *options) {
    static float p[8], g[8];
    uint32_t group;
    glissade_tensor tensor;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = p;
    tensor.gradient = g;
    tensor.length = 8;
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    if (it->add(optimizer, &tensor, 1, options, &group))
        glissade_optimizer_destroy(&optimizer);
    return optimizer;
}

/* The table by which they are saved has all of them, at their places. */
Test(states_fields, tables_are_complete) {
    for (size_t i = 0; i <= rules_count(); i++) {
        const rule *it = rule_of(i);
        rule_options options;
        rule_defaults(it, &options);
        glissade_optimizer *optimizer = optimizer_of(it, &options);
        const gls_algorithm *algorithm = optimizer->groups[0]->algorithm;
        size_t count = 0;
        cr_assert_str_eq(algorithm->name, it->name);
        for (const rule_field *field = it->fields(); field->name; field++, count++) {
            static const gls_field_kind kinds[] = {[RULE_FLAG] = GLS_ACCEPT_FLAG,
                                                   [RULE_COUNT] = GLS_ACCEPT_COUNT,
                                                   [RULE_CHOICE] = GLS_ACCEPT_CHOICE};
            const gls_field *found = NULL, *other;
            for (size_t j = 0; (other = gls_fields_at(algorithm, j)); j++)
                found = strcmp(other->name, field->name) == 0 ? other : found;
            cr_assert(found && found->offset == field->offset, "%s.%s", it->name, field->name);
            cr_assert(field->type == RULE_DOUBLE ? found->accepts < GLS_ACCEPT_RANGES
                                                 : found->accepts == kinds[field->type],
                      "%s.%s", it->name, field->name);
        }
        cr_assert_null(gls_fields_at(algorithm, count), "%s has more", it->name);
        cr_assert_not_null(gls_fields_at(algorithm, count - 1), "%s has less", it->name);
        glissade_optimizer_destroy(&optimizer);
    }
}

/* Saves under the options and loads into a group of defaults. */
static void check_through_file(const rule *it, const char *what, const rule_options *options) {
    const char *path = folder_at(&place, "state.safetensors");
    rule_options defaults, back = {.size = it->size};
    rule_defaults(it, &defaults);
    glissade_optimizer *from = optimizer_of(it, options), *to = optimizer_of(it, &defaults);
    states_save(from, path, false);
    states_load(to, path, NULL);
    cr_assert_eq(it->get(to, 0, &back), GLISSADE_STATUS_OK);
    for (const rule_field *field = it->fields(); field->name; field++) {
        const double saved = rule_read(field, options), loaded = rule_read(field, &back);
        cr_assert_eq(bits_of(saved), bits_of(loaded), "%s with another %s: %s is %a, not %a", it->name, what,
                     field->name, loaded, saved);
    }
    glissade_optimizer_destroy(&from);
    glissade_optimizer_destroy(&to);
}

/* What a field can be besides its default, under a rule that may want something else for it. */
static bool change(const rule *it, const rule_field *field, rule_options *options) {
    static const char *const beside[] = {"", "momentum=0.5"};
    static const double values[] = {0x1.23456789abcdep-3, 1.3000000000000003, -0.1, 1, 0, 9007199254740991};
    for (size_t b = 0; b < 2; b++)
        for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
            rule_defaults(it, options);
            if (rule_assign(it, options, beside[b]) && b)
                return false;
            const double before = rule_read(field, options);
            rule_write(field, options, values[i]);
            if (rule_read(field, options) == before)
                continue;
            glissade_optimizer *optimizer = optimizer_of(it, options);
            const bool accepted = optimizer;
            glissade_optimizer_destroy(&optimizer);
            if (accepted)
                return true;
        }
    return false;
}

Test(states_fields, every_hyperparameter_goes_through_a_file) {
    size_t count = 0;
    for (size_t i = 0; i <= rules_count(); i++) {
        const rule *it = rule_of(i);
        for (const rule_field *field = it->fields(); field->name; field++) {
            rule_options options;
            const bool changed = change(it, field, &options),
                       cannot = strcmp(it->name, "lars") == 0 && strcmp(field->name, "decay") == 0;
            cr_assert(changed != cannot, "%s.%s", it->name, field->name);
            if (changed)
                check_through_file(it, field->name, &options);
            count += changed;
        }
    }
    cr_assert(count > 150, "%zu", count);
}

/* Counts beyond what a double holds. */
Test(states_fields, large_counts) {
    rule_options options, back = {.size = sizeof(glissade_ademamix_options)};
    const rule *it = rule_find("ademamix");
    const char *path = folder_at(&place, "state.safetensors");
    rule_defaults(it, &options);
    ((glissade_ademamix_options *)(void *)&options)->warmup = UINT64_MAX - 1;
    glissade_optimizer *from = optimizer_of(it, &options);
    ((glissade_ademamix_options *)(void *)&options)->warmup = 0;
    glissade_optimizer *to = optimizer_of(it, &options);
    cr_assert_eq(glissade_optimizer_set_seed(from, UINT64_MAX), GLISSADE_STATUS_OK);
    states_save(from, path, false);
    states_load(to, path, NULL);
    cr_assert_eq(it->get(to, 0, &back), GLISSADE_STATUS_OK);
    cr_assert_eq(((glissade_ademamix_options *)(void *)&back)->warmup, UINT64_MAX - 1);
    cr_assert_eq(to->seed, UINT64_MAX);
    glissade_optimizer_destroy(&from);
    glissade_optimizer_destroy(&to);
}
