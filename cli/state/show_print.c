/* SPDX-License-Identifier: Apache-2.0 */
/* How `glissade state show` shows what show.c has gathered. */
#include "show.h"

#include "../text.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    TENSORS_SHOWN = 24, /* of a longer list, without --tensors */
    LINES_SHOWN = 40,   /* of metadata */
    NAME_SHOWN = 200,   /* characters of a name */
    VALUE_SHOWN = 72    /* characters of a value */
};

/* A number in hexadecimal notation, as the library writes those of type double; false if the text is something else. */
static bool parse_hexadecimal(const char *text, double *value) {
    const char *digits = text + (text[0] == '-');
    if (strncmp(digits, "0x", 2) != 0 || text[strspn(text, "-+0123456789abcdefxp.")] != '\0')
        return false;
    char *end;
    *value = strtod(text, &end);
    return *end == '\0' && end != text;
}

/* ---- text ---- */

static void print_steps(const struct steps *steps) {
    if (steps->count == 0)
        printf("no step counts");
    else if (steps->least == steps->most)
        printf("%.0f steps", steps->least);
    else
        printf("%.0f to %.0f steps", steps->least, steps->most);
}

static void print_hyperparameter(const char *name, const char *value) {
    double number;
    printf("    ");
    text_print(stdout, name, VALUE_SHOWN);
    printf("%*s ", strlen(name) < 16 ? (int)(16 - strlen(name)) : 0, "");
    if (parse_hexadecimal(value, &number)) {
        char decimal[32];
        text_shortest(number, decimal, sizeof decimal);
        printf("%-24s ", decimal);
    }
    text_print(stdout, value, VALUE_SHOWN);
    putchar('\n');
}

static void print_group(const struct contents *contents, const struct group *group) {
    size_t lines = glissade_file_text_count(contents->file);
    const char *rule = "of unknown rule";
    for (size_t line = group->first_line; line < lines; ++line) {
        glissade_file_text text = glissade_file_text_at(contents->file, line);
        const char *field = show_group_field(text.key, group->number);
        if (field == NULL)
            break;
        if (strcmp(field, "rule") == 0)
            rule = text.value;
    }
    printf("  group %" PRIu64 ": ", group->number);
    text_print(stdout, rule, VALUE_SHOWN);
    printf(", %" PRIu64 " tensors, ", group->tensors);
    print_steps(&group->steps);
    putchar('\n');
    for (size_t line = group->first_line; line < lines; ++line) {
        glissade_file_text text = glissade_file_text_at(contents->file, line);
        const char *field = show_group_field(text.key, group->number);
        if (field == NULL)
            break;
        if (strcmp(field, "rule") != 0)
            print_hyperparameter(field, text.value);
    }
}

static void print_metadata(const struct contents *contents) {
    size_t shown = 0, left = 0;
    for (size_t line = 0; line < glissade_file_text_count(contents->file); ++line) {
        glissade_file_text text = glissade_file_text_at(contents->file, line);
        if (show_is_own(text.key))
            continue;
        if (shown == LINES_SHOWN) {
            ++left;
            continue;
        }
        printf(shown++ == 0 ? "\nmetadata\n  " : "  ");
        text_print(stdout, text.key, VALUE_SHOWN);
        printf(" = ");
        text_print(stdout, text.value, VALUE_SHOWN);
        putchar('\n');
    }
    if (left > 0)
        printf("  ... and %zu more; --json has them all\n", left);
}

static void print_tensors(const struct contents *contents, bool all) {
    size_t count = glissade_file_count(contents->file);
    size_t shown = all || count <= TENSORS_SHOWN ? count : TENSORS_SHOWN;
    printf("\n%zu tensors\n%16s %16s  name, type [shape]\n", count, "offset", "bytes");
    for (size_t i = 0; i < shown; ++i) {
        glissade_file_tensor tensor = state_tensor(contents->file, i);
        printf("%16" PRIu64 " %16" PRIu64 "  ", tensor.offset, tensor.bytes);
        text_print(stdout, tensor.name, NAME_SHOWN);
        fputs(", ", stdout);
        state_print_shape(stdout, &tensor);
        putchar('\n');
    }
    if (shown < count)
        printf("  ... and %zu more; --tensors lists them all\n", count - shown);
}

