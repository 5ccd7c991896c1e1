/* SPDX-License-Identifier: Apache-2.0 */
/* Recording what is done to files (see replay.h): the calls are made as well, since later ones depend on them. */
#include "replay.h"

#include "file/os.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIPTORS = 1024, FOLDER = REPLAY_INODES, UNKNOWN };

static replay_trace *trace;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* threads of a team write side by side */
static unsigned inode_of[DESCRIPTORS];

static replay_call *add(replay_kind kind, unsigned inode) {
    REQUIRE(trace->count < REPLAY_CALLS, "too many calls for a trace");
    replay_call *call = &trace->calls[trace->count++];
    *call = (replay_call){.kind = kind, .inode = inode};
    return call;
}

/* The inode that a name has, by the recording so far. */
static unsigned named(const char *name) {
    for (size_t i = trace->count; i-- > 0;) {
        const replay_call *call = &trace->calls[i];
        if ((call->kind == REPLAY_CREATE || call->kind == REPLAY_RENAME || call->kind == REPLAY_LINK) &&
            strcmp(call->to, name) == 0)
            return call->inode;
        if (call->kind == REPLAY_UNLINK && strcmp(call->from, name) == 0)
            return UNKNOWN;
    }
    return UNKNOWN;
}

static void add_names(replay_kind kind, const char *from, const char *to) {
    pthread_mutex_lock(&turn);
    const unsigned inode = named(from);
    REQUIRE(inode != UNKNOWN, "%s is not of this recording", from);
    replay_call *call = add(kind, inode);
    strncpy(call->from, from, sizeof call->from - 1);
    strncpy(call->to, to, sizeof call->to - 1);
    pthread_mutex_unlock(&turn);
}

static int record_openat(int at, const char *name, int flags, mode_t mode) {
    const int fd = gls_os_system.openat(at, name, flags, mode);
    if (fd < 0)
        return fd;
    pthread_mutex_lock(&turn);
    REQUIRE(fd < DESCRIPTORS, "too many descriptors");
    inode_of[fd] = flags & O_DIRECTORY ? (unsigned)FOLDER : (unsigned)UNKNOWN;
    if (flags & O_CREAT) {
        REQUIRE(trace->inodes < REPLAY_INODES, "too many files for a trace");
        inode_of[fd] = trace->inodes++;
        strncpy(add(REPLAY_CREATE, inode_of[fd])->to, name, sizeof trace->calls->to - 1);
    }
    pthread_mutex_unlock(&turn);
    return fd;
}

static ssize_t record_pwrite(int fd, const void *bytes, size_t count, off_t offset) {
    const ssize_t done = gls_os_system.pwrite(fd, bytes, count, offset);
    if (done <= 0)
        return done;
    pthread_mutex_lock(&turn);
    replay_call *call = add(REPLAY_WRITE, inode_of[fd]);
    call->offset = (size_t)offset;
    call->count = (size_t)done;
    call->bytes = malloc((size_t)done);
    REQUIRE(call->bytes, "no memory for a trace");
    memcpy(call->bytes, bytes, (size_t)done);
    pthread_mutex_unlock(&turn);
    return done;
}

static int record_fallocate(int fd, off_t bytes) {
    const int failed = gls_os_system.fallocate(fd, bytes);
    pthread_mutex_lock(&turn);
    if (!failed)
        add(REPLAY_LENGTH, inode_of[fd])->count = (size_t)bytes;
    pthread_mutex_unlock(&turn);
    return failed;
}

static int record_fsync(int fd) {
    const int failed = gls_os_system.fsync(fd);
    pthread_mutex_lock(&turn);
    if (!failed)
        add(inode_of[fd] == FOLDER ? REPLAY_SYNC_FOLDER : REPLAY_SYNC_FILE, inode_of[fd]);
    pthread_mutex_unlock(&turn);
    return failed;
}

static int record_renameat(int at, const char *from, const char *to) {
    const int failed = gls_os_system.renameat(at, from, to);
    if (!failed)
        add_names(REPLAY_RENAME, from, to);
    return failed;
}

static int record_linkat(int at, const char *from, const char *to) {
    const int failed = gls_os_system.linkat(at, from, to);
    if (!failed)
        add_names(REPLAY_LINK, from, to);
    return failed;
}

static int record_unlinkat(int at, const char *name) {
    const int failed = gls_os_system.unlinkat(at, name);
    if (!failed)
        add_names(REPLAY_UNLINK, name, "");
    return failed;
}

void replay_record(replay_trace *it) {
    static gls_os recording;
    recording = gls_os_system;
    recording.openat = record_openat;
    recording.pwrite = record_pwrite;
    recording.fallocate = record_fallocate;
    recording.fsync = record_fsync;
    recording.renameat = record_renameat;
    recording.linkat = record_linkat;
    recording.unlinkat = record_unlinkat;
    *it = (replay_trace){0};
    trace = it;
    gls_os_table = &recording;
}

void replay_record_done(uint64_t version) {
    add(REPLAY_DONE, UNKNOWN)->version = version;
}

void replay_record_end(void) {
    gls_os_table = &gls_os_system;
}

void replay_free(replay_trace *it) {
    for (size_t i = 0; i < it->count; i++)
        free(it->calls[i].bytes);
    it->count = 0;
}

/* ---- wrong recordings ---- */

void replay_omit(replay_trace *it, replay_kind kind) {
    for (size_t i = 0; i < it->count; i++)
        if (it->calls[i].kind == kind)
            it->calls[i].kind = REPLAY_NOTHING;
}

void replay_delay_sync(replay_trace *it) {
    for (size_t i = it->count; i-- > 0;) {
        size_t to = i;
        if (it->calls[i].kind != REPLAY_SYNC_FILE)
            continue;
        while (to + 1 < it->count && it->calls[to].kind != REPLAY_RENAME)
            to++;
        const replay_call sync = it->calls[i];
        memmove(&it->calls[i], &it->calls[i + 1], (to - i) * sizeof *it->calls);
        it->calls[to] = sync;
    }
}
