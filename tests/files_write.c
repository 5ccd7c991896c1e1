/* SPDX-License-Identifier: Apache-2.0 */
/* Writing tensor files: what was written is what is read, on any number of threads, around the page cache and through it;
 * permissions; numbered files. */
#include "files.h"
#include "file/os.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1024 * 1024, CHUNK = 4 * MIB };

static folder home;
static glissade_error error;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
}

static void teardown(void) {
    cr_assert_eq(descriptors_open(), home.descriptors, "descriptors are left open");
    cr_assert_eq(folder_temporaries(&home), 0, "temporary files are left: %s", folder_names(&home));
    folder_destroy(&home);
}

TestSuite(files_write, .init = setup, .fini = teardown, .timeout = 120);

static void write_well(const sample *it, glissade_engine *engine, const char *path,
                       const glissade_file_options *options) {
    const glissade_status status = sample_write(it, engine, path, options, &error);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s: %s", path, error.message);
    cr_assert(error.status == GLISSADE_STATUS_OK && error.message[0] == '\0');
    const char *difference = sample_difference(it, engine, path);
    cr_assert_null(difference, "%s: %s", path, difference);
}

static mode_t mode_of(const char *path) {
    struct stat status;
    cr_assert_eq(stat(path, &status), 0, "%s", path);
    return status.st_mode & 07777;
}

/* ---- round trips ---- */

