/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade state show`: what a file says of itself. Reads the header, and arrays of step counts alone. */
#include "show.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct command state_show_command = {
    .name = "state show",
    .summary = "show what is in a file: groups, hyperparameters, steps, tensors",
    .description =
        "Shows a file's size, version and checksums, its groups with their rules and hyperparameters\n"
        "(in decimal and as the exact hexadecimal number), step counts, other metadata, and tensors.\n"
        "The header is checked, the arrays are not: see 'glissade state verify'. Characters that would\n"
        "disturb a terminal are escaped.\n"
        "\n"
        "Exit codes: 0 success; 1 the file is damaged; 2 it cannot be read, or a command line that\n"
        "cannot be used.\n",
};

static const char group_prefix[] = "glissade.group.";

/* A whole decimal number without a sign or needless zeros, and what follows it; false if there is none. */
static bool take_number(const char *text, uint64_t *number, const char **rest) {
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || (text[0] == '0' && digits > 1))
        return false;
    *number = strtoull(text, NULL, 10);
    *rest = text + digits;
    return true;
}

/* The group that a line is of. */
static bool group_of_line(const char *key, uint64_t *number, const char **field) {
    if (strncmp(key, group_prefix, sizeof group_prefix - 1) != 0 ||
        !take_number(key + sizeof group_prefix - 1, number, field) || **field != '.')
        return false;
    ++*field;
    return true;
}

const char *show_group_field(const char *key, uint64_t number) {
    uint64_t found;
    const char *field;
    return group_of_line(key, &found, &field) && found == number ? field : NULL;
}

bool show_is_own(const char *key) {
    uint64_t number;
    const char *field;
    struct state_name parts;
    return state_is_checksum(key) || group_of_line(key, &number, &field) || state_name_of_text(key, &parts) ||
           strcmp(key, "glissade.format") == 0 || strcmp(key, "glissade.groups") == 0;
}

/* ---- gathering ---- */

static void add_steps(struct steps *steps, double count) {
    if (isnan(count))
        return;
    steps->least = steps->count == 0 || count < steps->least ? count : steps->least;
    steps->most = steps->count == 0 || count > steps->most ? count : steps->most;
    ++steps->count;
}

static int compare_groups(const void *left, const void *right) {
    uint64_t a = ((const struct group *)left)->number, b = ((const struct group *)right)->number;
    return (a > b) - (a < b);
}

/* Lines are in the order of their keys: those of one group follow each other. */
static bool gather_groups(struct contents *contents) {
    size_t lines = glissade_file_text_count(contents->file);
    contents->groups = calloc(lines + 1, sizeof *contents->groups);
    if (contents->groups == NULL)
        return false;
    for (size_t line = 0; line < lines; ++line) {
        uint64_t number;
        const char *field;
        if (!group_of_line(glissade_file_text_at(contents->file, line).key, &number, &field))
            continue;
        struct group *last = contents->groups + contents->group_count;
        if (contents->group_count == 0 || last[-1].number != number) {
            *last = (struct group){.number = number, .first_line = line};
            ++contents->group_count;
        }
    }
    qsort(contents->groups, contents->group_count, sizeof *contents->groups, compare_groups);
    return true;
}

/* The value of the line with the same beginning and another field; NULL if there is none. */
static const char *sibling(const struct contents *contents, const char *key, const struct state_name *parts,
                           const char *field) {
    size_t kept = (size_t)(parts->field - key), length = strlen(field);
    char *other = malloc(kept + length + 1);
    if (other == NULL)
        return NULL;
    memcpy(other, key, kept);
    memcpy(other + kept, field, length + 1);
    const char *value = glissade_file_text_find(contents->file, other);
    free(other);
    return value;
}

static void add_to_group(struct contents *contents, const char *number_text, double steps) {
    struct group wanted = {.number = 0};
    const char *rest;
    if (number_text == NULL || !take_number(number_text, &wanted.number, &rest) || *rest != '\0')
        return;
    struct group *group =
        bsearch(&wanted, contents->groups, contents->group_count, sizeof wanted, compare_groups);
    if (group != NULL) {
        ++group->tensors;
        add_steps(&group->steps, steps);
    }
}

static void gather_counts(struct contents *contents) {
    for (size_t line = 0; line < glissade_file_text_count(contents->file); ++line) {
        glissade_file_text text = glissade_file_text_at(contents->file, line);
        struct state_name parts;
        uint64_t steps;
        const char *rest;
        if (!state_name_of_text(text.key, &parts) || strcmp(parts.field, "steps") != 0 ||
            !take_number(text.value, &steps, &rest) || *rest != '\0')
            continue;
        add_steps(&contents->steps, (double)steps);
        add_to_group(contents, sibling(contents, text.key, &parts, "group"), (double)steps);
    }
}

static bool is_step_count(const glissade_file_tensor *tensor) {
    struct state_name parts;
    return tensor->dtype == GLISSADE_FILE_F32 && tensor->bytes == sizeof(float) &&
           state_name_of_array(tensor->name, &parts) && strcmp(parts.field, "step") == 0;
}

/* Of a file without lines of metadata, as PyTorch's state is: the counts are arrays of one float. */
static enum exit_code gather_step_arrays(struct contents *contents) {
    size_t count = glissade_file_count(contents->file), found = 0;
    glissade_file_target *targets = calloc(count + 1, sizeof *targets);
    float *steps = calloc(count + 1, sizeof *steps);
    enum exit_code exit_code = EXIT_CODE_USAGE;
    if (targets == NULL || steps == NULL) {
        report_error("state show: out of memory");
        goto done;
    }
    for (size_t i = 0; i < count; ++i) {
        glissade_file_tensor tensor = state_tensor(contents->file, i);
        if (!is_step_count(&tensor))
            continue;
        targets[found] = (glissade_file_target){.index = i, .data = &steps[found]};
        ++found;
    }
    glissade_error error;
    glissade_status status = found == 0
                                 ? GLISSADE_STATUS_OK
                                 : glissade_file_read(NULL, contents->file, targets, found, NULL, &error);
    if (status != GLISSADE_STATUS_OK)
        report_error("state show: %s", error.message);
    for (size_t i = 0; status == GLISSADE_STATUS_OK && i < found; ++i)
        add_steps(&contents->steps, (double)steps[i]);
    exit_code = state_exit_code(status);
done:
    free(targets);
    free(steps);
    return exit_code;
}

static enum exit_code gather(struct contents *contents) {
    if (!gather_groups(contents)) {
        report_error("state show: out of memory");
        return EXIT_CODE_USAGE;
    }
    gather_counts(contents);
    return contents->steps.count > 0 ? EXIT_CODE_OK : gather_step_arrays(contents);
}

int state_show_main(int argc, char **argv) {
    bool tensors = false, json = false;
    const struct option_row rows[] = {
        option_flag("tensors", "list all tensors, however many", &tensors),
        option_flag("json", "print one JSON document, with all tensors", &json),
    };
    struct operands operands = {.words = "FILE", .minimum = 1, .maximum = 1};
    int exit_code;
    if (!options_parse_operands(&state_show_command, rows, sizeof rows / sizeof rows[0], argc, argv,
                                &operands, &exit_code))
        return exit_code;
    struct contents contents = {.path = operands.list[0]};
    exit_code = state_open("state show", contents.path, &contents.file);
    if (exit_code == EXIT_CODE_OK)
        exit_code = gather(&contents);
    if (exit_code == EXIT_CODE_OK && json)
        exit_code = show_print_json(&contents);
    else if (exit_code == EXIT_CODE_OK)
        show_print_text(&contents, tensors);
    free(contents.groups);
    glissade_file_close(&contents.file);
    return exit_code;
}
