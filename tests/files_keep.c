/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered files: the path is always the latest, so many are kept, and what is somebody else's stays. */
#include "files.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NUMBERED(number) "model-" number ".safetensors"

static folder home;
static sample it;
static glissade_error error;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
    sample_mixed(&it, 5000, 0);
}

static void teardown(void) {
    cr_assert_eq(descriptors_open(), home.descriptors, "descriptors are left open");
    cr_assert_eq(folder_temporaries(&home), 0, "temporary files are left: %s", folder_names(&home));
    sample_destroy(&it);
    folder_destroy(&home);
}

TestSuite(files_keep, .init = setup, .fini = teardown, .timeout = 60);

static glissade_status keep(const char *name, uint64_t number, uint32_t count) {
    glissade_file_options options = sample_options();
    options.keep = count;
    options.number = number;
    sample_fill(&it, number);
    return sample_write(&it, NULL, folder_at(&home, name), &options, &error);
}

/* Writes it, and checks that path and number are two names of it. */
static void keep_well(const char *name, uint64_t number, uint32_t count, const char *numbered) {
    struct stat a, b;
    cr_assert_eq(keep(name, number, count), GLISSADE_STATUS_OK, "%s", error.message);
    const char *difference = sample_difference(&it, NULL, folder_at(&home, name));
    cr_assert_null(difference, "%s", difference);
    cr_assert_eq(stat(folder_at(&home, name), &a), 0);
    cr_assert_eq(stat(folder_at(&home, numbered), &b), 0, "no %s among %s", numbered, folder_names(&home));
    cr_assert(a.st_ino == b.st_ino && a.st_nlink == 2, "%ju names", (uintmax_t)a.st_nlink);
}

#define NAMES(expected) cr_assert_str_eq(folder_names(&home), expected " ", "%s", folder_names(&home))

/* Begun again further back, what was ahead makes way, and what is new stays. */
Test(files_keep, begun_again) {
    static const uint64_t numbers[] = {1, 5, 8, 2, 3, 4};
    char numbered[64];
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(numbered, sizeof numbered, NUMBERED("%020llu"), (unsigned long long)numbers[i]);
        keep_well("model.safetensors", numbers[i], 3, numbered);
    }
    NAMES(NUMBERED("00000000000000000002") " " NUMBERED("00000000000000000003") " " NUMBERED(
        "00000000000000000004") " model.safetensors");
}

Test(files_keep, keeps_the_last) {
    char numbered[64];
    for (uint64_t number = 1; number <= 12; number++) {
        snprintf(numbered, sizeof numbered, NUMBERED("%020llu"), (unsigned long long)number);
        keep_well("model.safetensors", number, 3, numbered);
    }
    NAMES(NUMBERED("00000000000000000010") " " NUMBERED("00000000000000000011") " " NUMBERED(
        "00000000000000000012") " model.safetensors");
    for (uint64_t number = 10; number <= 12; number++) {
        snprintf(numbered, sizeof numbered, NUMBERED("%020llu"), (unsigned long long)number);
        cr_assert_eq(sample_find(&it, folder_at(&home, numbered)), number);
    }
}

Test(files_keep, one_and_many) {
    keep_well("model.safetensors", 5, 1, NUMBERED("00000000000000000005"));
    keep_well("model.safetensors", 6, 1, NUMBERED("00000000000000000006"));
    NAMES(NUMBERED("00000000000000000006") " model.safetensors");
    keep_well("model.safetensors", 7, UINT32_MAX, NUMBERED("00000000000000000007"));
    NAMES(NUMBERED("00000000000000000006") " " NUMBERED("00000000000000000007") " model.safetensors");
}