static void check_report(const sample *it, glissade_engine *engine, const char *path,
                         const glissade_file_options *options) {
    glissade_file_report report = {.size = sizeof report};
    glissade_file *file;
    struct stat status;
    cr_assert_eq(glissade_file_write(engine, path, it->tensors, it->count, NULL, 0, options, &report, &error),
                 GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert_eq(stat(path, &status), 0);
    const uint64_t chunks = (it->bytes[0] + CHUNK - 1) / CHUNK;
    cr_assert_eq(report.bytes, (uint64_t)status.st_size);
    cr_assert_eq(report.chunks, options->omit_checksums ? 0 : chunks);
    cr_assert_eq(report.verified, !options->omit_checksums);
    cr_assert(!report.direct || (!options->omit_direct && it->bytes[0] >= CHUNK));
    cr_assert(report.seconds > 0 && report.size == sizeof report);
    cr_assert_eq(glissade_file_open(path, &file, &error), GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert_eq(glissade_file_bytes(file), (uint64_t)status.st_size);
    cr_assert_eq(glissade_file_header_bytes(file) % 4096, 0);
    cr_assert_eq(glissade_file_header_bytes(file) + it->bytes[0], (uint64_t)status.st_size);
    cr_assert_eq(glissade_file_has_checksums(file), !options->omit_checksums);
    cr_assert_eq(glissade_file_verify(engine, file, &report, &error), GLISSADE_STATUS_OK, "%s",
                 error.message);
    cr_assert_eq(report.bytes, it->bytes[0]);
    cr_assert_eq(report.chunks, options->omit_checksums ? 0 : chunks);
    cr_assert_eq(report.verified, !options->omit_checksums);
    glissade_file_close(&file);
    cr_assert_null(file);
}

static void round_trips(const folder *where, uint32_t threads, size_t most) {
    static const size_t sizes[] = {0,
                                   1,
                                   7,
                                   4095,
                                   4096,
                                   4097,
                                   65537,
                                   CHUNK - 1,
                                   CHUNK,
                                   CHUNK + 1,
                                   CHUNK + 4096,
                                   2 * CHUNK - 1,
                                   2 * CHUNK,
                                   9000001,
                                   12345678,
                                   3 * CHUNK + 4095};
    glissade_engine *engine = threads ? scenario_engine(threads) : NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && sizes[i] <= most; i++)
        for (int variant = 0; variant < 8; variant += 1 + 2 * (i > 10)) {
            sample it;
            glissade_file_options options = sample_options();
            options.omit_direct = variant & 1;
            options.omit_checksums = variant & 2;
            options.omit_synchronise = variant & 4;
            sample_flat(&it, sizes[i], i);
            check_report(&it, engine, folder_at(where, "plain"), &options);
            write_well(&it, engine, folder_at(where, "file"), &options);
            sample_destroy(&it);
        }
    glissade_engine_destroy(&engine);
}

Test(files_write, round_trips_alone) {
    round_trips(&home, 0, SIZE_MAX);
}

Test(files_write, round_trips_on_teams) {
    round_trips(&home, 1, CHUNK);
    round_trips(&home, 2, SIZE_MAX);
    round_trips(&home, 8, SIZE_MAX);
}

Test(files_write, round_trips_on_disk) {
    folder disk;
    folder_create(&disk, FOLDER_DISK);
    round_trips(&disk, 0, CHUNK + 4096);
    round_trips(&disk, 2, SIZE_MAX);
    cr_assert_eq(folder_temporaries(&disk), 0);
    folder_destroy(&disk);
}

Test(files_write, every_type) {
    sample_shape shapes[44];
    size_t count = 0;
    for (int dtype = 0; glissade_file_dtype_name((glissade_file_dtype)dtype); dtype++) {
        shapes[count++] = (sample_shape){(glissade_file_dtype)dtype, 2, {12, (uint64_t)dtype + 2}};
        shapes[count++] = (sample_shape){(glissade_file_dtype)dtype, 3, {3, 0, 5}};
    }
    cr_assert_eq(count, 44);
    sample it;
    sample_create(&it, shapes, count, 1);
    write_well(&it, NULL, folder_at(&home, "types"), NULL);
    sample_destroy(&it);
}

Test(files_write, nothing) {
    glissade_file *file;
    glissade_file_report report = {.size = sizeof report};
    cr_assert_eq(glissade_file_write(NULL, folder_at(&home, "none"), NULL, 0, NULL, 0, NULL, &report, &error),
                 GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert(report.verified && !report.direct && report.chunks == 0 && report.bytes == 4096);
    cr_assert_eq(glissade_file_open(folder_at(&home, "none"), &file, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_file_count(file), 0);
    cr_assert_eq(glissade_file_verify(NULL, file, &report, NULL), GLISSADE_STATUS_OK);
    cr_assert(report.verified && report.bytes == 0 && report.chunks == 0);
    cr_assert_eq(glissade_file_read(NULL, file, NULL, 0, &report, NULL), GLISSADE_STATUS_OK);
    glissade_file_close(&file);
}

enum { MANY = 10000 };

/* Ten thousand tensors of 0 to 999 bytes, in names whose order is not that of their sizes. */
Test(files_write, many_tensors) {
    static glissade_file_tensor tensors[MANY];
    static char names[MANY][16];
    static uint64_t shapes[MANY];
    static unsigned char data[MANY + 1000], back[1000];
    glissade_engine *engine = scenario_engine(2);
    glissade_file *file;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 2654435761u >> 13);
    for (size_t i = 0; i < MANY; i++) {
        shapes[i] = i * 7 % 1000;
        snprintf(names[i], sizeof names[i], "%zu", i);
        tensors[i] = (glissade_file_tensor){.size = sizeof *tensors,
                                            .name = names[i],
                                            .dtype = i % 2 ? GLISSADE_FILE_U8 : GLISSADE_FILE_I8,
                                            .rank = 1,
                                            .shape = &shapes[i],
                                            .data = shapes[i] ? data + i : NULL};
    }
    cr_assert_eq(
        glissade_file_write(engine, folder_at(&home, "many"), tensors, MANY, NULL, 0, NULL, NULL, &error),
        GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert_eq(glissade_file_open(folder_at(&home, "many"), &file, &error), GLISSADE_STATUS_OK, "%s",
                 error.message);
    cr_assert_eq(glissade_file_verify(engine, file, NULL, &error), GLISSADE_STATUS_OK, "%s", error.message);
    for (size_t i = 0; i < MANY; i += 37) {
        const glissade_file_target target = {glissade_file_find(file, names[i]), back};
        cr_assert_eq(glissade_file_read(NULL, file, &target, 1, NULL, &error), GLISSADE_STATUS_OK, "%s",
                     error.message);
        cr_assert_eq(memcmp(back, data + i, shapes[i]), 0, "tensor %zu", i);
    }
    glissade_file_close(&file);
    glissade_engine_destroy(&engine);
}

/* ---- how files are made ---- */

Test(files_write, mode_whatever_the_umask) {
    static const struct {
        mode_t mask;
        uint32_t mode;
    } cases[] = {{0, 0600}, {077, 0644}, {0777, 0600}, {022, 0777}, {0, 0400}, {022, 0666}};
    sample it;
    sample_mixed(&it, 5000, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        glissade_file_options options = sample_options();
        cr_assert_eq(options.mode, 0600);
        options.mode = cases[i].mode;
        const mode_t before = umask(cases[i].mask);
        write_well(&it, NULL, folder_at(&home, "file"), &options);
        cr_assert_eq(umask(before), cases[i].mask, "the umask has changed");
        cr_assert_eq(mode_of(folder_at(&home, "file")), cases[i].mode, "%o",
                     mode_of(folder_at(&home, "file")));
    }
    sample_destroy(&it);
}

static size_t opened, made;

static int watch_open(int at, const char *name, int flags, mode_t mode) {
    opened++;
    cr_expect(flags & O_CLOEXEC, "%s is opened without O_CLOEXEC", name);
    if (flags & O_CREAT) {
        made++;
        cr_expect((flags & (O_EXCL | O_NOFOLLOW)) == (O_EXCL | O_NOFOLLOW) && mode == 0600, "%s: %o", name,
                  mode);
        cr_expect(strchr(name, '/') == NULL && at >= 0);
    } else if (!(flags & O_DIRECTORY)) {
        cr_expect(flags & O_NOFOLLOW, "%s is opened through links", name);
    }
    return gls_os_system.openat(at, name, flags, mode);
}

Test(files_write, descriptors_close_on_exec_and_links_are_not_followed) {
    gls_os table = gls_os_system;
    sample it;
    table.openat = watch_open;
    sample_mixed(&it, 5000, 1);
    gls_os_table = &table;
    write_well(&it, NULL, folder_at(&home, "file"), NULL);
    gls_os_table = &gls_os_system;
    cr_assert(made == 1 && opened >= 6, "%zu, %zu", made, opened);
    sample_destroy(&it);
}

Test(files_write, path_without_a_folder) {
    char before[4096];
    sample it;
    cr_assert(getcwd(before, sizeof before) && chdir(home.path) == 0);
    sample_mixed(&it, 5000, 1);
    write_well(&it, NULL, "model", NULL);
    write_well(&it, NULL, "./other", NULL);
    cr_assert_str_eq(folder_names(&home), "model other ");
    cr_assert_eq(chdir(before), 0);
    sample_destroy(&it);
}

Test(files_write, a_path_as_long_as_can_be) {
    char deep[3000], name[256];
    sample it;
    sample_mixed(&it, 5000, 1);
    snprintf(deep, sizeof deep, "%s", home.path);
    for (int i = 0; i < 10; i++) {
        snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "/%0200d", i);
        cr_assert_eq(mkdir(deep, 0700), 0);
    }
    memset(name, 'n', 255);
    name[255] = '\0';
    snprintf(deep + strlen(deep), sizeof deep - strlen(deep), "/%s", name);
    write_well(&it, NULL, deep, NULL);
    sample_destroy(&it);
}

/* ---- what a thread may not touch ---- */

Test(files_write, errno_is_the_callers) {
    sample it;
    sample_mixed(&it, 5000, 1);
    errno = 77;
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "file"), NULL, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(errno, 77);
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "no/file"), NULL, NULL), GLISSADE_STATUS_IO);
    cr_assert_eq(errno, 77);
    sample_destroy(&it);
}
