/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade state convert`: writes a file anew. The new file is in memory as a whole before it is written. */
#include "convert.h"

#include "../text.h"
#include "numbers.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const struct command state_convert_command = {
    .name = "state convert",
    .summary = "write a file anew: with checksums, fewer tensors, other names or types",
    .description =
        "Writes the tensors and metadata of IN to OUT, checked by IN's checksums if it has any, with\n"
        "checksums of its own. Tensors are selected by their names in IN; what --without names is left\n"
        "out in any case. Of a tensor NAME, 'state.NAME.' begins the names of its state, with which its\n"
        "counts in the metadata go.\n"
        "\n"
        "--dtype rounds to nearest, ties to even, once. It leaves alone what is not floating point;\n"
        "counts of steps, units of 8-bit state and masters; and parameters whose lower halves are in\n"
        "the new file, too (--without state. takes those away).\n"
        "\n"
        "--rename gives a tensor, by its whole name, another one: in NAME, in state.NAME.* and in the\n"
        "metadata.\n"
        "\n"
        "Takes as much memory as OUT has bytes.\n"
        "\n"
        "Exit codes: 0 success; 1 IN is damaged, or OUT could not be written; 2 IN cannot be read, OUT\n"
        "exists, or the command line or the environment cannot be used.\n",
};

enum {
    BATCH_BYTES = 64 * 1024 * 1024, /* read at a time, more only for one array that has more */
    ALIGNMENT = 64                  /* of each array in memory */
};

struct conversion {
    const struct convert_options *options;
    glissade_engine *engine;
    glissade_file *file;
    struct convert_plan plan;
    void **arrays; /* of the plan's tensors */
    glissade_file_target *targets;
    bool verified;
    glissade_file_report report; /* of the writing */
};

static enum exit_code report_memory(void) {
    report_error("state convert: out of memory");
    return EXIT_CODE_FAILED;
}

/* ---- reading ---- */

static void *allocate(uint64_t bytes) {
    if (bytes > SIZE_MAX - ALIGNMENT)
        return NULL;
    return aligned_alloc(ALIGNMENT, ((size_t)bytes / ALIGNMENT + 1) * ALIGNMENT);
}

static size_t former_bytes(const struct conversion *conversion, size_t i) {
    return (size_t)state_tensor(conversion->file, conversion->plan.tensors[i].index).bytes;
}

/* Reads some tensors, those that are converted to memory of their own first. */
static enum exit_code read_batch(struct conversion *conversion, size_t first, size_t count) {
    glissade_error error;
    for (size_t i = 0; i < count; ++i) {
        const struct convert_tensor *planned = &conversion->plan.tensors[first + i];
        conversion->arrays[first + i] = allocate(planned->tensor.bytes);
        void *data = planned->tensor.dtype == planned->former ? conversion->arrays[first + i]
                                                              : allocate(former_bytes(conversion, first + i));
        conversion->targets[i] = (glissade_file_target){planned->index, data};
    }
    bool complete = true;
    for (size_t i = 0; i < count; ++i)
        complete = complete && conversion->arrays[first + i] != NULL && conversion->targets[i].data != NULL;
    enum exit_code exit_code = complete ? EXIT_CODE_OK : report_memory();
    glissade_status status = !complete ? GLISSADE_STATUS_OUT_OF_MEMORY
                                       : glissade_file_read(conversion->engine, conversion->file,
                                                            conversion->targets, count, NULL, &error);
    if (complete && status != GLISSADE_STATUS_OK) {
        report_error("state convert: %s", error.message);
        exit_code = state_exit_code(status);
    }
    for (size_t i = 0; i < count; ++i) {
        const struct convert_tensor *planned = &conversion->plan.tensors[first + i];
        if (conversion->targets[i].data == conversion->arrays[first + i])
            continue;
        if (exit_code == EXIT_CODE_OK)
            numbers_convert(conversion->targets[i].data, planned->former, conversion->arrays[first + i],
                            planned->tensor.dtype, (size_t)state_elements(&planned->tensor));
        free(conversion->targets[i].data);
    }
    return exit_code;
}

static enum exit_code read_all(struct conversion *conversion) {
    size_t count = conversion->plan.tensor_count;
    conversion->arrays = calloc(count + 1, sizeof *conversion->arrays);
    conversion->targets = calloc(count + 1, sizeof *conversion->targets);
    if (conversion->arrays == NULL || conversion->targets == NULL)
        return report_memory();
    for (size_t done = 0; done < count;) {
        size_t length = 0, bytes = 0;
        while (done + length < count &&
               (length == 0 || bytes + former_bytes(conversion, done + length) <= BATCH_BYTES))
            bytes += former_bytes(conversion, done + length++);
        enum exit_code exit_code = read_batch(conversion, done, length);
        if (exit_code != EXIT_CODE_OK)
            return exit_code;
        done += length;
    }
    return EXIT_CODE_OK;
}

/* ---- writing ---- */

/* Refuses to overwrite. What comes between this and the writing cannot be helped. */
static enum exit_code check_output(const struct convert_options *options) {
    struct stat status;
    if (options->force || (lstat(options->output, &status) != 0 && errno == ENOENT))
        return EXIT_CODE_OK;
    report_error("state convert: '%s' exists; --force replaces it", options->output);
    return EXIT_CODE_USAGE;
}

static enum exit_code write_all(struct conversion *conversion) {
    struct convert_plan *plan = &conversion->plan;
    glissade_file_tensor *tensors = calloc(plan->tensor_count + 1, sizeof *tensors);
    if (tensors == NULL)
        return report_memory();
    for (size_t i = 0; i < plan->tensor_count; ++i) {
        tensors[i] = plan->tensors[i].tensor;
        tensors[i].data = conversion->arrays[i];
    }
    glissade_file_options options;
    glissade_file_options_init(&options, sizeof options);
    options.omit_checksums = conversion->options->omit_checksums;
    conversion->report.size = sizeof conversion->report;
    enum exit_code exit_code = check_output(conversion->options);
    glissade_error error;
    glissade_status status = GLISSADE_STATUS_OK;
    if (exit_code == EXIT_CODE_OK)
        status =
            glissade_file_write(conversion->engine, conversion->options->output, tensors, plan->tensor_count,
                                plan->lines, plan->line_count, &options, &conversion->report, &error);
    free(tensors);
    if (status == GLISSADE_STATUS_OK)
        return exit_code;
    report_error("state convert: %s", error.message);
    bool names = status == GLISSADE_STATUS_DUPLICATE_TENSOR || status == GLISSADE_STATUS_INVALID_OPTION;
    return names ? EXIT_CODE_USAGE : EXIT_CODE_FAILED;
}

/* ---- the command ---- */

static enum exit_code print_conversion(const struct conversion *conversion) {
    const struct convert_options *options = conversion->options;
    const struct convert_plan *plan = &conversion->plan;
    if (options->json)
        return report_json(json_pack(
            "{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:b, s:f}", "input", report_json_text(options->input),
            "output", report_json_text(options->output), "verified", conversion->verified, "tensors",
            report_json_count(plan->tensor_count), "converted", report_json_count(plan->converted), "renamed",
            report_json_count(plan->renamed), "bytes", report_json_count(conversion->report.bytes),
            "checksums", !options->omit_checksums, "seconds", conversion->report.seconds));
    char bytes[TEXT_COUNT_SIZE];
    text_print(stdout, options->output, 0);
    printf(": %zu tensors, %" PRIu64 " converted, %" PRIu64 " renamed, %zu lines of metadata; %s bytes, %s "
           "checksums\n",
           plan->tensor_count, plan->converted, plan->renamed, plan->line_count,
           text_count(conversion->report.bytes, bytes), options->omit_checksums ? "without" : "with");
    return EXIT_CODE_OK;
}

static enum exit_code convert(struct conversion *conversion) {
    const struct convert_options *options = conversion->options;
    enum exit_code exit_code = check_output(options);
    if (exit_code == EXIT_CODE_OK)
        exit_code = report_engine_create((uint32_t)options->threads, GLISSADE_UNSET, &conversion->engine);
    if (exit_code == EXIT_CODE_OK)
        exit_code = state_open("state convert", options->input, &conversion->file);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    conversion->verified = glissade_file_has_checksums(conversion->file);
    exit_code = convert_plan_make(&conversion->plan, options, conversion->file);
    if (exit_code == EXIT_CODE_OK)
        exit_code = read_all(conversion);
    if (exit_code == EXIT_CODE_OK && !conversion->verified)
        report_error("note: '%s' has no checksums and could not be verified", options->input);
    if (exit_code == EXIT_CODE_OK)
        exit_code = write_all(conversion);
    if (exit_code == EXIT_CODE_OK)
        exit_code = print_conversion(conversion);
    return exit_code;
}

int state_convert_main(int argc, char **argv) {
    struct convert_options options = {.dtype = SIZE_MAX, .threads = GLISSADE_UNSET};
    const struct option_row rows[] = {
        option_choice("dtype", "of floating-point parameters and state", "as they are", convert_dtype_name,
                      &options.dtype),
        option_list("dtype-for", "PREFIX", "--dtype is for names that begin so (repeatable)",
                    &options.dtype_for),
        option_list("only", "PREFIX", "take only tensors whose names begin so (repeatable)", &options.only),
        option_list("without", "PREFIX", "leave out tensors whose names begin so (repeatable)",
                    &options.without),
        option_list("rename", "FROM=TO", "give a tensor another name (repeatable)", &options.renames),
        option_flag("no-checksums", "write none", &options.omit_checksums),
        option_flag("force", "replace OUT if it exists", &options.force),
        option_count("threads", "that read, check and write", "as 'glissade info' says", 1, 65535,
                     &options.threads),
        option_flag("json", "print one JSON document", &options.json),
    };
    struct operands operands = {.words = "IN OUT", .minimum = 2, .maximum = 2};
    int exit_code;
    if (!options_parse_operands(&state_convert_command, rows, sizeof rows / sizeof rows[0], argc, argv,
                                &operands, &exit_code))
        return exit_code;
    options.input = operands.list[0];
    options.output = operands.list[1];
    if (options.dtype_for.count > 0 && options.dtype == SIZE_MAX) {
        report_error("state convert: option '--dtype-for' needs '--dtype'");
        return EXIT_CODE_USAGE;
    }
    struct conversion conversion = {.options = &options};
    exit_code = convert(&conversion);
    for (size_t i = 0; conversion.arrays != NULL && i < conversion.plan.tensor_count; ++i)
        free(conversion.arrays[i]);
    free(conversion.arrays);
    free(conversion.targets);
    convert_plan_free(&conversion.plan);
    glissade_file_close(&conversion.file);
    glissade_engine_destroy(&conversion.engine);
    return exit_code;
}
