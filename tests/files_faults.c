/* SPDX-License-Identifier: Apache-2.0 */
/* Every call and every allocation failing in turn, while tensor files are written and read. */
#include "trials.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 4 * 1024 * 1024 + 5000 };

static folder home;
static glissade_engine *team;
static unsigned trials;

static void setup(void) {
    scenario_clear_environment();
    folder_create(&home, FOLDER_MEMORY);
    team = scenario_engine(2);
    trials = 0;
}

static void teardown(void) {
    fprintf(stderr, "# %u faults\n", trials);
    glissade_engine_destroy(&team);
    folder_destroy(&home);
}

TestSuite(files_faults, .init = setup, .fini = teardown, .timeout = 200);

/* ---- writing ---- */

typedef struct sample_writer {
    sample like;
    glissade_engine *engine;
    glissade_file_options options;
    uint64_t former_number; /* with keep: that of version 1 */
} sample_writer;

static uint64_t number_of(const sample_writer *it, uint64_t version) {
    return !it->options.keep ? 0 : version == 1 ? it->former_number : version;
}

static glissade_status write_sample(void *context, const char *path, uint64_t version,
                                    glissade_error *error) {
    sample_writer *it = context;
    glissade_file_options options = it->options;
    options.number = number_of(it, version);
    sample_fill(&it->like, version);
    return sample_write(&it->like, it->engine, path, &options, error);
}

/* With keep the number is the same file. It may be ahead where the disk died and the number could not be taken back. */
static const char *differs(void *context, const char *path, uint64_t version) {
    sample_writer *it = context;
    char numbered[300];
    sample_fill(&it->like, version);
    const char *difference = sample_difference(&it->like, it->engine, path);
    if (difference || !it->options.keep)
        return difference;
    snprintf(numbered, sizeof numbered, "%s-%020d", path, (int)number_of(it, version));
    const uint64_t found = sample_find(&it->like, numbered);
    return found == version || (found == 2 && fault_was_for_good()) ? NULL : "the number is another";
}

static writer writer_of(const char *what, sample_writer *context) {
    return (writer){.what = what,
                    .home = &home,
                    .name = "model",
                    .context = context,
                    .write = write_sample,
                    .difference = differs};
}

static void each_fault(const char *what, size_t bytes, glissade_engine *engine,
                       const glissade_file_options *options, uint64_t former_number, const ordeal *list,
                       size_t count) {
    sample_writer context = {.engine = engine, .options = *options, .former_number = former_number};
    const writer it = writer_of(what, &context);
    sample_mixed(&context.like, bytes, 0);
    for (size_t i = 0; i < count; i++) {
        ordeal next = list[i];
        if (options->keep && next.call == FAULT_OPENAT && next.expected == FAILS)
            next.expected = EITHER; /* what cannot be looked at is not pruned */
        trials += trial_each(&it, &next);
    }
    sample_destroy(&context.like);
}

#define COUNT(list) (sizeof(list) / sizeof *(list))

