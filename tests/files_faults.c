/* SPDX-License-Identifier: Apache-2.0 */
/* Every call and every allocation failing in turn, while tensor files are written. */
#include "trials_suite.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { LARGE = 4 * 1024 * 1024 + 5000 };

TRIALS_SUITE(files_faults);

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
    {.call = FAULT_ANY, EINVAL, EITHER, .for_good = true},
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
