/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The system calls by which files are read and written, each once, in a table: tests put a table of their own in its
 * place, to make calls fail and to record what was done. No other file of the library touches files of the user's.
 */
#ifndef GLS_OS_H
#define GLS_OS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* Each as its namesake of POSIX: -1 and errno on failure. */
typedef struct gls_os {
    int (*openat)(int folder, const char *name, int flags, mode_t mode);
    int (*close)(int fd);
    int (*fstat)(int fd, struct stat *status);
    int (*fchmod)(int fd, mode_t mode);
    int (*flock)(int fd, int operation);
    int (*set_flags)(int fd, int flags); /* fcntl, F_SETFL */
    ssize_t (*pread)(int fd, void *bytes, size_t count, off_t offset);
    ssize_t (*pread_cached)(int fd, void *bytes, size_t count, off_t offset); /* preadv2, RWF_NOWAIT */
    ssize_t (*pwrite)(int fd, const void *bytes, size_t count, off_t offset);
    int (*fallocate)(int fd, off_t bytes); /* the first `bytes`; returns -1 and errno, not a number */
    int (*fsync)(int fd);
    int (*renameat)(int folder, const char *from, const char *to);
    int (*linkat)(int folder, const char *from, const char *to);
    int (*unlinkat)(int folder, const char *name);
    /* Calls visit for each name in the folder until it returns false. */
    int (*list)(int folder, bool (*visit)(void *context, const char *name), void *context);
} gls_os;

/* The system's own; and the table in use. */
extern const gls_os gls_os_system;
extern const gls_os *gls_os_table;

/* Reads or writes everything, going on after EINTR and short transfers. Returns how many bytes, less at the file's end;
 * -1 and errno. A write that makes no progress is EIO. */
ssize_t gls_os_read(int fd, void *bytes, size_t count, uint64_t offset);
ssize_t gls_os_write(int fd, const void *bytes, size_t count, uint64_t offset);

/* openat, repeated on EINTR. (close and fsync never are: what they say is final.) */
int gls_os_open(int folder, const char *name, int flags, mode_t mode);

#endif
