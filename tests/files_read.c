/* SPDX-License-Identifier: Apache-2.0 */
/* Reading tensor files: parts of them, files that changed, damage in every chunk; targets are written only when everything
 * that was asked for is right. */
#include "files.h"

#include "file/os.h"

#include <criterion/criterion.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 4 * 1024 * 1024 };

static folder home;
static glissade_error error;
static glissade_engine *team;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
    team = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&team);
    cr_assert_eq(descriptors_open(), home.descriptors, "descriptors are left open");
    folder_destroy(&home);
}

TestSuite(files_read, .init = setup, .fini = teardown, .timeout = 120);

static void write_well(const sample *it, const char *path, const glissade_file_options *options) {
    cr_assert_eq(sample_write(it, team, path, options, &error), GLISSADE_STATUS_OK, "%s", error.message);
}

static glissade_file *open_well(const char *path) {
    glissade_file *file;
    cr_assert_eq(glissade_file_open(path, &file, &error), GLISSADE_STATUS_OK, "%s", error.message);
    return file;
}

static void check(glissade_status status, glissade_status expected, const char *words) {
    cr_assert_eq(status, expected, "%s: \"%s\", not %s", glissade_status_name(status), error.message,
                 glissade_status_name(expected));
    cr_assert(error.status == expected && strstr(error.message, words), "\"%s\" does not say \"%s\"",
              error.message, words);
}

/* ---- parts ---- */

/* Forty tensors of a third of a chunk each, so that they share chunks and straddle them. */
static void sample_of_parts(sample *it) {
    sample_shape shapes[40];
    for (size_t i = 0; i < 40; i++)
        shapes[i] = (sample_shape){GLISSADE_FILE_U8, 1, {CHUNK / 3 - 20 + i}};
    sample_create(it, shapes, 40, 1);
}

Test(files_read, some_tensors_in_any_order) {
    static const size_t wanted[][4] = {{0}, {39}, {39, 0, 20, 21}, {5, 5, 4, 3}, {2, 11, 2, 38}};
    static const size_t counts[] = {1, 1, 4, 4, 4};
    sample it;
    sample_of_parts(&it);
    const char *path = folder_at(&home, "parts");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    unsigned char *room = malloc(4 * CHUNK / 3 * 4);
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        for (int alone = 0; alone < 2; alone++) {
            glissade_file_target targets[4];
            glissade_file_report report = {.size = sizeof report};
            for (size_t j = 0; j < counts[i]; j++)
                targets[j] = (glissade_file_target){glissade_file_find(file, it.names[wanted[i][j]]),
                                                    room + j * (CHUNK / 3 + 20)};
            cr_assert_eq(glissade_file_read(alone ? NULL : team, file, targets, counts[i], &report, &error),
                         GLISSADE_STATUS_OK, "%s", error.message);
            for (size_t j = 0; j < counts[i]; j++)
                cr_assert_eq(memcmp(targets[j].data, it.tensors[wanted[i][j]].data, it.bytes[wanted[i][j]]),
                             0);
            /* At most two chunks each. */
            cr_assert(report.verified && report.chunks >= 1 && report.chunks <= 2 * counts[i]);
            cr_assert(report.bytes >= it.bytes[0] && report.bytes <= report.chunks * CHUNK);
        }
    free(room);
    glissade_file_close(&file);
    sample_destroy(&it);
}

/* One tensor twice in a call, with pieces that are of nothing else: each target is filled. */
Test(files_read, a_tensor_twice) {
    sample it;
    folder disk;
    glissade_file_options options = sample_options();
    options.omit_direct = true; /* so that it is in the page cache and read from there */
    folder_create(&disk, FOLDER_DISK);
    sample_flat(&it, 5000000, 1);
    const char *path = folder_at(&disk, "file");
    write_well(&it, path, &options);
    glissade_file *file = open_well(path);
    unsigned char *room = calloc(3, it.bytes[0]);
    const glissade_file_target targets[] = {{0, room}, {0, room + it.bytes[0]}, {0, room + 2 * it.bytes[0]}};
    for (int alone = 0; alone < 2; alone++) {
        memset(room, 0, 3 * it.bytes[0]);
        cr_assert_eq(glissade_file_read(alone ? NULL : team, file, targets, 3, NULL, &error),
                     GLISSADE_STATUS_OK, "%s", error.message);
        for (size_t i = 0; i < 3; i++)
            cr_assert_eq(memcmp(targets[i].data, it.memory, it.bytes[0]), 0, "target %zu", i);
    }
    free(room);
    glissade_file_close(&file);
    sample_destroy(&it);
    folder_destroy(&disk);
}

