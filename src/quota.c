/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CPU quota from cgroup v2 (cpu.max) and v1 (cpu.cfs_quota_us / cpu.cfs_period_us). The quota is in no
 * topology: a container given 2 CPUs of 64 by quota sees 64. Reads files with plain system calls; allocates
 * nothing.
 */
#include "quota.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4096, LINE_ROOM = 16384 };

static int open_below(const char *root, const char *path) {
    char full[PATH_ROOM];
    if ((size_t)snprintf(full, sizeof full, "%s%s", root, path) >= sizeof full)
        return -1;
    return open(full, O_RDONLY | O_CLOEXEC);
}

/* Reads at most room - 1 bytes of root + path; false if it cannot be opened. */
static bool read_text(const char *root, const char *path, char *text, size_t room) {
    const int file = open_below(root, path);
    if (file < 0)
        return false;
    size_t length = 0;
    for (;;) {
        const ssize_t got = read(file, text + length, room - 1 - length);
        if (got <= 0)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
    close(file);
    return true;
}

/* The larger limit is no limit: 0 stands for none. */
static double tighter(double a, double b) {
    if (a == 0)
        return b;
    return b == 0 || a < b ? a : b;
}

static double ratio(long long quota, long long period) {
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* The limit that one group's folder states, in either version's files. */
static double limit_of_group(const char *root, const char *folder, bool v2) {
    char path[PATH_ROOM], text[256], period[256];
    if (v2) {
        if ((size_t)snprintf(path, sizeof path, "%s/cpu.max", folder) >= sizeof path ||
            !read_text(root, path, text, sizeof text))
            return 0;
        char *rest;
        const long long quota = strtoll(text, &rest, 10); /* "max 100000" gives 0 */
        return ratio(quota, strtoll(rest, NULL, 10));
    }
    if ((size_t)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", folder) >= sizeof path ||
        !read_text(root, path, text, sizeof text))
        return 0;
    if ((size_t)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder) >= sizeof path ||
        !read_text(root, path, period, sizeof period))
        return 0;
    return ratio(strtoll(text, NULL, 10), strtoll(period, NULL, 10)); /* -1: none */
}

/* The tightest limit from mount + group up to the mount. In a namespace the group's own folder may not be
 * visible; missing folders state no limit. */
static double limit_of_branch(const char *root, const char *mount, const char *group, bool v2) {
    char folder[PATH_ROOM];
    if ((size_t)snprintf(folder, sizeof folder, "%s%s", mount, strcmp(group, "/") ? group : "") >=
        sizeof folder)
        return 0;
    const size_t top = strlen(mount);
    double limit = 0;
    for (;;) {
        limit = tighter(limit, limit_of_group(root, folder, v2));
        char *slash = strrchr(folder, '/');
        if (!slash || (size_t)(slash - folder) < top)
            return limit;
        *slash = '\0';
    }
}

/* Whether a comma-separated list holds a word. */
static bool lists(const char *list, const char *word) {
    const size_t length = strlen(word);
    for (const char *at = list; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && strncmp(at, word, length) == 0)
            return true;
    return false;
}

/* One line of /proc/self/mountinfo: "id parent dev root mount options ... - type source super". */
typedef struct mount_line {
    char *root, *mount, *type, *super;
} mount_line;

static bool parse_mount(char *line, mount_line *mount) {
    char *separator = strstr(line, " - ");
    if (!separator)
        return false;
    *separator = '\0';
    char *save = NULL, *field[5] = {0};
    for (int i = 0; i < 5; i++)
        if (!(field[i] = strtok_r(i ? NULL : line, " ", &save)))
            return false;
    mount->root = field[3];
    mount->mount = field[4];
    mount->type = strtok_r(separator + 3, " ", &save);
    char *source = strtok_r(NULL, " ", &save);
    mount->super = strtok_r(NULL, " ", &save);
    return mount->type && source && mount->super;
}

/* The path of this process's group in /proc/self/cgroup: "0::/path" in v2, "4:cpu,cpuacct:/path" in v1. */
static bool find_group(const char *cgroups, bool v2, char *group, size_t room) {
    for (const char *line = cgroups; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        const char *controllers = strchr(line, ':');
        const char *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            return false;
        char names[256];
        const size_t length = (size_t)(path - controllers - 1);
        if (length >= sizeof names)
            continue;
        memcpy(names, controllers + 1, length);
        names[length] = '\0';
        if (v2 ? length == 0 : lists(names, "cpu"))
            return (size_t)snprintf(group, room, "%.*s", (int)strcspn(path + 1, "\n"), path + 1) < room;
    }
    return false;
}

/* A bind mount of a subtree (a container's) shows the group's path without the subtree's. */
static const char *below(const char *group, const char *subtree) {
    const size_t length = strcmp(subtree, "/") ? strlen(subtree) : 0;
    return strncmp(group, subtree, length) == 0 && (group[length] == '/' || !group[length]) ? group + length
                                                                                            : "/";
}

/* What one line of mountinfo, cut up in place, says of the limit: 0 unless it mounts a cpu controller. */
static double limit_of_mount(const char *root, char *line, const char *cgroups) {
    mount_line mount;
    char group[PATH_ROOM];
    if (!parse_mount(line, &mount))
        return 0;
    const bool v2 = strcmp(mount.type, "cgroup2") == 0;
    const bool v1 = strcmp(mount.type, "cgroup") == 0 && lists(mount.super, "cpu");
    if ((!v1 && !v2) || !find_group(cgroups, v2, group, sizeof group))
        return 0;
    return limit_of_branch(root, mount.mount, below(group, mount.root), v2);
}

/* Line by line, because a host of many containers has hundreds of kilobytes of mounts. A line longer than the
 * room is skipped: it mounts something with very many options, not a controller. */
static double limit_of_mounts(const char *root, int file, const char *cgroups) {
    char text[LINE_ROOM];
    size_t length = 0;
    double limit = 0;
    for (;;) {
        const ssize_t got = read(file, text + length, sizeof text - 1 - length);
        if (got <= 0)
            return limit;
        length += (size_t)got;
        text[length] = '\0';
        char *line = text, *end;
        for (; (end = strchr(line, '\n')); line = end + 1) {
            *end = '\0';
            limit = tighter(limit, limit_of_mount(root, line, cgroups));
        }
        length -= (size_t)(line - text);
        memmove(text, line, length);
        if (length == sizeof text - 1)
            length = 0;
    }
}

double gls_quota_read(const char *root) {
    char cgroups[LINE_ROOM];
    if (!read_text(root, "/proc/self/cgroup", cgroups, sizeof cgroups))
        return 0;
    const int mounts = open_below(root, "/proc/self/mountinfo");
    if (mounts < 0)
        return 0;
    const double limit = limit_of_mounts(root, mounts, cgroups);
    close(mounts);
    return limit;
}
