/* SPDX-License-Identifier: Apache-2.0 */
/* Every call and every allocation failing in turn, while tensor files are read; and direct transfers that a file system
 * refuses to several threads at once. */
#include "trials_suite.h"

#include "file/os.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LARGE = 4 * 1024 * 1024 + 5000 };

#define COUNT(list) (sizeof(list) / sizeof *(list))

TRIALS_SUITE(files_faults_read);

/* A call that reads, into targets that hold marks unless it succeeds. */
static glissade_status read_all(const char *path, const sample *it, glissade_engine *engine,
                                unsigned char *room, bool verify, glissade_error *error) {
    glissade_file_target targets[SAMPLE_TENSORS];
    glissade_file *file;
    size_t at = 0;
    glissade_status status = glissade_file_open(path, &file, error);
    REQUIRE(!status == !!file, "a file that is not open");
    if (status)
        return status;
    for (size_t i = 0; i < it->count; at += it->bytes[i++])
        targets[i] = (glissade_file_target){glissade_file_find(file, it->names[i]), room + at};
    if (verify)
        status = glissade_file_verify(engine, file, NULL, error);
    if (!status)
        status = glissade_file_read(engine, file, targets, it->count, NULL, error);
    glissade_file_close(&file);
    return status;
}

static size_t bytes_of(const sample *it) {
    size_t total = 0;
    for (size_t i = 0; i < it->count; i++)
        total += it->bytes[i];
    return total;
}

/* Whether the targets hold what was read, or the marks still. */
static void check_targets(const sample *it, const unsigned char *room, bool read, const char *where) {
    bool marks = true;
    for (size_t i = 0; i < bytes_of(it) && marks; i++)
        marks = room[i] == 0xA5;
    cr_assert(read ? memcmp(room, it->memory, bytes_of(it)) == 0 : marks, "%s: the targets", where);
}

static unsigned read_each(const char *what, const sample *it, glissade_engine *engine,
                          const ordeal *planned) {
    unsigned char *room = malloc(bytes_of(it));
    unsigned place = 0;
    for (bool failed = true; failed; place++) {
        const fault now = {planned->call, place, planned->error_number, planned->for_good, planned->direct};
        glissade_error error;
        char where[100];
        memset(room, 0xA5, bytes_of(it));
        fault_begin(&now);
        const glissade_status status =
            read_all(folder_at(&home, "model"), it, engine, room, place % 2, &error);
        failed = fault_end() > 0;
        snprintf(where, sizeof where, "%s, %s %u: %d", what, fault_call_name(planned->call), place,
                 planned->error_number);
        const outcome expected = failed ? planned->expected : SUCCEEDS;
        cr_assert(expected == EITHER || (expected == SUCCEEDS) == !status, "%s: %s", where, error.message);
        cr_assert(!status || (error.status == status && strstr(error.message, "model: ")), "%s: %s", where,
                  error.message);
        cr_assert(!status || !planned->words || strstr(error.message, planned->words), "%s: %s", where,
                  error.message);
        check_targets(it, room, !status, where);
        cr_assert_eq(descriptors_open(), home.descriptors, "%s: descriptors are left open", where);
    }
    free(room);
    return place - 1;
}

static const ordeal reading[] = {
    {.call = FAULT_OPENAT, EIO, FAILS},
    {.call = FAULT_OPENAT, EACCES, FAILS},
    {.call = FAULT_OPENAT, EMFILE, FAILS},
    {.call = FAULT_OPENAT, EINTR, SUCCEEDS},
    {.call = FAULT_CLOSE, EIO, SUCCEEDS},
    {.call = FAULT_FSTAT, EIO, FAILS},
    {.call = FAULT_PREAD, EIO, FAILS, .words = "Input/output error (5)"},
    {.call = FAULT_PREAD, EIO, FAILS, .for_good = true},
    {.call = FAULT_PREAD, EINTR, SUCCEEDS},
    {.call = FAULT_PREAD, FAULT_HALF, SUCCEEDS},
    {.call = FAULT_PREAD, FAULT_ONE, SUCCEEDS},
    {.call = FAULT_PREAD,
     FAULT_NOTHING,
     EITHER,
     .words = "it ends at offset "}, /* a direct one ends with such */
    {.call = FAULT_PREAD, EINVAL, SUCCEEDS, .direct = true},
    {.call = FAULT_PREAD, EINVAL, SUCCEEDS, .direct = true, .for_good = true},
    {.call = FAULT_PREAD, EIO, FAILS, .direct = true},
    {.call = FAULT_PREAD, FAULT_ONE, SUCCEEDS, .direct = true},
    {.call = FAULT_PREAD_CACHED, EAGAIN, SUCCEEDS, .for_good = true},
    {.call = FAULT_PREAD_CACHED, EOPNOTSUPP, SUCCEEDS, .for_good = true},
    {.call = FAULT_PREAD_CACHED, FAULT_NOTHING, SUCCEEDS},
    {.call = FAULT_SET_FLAGS, EINVAL, SUCCEEDS},
    {.call = FAULT_SET_FLAGS, EINVAL, SUCCEEDS, .for_good = true},
    {.call = FAULT_ANY, EIO, EITHER, .for_good = true},
    {.call = FAULT_ANY, EINVAL, EITHER, .for_good = true},
};