Test(files_read, what_a_file_holds) {
    sample it;
    sample_mixed(&it, 100000, 3);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    uint64_t offset = glissade_file_header_bytes(file);
    cr_assert_eq(glissade_file_count(file), it.count);
    for (size_t i = 0; i < it.count; i++) {
        glissade_file_tensor tensor = {.size = sizeof tensor};
        cr_assert_eq(glissade_file_get(file, i, &tensor), GLISSADE_STATUS_OK);
        cr_assert_eq(tensor.offset, offset);
        cr_assert_eq(tensor.offset % (glissade_file_dtype_bits(tensor.dtype) / 8), 0, "%s", tensor.name);
        cr_assert(tensor.data == NULL && tensor.size == sizeof tensor);
        cr_assert_eq(glissade_file_find(file, tensor.name), i);
        offset += tensor.bytes;
    }
    cr_assert_eq(glissade_file_bytes(file), offset);
    cr_assert_eq(glissade_file_find(file, "tensor"), SIZE_MAX);
    cr_assert_eq(glissade_file_text_count(file), 4);
    cr_assert_str_eq(glissade_file_text_at(file, 0).key, "glissade.checksum.chunk");
    cr_assert_str_eq(glissade_file_text_at(file, 3).key, "seed");
    cr_assert_str_eq(glissade_file_text_at(file, 3).value, "3");
    cr_assert(!glissade_file_text_at(file, 4).key && !glissade_file_text_at(file, SIZE_MAX).value);
    cr_assert_str_eq(glissade_file_text_find(file, "seed"), "3");
    cr_assert_null(glissade_file_text_find(file, "see"));
    glissade_file_close(&file);
    sample_destroy(&it);
}

/* ---- arguments ---- */

Test(files_read, nothing_given) {
    glissade_file *none = NULL;
    glissade_file_tensor tensor = {.size = sizeof tensor};
    cr_assert_eq(glissade_file_count(NULL), 0);
    cr_assert_eq(glissade_file_find(NULL, "a"), SIZE_MAX);
    cr_assert_eq(glissade_file_get(NULL, 0, &tensor), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_file_text_count(NULL), 0);
    cr_assert_null(glissade_file_text_at(NULL, 0).key);
    cr_assert_null(glissade_file_text_find(NULL, "a"));
    cr_assert(!glissade_file_has_checksums(NULL));
    cr_assert_eq(glissade_file_bytes(NULL), 0);
    cr_assert_eq(glissade_file_header_bytes(NULL), 0);
    glissade_file_close(NULL);
    glissade_file_close(&none);
    check(glissade_file_open(NULL, &none, &error), GLISSADE_STATUS_NULL_ARGUMENT, "path is NULL");
    check(glissade_file_open("a", NULL, &error), GLISSADE_STATUS_NULL_ARGUMENT, "file is NULL");
    check(glissade_file_read(NULL, NULL, NULL, 0, NULL, &error), GLISSADE_STATUS_NULL_ARGUMENT,
          "file is NULL");
    check(glissade_file_verify(NULL, NULL, NULL, &error), GLISSADE_STATUS_NULL_ARGUMENT, "file is NULL");
}

