/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The CPU quota, read from invented /proc and cgroup file systems in a folder of its own: version 2, version
 * 1, both, nested groups, containers, namespaces, and files that are missing, empty, odd or long.
 */
#include "quota.h"

#include "scenario.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[4096];

static void make_root(void) {
    const char *folder = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/glissade-quota-XXXXXX", folder ? folder : "/tmp");
    cr_assert_not_null(mkdtemp(root), "no folder %s", root);
}

static int remove_entry(const char *path, const struct stat *status, int flag, struct FTW *walk) {
    (void)status;
    (void)flag;
    (void)walk;
    return remove(path);
}

static void remove_root(void) {
    nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void start_over(void) {
    remove_root();
    make_root();
}

TestSuite(quota, .init = make_root, .fini = remove_root);

/* Writes a file below the root, with the folders that it needs. */
static void put(const char *path, const char *text) {
    char full[8192];
    snprintf(full, sizeof full, "%s%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        REQUIRE(mkdir(full, 0777) == 0 || errno == EEXIST, "cannot make %s", full);
        *slash = '/';
    }
    FILE *stream = fopen(full, "w");
    REQUIRE(stream, "cannot write %s", full);
    fputs(text, stream);
    fclose(stream);
}

#define MOUNTS "/proc/self/mountinfo"
#define GROUPS "/proc/self/cgroup"
#define V2     "30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1                                                                                                   \
    "33 32 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:10 - cgroup cgroup rw,cpu,cpuacct\n"           \
    "34 32 0:31 / /sys/fs/cgroup/cpuset rw,nosuid shared:11 - cgroup cgroup rw,cpuset\n"
#define OTHERS                                                                                               \
    "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"                                                \
    "23 22 0:21 / /proc rw - proc proc rw\n"

static void check(double expected, const char *what) {
    const double found = gls_quota_read(root);
    cr_assert(found > expected - 1e-9 && found < expected + 1e-9, "%s: %g CPUs, not %g", what, found,
              expected);
}

/* ---- version 2 ---- */

Test(quota, version_2) {
    put(MOUNTS, OTHERS V2);
    put(GROUPS, "0::/user.slice/work\n");
    check(0, "no limit anywhere");
    put("/sys/fs/cgroup/user.slice/work/cpu.max", "max 100000\n");
    check(0, "max");
    put("/sys/fs/cgroup/user.slice/work/cpu.max", "150000 100000\n");
    check(1.5, "its own limit");
    put("/sys/fs/cgroup/user.slice/cpu.max", "800000 100000\n");
    check(1.5, "a looser limit above");
    put("/sys/fs/cgroup/user.slice/cpu.max", "50000 100000\n");
    check(0.5, "a tighter limit above");
    put("/sys/fs/cgroup/user.slice/work/cpu.max", "max 100000\n");
    check(0.5, "a limit above alone");
    put("/sys/fs/cgroup/cpu.max", "20000 100000\n");
    check(0.2, "a limit at the mount");
    put("/sys/fs/cgroup/elsewhere/cpu.max", "1000 100000\n");
    check(0.2, "a limit of a group that is not ours");
    put("/sys/fs/cpu.max", "1000 100000\n");
    put("/cpu.max", "1000 100000\n");
    check(0.2, "files above the mount");
}

Test(quota, version_2_periods) {
    put(MOUNTS, OTHERS V2);
    put(GROUPS, "0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "25000 10000\n");
    check(2.5, "another period");
    put("/sys/fs/cgroup/a/cpu.max", "6400000000 1000000\n");
    check(6400, "a quota above 2^32");
    put("/sys/fs/cgroup/a/cpu.max", "230000 100000\n");
    check(2.3, "a fraction");
}

Test(quota, version_2_at_the_top) {
    put(MOUNTS, OTHERS V2);
    put(GROUPS, "0::/\n");
    check(0, "the root group has no file");
    put("/sys/fs/cgroup/cpu.max", "300000 100000\n");
    check(3, "a namespace's own root");
    put(GROUPS, "0::/");
    check(3, "no newline at the end");
}

/* ---- version 1 ---- */

static void put_v1(const char *folder, const char *quota, const char *period) {
    char path[4096];
    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu,cpuacct%s/cpu.cfs_quota_us", folder);
    put(path, quota);
    snprintf(path, sizeof path, "/sys/fs/cgroup/cpu,cpuacct%s/cpu.cfs_period_us", folder);
    put(path, period);
}

Test(quota, version_1) {
    put(MOUNTS, OTHERS V1);
    put(GROUPS, "5:cpuset:/other\n4:cpu,cpuacct:/outer/inner\n1:name=systemd:/user\n");
    check(0, "no files");
    put_v1("/outer/inner", "-1\n", "100000\n");
    check(0, "-1");
    put_v1("/outer/inner", "250000\n", "100000\n");
    check(2.5, "its own limit");
    put_v1("/outer", "150000\n", "100000\n");
    check(1.5, "a tighter limit above");
    put_v1("", "75000\n", "100000\n");
    check(0.75, "a limit at the mount");
    put("/sys/fs/cgroup/cpuset/other/cpu.cfs_quota_us", "1000\n");
    put("/sys/fs/cgroup/cpuset/other/cpu.cfs_period_us", "100000\n");
    check(0.75, "files of another controller");
}

/* Controllers in other orders and company; names that merely contain "cpu". */
Test(quota, version_1_names) {
    put(MOUNTS, OTHERS "33 32 0:30 / /cg/cpu rw - cgroup cgroup rw,cpuacct,cpu\n"
                       "34 32 0:31 / /cg/acct rw - cgroup cgroup rw,cpuacct\n");
    put(GROUPS, "9:cpuacct:/acct\n8:cpuset:/set\n7:cpuacct,cpu:/ours\n");
    put("/cg/cpu/ours/cpu.cfs_quota_us", "400000\n");
    put("/cg/cpu/ours/cpu.cfs_period_us", "100000\n");
    put("/cg/acct/ours/cpu.cfs_quota_us", "1\n");
    put("/cg/acct/ours/cpu.cfs_period_us", "100000\n");
    check(4, "cpuacct,cpu");
}

Test(quota, version_1_half_there) {
    put(MOUNTS, OTHERS V1);
    put(GROUPS, "4:cpu,cpuacct:/a\n");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "100000\n");
    check(0, "no period");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "0\n");
    check(0, "a period of 0");
    put("/sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "");
    check(0, "an empty period");
}

/* ---- both, containers ---- */

Test(quota, hybrid_of_both_versions) {
    put(MOUNTS, OTHERS V1 "40 32 0:35 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    put(GROUPS, "4:cpu,cpuacct:/a\n0::/b\n");
    put_v1("/a", "300000\n", "100000\n");
    check(3, "version 1 counts");
    put("/sys/fs/cgroup/unified/b/cpu.max", "200000 100000\n");
    check(2, "the tighter of both");
    put_v1("/a", "100000\n", "100000\n");
    check(1, "the tighter of both, the other way round");
}

/* The container sees its own subtree mounted as if it were the top, but its group by the host's path. */
Test(quota, bind_mount_of_a_container) {
    put(MOUNTS, OTHERS "30 24 0:26 /docker/abc /sys/fs/cgroup ro - cgroup2 cgroup ro\n");
    put(GROUPS, "0::/docker/abc\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    check(1.5, "its own group is the mount");
    put(GROUPS, "0::/docker/abc/child\n");
    put("/sys/fs/cgroup/child/cpu.max", "50000 100000\n");
    check(0.5, "a group below it");
    put(GROUPS, "0::/docker/abcdef\n");
    check(1.5, "another container whose name begins alike");

    start_over();
    put(MOUNTS,
        OTHERS "33 32 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n");
    put(GROUPS, "4:cpu,cpuacct:/docker/abc\n");
    put_v1("", "250000\n", "100000\n");
    check(2.5, "version 1");
}

/* A namespace hides what is above: the group's path is "/", or leads out of it. */
Test(quota, namespaces) {
    put(MOUNTS, OTHERS "30 24 0:26 /../../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    put(GROUPS, "0::/\n");
    put("/sys/fs/cgroup/cpu.max", "150000 100000\n");
    check(1.5, "a mount whose root lies outside");
    start_over();
    put(MOUNTS, OTHERS V2);
    put(GROUPS, "0::/not/visible/here\n");
    put("/sys/fs/cgroup/cpu.max", "350000 100000\n");
    check(3.5, "a path that does not exist below the mount");
}

/* ---- odd files ---- */

Test(quota, nothing_there) {
    check(0, "no files at all");
    put(MOUNTS, OTHERS V2);
    check(0, "no cgroup file");
    put(GROUPS, "");
    check(0, "an empty cgroup file");
    put(GROUPS, "0::/a\n");
    put(MOUNTS, "");
    check(0, "an empty mountinfo");
    put(MOUNTS, OTHERS);
    check(0, "no cgroup mounted");
}

Test(quota, odd_lines) {
    static const char *const texts[] = {"",         "\n",          " ",           "max",
                                        "max\n",    "-1 100000\n", "0 100000\n",  "x",
                                        "100000\n", "100000 0\n",  "100000 -5\n", "100000 max\n"};
    put(GROUPS, "0::/a\n");
    put(MOUNTS, OTHERS V2);
    put("/sys/fs/cgroup/a/cpu.max", "100000 100000\n");
    check(1, "a good line, for comparison");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        put("/sys/fs/cgroup/a/cpu.max", texts[i]);
        put("/sys/fs/cgroup/cpu.max", "max 100000\n");
        check(0, texts[i]);
    }
}

Test(quota, good_lines_behind_odd_ones) {
    put(MOUNTS, "garbage\n\n - \n1 2 3 - cgroup2\n1 2 3 4 5 - cgroup2 cgroup2\n" V2);
    put(GROUPS, "0::/a\n");
    put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    check(2, "odd lines in mountinfo");
    put(MOUNTS, "30 24 0:26 / /sys/fs/cgroup rw shared:1 master:2 propagate_from:3 - cgroup2 cgroup2 rw\n");
    check(2, "several optional fields");
    put(MOUNTS, "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 none rw,memory_recursiveprot\n");
    check(2, "no optional fields, another source");
}

/* Files that outgrow any buffer: many mounts before ours, and long paths. */
static void put_long(const char *path, const char *filler, size_t bytes, const char *last) {
    const size_t room = bytes + strlen(filler) + strlen(last) + 1;
    char *text = malloc(room);
    size_t length = 0;
    while (length < bytes)
        length += (size_t)snprintf(text + length, room - length, "%s", filler);
    snprintf(text + length, room - length, "%s", last);
    put(path, text);
    free(text);
}

Test(quota, long_files) {
    put("/sys/fs/cgroup/a/cpu.max", "200000 100000\n");
    put(GROUPS, "0::/a\n");
    put_long(MOUNTS, "99 22 0:99 / /var/lib/containers/overlay/merged rw - overlay overlay rw,lowerdir=/x\n",
             60000, V2);
    check(2, "60,000 bytes of mounts");
    put_long(MOUNTS, "99 22 0:99 / /var/lib/containers/overlay/merged rw - overlay overlay rw,lowerdir=/x\n",
             200000, V2);
    check(2, "200,000 bytes of mounts, as a host of many containers has");
    put_long(GROUPS,
             "7:pids:/kubepods.slice/kubepods-burstable.slice/pod12345/container-12345678901234567890\n",
             3000, "0::/a\n");
    put(MOUNTS, V2);
    check(2, "3,000 bytes of groups");
    put_long(GROUPS,
             "7:pids:/kubepods.slice/kubepods-burstable.slice/pod12345/container-12345678901234567890\n",
             9000, "0::/a\n");
    check(2, "9,000 bytes of groups");
}

Test(quota, deep_groups) {
    char path[3000] = "", file[4096], line[4096];
    while (strlen(path) < 2800)
        strcat(path, "/a-rather-long-name-of-a-slice.slice");
    put(MOUNTS, OTHERS V2);
    snprintf(line, sizeof line, "0::%s\n", path);
    put(GROUPS, line);
    snprintf(file, sizeof file, "/sys/fs/cgroup%s/cpu.max", path);
    put(file, "100000 100000\n");
    check(1, "a path of 2,800 bytes");
    put("/sys/fs/cgroup/a-rather-long-name-of-a-slice.slice/cpu.max", "10000 100000\n");
    check(0.1, "its first ancestor");
}
