/* SPDX-License-Identifier: Apache-2.0 */
/* What cannot be written: each refusal says why, leaves what was there as it was, and nothing beside it. */
#include "files.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static folder home;
static sample it;
static glissade_error error;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_DISK);
    sample_mixed(&it, 5000, 1);
}

static void teardown(void) {
    cr_assert_eq(descriptors_open(), home.descriptors, "descriptors are left open");
    sample_destroy(&it);
    folder_destroy(&home);
}

TestSuite(files_refusals, .init = setup, .fini = teardown, .timeout = 60);

static void check(glissade_status status, glissade_status expected, const char *words) {
    cr_assert_eq(status, expected, "%s: \"%s\", not %s", glissade_status_name(status), error.message,
                 glissade_status_name(expected));
    cr_assert(error.status == expected && strstr(error.message, words), "\"%s\" does not say \"%s\"",
              error.message, words);
}

/* Neither written nor read; and the folder holds what it held. */
static void refused(const char *path, glissade_status expected, const char *words, const char *reading) {
    char before[4096];
    glissade_file *file = (glissade_file *)&file;
    snprintf(before, sizeof before, "%s", folder_names(&home));
    check(sample_write(&it, NULL, path, NULL, &error), expected, words);
    check(glissade_file_open(path, &file, &error), expected, reading);
    cr_assert_null(file);
    cr_assert_str_eq(folder_names(&home), before, "there is now %s", folder_names(&home));
}

/* ---- what is no file ---- */

Test(files_refusals, links) {
    const char *target = folder_at(&home, "target"), *path = folder_at(&home, "link");
    cr_assert_eq(sample_write(&it, NULL, target, NULL, &error), GLISSADE_STATUS_OK);
    cr_assert(symlink("target", path) == 0 && symlink("nowhere", folder_at(&home, "broken")) == 0);
    refused(path, GLISSADE_STATUS_IO, "link: a symbolic link; accepted: a regular file", "a symbolic link");
    refused(folder_at(&home, "broken"), GLISSADE_STATUS_IO, "a symbolic link", "a symbolic link");
    cr_assert_null(sample_difference(&it, NULL, target));
    cr_assert_eq(symlink(home.path, folder_at(&home, "folder")), 0);
    cr_assert_null(sample_difference(&it, NULL, folder_at(&home, "folder/target")), "links before the name");
}

Test(files_refusals, folders_pipes_sockets_devices) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert(mkdir(folder_at(&home, "folder"), 0700) == 0 && mkfifo(folder_at(&home, "pipe"), 0600) == 0);
    const int server = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", folder_at(&home, "socket"));
    cr_assert_eq(bind(server, (struct sockaddr *)&address, sizeof address), 0);
    refused(folder_at(&home, "folder"), GLISSADE_STATUS_IO, "a folder", "a folder");
    refused(folder_at(&home, "pipe"), GLISSADE_STATUS_IO, "a device, socket or pipe", "socket or pipe");
    refused(folder_at(&home, "socket"), GLISSADE_STATUS_IO, "a device, socket or pipe", "socket or pipe");
    close(server);
    if (mknod(folder_at(&home, "device"), S_IFCHR | 0600, makedev(1, 3)) == 0)
        refused(folder_at(&home, "device"), GLISSADE_STATUS_IO, "a device, socket or pipe", "a device");
}