Test(files_read, bad_arguments) {
    sample it;
    char byte = 'x';
    sample_mixed(&it, 1000, 3);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    glissade_file_report report = {.size = 1};
    glissade_file_tensor tensor = {.size = 1};
    const glissade_file_target past = {it.count, &byte}, null = {0, NULL};
    cr_assert_eq(glissade_file_get(file, 0, &tensor), GLISSADE_STATUS_INVALID_SIZE);
    cr_assert_eq(glissade_file_get(file, 0, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
    cr_assert_eq(glissade_file_get(file, it.count, &tensor), GLISSADE_STATUS_NOT_FOUND);
    cr_assert_eq(glissade_file_find(file, NULL), SIZE_MAX);
    cr_assert_null(glissade_file_text_find(file, NULL));
    check(glissade_file_read(NULL, file, NULL, 1, NULL, &error), GLISSADE_STATUS_NULL_ARGUMENT,
          "targets is NULL");
    check(glissade_file_read(NULL, file, &past, 1, NULL, &error), GLISSADE_STATUS_NOT_FOUND,
          "no tensor 6, only 6");
    check(glissade_file_read(NULL, file, &null, 1, NULL, &error), GLISSADE_STATUS_NULL_ARGUMENT,
          "data of target 0 is NULL");
    check(glissade_file_read(NULL, file, &past, 1, &report, &error), GLISSADE_STATUS_INVALID_SIZE,
          "glissade_file_report.size is 1");
    check(glissade_file_verify(NULL, file, &report, &error), GLISSADE_STATUS_INVALID_SIZE,
          "glissade_file_report.size is 1");
    cr_assert_eq(byte, 'x');
    glissade_file_close(&file);
    sample_destroy(&it);
}

/* ---- files that changed ---- */

/* Reads one tensor over marks; what it gives must be `expected`, and the marks still there. */
static void read_refused(glissade_file *file, glissade_engine *engine, size_t bytes, glissade_status expected,
                         const char *words) {
    unsigned char *room = malloc(bytes);
    memset(room, 0xA5, bytes);
    check(glissade_file_read(engine, file, &(glissade_file_target){0, room}, 1, NULL, &error), expected,
          words);
    for (size_t i = 0; i < bytes; i++)
        cr_assert_eq(room[i], 0xA5, "byte %zu of the target was written", i);
    free(room);
}

static void flip(const char *path, off_t offset) {
    const int fd = open(path, O_RDWR);
    unsigned char byte;
    cr_assert(pread(fd, &byte, 1, offset) == 1);
    byte ^= 0x10;
    cr_assert(pwrite(fd, &byte, 1, offset) == 1 && close(fd) == 0);
}

Test(files_read, damage_in_every_chunk) {
    sample it;
    sample_flat(&it, 3 * CHUNK + 100, 1);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    const off_t begin = (off_t)glissade_file_header_bytes(file);
    for (off_t at = 7; at < (off_t)it.bytes[0]; at += CHUNK) {
        char words[64];
        flip(path, begin + at);
        snprintf(words, sizeof words, "the chunk at offset %lld has the checksum",
                 (long long)(begin + at / CHUNK * CHUNK));
        for (int alone = 0; alone < 2; alone++) {
            glissade_engine *engine = alone ? NULL : team;
            check(glissade_file_verify(engine, file, NULL, &error), GLISSADE_STATUS_CHECKSUM, words);
            read_refused(file, engine, it.bytes[0], GLISSADE_STATUS_CHECKSUM, words);
        }
        flip(path, begin + at);
    }
    cr_assert_eq(glissade_file_verify(team, file, NULL, &error), GLISSADE_STATUS_OK, "%s", error.message);
    glissade_file_close(&file);
    sample_destroy(&it);
}

/* What is damaged elsewhere does not stand in the way of a tensor whose chunks are right. */
Test(files_read, damage_elsewhere) {
    sample it;
    sample_of_parts(&it);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    flip(path, (off_t)glissade_file_bytes(file) - 1);
    unsigned char *room = malloc(it.bytes[0]);
    const glissade_file_target target = {glissade_file_find(file, it.names[0]), room};
    cr_assert_eq(glissade_file_read(team, file, &target, 1, NULL, &error), GLISSADE_STATUS_OK, "%s",
                 error.message);
    check(glissade_file_verify(team, file, NULL, &error), GLISSADE_STATUS_CHECKSUM, "the file is damaged");
    free(room);
    glissade_file_close(&file);
    sample_destroy(&it);
}

Test(files_read, without_checksums_damage_goes_unnoticed) {
    sample it;
    glissade_file_options options = sample_options();
    glissade_file_report report = {.size = sizeof report};
    options.omit_checksums = true;
    sample_flat(&it, CHUNK + 100, 1);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, &options);
    glissade_file *file = open_well(path);
    flip(path, (off_t)glissade_file_bytes(file) - 1);
    cr_assert_eq(glissade_file_verify(team, file, &report, &error), GLISSADE_STATUS_OK);
    cr_assert(!report.verified && report.chunks == 0 && report.bytes == CHUNK + 100);
    glissade_file_close(&file);
    sample_destroy(&it);
}

Test(files_read, a_file_that_becomes_shorter) {
    sample it;
    sample_flat(&it, 2 * CHUNK + 100, 1);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    const off_t whole = (off_t)glissade_file_bytes(file);
    static const off_t cuts[] = {1, 101, CHUNK, 2 * CHUNK + 100, 2 * CHUNK + 1000};
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        char words[64];
        cr_assert_eq(truncate(path, whole - cuts[i]), 0);
        snprintf(words, sizeof words, "it had %lld bytes when it was opened", (long long)whole);
        check(glissade_file_verify(NULL, file, NULL, &error), GLISSADE_STATUS_INVALID_FILE, words);
        read_refused(file, team, it.bytes[0], GLISSADE_STATUS_INVALID_FILE, words);
    }
    glissade_file_close(&file);
    sample_destroy(&it);
}

