/* SPDX-License-Identifier: Apache-2.0 */
/* The CPU quota of the control group that this process is in. */
#ifndef GLS_QUOTA_H
#define GLS_QUOTA_H

/*
 * CPUs' worth of time granted, the smallest on the way from the process's group to the top; 0 if there is no
 * limit. `root` is put before /proc and the mount points found there: "" for this machine, a folder in tests.
 */
double gls_quota_read(const char *root);

#endif