Test(files_refusals, paths) {
    char name[300] = "", deep[5000];
    memset(name, 'n', 256);
    memset(deep, '/', sizeof deep);
    strcpy(deep + 4096, "model");
    cr_assert_eq(chdir(home.path), 0);
    refused("", GLISSADE_STATUS_INVALID_OPTION, "path \"\" names no file", "path \"\" names no file");
    refused(".", GLISSADE_STATUS_INVALID_OPTION, "path \".\" names no file", "names no file");
    refused("..", GLISSADE_STATUS_INVALID_OPTION, "path \"..\" names no file", "names no file");
    refused("a/", GLISSADE_STATUS_INVALID_OPTION, "path \"a/\" names no file; accepted: a name", "\"a/\"");
    refused("/", GLISSADE_STATUS_INVALID_OPTION, "path \"/\" names no file", "\"/\"");
    refused("a/..", GLISSADE_STATUS_INVALID_OPTION, "names no file", "names no file");
    refused(name, GLISSADE_STATUS_IO, "File name too long", "File name too long");
    refused(deep, GLISSADE_STATUS_IO, "model: open: File name too long", "File name too long");
    refused("nowhere/model", GLISSADE_STATUS_IO, "nowhere/model: open its folder: No such file",
            "No such file");
    bytes_store("file", "x", 1);
    refused("file/model", GLISSADE_STATUS_IO, "open its folder: Not a directory", "Not a directory");
    cr_assert_eq(chdir("/"), 0);
    glissade_file *file;
    check(glissade_file_open(folder_at(&home, "none"), &file, &error), GLISSADE_STATUS_IO,
          "none: open: No such file or directory (2)");
}

/* Of a long path messages have the end, and no byte that a terminal would act on. */
Test(files_refusals, messages_are_one_line_of_ascii) {
    char path[400];
    memset(path, 'a', sizeof path);
    strcpy(path + 300, "/\033[31m\n\xc3\xa4/model");
    check(sample_write(&it, NULL, path, NULL, &error), GLISSADE_STATUS_IO,
          "aaa/?[31m??"
          "?/model: open its folder");
    cr_assert(strncmp(error.message, "...aaa", 6) == 0, "%s", error.message);
}

/* ---- permissions ---- */

static int without_permission(void) {
    glissade_file *file;
    char locked[300], closed[300];
    snprintf(locked, sizeof locked, "%s", folder_at(&home, "locked"));
    snprintf(closed, sizeof closed, "%s", folder_at(&home, "closed/model"));
    if (geteuid() == 0 && (setgid(65534) || setuid(65534)))
        return 1;
    if (sample_write(&it, NULL, folder_at(&home, "new"), NULL, &error) != GLISSADE_STATUS_IO ||
        !strstr(error.message, "make a temporary file in its folder: Permission denied"))
        return 2;
    if (sample_write(&it, NULL, closed, NULL, &error) != GLISSADE_STATUS_IO ||
        !strstr(error.message, "open its folder: Permission denied"))
        return 3;
    if (glissade_file_open(locked, &file, &error) != GLISSADE_STATUS_IO ||
        !strstr(error.message, "locked: open: Permission denied (13)"))
        return 4;
    /* A folder that may be entered and not listed is enough to read from. */
    const char *difference = sample_difference(&it, NULL, closed);
    return difference ? fprintf(stderr, "%s\n", difference), 5 : 0;
}

static int in_child(int (*body)(void)) {
    const pid_t child = fork();
    int status;
    if (child == 0) {
        alarm(30);
        _exit(body());
    }
    cr_assert(child > 0 && waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Test(files_refusals, no_permission) {
    glissade_file_options options = sample_options();
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "locked"), &options, &error), GLISSADE_STATUS_OK);
    cr_assert_eq(chmod(folder_at(&home, "locked"), 0), 0);
    options.mode = 0644;
    cr_assert_eq(mkdir(folder_at(&home, "closed"), 0700), 0);
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "closed/model"), &options, &error),
                 GLISSADE_STATUS_OK);
    cr_assert(chmod(folder_at(&home, "closed"), 0311) == 0 && chmod(home.path, 0555) == 0);
    cr_assert_eq(in_child(without_permission), 0);
    cr_assert(chmod(home.path, 0700) == 0 && chmod(folder_at(&home, "closed"), 0700) == 0);
    cr_assert_str_eq(folder_names(&home), "closed locked ");
}

/* ---- a full disk, one that is read-only ---- */

enum { NOT_ALLOWED = 77 };