/* Longer by whatever: what was there when it was opened is read. Replaced: the old one is. */
Test(files_read, a_file_that_grows_or_is_replaced) {
    sample it, other;
    sample_flat(&it, 2 * CHUNK + 100, 1);
    sample_flat(&other, 77, 2);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    glissade_file *file = open_well(path);
    cr_assert_eq(truncate(path, 4 * CHUNK), 0);
    cr_assert_eq(glissade_file_verify(team, file, NULL, &error), GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert_not_null(sample_difference(&it, team, path));
    write_well(&other, path, NULL);
    cr_assert_eq(glissade_file_verify(team, file, NULL, &error), GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert_null(sample_difference(&other, team, path));
    glissade_file_close(&file);
    sample_destroy(&it);
    sample_destroy(&other);
}

Test(files_read, too_short_for_a_header) {
    sample it;
    size_t count;
    sample_flat(&it, 77, 1);
    const char *path = folder_at(&home, "file");
    write_well(&it, path, NULL);
    char *bytes = bytes_load(path, &count);
    glissade_file *file;
    for (size_t length = 0; length < count; length += length < 32 ? 1 : 61) {
        bytes_store(folder_at(&home, "cut"), bytes, length);
        check(glissade_file_open(folder_at(&home, "cut"), &file, &error), GLISSADE_STATUS_INVALID_FILE,
              "cut: ");
        cr_assert_null(file);
    }
    free(bytes);
    sample_destroy(&it);
}

static unsigned looks;

static int look_twice(int fd, struct stat *status) {
    const int result = gls_os_system.fstat(fd, status);
    if (++looks == 2)
        status->st_mode = S_IFIFO | 0600;
    return result;
}

/* A pipe that takes the file's place between the look and the opening. */
Test(files_read, a_pipe_in_the_files_place) {
    gls_os table = gls_os_system;
    glissade_file *file;
    sample it;
    table.fstat = look_twice;
    sample_flat(&it, 77, 1);
    write_well(&it, folder_at(&home, "file"), NULL);
    gls_os_table = &table;
    check(glissade_file_open(folder_at(&home, "file"), &file, &error), GLISSADE_STATUS_IO,
          "file: it is no regular file");
    gls_os_table = &gls_os_system;
    sample_destroy(&it);
}

/* ---- around the page cache ---- */

/* What the page cache holds is read from it, what it does not hold around it, and both give the same. */
Test(files_read, cached_or_not) {
    folder disk;
    sample it;
    folder_create(&disk, FOLDER_DISK);
    sample_flat(&it, 3 * CHUNK + 4097, 1);
    const char *path = folder_at(&disk, "file");
    for (int variant = 0; variant < 4; variant++) {
        glissade_file_options options = sample_options();
        glissade_file_report report = {.size = sizeof report};
        glissade_engine *engine = variant & 1 ? team : NULL;
        options.omit_direct = variant & 2;
        write_well(&it, path, &options);
        glissade_file *file = open_well(path);
        const int fd = open(path, O_RDONLY);
        cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
        for (int round = 0; round < 2; round++) {
            const char *difference = sample_difference(&it, engine, path);
            cr_assert_null(difference, "%s", difference);
            cr_assert_eq(glissade_file_verify(engine, file, &report, &error), GLISSADE_STATUS_OK, "%s",
                         error.message);
            char *cached = bytes_load(path, &(size_t){0});
            cr_assert(!round || !report.direct, "what is cached was read around the cache");
            free(cached);
        }
        close(fd);
        glissade_file_close(&file);
    }
    sample_destroy(&it);
    folder_destroy(&disk);
}
