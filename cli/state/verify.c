/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade state verify`: reads whole files and says whether they are what was written. */
#include "state.h"

#include "../text.h"

#include <inttypes.h>
#include <stdio.h>

const struct command state_verify_command = {
    .name = "state verify",
    .summary = "read files whole and check every byte",
    .description =
        "Reads each file whole: the header's grammar, names, types, shapes and ranges; its checksum,\n"
        "and those of every chunk of 4 MiB. Prints a line for each file: verified; not verified, if it\n"
        "has no checksums to check by (its header is sound then); damaged, with what is wrong and\n"
        "where; or that it cannot be read.\n"
        "\n"
        "Exit codes: 0 all files are whole, verified or without checksums; 1 a file is damaged; 2\n"
        "otherwise a file cannot be read, or the command line or the environment cannot be used; 3,\n"
        "with --strict only, otherwise a file has no checksums.\n",
};

enum { EXIT_CODE_UNVERIFIED = 3 };

struct verification {
    const char *path;
    glissade_status status;
    glissade_file_report report; /* if the status is OK */
    glissade_error error;        /* otherwise */
};

struct tally {
    bool damaged, unreadable, unverified;
};

static const char *verdict(const struct verification *verification) {
    if (verification->status == GLISSADE_STATUS_OK)
        return verification->report.verified ? "verified" : "not verified";
    return state_is_damage(verification->status) ? "damaged" : "unreadable";
}

static void verify(glissade_engine *engine, struct verification *verification) {
    glissade_file *file;
    verification->report.size = sizeof verification->report;
    verification->status = glissade_file_open(verification->path, &file, &verification->error);
    if (verification->status != GLISSADE_STATUS_OK)
        return;
    verification->status = glissade_file_verify(engine, file, &verification->report, &verification->error);
    /* The report counts what was read for its checksums; here it is of interest how large the file is. */
    verification->report.bytes = glissade_file_bytes(file);
    glissade_file_close(&file);
}

static void print_verification(const struct verification *verification) {
    const glissade_file_report *report = &verification->report;
    char bytes[TEXT_COUNT_SIZE];
    text_print(stdout, verification->path, 0);
    if (verification->status != GLISSADE_STATUS_OK) {
        printf(": %s: ", verdict(verification));
        text_print(stdout, verification->error.message, 0);
        putchar('\n');
        return;
    }
    text_count(report->bytes, bytes);
    if (report->verified)
        printf(": verified: %s bytes, chunks: %" PRIu64, bytes, report->chunks);
    else
        printf(": not verified: no checksums; %s bytes, its header is sound", bytes);
    printf("; %.3f s\n", report->seconds);
}

static json_t *verification_json(const struct verification *verification) {
    const glissade_file_report *report = &verification->report;
    json_t *path = report_json_text(verification->path);
    if (verification->status != GLISSADE_STATUS_OK)
        return json_pack("{s:o, s:s, s:s, s:o}", "file", path, "verdict", verdict(verification), "status",
                         glissade_status_name(verification->status), "message",
                         report_json_text(verification->error.message));
    return json_pack("{s:o, s:s, s:s, s:o, s:o, s:f}", "file", path, "verdict", verdict(verification),
                     "status", glissade_status_name(verification->status), "bytes",
                     report_json_count(report->bytes), "chunks", report_json_count(report->chunks), "seconds",
                     report->seconds);
}

static void count(struct tally *tally, const struct verification *verification) {
    if (verification->status == GLISSADE_STATUS_OK)
        tally->unverified |= !verification->report.verified;
    else if (state_is_damage(verification->status))
        tally->damaged = true;
    else
        tally->unreadable = true;
}

static int tally_exit_code(const struct tally *tally, bool strict) {
    if (tally->damaged)
        return EXIT_CODE_FAILED;
    if (tally->unreadable)
        return EXIT_CODE_USAGE;
    return strict && tally->unverified ? EXIT_CODE_UNVERIFIED : EXIT_CODE_OK;
}

int state_verify_main(int argc, char **argv) {
    bool strict = false, json = false;
    uint64_t threads = GLISSADE_UNSET;
    const struct option_row rows[] = {
        option_flag("strict", "exit with 3 if a file has no checksums", &strict),
        option_count("threads", "that read and check", "as 'glissade info' says", 1, 65535, &threads),
        option_flag("json", "print one JSON document", &json),
    };
    struct operands operands = {.words = "FILE...", .minimum = 1, .maximum = argc};
    int exit_code;
    if (!options_parse_operands(&state_verify_command, rows, sizeof rows / sizeof rows[0], argc, argv,
                                &operands, &exit_code))
        return exit_code;
    glissade_engine *engine;
    exit_code = report_engine_create((uint32_t)threads, GLISSADE_UNSET, &engine);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    struct tally tally = {.damaged = false};
    json_t *list = json_array();
    for (int i = 0; i < operands.count; ++i) {
        struct verification verification = {.path = operands.list[i]};
        verify(engine, &verification);
        count(&tally, &verification);
        if (json)
            report_json_append(&list, verification_json(&verification));
        else
            print_verification(&verification);
    }
    glissade_engine_destroy(&engine);
    exit_code = tally_exit_code(&tally, strict);
    if (!json)
        json_decref(list);
    else if (report_json(json_pack("{s:o, s:i}", "files", list, "exit_code", exit_code)) != EXIT_CODE_OK)
        return EXIT_CODE_USAGE;
    return exit_code;
}
