/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the command speaks: exit codes, one-line errors, JSON documents. Everything that a person or a program
 * reads about a failure goes through here, so that it is always one line on stderr.
 */
#ifndef GLISSADE_CLI_REPORT_H
#define GLISSADE_CLI_REPORT_H

#include <glissade/glissade.h>
#include <jansson.h>
#include <stdbool.h>

enum exit_code {
    EXIT_CODE_OK = 0,
    EXIT_CODE_FAILED = 1, /* asked for something sensible, and it did not succeed */
    EXIT_CODE_USAGE = 2   /* the command line, the environment or a data file cannot be used */
};

/* Writes "glissade: " and the message as one line on stderr; what is not to be printed becomes '?' (text_mask). */
__attribute__((format(printf, 1, 2))) void report_error(const char *format, ...);

/* The exit code that suits a failed library call: USAGE where the caller's settings are at fault. */
enum exit_code report_exit_code(glissade_status status);

/* Reports a failed call on an optimizer with the message that it left, and returns its exit code. */
enum exit_code report_optimizer(const char *action, const glissade_optimizer *optimizer,
                                glissade_status status);

/* Makes an engine, or reports why not; `threads` and `streams` may be GLISSADE_UNSET. */
enum exit_code report_engine_create(uint32_t threads, uint32_t streams, glissade_engine **engine);

/* A JSON string. JSON demands UTF-8, and paths need not be: of one that is not, bytes that are not ASCII become '?'. */
json_t *report_json_text(const char *text);

/* A count as a JSON integer, or as a real number where it is too large for one. */
json_t *report_json_count(uint64_t count);

/* Appends item to *list; if memory ran out for either, *list becomes NULL, which report_json will notice. */
void report_json_append(json_t **list, json_t *item);

/* Prints the document on stdout and releases it. NULL means that memory ran out while it was built. */
enum exit_code report_json(json_t *document);

/* The same with so many digits of each real number; 17 bring back every double. */
enum exit_code report_json_digits(json_t *document, unsigned digits);

#endif
