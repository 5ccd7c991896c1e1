/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade state`: finds the subcommand; and what all of them need. Must not change a file. */
#include "state.h"

#include "../commands.h"
#include "../text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const struct command state_command = {
    .name = "state",
    .summary = "show, verify, compare and convert files of parameters and optimizer state",
    .description = "",
};

static const struct {
    const struct command *command;
    int (*run)(int argc, char **argv);
} commands[] = {
    {&state_show_command, state_show_main},
    {&state_verify_command, state_verify_main},
    {&state_diff_command, state_diff_main},
    {&state_convert_command, state_convert_main},
};
static const size_t command_count = sizeof commands / sizeof commands[0];

/* "show" of "state show". */
static const char *short_name(size_t i) {
    return commands[i].command->name + strlen("state ");
}

static void print_help(void) {
    printf("Usage: glissade state COMMAND [OPTION]... FILE...\n\n"
           "Files of parameters and optimizer state, as 'glissade train --save' and every program that uses "
           "the\n"
           "library write them, and other safetensors files.\n\nCommands:\n");
    for (size_t i = 0; i < command_count; ++i)
        printf("  %-8s %s\n", short_name(i), commands[i].command->summary);
    printf("\n'glissade state COMMAND --help' lists a command's options and its exit codes.\n");
}

int state_main(int argc, char **argv) {
    if (argc < 2) {
        report_error("state: no command given; see 'glissade state --help'");
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return EXIT_CODE_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("glissade %s\n", glissade_version());
        return EXIT_CODE_OK;
    }
    for (size_t i = 0; i < command_count; ++i)
        if (strcmp(argv[1], short_name(i)) == 0)
            return commands[i].run(argc - 1, argv + 1);
    report_error("state: unknown command '%s'; see 'glissade state --help'", argv[1]);
    return EXIT_CODE_USAGE;
}

/* ---- files ---- */

bool state_is_damage(glissade_status status) {
    return status == GLISSADE_STATUS_INVALID_FILE || status == GLISSADE_STATUS_CHECKSUM ||
           status == GLISSADE_STATUS_TOO_LARGE;
}

enum exit_code state_exit_code(glissade_status status) {
    if (status == GLISSADE_STATUS_OK)
        return EXIT_CODE_OK;
    return state_is_damage(status) ? EXIT_CODE_FAILED : EXIT_CODE_USAGE;
}

enum exit_code state_open(const char *command, const char *path, glissade_file **file) {
    glissade_error error;
    glissade_status status = glissade_file_open(path, file, &error);
    if (status != GLISSADE_STATUS_OK)
        report_error("%s: %s", command, error.message);
    return state_exit_code(status);
}

glissade_file_tensor state_tensor(const glissade_file *file, size_t index) {
    glissade_file_tensor tensor = {.size = sizeof tensor};
    if (glissade_file_get(file, index, &tensor) != GLISSADE_STATUS_OK)
        return (glissade_file_tensor){.size = sizeof tensor, .name = ""};
    return tensor;
}

uint64_t state_elements(const glissade_file_tensor *tensor) {
    uint64_t elements = 1;
    for (uint32_t i = 0; i < tensor->rank; ++i)
        if (tensor->shape[i] == 0)
            return 0; /* what the others multiply to need not be a number */
    for (uint32_t i = 0; i < tensor->rank; ++i)
        elements *= tensor->shape[i];
    return elements;
}

void state_print_shape(FILE *out, const glissade_file_tensor *tensor) {
    const uint32_t most = 8;
    fprintf(out, "%s [", glissade_file_dtype_name(tensor->dtype));
    for (uint32_t i = 0; i < tensor->rank && i < most; ++i)
        fprintf(out, "%s%" PRIu64, i > 0 ? ", " : "", tensor->shape[i]);
    fputs(tensor->rank > most ? ", ...]" : "]", out);
}

json_t *state_shape_json(const glissade_file_tensor *tensor) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < tensor->rank; ++i)
        report_json_append(&list, report_json_count(tensor->shape[i]));
    return list;
}

/* ---- names ---- */

static bool take_apart(const char *name, const char *prefix, struct state_name *parts) {
    size_t skipped = strlen(prefix);
    if (strncmp(name, prefix, skipped) != 0)
        return false;
    parts->tensor = name + skipped;
    const char *dot = strrchr(parts->tensor, '.');
    if (dot == NULL || dot == parts->tensor)
        return false;
    /* The units of 8-bit codes: "X.unit". */
    const char *before = dot;
    while (before > parts->tensor && before[-1] != '.')
        --before;
    if (strcmp(dot, ".unit") == 0 && before > parts->tensor + 1)
        dot = before - 1;
    parts->length = (size_t)(dot - parts->tensor);
    parts->field = dot + 1;
    return true;
}

bool state_name_of_array(const char *name, struct state_name *parts) {
    return take_apart(name, "state.", parts);
}

bool state_name_of_text(const char *key, struct state_name *parts) {
    return take_apart(key, "glissade.tensor.", parts);
}

bool state_is_checksum(const char *key) {
    static const char prefix[] = "glissade.checksum.";
    return strncmp(key, prefix, sizeof prefix - 1) == 0;
}