/* Training went back to an earlier step: what is ahead of it belongs to a course that was given up, and goes first. */
Test(files_keep, higher_numbers_go_first) {
    for (uint64_t number = 5; number <= 9; number++)
        cr_assert_eq(keep("model.safetensors", number, 9), GLISSADE_STATUS_OK);
    keep_well("model.safetensors", 2, 3, NUMBERED("00000000000000000002"));
    NAMES(NUMBERED("00000000000000000002") " " NUMBERED("00000000000000000005") " " NUMBERED(
        "00000000000000000006") " model.safetensors");
    keep_well("model.safetensors", 3, 3, NUMBERED("00000000000000000003"));
    NAMES(NUMBERED("00000000000000000002") " " NUMBERED("00000000000000000003") " " NUMBERED(
        "00000000000000000005") " model.safetensors");
    keep_well("model.safetensors", 4, 2, NUMBERED("00000000000000000004"));
    NAMES(NUMBERED("00000000000000000003") " " NUMBERED("00000000000000000004") " model.safetensors");
}

Test(files_keep, never_the_one_just_written) {
    for (uint64_t number = 5; number <= 9; number++)
        cr_assert_eq(keep("model.safetensors", number, 9), GLISSADE_STATUS_OK);
    keep_well("model.safetensors", 2, 1, NUMBERED("00000000000000000002"));
    NAMES(NUMBERED("00000000000000000002") " model.safetensors");
    keep_well("model.safetensors", 2, 1, NUMBERED("00000000000000000002"));
    NAMES(NUMBERED("00000000000000000002") " model.safetensors");
}

Test(files_keep, extreme_numbers) {
    keep_well("model.safetensors", 0, 2, NUMBERED("00000000000000000000"));
    keep_well("model.safetensors", UINT64_MAX, 2, NUMBERED("18446744073709551615"));
    keep_well("model.safetensors", UINT64_MAX - 1, 2, NUMBERED("18446744073709551614"));
    NAMES(NUMBERED("00000000000000000000") " " NUMBERED("18446744073709551614") " model.safetensors");
    keep_well("model.safetensors", 1, 1, NUMBERED("00000000000000000001"));
    NAMES(NUMBERED("00000000000000000001") " model.safetensors");
}

Test(files_keep, names_without_an_ending) {
    keep_well("model", 1, 1, "model-00000000000000000001");
    keep_well("model", 2, 1, "model-00000000000000000002");
    keep_well(".model", 2, 1, ".model-00000000000000000002");
    keep_well("a.b.c", 2, 1, "a.b-00000000000000000002.c");
    NAMES(".model .model-00000000000000000002 a.b-00000000000000000002.c a.b.c model "
          "model-00000000000000000002");
}

/* The path alone, written once more, has left its number; the number stays what it was. */
Test(files_keep, the_path_alone_leaves_numbers) {
    keep_well("model.safetensors", 3, 2, NUMBERED("00000000000000000003"));
    sample_fill(&it, 99);
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "model.safetensors"), NULL, &error),
                 GLISSADE_STATUS_OK);
    cr_assert_eq(sample_find(&it, folder_at(&home, "model.safetensors")), 99);
    cr_assert_eq(sample_find(&it, folder_at(&home, NUMBERED("00000000000000000003"))), 3);
}

Test(files_keep, a_number_again) {
    keep_well("model.safetensors", 3, 2, NUMBERED("00000000000000000003"));
    keep_well("model.safetensors", 3, 2, NUMBERED("00000000000000000003"));
    NAMES(NUMBERED("00000000000000000003") " model.safetensors");
}