/* Of files of any size. */
static const ordeal common[] = {
    {.call = FAULT_OPENAT, EIO, FAILS},
    {.call = FAULT_OPENAT, EACCES, FAILS},
    {.call = FAULT_OPENAT, EMFILE, FAILS, .words = "Too many open files (24)"},
    {.call = FAULT_OPENAT, ENFILE, FAILS},
    {.call = FAULT_OPENAT, EROFS, FAILS, .words = "Read-only file system (30)"},
    {.call = FAULT_OPENAT, ENOSPC, FAILS, .words = "No space left on device (28)"},
    {.call = FAULT_OPENAT, EDQUOT, FAILS},
    {.call = FAULT_OPENAT, EINTR, SUCCEEDS},
    {.call = FAULT_CLOSE, EIO, SUCCEEDS},
    {.call = FAULT_CLOSE, EINTR, SUCCEEDS},
    {.call = FAULT_FSTAT, EIO, EITHER},
    {.call = FAULT_FCHMOD, EPERM, FAILS, .words = "set its mode: Operation not permitted"},
    {.call = FAULT_FCHMOD, EROFS, FAILS},
    {.call = FAULT_FCHMOD, EIO, FAILS},
    {.call = FAULT_FLOCK, ENOLCK, SUCCEEDS},
    {.call = FAULT_FLOCK, EOPNOTSUPP, SUCCEEDS, .for_good = true},
    {.call = FAULT_FLOCK, EWOULDBLOCK, SUCCEEDS},
    {.call = FAULT_FLOCK,
     EWOULDBLOCK,
     FAILS,
     .for_good = true,
     .words = "make a temporary file in its folder"},
    {.call = FAULT_LIST, EIO, SUCCEEDS},
    {.call = FAULT_LIST, EACCES, SUCCEEDS},
    {.call = FAULT_RENAMEAT, EIO, FAILS},
    {.call = FAULT_RENAMEAT, ENOSPC, FAILS},
    {.call = FAULT_RENAMEAT, EACCES, FAILS, .words = "Permission denied (13)"},
    {.call = FAULT_RENAMEAT, EROFS, FAILS},
    {.call = FAULT_RENAMEAT, EDQUOT, FAILS},
    {.call = FAULT_UNLINKAT, EIO, SUCCEEDS},
    {.call = FAULT_UNLINKAT, EROFS, SUCCEEDS, .for_good = true},
    {.call = FAULT_ANY, EIO, EITHER},
    {.call = FAULT_ANY, EIO, EITHER, .for_good = true},
    {.call = FAULT_ANY, ENOSPC, EITHER, .for_good = true},
    {.call = FAULT_ANY, EROFS, EITHER, .for_good = true},
};

/* Of the data. */
static const ordeal transfers[] = {
    {.call = FAULT_PWRITE, EIO, FAILS, .words = "write: Input/output error (5)"},
    {.call = FAULT_PWRITE, EIO, FAILS, .for_good = true},
    {.call = FAULT_PWRITE, ENOSPC, FAILS, .words = "write: No space left on device (28)"},
    {.call = FAULT_PWRITE, EDQUOT, FAILS, .words = "write: "},
    {.call = FAULT_PWRITE, EFBIG, FAILS},
    {.call = FAULT_PWRITE, EROFS, FAILS},
    {.call = FAULT_PWRITE, EINTR, SUCCEEDS},
    {.call = FAULT_PWRITE, FAULT_HALF, SUCCEEDS},
    {.call = FAULT_PWRITE, FAULT_ONE, SUCCEEDS},
    {.call = FAULT_PWRITE, FAULT_NOTHING, FAILS, .words = "write: Input/output error (5)"},
    {.call = FAULT_FALLOCATE, ENOSPC, FAILS, .words = "reserve room: No space left on device (28)"},
    {.call = FAULT_FALLOCATE, EDQUOT, FAILS, .words = "reserve room: "},
    {.call = FAULT_FALLOCATE, EFBIG, FAILS},
    {.call = FAULT_FALLOCATE, EIO, FAILS},
    {.call = FAULT_FALLOCATE, EOPNOTSUPP, SUCCEEDS},
    {.call = FAULT_FALLOCATE, ENOSYS, SUCCEEDS},
    {.call = FAULT_FALLOCATE, EINTR, SUCCEEDS},
    {.call = FAULT_FSYNC, EIO, FAILS, .words = "synchronise"},
    {.call = FAULT_FSYNC, ENOSPC, FAILS, .words = "synchronise"},
    {.call = FAULT_FSYNC, EDQUOT, FAILS},
    {.call = FAULT_FSYNC, EINTR, FAILS},
    {.call = FAULT_FSYNC, EIO, FAILS, .for_good = true},
    {.call = FAULT_FSYNC, EINVAL, EITHER}, /* of a folder: there is nothing to synchronise */
};

static const ordeal direct[] = {
    {.call = FAULT_SET_FLAGS, EINVAL, EITHER},
    {.call = FAULT_SET_FLAGS, EINVAL, EITHER, .for_good = true},
    {.call = FAULT_PWRITE, EINVAL, SUCCEEDS, .direct = true},
    {.call = FAULT_PWRITE, EINVAL, SUCCEEDS, .direct = true, .for_good = true},
    {.call = FAULT_PWRITE, EIO, FAILS, .direct = true},
    {.call = FAULT_PWRITE, ENOSPC, FAILS, .direct = true, .for_good = true},
    {.call = FAULT_PWRITE, FAULT_ONE, SUCCEEDS, .direct = true},
    {.call = FAULT_PWRITE, FAULT_HALF, SUCCEEDS, .direct = true},
};

