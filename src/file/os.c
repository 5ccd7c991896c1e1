/* SPDX-License-Identifier: Apache-2.0 */
/* The system's calls on files, and what is built on them at once (see os.h). */
#include "os.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/uio.h>
#include <unistd.h>

static int system_openat(int folder, const char *name, int flags, mode_t mode) {
    return openat(folder, name, flags, mode);
}

static int system_set_flags(int fd, int flags) {
    return fcntl(fd, F_SETFL, flags);
}

static ssize_t system_pread_cached(int fd, void *bytes, size_t count, off_t offset) {
    return preadv2(fd, &(struct iovec){bytes, count}, 1, offset, RWF_NOWAIT);
}

static int system_fallocate(int fd, off_t bytes) {
    return fallocate(fd, 0, 0, bytes);
}

static int system_renameat(int folder, const char *from, const char *to) {
    return renameat(folder, from, folder, to);
}

static int system_linkat(int folder, const char *from, const char *to) {
    return linkat(folder, from, folder, to, 0);
}

static int system_unlinkat(int folder, const char *name) {
    return unlinkat(folder, name, 0);
}

/* A descriptor of its own, since reading a folder moves the descriptor's place and closing the stream closes it. */
static int system_list(int folder, bool (*visit)(void *context, const char *name), void *context) {
    const int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    DIR *stream = fdopendir(fd);
    if (!stream) {
        const int error_number = errno;
        close(fd);
        errno = error_number;
        return -1;
    }
    const struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(stream);
    } while (entry && visit(context, entry->d_name));
    const int error_number = entry ? 0 : errno;
    closedir(stream);
    errno = error_number;
    return error_number ? -1 : 0;
}

const gls_os gls_os_system = {
    .openat = system_openat,
    .close = close,
    .fstat = fstat,
    .fchmod = fchmod,
    .flock = flock,
    .set_flags = system_set_flags,
    .pread = pread,
    .pread_cached = system_pread_cached,
    .pwrite = pwrite,
    .fallocate = system_fallocate,
    .fsync = fsync,
    .renameat = system_renameat,
    .linkat = system_linkat,
    .unlinkat = system_unlinkat,
    .list = system_list,
};

const gls_os *gls_os_table = &gls_os_system;

ssize_t gls_os_read(int fd, void *bytes, size_t count, uint64_t offset) {
    size_t done = 0;
    while (done < count) {
        const ssize_t got =
            gls_os_table->pread(fd, (char *)bytes + done, count - done, (off_t)(offset + done));
        if (got == 0)
            break;
        if (got > 0)
            done += (size_t)got;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)done;
}

ssize_t gls_os_write(int fd, const void *bytes, size_t count, uint64_t offset) {
    size_t done = 0;
    while (done < count) {
        const ssize_t put =
            gls_os_table->pwrite(fd, (const char *)bytes + done, count - done, (off_t)(offset + done));
        if (put > 0) {
            done += (size_t)put;
        } else if (put == 0 || errno != EINTR) {
            errno = put == 0 ? EIO : errno;
            return -1;
        }
    }
    return (ssize_t)done;
}

int gls_os_open(int folder, const char *name, int flags, mode_t mode) {
    int fd;
    do
        fd = gls_os_table->openat(folder, name, flags, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}