void show_print_text(const struct contents *contents, bool all_tensors) {
    glissade_file *file = contents->file;
    char bytes[TEXT_COUNT_SIZE], header[TEXT_COUNT_SIZE];
    const char *format = glissade_file_text_find(file, "glissade.format");
    text_print(stdout, contents->path, 0);
    printf("\n  %s bytes, of which the header has %s\n", text_count(glissade_file_bytes(file), bytes),
           text_count(glissade_file_header_bytes(file), header));
    printf("  checksums: %s\n", glissade_file_has_checksums(file)
                                    ? "yes; the header's is right, the data's have not been looked at"
                                    : "none, so that damage would not be noticed");
    if (format != NULL) {
        printf("  optimizer state, format ");
        text_print(stdout, format, VALUE_SHOWN);
        printf("; ");
    } else {
        printf("  no metadata of optimizer state; ");
    }
    print_steps(&contents->steps);
    putchar('\n');
    for (size_t i = 0; i < contents->group_count; ++i)
        print_group(contents, &contents->groups[i]);
    print_metadata(contents);
    print_tensors(contents, all_tensors);
}

/* ---- JSON ---- */

/* Counts that are arrays of floats need not be whole. */
static json_t *step_json(double count) {
    bool whole = count >= 0.0 && count < 0x1p63 && count == floor(count);
    return whole ? json_integer((json_int_t)count) : isfinite(count) ? json_real(count) : json_null();
}

static json_t *steps_json(const struct steps *steps) {
    if (steps->count == 0)
        return json_null();
    return json_pack("{s:o, s:o}", "least", step_json(steps->least), "most", step_json(steps->most));
}

/* A number with its exact text, or a text. */
static json_t *value_json(const char *value) {
    double number;
    if (!parse_hexadecimal(value, &number))
        return json_string(value);
    return json_pack("{s:o, s:s}", "value", isfinite(number) ? json_real(number) : json_null(), "hex", value);
}

static json_t *group_json(const struct contents *contents, const struct group *group) {
    json_t *hyperparameters = json_object(), *rule = NULL;
    bool complete = hyperparameters != NULL;
    for (size_t line = group->first_line; line < glissade_file_text_count(contents->file); ++line) {
        glissade_file_text text = glissade_file_text_at(contents->file, line);
        const char *field = show_group_field(text.key, group->number);
        if (field == NULL)
            break;
        if (strcmp(field, "rule") == 0)
            rule = json_string(text.value);
        else
            complete = complete && json_object_set_new(hyperparameters, field, value_json(text.value)) == 0;
    }
    json_t *document =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "group", report_json_count(group->number), "rule",
                  rule != NULL ? rule : json_null(), "tensors", report_json_count(group->tensors), "steps",
                  steps_json(&group->steps), "hyperparameters", hyperparameters);
    if (complete)
        return document;
    json_decref(document);
    return NULL;
}

static json_t *tensor_json(const glissade_file *file, size_t index) {
    glissade_file_tensor tensor = state_tensor(file, index);
    return json_pack("{s:s, s:s, s:o, s:o, s:o}", "name", tensor.name, "dtype",
                     glissade_file_dtype_name(tensor.dtype), "shape", state_shape_json(&tensor), "bytes",
                     report_json_count(tensor.bytes), "offset", report_json_count(tensor.offset));
}

/* All lines but the checksums. */
static json_t *metadata_json(const glissade_file *file) {
    json_t *metadata = json_object();
    for (size_t line = 0; metadata != NULL && line < glissade_file_text_count(file); ++line) {
        glissade_file_text text = glissade_file_text_at(file, line);
        if (state_is_checksum(text.key))
            continue;
        if (json_object_set_new(metadata, text.key, json_string(text.value)) != 0) {
            json_decref(metadata);
            return NULL;
        }
    }
    return metadata;
}

enum exit_code show_print_json(const struct contents *contents) {
    glissade_file *file = contents->file;
    json_t *groups = json_array(), *tensors = json_array();
    for (size_t i = 0; i < contents->group_count; ++i)
        report_json_append(&groups, group_json(contents, &contents->groups[i]));
    for (size_t i = 0; i < glissade_file_count(file); ++i)
        report_json_append(&tensors, tensor_json(file, i));
    const char *format = glissade_file_text_find(file, "glissade.format");
    return report_json_digits(
        json_pack("{s:o, s:o, s:o, s:b, s:s?, s:o, s:o, s:o, s:o}", "file", report_json_text(contents->path),
                  "bytes", report_json_count(glissade_file_bytes(file)), "header_bytes",
                  report_json_count(glissade_file_header_bytes(file)), "checksums",
                  glissade_file_has_checksums(file), "format", format, "groups", groups, "steps",
                  steps_json(&contents->steps), "tensors", tensors, "metadata", metadata_json(file)),
        17);
}