static bool refuses(const sample *what, const char *words) {
    char path[300];
    snprintf(path, sizeof path, "%s", folder_at(&home, "disk/model"));
    if (sample_write(what, NULL, path, NULL, &error) != GLISSADE_STATUS_IO || !strstr(error.message, words))
        return fprintf(stderr, "%s, not \"%s\"\n", error.message, words), false;
    const char *difference = sample_difference(&it, NULL, path);
    return difference ? fprintf(stderr, "%s\n", difference), false : true;
}

static int on_a_small_disk(void) {
    char disk[300];
    sample large;
    snprintf(disk, sizeof disk, "%s", folder_at(&home, "disk"));
    if (unshare(CLONE_NEWNS | (geteuid() ? CLONE_NEWUSER : 0)) ||
        mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) || mount("none", disk, "tmpfs", 0, "size=128k"))
        return NOT_ALLOWED;
    if (sample_write(&it, NULL, folder_at(&home, "disk/model"), NULL, &error))
        return 1;
    sample_flat(&large, 1000000, 1);
    if (!refuses(&large, "reserve room: No space left on device (28)"))
        return 2;
    if (mount("none", disk, NULL, MS_REMOUNT | MS_RDONLY, NULL))
        return NOT_ALLOWED;
    return refuses(&it, "make a temporary file in its folder: Read-only file system (30)") ? 0 : 3;
}

Test(files_refusals, a_full_disk_and_a_read_only_one) {
    cr_assert_eq(mkdir(folder_at(&home, "disk"), 0700), 0);
    const int result = in_child(on_a_small_disk);
    if (result == NOT_ALLOWED)
        cr_skip_test("no file system of its own");
    cr_assert_eq(result, 0, "%d", result);
}

/* ---- arguments ---- */

static void bad_options(const glissade_file_options *options, glissade_status expected, const char *words) {
    check(sample_write(&it, NULL, folder_at(&home, "model"), options, &error), expected, words);
    cr_assert_str_eq(folder_names(&home), "");
}

Test(files_refusals, options) {
    glissade_file_options options = sample_options();
    options.mode = 01600;
    bad_options(&options, GLISSADE_STATUS_INVALID_OPTION, "mode is 01600; accepted: 0400 to 0777");
    options.mode = 0200;
    bad_options(&options, GLISSADE_STATUS_INVALID_OPTION, "mode is 0200");
    options = sample_options();
    options.size = 7;
    bad_options(&options, GLISSADE_STATUS_INVALID_SIZE, "glissade_file_options.size is 7");
    options = sample_options();
    options.number = 3;
    bad_options(&options, GLISSADE_STATUS_INVALID_OPTION, "number is 3 and keep 0");
}