static const ordeal links[] = {
    {.call = FAULT_LINKAT, EPERM, FAILS, .words = "keep needs a file system with hard links"},
    {.call = FAULT_LINKAT, EMLINK, FAILS},
    {.call = FAULT_LINKAT, ENOSPC, FAILS},
    {.call = FAULT_LINKAT, EEXIST, SUCCEEDS},
    {.call = FAULT_LINKAT, EEXIST, FAILS, .for_good = true},
    {.call = FAULT_LINKAT, ENOENT, EITHER},
};

Test(files_faults, writing_a_small_file) {
    const glissade_file_options options = sample_options();
    each_fault("a small file", 20000, NULL, &options, 0, common, COUNT(common));
    each_fault("a small file", 20000, NULL, &options, 0, transfers, COUNT(transfers));
    cr_assert_gt(trials, 80);
}

Test(files_faults, writing_a_large_file) {
    glissade_file_options options = sample_options();
    for (int buffered = 0; buffered < 2; buffered++)
        for (int alone = 0; alone < 2; alone++) {
            options.omit_direct = buffered;
            each_fault("a large file", LARGE, alone ? NULL : team, &options, 0, transfers, COUNT(transfers));
            each_fault("a large file", LARGE, alone ? NULL : team, &options, 0, direct, COUNT(direct));
        }
}

Test(files_faults, writing_numbered_files) {
    glissade_file_options options = sample_options();
    options.keep = 2;
    for (uint64_t former = 1; former <= 2; former++) { /* another number, and the same */
        each_fault("numbered files", 20000, NULL, &options, former, common, COUNT(common));
        each_fault("numbered files", 20000, NULL, &options, former, transfers, COUNT(transfers));
        each_fault("numbered files", 20000, NULL, &options, former, links, COUNT(links));
    }
}

Test(files_faults, writing_without_synchronising) {
    glissade_file_options options = sample_options();
    options.omit_synchronise = true;
    each_fault("unsynchronised", 20000, NULL, &options, 0, common, COUNT(common));
    fault_begin(&(fault){.call = FAULT_ANY, .place = 1000});
    sample it;
    sample_mixed(&it, 20000, 1);
    cr_assert_eq(sample_write(&it, NULL, folder_at(&home, "model"), &options, NULL), GLISSADE_STATUS_OK);
    fault_end();
    cr_assert_eq(fault_calls(FAULT_FSYNC), 0);
    sample_destroy(&it);
}

static void without_memory(const char *what, size_t bytes, glissade_engine *engine, uint32_t keep) {
    sample_writer context = {.engine = engine, .options = sample_options(), .former_number = 1};
    const writer it = writer_of(what, &context);
    context.options.keep = keep;
    sample_mixed(&context.like, bytes, 0);
    const unsigned made = trial_memory(&it);
    trials += made;
    cr_assert_geq(made, 5);
    sample_destroy(&context.like);
}

Test(files_faults, writing_without_memory) {
    without_memory("a small file", 20000, NULL, 0);
    without_memory("a large file", LARGE, team, 0);
    without_memory("numbered files", 20000, NULL, 2);
}

/* ---- reading ---- */

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
};

static void reading_trials(const char *what, size_t bytes, glissade_engine *engine, int checksums) {
    sample it;
    glissade_file_options options = sample_options();
    options.omit_checksums = !checksums;
    sample_mixed(&it, bytes, 1);
    cr_assert_eq(sample_write(&it, engine, folder_at(&home, "model"), &options, NULL), GLISSADE_STATUS_OK);
    for (size_t i = 0; i < COUNT(reading); i++)
        trials += read_each(what, &it, engine, &reading[i]);
    sample_destroy(&it);
}

Test(files_faults, reading) {
    reading_trials("a small file", 20000, NULL, 1);
    reading_trials("a small file without checksums", 20000, team, 0);
    reading_trials("a large file", LARGE, NULL, 1);
    reading_trials("a large file on a team", LARGE, team, 1);
}

/* A file that nobody knows to be cached is read directly, as far as the system plays along. */
Test(files_faults, reading_directly_what_seems_not_cached) {
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

Test(files_faults, reading_without_memory) {
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