static void reading_trials(const char *what, size_t bytes, glissade_engine *engine, int checksums) {
    sample it;
    glissade_file_options options = sample_options();
    options.omit_checksums = !checksums;
    options.omit_direct = true;
    sample_mixed(&it, bytes, 1);
    cr_assert_eq(sample_write(&it, engine, folder_at(&home, "model"), &options, NULL), GLISSADE_STATUS_OK);
    for (size_t i = 0; i < COUNT(reading); i++)
        trials += read_each(what, &it, engine, &reading[i]);
    sample_destroy(&it);
}

Test(files_faults_read, reading) {
    reading_trials("a small file", 20000, NULL, 1);
    reading_trials("a small file without checksums", 20000, team, 0);
    reading_trials("a large file", LARGE, NULL, 1);
    reading_trials("a large file on a team", LARGE, team, 1);
}

/* Where reading is not direct, and bytes go to where they belong at once. */
Test(files_faults_read, reading_from_the_page_cache) {
    folder_destroy(&home);
    folder_create(&home, FOLDER_DISK);
    reading_trials("a cached file", LARGE, NULL, 1);
    reading_trials("a cached file on a team", LARGE, team, 1);
}

/* A file that nobody knows to be cached is read directly, as far as the system plays along. */
Test(files_faults_read, reading_directly_what_seems_not_cached) {
    sample it;
    sample_mixed(&it, LARGE, 1);
    cr_assert_eq(sample_write(&it, team, folder_at(&home, "model"), NULL, NULL), GLISSADE_STATUS_OK);
    fault_begin(&(fault){.call = FAULT_PREAD_CACHED, .error_number = EAGAIN, .for_good = true});
    cr_assert_null(sample_difference(&it, team, folder_at(&home, "model")));
    fault_end();
    cr_assert_eq(fault_calls(FAULT_PREAD_CACHED), 2);
    cr_assert_geq(fault_calls(FAULT_SET_FLAGS), 2);
    sample_destroy(&it);
}

Test(files_faults_read, reading_without_memory) {
    sample it;
    sample_mixed(&it, LARGE, 1);
    cr_assert_eq(sample_write(&it, team, folder_at(&home, "model"), NULL, NULL), GLISSADE_STATUS_OK);
    unsigned char *room = malloc(bytes_of(&it));
    for (int verify = 0; verify < 2; verify++)
        for (size_t place = 0;; place++) {
            glissade_error error;
            memset(room, 0xA5, bytes_of(&it));
            fault_allocation(place);
            const glissade_status status =
                read_all(folder_at(&home, "model"), &it, team, room, verify, &error);
            const bool failed = fault_allocations_end() > place;
            cr_assert_eq(status, failed ? GLISSADE_STATUS_OUT_OF_MEMORY : GLISSADE_STATUS_OK, "%zu: %s",
                         place, error.message);
            check_targets(&it, room, !status, "memory");
            cr_assert_eq(descriptors_open(), home.descriptors);
            trials++;
            if (!failed)
                break;
        }
    free(room);
    sample_destroy(&it);
}

/* ---- direct transfers refused to both threads at once ---- */

static atomic_uint refused_side_by_side;

/* Refuses the first of each thread, none before both are here. */
static bool refuses(int fd) {
    static _Thread_local bool done;
    if (done || !(fcntl(fd, F_GETFL) & O_DIRECT))
        return false;
    done = true;
    refused_side_by_side++;
    for (int i = 0; refused_side_by_side < 2 && i < 5000; i++)
        usleep(1000);
    errno = EINVAL;
    return true;
}

static ssize_t refuse_pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    return refuses(fd) ? -1 : gls_os_system.pwrite(fd, bytes, count, offset);
}

static ssize_t refuse_pread(int fd, void *bytes, size_t count, off_t offset) {
    return refuses(fd) ? -1 : gls_os_system.pread(fd, bytes, count, offset);
}

static ssize_t not_cached(int fd, void *bytes, size_t count, off_t offset) {
    (void)fd, (void)bytes, (void)count, (void)offset;
    errno = EAGAIN;
    return -1;
}

static void refused_to_both(bool reads) {
    gls_os table = gls_os_system;
    sample it;
    sample_flat(&it, 3 * LARGE, 1);
    if (reads) {
        table.pread = refuse_pread;
        table.pread_cached = not_cached;
        cr_assert_eq(sample_write(&it, team, folder_at(&home, "model"), NULL, NULL), GLISSADE_STATUS_OK);
    } else {
        table.pwrite = refuse_pwrite;
    }
    gls_os_table = &table;
    if (!reads)
        cr_assert_eq(sample_write(&it, team, folder_at(&home, "model"), NULL, NULL), GLISSADE_STATUS_OK);
    const char *difference = sample_difference(&it, team, folder_at(&home, "model"));
    gls_os_table = &gls_os_system;
    cr_assert_null(difference, "%s", difference);
    cr_assert(refused_side_by_side == 0 || refused_side_by_side == 2);
    sample_destroy(&it);
}

Test(files_faults_read, direct_writes_refused_to_both_threads) {
    refused_to_both(false);
}

Test(files_faults_read, direct_reads_refused_to_both_threads) {
    refused_to_both(true);
}