Test(files_keep, what_is_somebody_elses_stays) {
    static const char *const names[] = {"model-1.safetensors",
                                        "model-0000000000000000000x.safetensors",
                                        "model-00000000000000000001.safetensor",
                                        "model-00000000000000000001.safetensors.bak",
                                        "model-99999999999999999999.safetensors",
                                        "model-18446744073709551616.safetensors",
                                        "model_00000000000000000001.safetensors",
                                        "Model-00000000000000000001.safetensors",
                                        "other-00000000000000000001.safetensors",
                                        ".glissade-0123456789abcdef-1-0"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        bytes_store(folder_at(&home, names[i]), "x", 1);
    cr_assert_eq(mkdir(folder_at(&home, NUMBERED("00000000000000000001")), 0700), 0);
    cr_assert_eq(symlink("other", folder_at(&home, NUMBERED("00000000000000000002"))), 0);
    cr_assert_eq(mkfifo(folder_at(&home, NUMBERED("00000000000000000003")), 0600), 0);
    for (uint64_t number = 4; number <= 8; number++)
        cr_assert_eq(keep("model.safetensors", number, 2), GLISSADE_STATUS_OK, "%s", error.message);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        cr_assert_eq(access(folder_at(&home, names[i]), F_OK), 0, "%s is gone", names[i]);
    for (uint64_t number = 1; number <= 8; number++) {
        struct stat status;
        char name[64];
        snprintf(name, sizeof name, NUMBERED("%020llu"), (unsigned long long)number);
        const bool there = lstat(folder_at(&home, name), &status) == 0;
        cr_assert_eq(there, number < 4 || number > 6, "%s", name);
    }
    cr_assert_eq(unlink(folder_at(&home, ".glissade-0123456789abcdef-1-0")), 0);
}

/* Above and below, what is no file neither counts nor stops the rest from being removed. */
Test(files_keep, what_is_in_the_way_on_both_sides) {
    cr_assert_eq(mkdir(folder_at(&home, NUMBERED("00000000000000000001")), 0700), 0);
    cr_assert_eq(mkdir(folder_at(&home, NUMBERED("00000000000000000009")), 0700), 0);
    for (uint64_t number = 2; number <= 8; number++)
        if (number != 5)
            cr_assert_eq(keep("model.safetensors", number, 9), GLISSADE_STATUS_OK, "%s", error.message);
    keep_well("model.safetensors", 5, 2, NUMBERED("00000000000000000005"));
    NAMES(NUMBERED("00000000000000000001") " " NUMBERED("00000000000000000004") " " NUMBERED(
        "00000000000000000005") " " NUMBERED("00000000000000000009") " model.safetensors");
}

/* ---- refusals ---- */

static void refused(glissade_status status, glissade_status expected, const char *words) {
    cr_assert_eq(status, expected, "%s: %s", glissade_status_name(status), error.message);
    cr_assert(strstr(error.message, words), "\"%s\" does not say \"%s\"", error.message, words);
}

Test(files_keep, no_room_for_a_number) {
    char name[256] = "";
    memset(name, 'n', 234);
    cr_assert_eq(keep(name, 1, 1), GLISSADE_STATUS_OK, "%s", error.message);
    name[234] = 'n';
    refused(keep(name, 1, 1), GLISSADE_STATUS_IO, "add a number to its name: File name too long");
}

Test(files_keep, a_number_that_is_no_file) {
    keep_well("model.safetensors", 1, 2, NUMBERED("00000000000000000001"));
    cr_assert_eq(mkdir(folder_at(&home, NUMBERED("00000000000000000002")), 0700), 0);
    cr_assert_eq(symlink("x", folder_at(&home, NUMBERED("00000000000000000003"))), 0);
    refused(keep("model.safetensors", 2, 2), GLISSADE_STATUS_IO, "a folder; accepted: a regular file");
    refused(keep("model.safetensors", 3, 2), GLISSADE_STATUS_IO, "a symbolic link; accepted: a regular file");
    cr_assert_eq(sample_find(&it, folder_at(&home, "model.safetensors")), 1);
    NAMES(NUMBERED("00000000000000000001") " " NUMBERED("00000000000000000002") " " NUMBERED(
        "00000000000000000003") " model.safetensors");
}

Test(files_keep, a_number_without_keep) {
    refused(keep("model.safetensors", 7, 0), GLISSADE_STATUS_INVALID_OPTION, "number is 7 and keep 0");
    cr_assert_str_eq(folder_names(&home), "");
}
