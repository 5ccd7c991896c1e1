/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that fail on demand (see faults.h). Threads of a team make them side by side, so everything that counts is atomic. */
#include "faults.h"

#include "alloc.h"
#include "file/os.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>

enum { DESCRIPTORS = 1024 };

static fault planned;
static atomic_uint counts[FAULT_CALLS], after[FAULT_CALLS], candidates, failed, repeated;
static atomic_bool fsync_failed[DESCRIPTORS];

const char *fault_call_name(fault_call call) {
    static const char *const names[] = {"openat", "close",    "fstat",   "fchmod",    "flock", "fcntl",
                                        "pread",  "preadv",   "pwrite",  "fallocate", "fsync", "renameat",
                                        "linkat", "unlinkat", "readdir", "any"};
    return names[call];
}

/* Whether this call is to fail; errno is then set. */
static bool fails(fault_call call, int fd) {
    counts[call]++;
    after[call] += failed > 0;
    const bool meant = planned.call == FAULT_ANY ? call != FAULT_CLOSE : call == planned.call;
    if (!meant || (planned.direct && (fd < 0 || !(fcntl(fd, F_GETFL) & O_DIRECT))))
        return false;
    const unsigned place = candidates++;
    if (place != planned.place && !(planned.for_good && place > planned.place))
        return false;
    failed++;
    errno = planned.error_number;
    return true;
}

static int fail_openat(int at, const char *name, int flags, mode_t mode) {
    return fails(FAULT_OPENAT, -1) ? -1 : gls_os_system.openat(at, name, flags, mode);
}

static int fail_close(int fd) {
    const bool fail = fails(FAULT_CLOSE, fd);
    if (fd < DESCRIPTORS)
        fsync_failed[fd] = false;
    const int result = gls_os_system.close(fd);
    if (fail)
        errno = planned.error_number;
    return fail ? -1 : result;
}

static int fail_fstat(int fd, struct stat *status) {
    return fails(FAULT_FSTAT, fd) ? -1 : gls_os_system.fstat(fd, status);
}

static int fail_fchmod(int fd, mode_t mode) {
    return fails(FAULT_FCHMOD, fd) ? -1 : gls_os_system.fchmod(fd, mode);
}

static int fail_flock(int fd, int operation) {
    return fails(FAULT_FLOCK, fd) ? -1 : gls_os_system.flock(fd, operation);
}

static int fail_set_flags(int fd, int flags) {
    return fails(FAULT_SET_FLAGS, fd) ? -1 : gls_os_system.set_flags(fd, flags);
}

/* How much of a transfer is to be done; SIZE_MAX: it fails. */
static size_t shortened(fault_call call, int fd, size_t count) {
    if (!fails(call, fd))
        return count;
    switch (planned.error_number) {
    case FAULT_HALF:
        return (count + 1) / 2;
    case FAULT_ONE:
        return 1;
    case FAULT_NOTHING:
        return 0;
    default:
        return SIZE_MAX;
    }
}

static ssize_t fail_pread(int fd, void *bytes, size_t count, off_t offset) {
    const size_t done = shortened(FAULT_PREAD, fd, count);
    return done == SIZE_MAX ? -1 : done ? gls_os_system.pread(fd, bytes, done, offset) : 0;
}

static ssize_t fail_pread_cached(int fd, void *bytes, size_t count, off_t offset) {
    const size_t done = shortened(FAULT_PREAD_CACHED, fd, count);
    return done == SIZE_MAX ? -1 : done ? gls_os_system.pread_cached(fd, bytes, done, offset) : 0;
}

/* A full disk takes no byte; but half of a transfer may have come through before an error. */
static ssize_t fail_pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    const size_t done = shortened(FAULT_PWRITE, fd, count);
    return done == SIZE_MAX ? -1 : done ? gls_os_system.pwrite(fd, bytes, done, offset) : 0;
}

static int fail_fallocate(int fd, off_t bytes) {
    return fails(FAULT_FALLOCATE, fd) ? -1 : gls_os_system.fallocate(fd, bytes);
}

static int fail_fsync(int fd) {
    const bool fail = fails(FAULT_FSYNC, fd);
    if (fd < DESCRIPTORS) {
        repeated += fsync_failed[fd];
        fsync_failed[fd] = fsync_failed[fd] || fail;
    }
    return fail ? -1 : gls_os_system.fsync(fd);
}

static int fail_renameat(int folder, const char *from, const char *to) {
    return fails(FAULT_RENAMEAT, -1) ? -1 : gls_os_system.renameat(folder, from, to);
}

static int fail_linkat(int folder, const char *from, const char *to) {
    return fails(FAULT_LINKAT, -1) ? -1 : gls_os_system.linkat(folder, from, to);
}

static int fail_unlinkat(int folder, const char *name) {
    return fails(FAULT_UNLINKAT, -1) ? -1 : gls_os_system.unlinkat(folder, name);
}

static int fail_list(int folder, bool (*visit)(void *context, const char *name), void *context) {
    return fails(FAULT_LIST, -1) ? -1 : gls_os_system.list(folder, visit, context);
}

static const gls_os failing = {
    .openat = fail_openat,
    .close = fail_close,
    .fstat = fail_fstat,
    .fchmod = fail_fchmod,
    .flock = fail_flock,
    .set_flags = fail_set_flags,
    .pread = fail_pread,
    .pread_cached = fail_pread_cached,
    .pwrite = fail_pwrite,
    .fallocate = fail_fallocate,
    .fsync = fail_fsync,
    .renameat = fail_renameat,
    .linkat = fail_linkat,
    .unlinkat = fail_unlinkat,
    .list = fail_list,
};

void fault_begin(const fault *what) {
    planned = *what;
    candidates = failed = repeated = 0;
    for (int i = 0; i < FAULT_CALLS; i++)
        counts[i] = after[i] = 0;
    for (int i = 0; i < DESCRIPTORS; i++)
        fsync_failed[i] = false;
    gls_os_table = &failing;
}

unsigned fault_end(void) {
    gls_os_table = &gls_os_system;
    return failed;
}

unsigned fault_calls(fault_call call) {
    return counts[call];
}

unsigned fault_calls_after(fault_call call) {
    return after[call];
}

unsigned fault_repeated_fsyncs(void) {
    return repeated;
}

bool fault_was_for_good(void) {
    return planned.for_good;
}

/* ---- memory ---- */

static atomic_size_t allocations;
static size_t refused;

static bool permit(size_t bytes) {
    (void)bytes;
    return allocations++ != refused;
}

void fault_allocation(size_t place) {
    allocations = 0;
    refused = place;
    gls_alloc_permit = permit;
}

size_t fault_allocations_end(void) {
    gls_alloc_permit = NULL;
    return allocations;
}
