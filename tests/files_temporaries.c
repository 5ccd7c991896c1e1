/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files: what killed writers left is removed, but not what belongs to live ones; and many writers of one path do
 * not take each other's away. */
#include "files.h"

#include "file/os.h"
#include "file/temporary.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static folder home;
static sample it;
static glissade_error error;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
    sample_mixed(&it, 5000, 1);
}

static void teardown(void) {
    cr_assert_eq(descriptors_open(), home.descriptors, "descriptors are left open");
    sample_destroy(&it);
    folder_destroy(&home);
}

TestSuite(files_temporaries, .init = setup, .fini = teardown, .timeout = 60);

static void write_well(const char *name) {
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, name), NULL, &error), GLISSADE_STATUS_OK, "%s",
                 error.message);
    const char *difference = sample_difference(&it, NULL, folder_at(&home, name));
    cr_assert_null(difference, "%s", difference);
}

/* ---- what killed writers leave ---- */

/* A temporary file of a writer of that name, who is gone; its own name. */
static void abandon(const char *name, char temporary[64]) {
    gls_path path;
    gls_temporary made;
    cr_assert_eq(gls_path_open(&path, folder_at(&home, name), O_RDONLY, &error), GLISSADE_STATUS_OK);
    cr_assert_eq(gls_temporary_make(&made, &path, &error), GLISSADE_STATUS_OK);
    close(made.fd);
    gls_path_close(&path);
    strcpy(temporary, made.name);
}

Test(files_temporaries, what_killed_writers_left_is_removed) {
    char name[64], other[160];
    abandon("model", name);
    snprintf(other, sizeof other, "%s-of-another-process", name);
    bytes_store(folder_at(&home, other), "x", 1);
    cr_assert_eq(chmod(folder_at(&home, other), 0400), 0);
    bytes_store(folder_at(&home, ".glissade-0000000000000000-1-1"), "x", 1);
    /* Another path's writer leaves it, this one's removes it, and not that of a third. */
    write_well("other");
    cr_assert_eq(folder_temporaries(&home), 3, "%s", folder_names(&home));
    write_well("model");
    cr_assert_str_eq(folder_names(&home), ".glissade-0000000000000000-1-1 model other ");
}

/* What has the name and is no file, or is locked by somebody who lives, stays. */
Test(files_temporaries, what_is_alive_or_no_file_stays) {
    char name[64], locked[160], fifo[160], link[160], nested[160];
    int ready[2], status;
    abandon("model", name);
    unlink(folder_at(&home, name));
    snprintf(locked, sizeof locked, "%s-locked", name);
    snprintf(fifo, sizeof fifo, "%s-fifo", name);
    snprintf(link, sizeof link, "%s-link", name);
    snprintf(nested, sizeof nested, "%s-nested", name);
    bytes_store(folder_at(&home, locked), "x", 1);
    cr_assert(mkfifo(folder_at(&home, fifo), 0600) == 0 && mkdir(folder_at(&home, nested), 0700) == 0 &&
              symlink("x", folder_at(&home, link)) == 0 && pipe(ready) == 0);
    const pid_t child = fork();
    if (child == 0) {
        const int fd = open(folder_at(&home, locked), O_RDWR);
        if (fd < 0 || flock(fd, LOCK_EX) || write(ready[1], "x", 1) != 1)
            _exit(1);
        sleep(30);
        _exit(0);
    }
    char byte;
    cr_assert_eq(read(ready[0], &byte, 1), 1);
    close(ready[0]), close(ready[1]);
    write_well("model");
    cr_assert_eq(folder_temporaries(&home), 4, "%s", folder_names(&home));
    kill(child, SIGKILL);
    cr_assert(waitpid(child, &status, 0) == child);
    write_well("model");
    cr_assert_eq(folder_temporaries(&home), 3, "%s", folder_names(&home));
    cr_assert_neq(access(folder_at(&home, locked), F_OK), 0);
}

/* Neither is what cannot be opened, nor is anything if the folder cannot be listed; the file is written all the same. */
static int openings;

static int refuse_abandoned(int at, const char *name, int flags, mode_t mode) {
    const bool abandoned = strncmp(name, ".glissade-", 10) == 0 && !(flags & O_CREAT);
    openings += abandoned;
    if (!abandoned)
        return gls_os_system.openat(at, name, flags, mode);
    errno = openings == 1 ? EIO : EACCES;
    return -1;
}

