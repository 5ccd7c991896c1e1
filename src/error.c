/* SPDX-License-Identifier: Apache-2.0 */
/* Status names and texts, and the formatting of messages. */
#include "error.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct status_text {
    const char *name, *text;
} status_text;

#define STATUS(name, text) [GLISSADE_STATUS_##name] = {"GLISSADE_STATUS_" #name, text}

static const status_text status_texts[] = {
    STATUS(OK, "success"),
    STATUS(NULL_ARGUMENT, "a required pointer is NULL"),
    STATUS(INVALID_SIZE, "a struct's size field is none that was ever published"),
    STATUS(INVALID_OPTION, "an option is outside the values it accepts"),
    STATUS(INVALID_HYPERPARAMETER, "a hyperparameter is not finite or out of range"),
    STATUS(INVALID_COMBINATION, "hyperparameters contradict each other"),
    STATUS(NO_TENSORS, "a group needs at least one tensor"),
    STATUS(NOT_FOUND, "there is no such group, tensor or index"),
    STATUS(TOO_LARGE, "a length or count is too large to be held"),
    STATUS(MISALIGNED, "an address is no multiple of its element's size"),
    STATUS(OVERLAP, "two arrays share bytes"),
    STATUS(DUPLICATE_TENSOR, "a tensor was given twice"),
    STATUS(BUSY, "another thread is inside a call on this optimizer"),
    STATUS(FORKED, "a call was in flight on this optimizer when the process forked"),
    STATUS(OUT_OF_MEMORY, "out of memory"),
    STATUS(INVALID_THREADS, "the number of threads is not possible here"),
    STATUS(UNSUPPORTED_ISA, "the instruction set is not available here"),
    STATUS(INVALID_ENVIRONMENT, "an environment variable holds what it does not accept"),
    STATUS(UNKNOWN_VARIABLE, "an environment variable of this library's prefix does not exist"),
    STATUS(TOPOLOGY, "the machine's topology could not be read"),
    STATUS(UNSUPPORTED, "the operating system refuses what the call needs"),
    STATUS(IO, "a file could not be opened, read, written or synchronised"),
    STATUS(INVALID_FILE, "a file is not of the format it should have"),
    STATUS(CHECKSUM, "a file's bytes are not those that were written"),
    STATUS(MISMATCH, "a file does not fit what it is loaded into"),
    STATUS(CANCELLED, "stopped on request"),
};

static const status_text *find(glissade_status status) {
    static const status_text unknown = {"GLISSADE_STATUS_UNKNOWN", "not a status of this library"};
    const size_t count = sizeof status_texts / sizeof *status_texts;
    return (size_t)status < count ? &status_texts[status] : &unknown;
}

const char *glissade_status_name(glissade_status status) {
    return find(status)->name;
}

const char *glissade_status_text(glissade_status status) {
    return find(status)->text;
}

#define TEXT_OF(value)                    #value
#define VERSION_TEXT(major, minor, patch) TEXT_OF(major) "." TEXT_OF(minor) "." TEXT_OF(patch)

const char *glissade_version(void) {
    return VERSION_TEXT(GLISSADE_VERSION_MAJOR, GLISSADE_VERSION_MINOR, GLISSADE_VERSION_PATCH);
}

glissade_status gls_error_set(glissade_error *error, glissade_status status, const char *format, ...) {
    if (!error)
        return status;
    error->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    /* A message is one line of ASCII, whatever the text that it quotes. */
    for (char *c = error->message; *c; c++)
        if (*c < ' ' || *c > '~')
            *c = '?';
    return status;
}

void gls_error_clear(glissade_error *error) {
    if (error)
        *error = (glissade_error){.status = GLISSADE_STATUS_OK};
}

gls_number gls_number_format(double value) {
    gls_number number;
    snprintf(number.text, sizeof number.text, "%.17g", value);
    /* %g writes the locale's decimal point: whatever is no part of a number in the C locale is that. */
    for (char *c = number.text; isfinite(value) && *c; c++)
        if (!strchr("0123456789+-e", *c))
            *c = '.';
    return number;
}
