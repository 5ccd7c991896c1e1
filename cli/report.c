/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the command speaks: exit codes, one-line errors, JSON documents. Must not decide anything about the
 * subject of a message; it only sees that it arrives whole and on one line.
 */
#include "report.h"

#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void report_error(const char *format, ...) {
    char line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    text_mask(line);
    fprintf(stderr, "glissade: %s\n", line);
}

enum exit_code report_exit_code(glissade_status status) {
    switch (status) {
    case GLISSADE_STATUS_OK:
        return EXIT_CODE_OK;
    case GLISSADE_STATUS_INVALID_OPTION:
    case GLISSADE_STATUS_INVALID_HYPERPARAMETER:
    case GLISSADE_STATUS_INVALID_COMBINATION:
    case GLISSADE_STATUS_INVALID_THREADS:
    case GLISSADE_STATUS_UNSUPPORTED_ISA:
    case GLISSADE_STATUS_INVALID_ENVIRONMENT:
    case GLISSADE_STATUS_UNKNOWN_VARIABLE:
        return EXIT_CODE_USAGE;
    default:
        return EXIT_CODE_FAILED;
    }
}

enum exit_code report_optimizer(const char *action, const glissade_optimizer *optimizer,
                                glissade_status status) {
    const char *message = optimizer != NULL ? glissade_optimizer_message(optimizer) : "";
    report_error("%s: %s", action, message[0] != '\0' ? message : glissade_status_text(status));
    return report_exit_code(status);
}

/* Makes GLISSADE_VERBOSE useful here: the library prints nothing itself. */
static void log_to_stderr(void *user, uint32_t level, const char *message) {
    (void)user;
    (void)level;
    fprintf(stderr, "%s\n", message);
}

enum exit_code report_engine_create(uint32_t threads, uint32_t streams, glissade_engine **engine) {
    glissade_engine_options options;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = threads;
    options.streams = streams;
    options.log = log_to_stderr;
    glissade_error error;
    glissade_status status = glissade_engine_create(&options, engine, &error);
    if (status != GLISSADE_STATUS_OK)
        report_error("%s", error.message);
    return report_exit_code(status);
}

json_t *report_json_text(const char *text) {
    json_t *whole = json_string(text);
    if (whole != NULL)
        return whole;
    char ascii[4096];
    size_t length = strnlen(text, sizeof ascii - 1);
    for (size_t i = 0; i < length; ++i)
        ascii[i] = (unsigned char)text[i] < 0x80 ? text[i] : '?';
    ascii[length] = '\0';
    return json_string(ascii);
}

void report_json_append(json_t **list, json_t *item) {
    if (json_array_append_new(*list, item) != 0) {
        json_decref(*list);
        *list = NULL;
    }
}

json_t *report_json_count(uint64_t count) {
    return count <= INT64_MAX ? json_integer((json_int_t)count) : json_real((double)count);
}

enum exit_code report_json_digits(json_t *document, unsigned digits) {
    if (document == NULL) {
        report_error("out of memory while building the JSON document");
        return EXIT_CODE_FAILED;
    }
    /* ASCII alone: a terminal must not take what stands in a file's names for a command. */
    json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(digits));
    putchar('\n');
    json_decref(document);
    return EXIT_CODE_OK;
}

enum exit_code report_json(json_t *document) {
    /* Nine digits bring back every float and are more than a timing holds. */
    return report_json_digits(document, 9);
}
