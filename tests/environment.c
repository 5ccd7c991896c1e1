/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment variables: every good value is taken, every bad one fails the making of an engine by name,
 * value and what is accepted; options go before the environment, that before defaults, and the engine tells
 * which it was. The table's texts are read from the library, not repeated here.
 */
#include "glissade/glissade.h"
#include "scenario.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(environment, .init = setup, .timeout = 60);

/* Where the library lists a variable; fails the test if it does not. */
static uint32_t index_of(const char *name) {
    for (uint32_t i = 0; i < glissade_variable_count(); i++) {
        glissade_variable_info info = {.size = sizeof info};
        cr_assert_eq(glissade_variable_get(i, &info), GLISSADE_STATUS_OK);
        if (strcmp(info.name, name) == 0)
            return i;
    }
    cr_assert_fail("%s is not listed", name);
    return 0;
}

static const char *accepted(const char *name) {
    glissade_variable_info info = {.size = sizeof info};
    cr_assert_eq(glissade_variable_get(index_of(name), &info), GLISSADE_STATUS_OK);
    return info.accepted;
}

/* Checks a setting of an engine made from these options (NULL: none) in the present environment. */
static void check_setting(const glissade_engine_options *options, const char *name, const char *expected,
                          glissade_origin origin) {
    glissade_engine *engine;
    glissade_error error;
    const char *value;
    glissade_origin found;
    cr_assert_eq(glissade_engine_create(options, &engine, &error), GLISSADE_STATUS_OK, "%s=%s: %s", name,
                 getenv(name), error.message);
    cr_assert_eq(glissade_engine_get_setting(engine, index_of(name), &value, &found), GLISSADE_STATUS_OK);
    cr_assert_str_eq(value, expected, "%s is \"%s\", not \"%s\"", name, value, expected);
    cr_assert_eq(found, origin, "%s comes from %d, not %d", name, found, origin);
    glissade_engine_destroy(&engine);
}

/* Bad values fail with the variable, its value and what is accepted, whatever the options say. */
static void check_refused(const glissade_engine_options *options, const char *name, const char *value,
                          glissade_status expected) {
    glissade_engine *engine = (glissade_engine *)&engine;
    glissade_error error;
    setenv(name, value, 1);
    const glissade_status status = glissade_engine_create(options, &engine, &error);
    cr_assert_eq(status, expected, "%s=\"%s\": %s, not %s", name, value, glissade_status_name(status),
                 glissade_status_name(expected));
    cr_assert_null(engine);
    cr_assert_eq(error.status, expected);
    cr_assert(strstr(error.message, name), "\"%s\" does not name %s", error.message, name);
    unsetenv(name);
}

static void check_bad(const char *name, const char *value) {
    glissade_engine_options options;
    glissade_error error;
    glissade_engine *engine;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = options.streams = options.huge_pages = options.keep_subnormals = 1;
    options.verbose = 0;
    options.tile = 256;
    options.isa = GLISSADE_ISA_SCALAR;
    options.pin = GLISSADE_PIN_NEVER;
    check_refused(NULL, name, value, GLISSADE_STATUS_INVALID_ENVIRONMENT);
    check_refused(&options, name, value, GLISSADE_STATUS_INVALID_ENVIRONMENT);
    setenv(name, value, 1);
    cr_assert_eq(glissade_engine_create(NULL, &engine, &error), GLISSADE_STATUS_INVALID_ENVIRONMENT);
    char quoted[80];
    snprintf(quoted, sizeof quoted, "\"%.60s\"", value);
    for (char *c = quoted; *c; c++) /* a message is one line of ASCII */
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    cr_assert(strstr(error.message, quoted), "\"%s\" does not quote %s", error.message, quoted);
    cr_assert(strstr(error.message, accepted(name)), "\"%s\" does not tell: %s", error.message,
              accepted(name));
    unsetenv(name);
}

/* ---- table ---- */

