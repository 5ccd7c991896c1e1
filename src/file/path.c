/* SPDX-License-Identifier: Apache-2.0 */
/* Paths (see path.h). */
#include "path.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "os.h"

void gls_path_quote(char *quoted, size_t room, const char *text) {
    const size_t length = strlen(text), kept = room - sizeof "...";
    snprintf(quoted, room, "%s%s", length < room ? "" : "...", length < room ? text : text + length - kept);
}

glissade_status gls_path_fail(const gls_path *path, const char *operation, int error_number,
                              glissade_error *error) {
    char room[96];
    return gls_error_set(error, GLISSADE_STATUS_IO, "%s: %s: %s (%d)", path->quoted, operation,
                         strerror_r(error_number, room, sizeof room), error_number);
}

glissade_status gls_path_open(gls_path *path, const char *text, int access, glissade_error *error) {
    path->folder = -1;
    gls_path_quote(path->quoted, sizeof path->quoted, text);
    const char *slash = strrchr(text, '/'), *name = slash ? slash + 1 : text;
    const size_t length = strlen(name), before = (size_t)(name - text);
    if (!length || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "path \"%s\" names no file; accepted: a name, with or without folders before it",
                             path->quoted);
    if (length > GLS_NAME_MAX || before >= PATH_MAX)
        return gls_path_fail(path, "open", ENAMETOOLONG, error);
    memcpy(path->name, name, length + 1);

    char folder[PATH_MAX] = ".";
    if (before) {
        memcpy(folder, text, before);
        folder[before] = '\0';
    }
    path->folder = gls_os_open(AT_FDCWD, folder, access | O_DIRECTORY | O_CLOEXEC, 0);
    return path->folder < 0 ? gls_path_fail(path, "open its folder", errno, error) : GLISSADE_STATUS_OK;
}

void gls_path_close(gls_path *path) {
    if (path->folder >= 0)
        gls_os_table->close(path->folder);
    path->folder = -1;
}

/* What stands under the name, looked at and not touched: opening a FIFO or a device for reading could do anything. */
glissade_status gls_path_regular(const gls_path *path, const char *name, bool *exists,
                                 glissade_error *error) {
    *exists = false;
    const int fd = gls_os_open(path->folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0);
    if (fd < 0)
        return errno == ENOENT ? GLISSADE_STATUS_OK : gls_path_fail(path, "look at it", errno, error);
    struct stat status;
    const int failed = gls_os_table->fstat(fd, &status) ? errno : 0;
    gls_os_table->close(fd);
    if (failed)
        return gls_path_fail(path, "look at it", failed, error);
    *exists = true;
    if (S_ISREG(status.st_mode))
        return GLISSADE_STATUS_OK;
    const char *kind = S_ISLNK(status.st_mode)   ? "a symbolic link"
                       : S_ISDIR(status.st_mode) ? "a folder"
                                                 : "a device, socket or pipe";
    return gls_error_set(error, GLISSADE_STATUS_IO, "%s: %s; accepted: a regular file", path->quoted, kind);
}
