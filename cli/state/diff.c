/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade state diff`: what two files have in common, by name. Reads arrays through diff_compare.c alone. */
#include "diff.h"

#include <stdlib.h>
#include <string.h>

const struct command state_diff_command = {
    .name = "state diff",
    .summary = "compare two files: names, types, bits, metadata",
    .description =
        "Compares two files by the names of their tensors: which are in one of them only, which have\n"
        "another type or shape, and of the others how many bytes and elements differ. Bits decide: +0\n"
        "and -0 differ, and a NaN equals the same NaN. Of floating-point types it also says how large\n"
        "the largest difference of two elements is, and how many representable numbers lie between two\n"
        "(ulp). Metadata are compared line by line, but for checksums.\n"
        "\n"
        "Arrays are read some at a time and checked, if there are checksums; memory is taken for a few\n"
        "of the largest, or some 256 MiB.\n"
        "\n"
        "Exit codes: 0 no difference; 1 there are some; 2 a file is damaged or cannot be read, or the\n"
        "command line or the environment cannot be used.\n",
};

static bool same_type(const glissade_file_tensor *a, const glissade_file_tensor *b) {
    if (a->dtype != b->dtype || a->rank != b->rank || a->bytes != b->bytes)
        return false;
    for (uint32_t i = 0; i < a->rank; ++i)
        if (a->shape[i] != b->shape[i])
            return false;
    return true;
}

static void add_tensor(struct diff *diff, enum difference_kind kind, glissade_file_tensor a,
                       glissade_file_tensor b) {
    diff->tensors[diff->tensor_count++] = (struct tensor_difference){.kind = kind, .a = a, .b = b};
}

/* Finds what differs by the headers alone, and the pairs that must be read. Returns the number of pairs. */
static size_t match_tensors(struct diff *diff, struct pair *pairs) {
    size_t pair_count = 0;
    const glissade_file_tensor none = {.size = sizeof none};
    for (size_t i = 0; i < glissade_file_count(diff->files[0]); ++i) {
        glissade_file_tensor a = state_tensor(diff->files[0], i);
        size_t other = glissade_file_find(diff->files[1], a.name);
        if (other == SIZE_MAX) {
            add_tensor(diff, ONLY_IN_A, a, none);
            continue;
        }
        glissade_file_tensor b = state_tensor(diff->files[1], other);
        if (same_type(&a, &b))
            pairs[pair_count++] = (struct pair){i, other};
        else
            add_tensor(diff, ANOTHER_TYPE, a, b);
    }
    for (size_t i = 0; i < glissade_file_count(diff->files[1]); ++i) {
        glissade_file_tensor b = state_tensor(diff->files[1], i);
        if (glissade_file_find(diff->files[0], b.name) == SIZE_MAX)
            add_tensor(diff, ONLY_IN_B, none, b);
    }
    return pair_count;
}

/* ---- metadata ---- */

static bool is_ignored(const struct diff *diff, const char *key) {
    for (size_t i = 0; i < diff->ignored.count; ++i)
        if (strncmp(key, diff->ignored.texts[i], strlen(diff->ignored.texts[i])) == 0)
            return true;
    return state_is_checksum(key);
}

static void add_line(struct diff *diff, const char *key, const char *a, const char *b) {
    if (!is_ignored(diff, key))
        diff->lines[diff->line_count++] = (struct line_difference){key, a, b};
}

static void match_lines(struct diff *diff) {
    for (size_t i = 0; i < glissade_file_text_count(diff->files[0]); ++i) {
        glissade_file_text a = glissade_file_text_at(diff->files[0], i);
        const char *b = glissade_file_text_find(diff->files[1], a.key);
        if (b == NULL || strcmp(a.value, b) != 0)
            add_line(diff, a.key, a.value, b);
    }
    for (size_t i = 0; i < glissade_file_text_count(diff->files[1]); ++i) {
        glissade_file_text b = glissade_file_text_at(diff->files[1], i);
        if (glissade_file_text_find(diff->files[0], b.key) == NULL)
            add_line(diff, b.key, NULL, b.value);
    }
}

/* ---- the command ---- */

static enum exit_code compare(struct diff *diff, glissade_engine *engine) {
    size_t tensors = glissade_file_count(diff->files[0]) + glissade_file_count(diff->files[1]);
    size_t lines = glissade_file_text_count(diff->files[0]) + glissade_file_text_count(diff->files[1]);
    struct pair *pairs = calloc(tensors + 1, sizeof *pairs);
    diff->tensors = calloc(tensors + 1, sizeof *diff->tensors);
    diff->lines = calloc(lines + 1, sizeof *diff->lines);
    enum exit_code exit_code = EXIT_CODE_USAGE;
    if (pairs == NULL || diff->tensors == NULL || diff->lines == NULL) {
        report_error("state diff: out of memory");
    } else {
        match_lines(diff);
        size_t count = match_tensors(diff, pairs);
        diff->compared = count;
        exit_code = diff_compare(diff, engine, pairs, count);
    }
    free(pairs);
    return exit_code;
}

static int run(struct diff *diff, glissade_engine *engine, bool json) {
    for (int i = 0; i < 2; ++i)
        if (state_open("state diff", diff->paths[i], &diff->files[i]) != EXIT_CODE_OK)
            return EXIT_CODE_USAGE;
    if (compare(diff, engine) != EXIT_CODE_OK)
        return EXIT_CODE_USAGE;
    if (!json)
        diff_print_text(diff);
    else if (diff_print_json(diff) != EXIT_CODE_OK)
        return EXIT_CODE_USAGE;
    return diff->tensor_count > 0 || diff->line_count > 0 ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

int state_diff_main(int argc, char **argv) {
    struct diff diff = {.paths = {NULL}};
    bool json = false;
    uint64_t threads = GLISSADE_UNSET;
    const struct option_row rows[] = {
        option_list("ignore", "PREFIX", "leave out metadata whose key begins so; '' is all (repeatable)",
                    &diff.ignored),
        option_count("threads", "that read and check", "as 'glissade info' says", 1, 65535, &threads),
        option_flag("json", "print one JSON document", &json),
    };
    struct operands operands = {.words = "A B", .minimum = 2, .maximum = 2};
    int exit_code;
    if (!options_parse_operands(&state_diff_command, rows, sizeof rows / sizeof rows[0], argc, argv,
                                &operands, &exit_code))
        return exit_code;
    diff.paths[0] = operands.list[0];
    diff.paths[1] = operands.list[1];
    glissade_engine *engine;
    if (report_engine_create((uint32_t)threads, GLISSADE_UNSET, &engine) != EXIT_CODE_OK)
        return EXIT_CODE_USAGE;
    exit_code = run(&diff, engine, json);
    free(diff.tensors);
    free(diff.lines);
    glissade_file_close(&diff.files[0]);
    glissade_file_close(&diff.files[1]);
    glissade_engine_destroy(&engine);
    return exit_code;
}