Test(environment, the_table_is_complete) {
    static const char *const names[] = {"GLISSADE_THREADS",
                                        "GLISSADE_ISA",
                                        "GLISSADE_PIN",
                                        "GLISSADE_TILE",
                                        "GLISSADE_STREAMS",
                                        "GLISSADE_HUGEPAGES",
                                        "GLISSADE_KEEP_SUBNORMALS",
                                        "GLISSADE_VERBOSE"};
    const size_t count = sizeof names / sizeof *names;
    cr_assert_eq(glissade_variable_count(), count);
    for (size_t i = 0; i < count; i++) {
        glissade_variable_info info = {.size = sizeof info};
        cr_assert_eq(glissade_variable_get(index_of(names[i]), &info), GLISSADE_STATUS_OK);
        cr_assert(info.accepted && strlen(info.accepted) >= 4, "%s: what it accepts", names[i]);
        cr_assert(info.fallback && *info.fallback, "%s: its default", names[i]);
        cr_assert(info.help && info.help[strlen(info.help) - 1] == '.', "%s: its help", names[i]);
        for (uint32_t j = 0; j < i; j++)
            cr_assert_neq(index_of(names[i]), index_of(names[j]));
    }
}

Test(environment, defaults) {
    static const char *const by_default[] = {"GLISSADE_PIN",
                                             "GLISSADE_TILE",
                                             "GLISSADE_STREAMS",
                                             "GLISSADE_HUGEPAGES",
                                             "GLISSADE_KEEP_SUBNORMALS",
                                             "GLISSADE_VERBOSE"};
    for (size_t i = 0; i < sizeof by_default / sizeof *by_default; i++) {
        glissade_variable_info info = {.size = sizeof info};
        cr_assert_eq(glissade_variable_get(index_of(by_default[i]), &info), GLISSADE_STATUS_OK);
        check_setting(NULL, by_default[i], info.fallback, GLISSADE_ORIGIN_DEFAULT);
        setenv(by_default[i], "", 1); /* empty counts as unset */
        check_setting(NULL, by_default[i], info.fallback, GLISSADE_ORIGIN_DEFAULT);
    }
    glissade_engine *engine;
    glissade_engine_info info = {.size = sizeof info};
    const char *value;
    glissade_origin origin;
    char threads[16];
    cr_assert_eq(glissade_engine_create(NULL, &engine, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_engine_get_info(engine, &info), GLISSADE_STATUS_OK);
    snprintf(threads, sizeof threads, "%u", info.threads);
    check_setting(NULL, "GLISSADE_THREADS", threads, GLISSADE_ORIGIN_DEFAULT);
    cr_assert_eq(glissade_engine_get_setting(engine, index_of("GLISSADE_ISA"), &value, &origin),
                 GLISSADE_STATUS_OK);
    cr_assert_str_eq(value, glissade_isa_name(info.isa), "the one chosen, not \"auto\"");
    cr_assert_eq(origin, GLISSADE_ORIGIN_DEFAULT);
    glissade_engine_destroy(&engine);
}

/* ---- good values ---- */

Test(environment, good_values) {
    static const struct {
        const char *name, *value, *text; /* text NULL: as the value */
    } good[] = {
        {"GLISSADE_THREADS", "1", NULL},         {"GLISSADE_THREADS", "01", "1"},
        {"GLISSADE_ISA", "scalar", NULL},        {"GLISSADE_PIN", "auto", NULL},
        {"GLISSADE_PIN", "never", NULL},         {"GLISSADE_PIN", "always", NULL},
        {"GLISSADE_TILE", "256", NULL},          {"GLISSADE_TILE", "1073741824", NULL},
        {"GLISSADE_TILE", "768", NULL},          {"GLISSADE_STREAMS", "1", NULL},
        {"GLISSADE_STREAMS", "16", NULL},        {"GLISSADE_STREAMS", "5", NULL},
        {"GLISSADE_HUGEPAGES", "0", NULL},       {"GLISSADE_HUGEPAGES", "1", NULL},
        {"GLISSADE_KEEP_SUBNORMALS", "0", NULL}, {"GLISSADE_KEEP_SUBNORMALS", "1", NULL},
        {"GLISSADE_VERBOSE", "0", NULL},         {"GLISSADE_VERBOSE", "1", NULL},
        {"GLISSADE_VERBOSE", "2", NULL},         {"GLISSADE_VERBOSE", "3", NULL},
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        setenv(good[i].name, good[i].value, 1);
        check_setting(NULL, good[i].name, good[i].text ? good[i].text : good[i].value,
                      GLISSADE_ORIGIN_ENVIRONMENT);
        unsetenv(good[i].name);
    }
    setenv("GLISSADE_ISA", "auto", 1);
    glissade_engine *engine;
    cr_assert_eq(glissade_engine_create(NULL, &engine, NULL), GLISSADE_STATUS_OK);
    glissade_engine_destroy(&engine);
}

/* What the settings do, not only what they say. */
Test(environment, settings_reach_the_engine) {
    glissade_engine *engine;
    glissade_engine_info info = {.size = sizeof info};
    setenv("GLISSADE_THREADS", "1", 1);
    setenv("GLISSADE_ISA", "scalar", 1);
    setenv("GLISSADE_PIN", "never", 1);
    setenv("GLISSADE_TILE", "512", 1);
    setenv("GLISSADE_STREAMS", "7", 1);
    setenv("GLISSADE_HUGEPAGES", "0", 1);
    setenv("GLISSADE_KEEP_SUBNORMALS", "1", 1);
    setenv("GLISSADE_VERBOSE", "2", 1);
    cr_assert_eq(glissade_engine_create(NULL, &engine, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_engine_get_info(engine, &info), GLISSADE_STATUS_OK);
    cr_assert(info.threads == 1 && info.isa == GLISSADE_ISA_SCALAR && info.pin == GLISSADE_PIN_NEVER);
    cr_assert(info.tile == 512 && info.streams == 7 && !info.huge_pages && info.keep_subnormals);
    cr_assert_eq(info.verbose, 2);
    cr_assert(strstr(info.threads_reason, "GLISSADE_THREADS"), "%s", info.threads_reason);
    glissade_engine_destroy(&engine);
}

/* It is read when an engine is made, and not again. */
Test(environment, read_once) {
    glissade_engine *engine;
    const char *value;
    glissade_origin origin;
    setenv("GLISSADE_TILE", "512", 1);
    cr_assert_eq(glissade_engine_create(NULL, &engine, NULL), GLISSADE_STATUS_OK);
    setenv("GLISSADE_TILE", "nonsense", 1);
    cr_assert_eq(glissade_engine_get_setting(engine, index_of("GLISSADE_TILE"), &value, &origin),
                 GLISSADE_STATUS_OK);
    cr_assert_str_eq(value, "512");
    cr_assert_eq(scenario_train(engine, 1), scenario_expected(1));
    glissade_engine_destroy(&engine);
}

/* ---- bad values ---- */

Test(environment, no_number) {
    static const char *const numbers[] = {"GLISSADE_THREADS",         "GLISSADE_TILE",
                                          "GLISSADE_STREAMS",         "GLISSADE_HUGEPAGES",
                                          "GLISSADE_KEEP_SUBNORMALS", "GLISSADE_VERBOSE"};
    static const char *const bad[] = {" ",
                                      " 1",
                                      "1 ",
                                      "\t1",
                                      "+1",
                                      "-1",
                                      "0x1",
                                      "1e0",
                                      "1.0",
                                      "1,0",
                                      "one",
                                      "1a",
                                      "a1",
                                      "--",
                                      "4294967297",
                                      "4294967552",
                                      "18446744073709551617",
                                      "99999999999999999999999999999999",
                                      "auto1",
                                      "true",
                                      "\xD9\xA1"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++)
            check_bad(numbers[i], bad[j]);
}

Test(environment, out_of_range) {
    check_bad("GLISSADE_THREADS", "0");
    check_bad("GLISSADE_THREADS", "00");
    check_bad("GLISSADE_TILE", "0");
    check_bad("GLISSADE_TILE", "255");
    check_bad("GLISSADE_TILE", "257");
    check_bad("GLISSADE_TILE", "1000");
    check_bad("GLISSADE_TILE", "1073742080");
    check_bad("GLISSADE_STREAMS", "17");
    check_bad("GLISSADE_HUGEPAGES", "2");
    check_bad("GLISSADE_KEEP_SUBNORMALS", "2");
    check_bad("GLISSADE_VERBOSE", "4");
}

Test(environment, no_word) {
    static const char *const words[] = {"GLISSADE_ISA", "GLISSADE_PIN"};
    static const char *const bad[] = {"Auto",    "AUTO", " auto",        "auto ",   "aut",   "autos",
                                      "0",       "1",    "yes",          "scalar ", "AVX2",  "avx-2",
                                      "avx512f", "sse",  "never,always", "Never",   "unset", "-"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        for (size_t j = 0; j < sizeof bad / sizeof *bad; j++)
            check_bad(words[i], bad[j]);
}

/* Values that are well formed and impossible here. */
Test(environment, impossible_here) {
    glissade_engine_options one_thread, scalar;
    glissade_engine_options_init(&one_thread, sizeof one_thread);
    one_thread.threads = 1;
    glissade_engine_options_init(&scalar, sizeof scalar);
    scalar.isa = GLISSADE_ISA_SCALAR;
    check_refused(NULL, "GLISSADE_THREADS", "8192", GLISSADE_STATUS_INVALID_THREADS);
    check_refused(&one_thread, "GLISSADE_THREADS", "8192", GLISSADE_STATUS_INVALID_THREADS);
    for (uint32_t isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        if (!glissade_isa_available((glissade_isa)isa)) {
            check_refused(NULL, "GLISSADE_ISA", glissade_isa_name((glissade_isa)isa),
                          GLISSADE_STATUS_UNSUPPORTED_ISA);
            check_refused(&scalar, "GLISSADE_ISA", glissade_isa_name((glissade_isa)isa),
                          GLISSADE_STATUS_UNSUPPORTED_ISA);
        }
    one_thread.threads = GLISSADE_UNSET;
    one_thread.oversubscribe = true;
    setenv("GLISSADE_THREADS", "50", 1);
    check_setting(&one_thread, "GLISSADE_THREADS", "50", GLISSADE_ORIGIN_ENVIRONMENT);
}

/* A message is one line of ASCII, whatever the value holds. */
Test(environment, messages_are_one_line) {
    static const char *const values[] = {"1\n2", "\r", "\x1B[31m1", "\x7F", "\xC3\xA9", "\t"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        glissade_engine *engine;
        glissade_error error;
        setenv("GLISSADE_TILE", values[i], 1);
        cr_assert_eq(glissade_engine_create(NULL, &engine, &error), GLISSADE_STATUS_INVALID_ENVIRONMENT);
        for (const char *c = error.message; *c; c++)
            cr_assert(*c >= ' ' && *c <= '~', "value %zu: byte %#x in the message", i, (unsigned char)*c);
    }
    static char immense[100000];
    memset(immense, '7', sizeof immense - 1);
    check_refused(NULL, "GLISSADE_TILE", immense, GLISSADE_STATUS_INVALID_ENVIRONMENT);
}

Test(environment, unknown_names) {
    static const char *const names[] = {"GLISSADE_THREAD", "GLISSADE_THREADSS", "GLISSADE_threads",
                                        "GLISSADE_",       "GLISSADE_PINNING",  "GLISSADE_TILE_",
                                        "GLISSADE_X"};
    glissade_engine_options options;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = 1;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        check_refused(NULL, names[i], "1", GLISSADE_STATUS_UNKNOWN_VARIABLE);
        check_refused(&options, names[i], "1", GLISSADE_STATUS_UNKNOWN_VARIABLE);
    }
    setenv("GLISSAD_THREADS", "1", 1); /* other people's */
    setenv("glissade_threads", "1", 1);
    setenv("XGLISSADE_THREADS", "1", 1);
    check_setting(NULL, "GLISSADE_VERBOSE", "0", GLISSADE_ORIGIN_DEFAULT);
}

/* A program may have cleared its environment, or have no such array at all. */
Test(environment, none_at_all) {
    glissade_engine *engine;
    char **saved = environ;
    clearenv();
    const glissade_status cleared = glissade_engine_create(NULL, &engine, NULL);
    glissade_engine_destroy(&engine);
    environ = NULL;
    const glissade_status missing = glissade_engine_create(NULL, &engine, NULL);
    glissade_engine_destroy(&engine);
    environ = saved;
    cr_assert(cleared == GLISSADE_STATUS_OK && missing == GLISSADE_STATUS_OK);
}

/* ---- precedence ---- */

Test(environment, options_go_first) {
    glissade_engine_options options;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = 2;
    options.oversubscribe = true;
    options.isa = GLISSADE_ISA_SCALAR;
    options.pin = GLISSADE_PIN_ALWAYS;
    options.tile = 1024;
    options.streams = 3;
    options.huge_pages = 0;
    options.keep_subnormals = 1;
    options.verbose = 1;
    for (int with_environment = 0; with_environment < 2; with_environment++) {
        check_setting(&options, "GLISSADE_THREADS", "2", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_ISA", "scalar", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_PIN", "always", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_TILE", "1024", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_STREAMS", "3", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_HUGEPAGES", "0", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_KEEP_SUBNORMALS", "1", GLISSADE_ORIGIN_OPTION);
        check_setting(&options, "GLISSADE_VERBOSE", "1", GLISSADE_ORIGIN_OPTION);
        setenv("GLISSADE_THREADS", "1", 1);
        setenv("GLISSADE_ISA", "auto", 1);
        setenv("GLISSADE_PIN", "never", 1);
        setenv("GLISSADE_TILE", "512", 1);
        setenv("GLISSADE_STREAMS", "2", 1);
        setenv("GLISSADE_HUGEPAGES", "1", 1);
        setenv("GLISSADE_KEEP_SUBNORMALS", "0", 1);
        setenv("GLISSADE_VERBOSE", "3", 1);
    }
    /* Options that say nothing leave it to the environment. */
    glissade_engine_options_init(&options, sizeof options);
    check_setting(&options, "GLISSADE_TILE", "512", GLISSADE_ORIGIN_ENVIRONMENT);
    check_setting(&options, "GLISSADE_PIN", "never", GLISSADE_ORIGIN_ENVIRONMENT);
    check_setting(&options, "GLISSADE_THREADS", "1", GLISSADE_ORIGIN_ENVIRONMENT);
    options.verbose = 0; /* zero is a value */
    check_setting(&options, "GLISSADE_VERBOSE", "0", GLISSADE_ORIGIN_OPTION);
}

static char logged[4][256];
static uint32_t levels[4], lines;

static void keep_line(void *user, uint32_t level, const char *message) {
    cr_assert_eq(user, logged);
    levels[lines % 4] = level;
    snprintf(logged[lines++ % 4], sizeof logged[0], "%s", message);
}

/* `verbose` decides what reaches the log, and without a log function nothing does. */
Test(environment, verbosity) {
    static const uint32_t expected[] = {0, 1, 2, 3};
    for (uint32_t verbose = 0; verbose <= 3; verbose++) {
        glissade_engine_options options;
        glissade_engine *engine;
        char text[2] = {(char)('0' + verbose), '\0'};
        setenv("GLISSADE_VERBOSE", text, 1);
        glissade_engine_options_init(&options, sizeof options);
        options.log = keep_line;
        options.log_user = logged;
        lines = 0;
        cr_assert_eq(glissade_engine_create(&options, &engine, NULL), GLISSADE_STATUS_OK);
        scenario_train(engine, 1);
        glissade_engine_destroy(&engine);
        cr_assert_eq(lines, expected[verbose], "verbose %u: %u lines", verbose, lines);
        for (uint32_t i = 0; i < lines; i++) {
            cr_assert_eq(levels[i], i + 1);
            cr_assert(strlen(logged[i]) > 5 && !strchr(logged[i], '\n'));
        }
    }
    glissade_engine *silent;
    cr_assert_eq(glissade_engine_create(NULL, &silent, NULL), GLISSADE_STATUS_OK);
    glissade_engine_destroy(&silent);
}
