/* SPDX-License-Identifier: Apache-2.0 */
/* Temporary files (see temporary.h). */
#include "temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <xxhash.h>

#include "os.h"

enum { PREFIX_ROOM = 40, ATTEMPTS = 64 };

static void write_prefix(char prefix[PREFIX_ROOM], const gls_path *path) {
    snprintf(prefix, PREFIX_ROOM, ".glissade-%016" PRIx64 "-",
             (uint64_t)XXH3_64bits(path->name, strlen(path->name)));
}

static void write_name(char name[64], const gls_path *path) {
    static atomic_uint tries;
    char prefix[PREFIX_ROOM];
    write_prefix(prefix, path);
    snprintf(name, 64, "%s%ld-%u", prefix, (long)getpid(),
             atomic_fetch_add_explicit(&tries, 1, memory_order_relaxed));
}

/* ---- what killed writers left ---- */

struct cleaning {
    const gls_path *path;
    char prefix[PREFIX_ROOM];
};

/* For writing, if that is allowed: NFS, which makes these locks of others, locks nothing else exclusively. */
static int open_abandoned(const gls_path *path, const char *name) {
    const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const int fd = gls_os_open(path->folder, name, O_RDWR | flags, 0);
    return fd < 0 && errno == EACCES ? gls_os_open(path->folder, name, O_RDONLY | flags, 0) : fd;
}

/* A file whose lock can be had has no writer. One that was made a moment ago and is not locked yet is taken away from its
 * writer, who notices and makes another. */
static bool clean(void *context, const char *name) {
    const struct cleaning *cleaning = context;
    if (strncmp(name, cleaning->prefix, strlen(cleaning->prefix)) != 0)
        return true;
    const int fd = open_abandoned(cleaning->path, name);
    struct stat status;
    if (fd < 0)
        return true;
    if (gls_os_table->fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        gls_os_table->flock(fd, LOCK_EX | LOCK_NB) == 0)
        (void)gls_os_table->unlinkat(cleaning->path->folder, name);
    gls_os_table->close(fd);
    return true;
}

void gls_temporary_clean(const gls_path *path) {
    struct cleaning cleaning = {.path = path};
    write_prefix(cleaning.prefix, path);
    (void)gls_os_table->list(path->folder, clean, &cleaning);
}

/* ---- making one ---- */

/* Whether the file is still ours, having been locked before anybody could take it for abandoned. Somebody who has the lock
 * has, and is about to remove it. A file system that knows no locks has no cleaning either, for which they are needed. */
static bool lock(int fd) {
    struct stat status;
    if (gls_os_table->flock(fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK)
        return false;
    return gls_os_table->fstat(fd, &status) != 0 || status.st_nlink > 0;
}

glissade_status gls_temporary_make(gls_temporary *temporary, const gls_path *path, glissade_error *error) {
    int error_number = EEXIST;
    temporary->fd = -1;
    for (int i = 0; i < ATTEMPTS && error_number == EEXIST; i++) {
        write_name(temporary->name, path);
        const int fd = gls_os_open(path->folder, temporary->name,
                                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0) {
            error_number = errno;
        } else if (lock(fd)) {
            temporary->fd = fd;
            return GLISSADE_STATUS_OK;
        } else {
            gls_os_table->close(fd);
        }
    }
    return gls_path_fail(path, "make a temporary file in its folder", error_number, error);
}

int gls_temporary_link(char name[64], const gls_path *path, const char *from) {
    int failed = -1;
    for (int i = 0; i < ATTEMPTS && failed && (i == 0 || errno == EEXIST); i++) {
        write_name(name, path);
        failed = gls_os_table->linkat(path->folder, from, name);
    }
    return failed;
}

void gls_temporary_discard(gls_temporary *temporary, const gls_path *path) {
    if (temporary->fd < 0)
        return;
    if (temporary->name[0])
        (void)gls_os_table->unlinkat(path->folder, temporary->name);
    gls_os_table->close(temporary->fd);
    temporary->fd = -1;
}