Test(files_temporaries, what_cannot_be_opened_stays) {
    gls_os table = gls_os_system;
    char name[64];
    table.openat = refuse_abandoned;
    abandon("model", name);
    gls_os_table = &table;
    write_well("model");
    cr_assert_eq(openings, 1);
    write_well("model");
    cr_assert_eq(openings, 3, "for reading, if it may not be written to");
    gls_os_table = &gls_os_system;
    cr_assert_eq(folder_temporaries(&home), 1);
    cr_assert_eq(chmod(folder_at(&home, name), 0400), 0);
    write_well("model");
    cr_assert_eq(folder_temporaries(&home), 0);
}

static bool take_one(void *context, const char *name) {
    (void)name;
    errno = EIO; /* what a visitor meets is his business */
    return --*(int *)context > 0;
}

Test(files_temporaries, a_folder_is_listed_as_far_as_is_wanted) {
    int wanted = 2;
    const int fd = open(home.path, O_RDONLY | O_DIRECTORY);
    bytes_store(folder_at(&home, "a"), "x", 1);
    bytes_store(folder_at(&home, "b"), "x", 1);
    cr_assert(gls_os_system.list(fd, take_one, &wanted) == 0 && wanted == 0);
    wanted = 100;
    cr_assert(gls_os_system.list(fd, take_one, &wanted) == 0 && wanted == 96); /* with "." and ".." */
    close(fd);
    cr_assert(gls_os_system.list(fd, take_one, &wanted) == -1 && errno == EBADF);
}

/* ---- writers side by side ---- */

static char made_last[64], doomed[64];
static unsigned made, taken, most_taken;

static void remove_doomed(void) {
    if (doomed[0])
        cr_assert_eq(unlink(folder_at(&home, doomed)), 0);
    doomed[0] = '\0';
}

static int note_made(int at, const char *name, int flags, mode_t mode) {
    if (flags & O_CREAT) {
        remove_doomed();
        strcpy(made_last, name);
        made++;
    }
    return gls_os_system.openat(at, name, flags, mode);
}

static int reserve_late(int fd, off_t bytes) {
    remove_doomed();
    return gls_os_system.fallocate(fd, bytes);
}

/* Another writer has found the file before it was locked: it has removed it already, or has the lock and will. */
static int take_away(int fd, int operation) {
    if (taken == most_taken)
        return gls_os_system.flock(fd, operation);
    strcpy(doomed, made_last);
    if (taken++ % 2) {
        errno = EWOULDBLOCK;
        return -1;
    }
    remove_doomed();
    return gls_os_system.flock(fd, operation);
}

Test(files_temporaries, taken_by_another_writer) {
    gls_os table = gls_os_system;
    table.openat = note_made;
    table.flock = take_away;
    table.fallocate = reserve_late;
    gls_os_table = &table;
    most_taken = 6;
    write_well("model");
    cr_assert_eq(made, 7);
    taken = made = 0;
    most_taken = 1000;
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "model"), NULL, &error), GLISSADE_STATUS_IO);
    cr_assert(made > 10 && strstr(error.message, "model: make a temporary file in its folder: File exists"),
              "%u: %s", made, error.message);
    gls_os_table = &gls_os_system;
    remove_doomed();
    cr_assert_str_eq(folder_names(&home), "model ");
}

static bool is_whole(const char *path) {
    glissade_file *file;
    glissade_file_report report = {.size = sizeof report};
    if (glissade_file_open(path, &file, &error))
        return false;
    const bool whole = !glissade_file_verify(NULL, file, &report, &error) && report.verified;
    glissade_file_close(&file);
    return whole;
}

/* Each looks for abandoned files before it writes, and so at all moments of the others. */
Test(files_temporaries, many_writers_of_one_path) {
    enum { WRITERS = 4, ROUNDS = 400 };
    pid_t children[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        if ((children[i] = fork()) == 0) {
            alarm(50);
            glissade_file_options options = sample_options();
            for (uint64_t round = 0; round < ROUNDS; round++) {
                sample_fill(&it, round * WRITERS + (uint64_t)i);
                options.keep = round % 3 ? 0 : 2;
                options.number = round % 3 ? 0 : round / 3 * WRITERS + (uint64_t)i;
                if (sample_write(&it, NULL, folder_at(&home, "model"), &options, &error)) {
                    fprintf(stderr, "%s\n", error.message);
                    _exit(1);
                }
                if (!is_whole(folder_at(&home, "model")))
                    _exit(2);
            }
            _exit(0);
        }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        cr_assert(waitpid(children[i], &status, 0) == children[i]);
        cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a writer: %d", status);
    }
    cr_assert_eq(folder_temporaries(&home), 0, "%s", folder_names(&home));
}