Test(files_refusals, null_arguments) {
    const glissade_file_tensor *tensors = it.tensors;
    const glissade_file_text text = {"a", NULL}, key = {NULL, "a"}, reserved = {"glissade.checksum.data", ""};
    const char *path = folder_at(&home, "model");
    glissade_file_tensor changed = tensors[0];
    glissade_file_report report = {.size = 3};
    const glissade_file_tensor twice[] = {tensors[0], tensors[0]};
#define WRITE(path, tensors, count, text, lines)                                                             \
    glissade_file_write(NULL, path, tensors, count, text, lines, NULL, NULL, &error)
    check(WRITE(NULL, tensors, 1, NULL, 0), GLISSADE_STATUS_NULL_ARGUMENT, "path is NULL");
    check(WRITE(path, NULL, 1, NULL, 0), GLISSADE_STATUS_NULL_ARGUMENT, "tensors is NULL");
    check(WRITE(path, tensors, 1, NULL, 1), GLISSADE_STATUS_NULL_ARGUMENT, "metadata is NULL");
    check(WRITE(path, tensors, 1, &text, 1), GLISSADE_STATUS_NULL_ARGUMENT,
          "value of metadata line 0 is NULL");
    check(WRITE(path, tensors, 1, &key, 1), GLISSADE_STATUS_NULL_ARGUMENT, "key of metadata line 0 is NULL");
    check(WRITE(path, tensors, 1, &reserved, 1), GLISSADE_STATUS_INVALID_OPTION,
          "accepted: not those of checksums");
    changed.name = NULL;
    check(WRITE(path, &changed, 1, NULL, 0), GLISSADE_STATUS_NULL_ARGUMENT, "name of tensor 0 is NULL");
    changed = tensors[0];
    changed.shape = NULL;
    check(WRITE(path, &changed, 1, NULL, 0), GLISSADE_STATUS_NULL_ARGUMENT, "shape of tensor 0 is NULL");
    changed = tensors[0];
    changed.data = NULL;
    check(WRITE(path, &changed, 1, NULL, 0), GLISSADE_STATUS_NULL_ARGUMENT, "data of tensor 0 is NULL");
    changed = tensors[0];
    changed.size = 9;
    check(WRITE(path, &changed, 1, NULL, 0), GLISSADE_STATUS_INVALID_SIZE, "glissade_file_tensor.size is 9");
    check(glissade_file_write(NULL, path, tensors, 1, NULL, 0, NULL, &report, &error),
          GLISSADE_STATUS_INVALID_SIZE, "glissade_file_report.size is 3");
    changed = tensors[0];
    changed.dtype = (glissade_file_dtype)77;
    check(WRITE(path, &changed, 1, NULL, 0), GLISSADE_STATUS_INVALID_OPTION, "dtype is 77");
    check(WRITE(path, twice, 2, NULL, 0), GLISSADE_STATUS_DUPLICATE_TENSOR, "two tensors \"tensor.0\"");
#undef WRITE
    cr_assert_str_eq(folder_names(&home), "");
    cr_assert_eq(glissade_file_write(NULL, NULL, tensors, 1, NULL, 0, NULL, NULL, NULL),
                 GLISSADE_STATUS_NULL_ARGUMENT);
}

/* Tensors of a later version of the struct are read as far as they are known; all are of one size. */
Test(files_refusals, tensors_of_another_version) {
    struct {
        glissade_file_tensor known;
        uint64_t later;
    } tensors[2] = {{it.tensors[0], 0}, {it.tensors[1], 0}};
    tensors[0].known.size = tensors[1].known.size = sizeof *tensors;
    const glissade_file_text text = {"seed", "1"};
    const char *path = folder_at(&home, "model");
    it.count = 2;
    cr_assert_eq(glissade_file_write(NULL, path, &tensors[0].known, 2, &text, 1, NULL, NULL, &error),
                 GLISSADE_STATUS_OK, "%s", error.message);
    const char *difference = sample_difference(&it, NULL, path);
    cr_assert_null(difference, "%s", difference);
    tensors[1].known.size = sizeof tensors->known;
    check(glissade_file_write(NULL, path, &tensors[0].known, 2, &text, 1, NULL, NULL, &error),
          GLISSADE_STATUS_INVALID_SIZE, "tensor 1 has size");
    tensors[1].known.size = sizeof *tensors;
    tensors[1].later = 1;
    check(glissade_file_write(NULL, path, &tensors[0].known, 2, &text, 1, NULL, NULL, &error),
          GLISSADE_STATUS_INVALID_SIZE, "is not zero");
}

/* More than the disk has: refused before a byte is written. */
Test(files_refusals, larger_than_the_disk) {
    const uint64_t shape = UINT64_C(1) << 52;
    const glissade_file_tensor tensor = {.size = sizeof tensor,
                                         .name = "a",
                                         .dtype = GLISSADE_FILE_U8,
                                         .rank = 1,
                                         .shape = &shape,
                                         .data = &shape};
    const char *path = folder_at(&home, "model");
    cr_assert_eq(sample_write(&it, NULL, path, NULL, &error), GLISSADE_STATUS_OK);
    const glissade_status status = glissade_file_write(
        NULL, path, &tensor, 1, NULL, 0,
        &(glissade_file_options){.size = sizeof(glissade_file_options), .mode = 0600, .omit_checksums = true},
        NULL, &error);
    check(status, GLISSADE_STATUS_IO, "model: reserve room: ");
    cr_assert_null(sample_difference(&it, NULL, path));
    cr_assert_str_eq(folder_names(&home), "model ");
}
