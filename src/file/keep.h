/* SPDX-License-Identifier: Apache-2.0 */
/* Numbered files beside the one that is always the latest: "model-00000000000000000007.safetensors". */
#ifndef GLS_KEEP_H
#define GLS_KEEP_H

#include "path.h"

/* The numbered name of a path. False if it is too long for a name. */
bool gls_keep_name(char name[GLS_NAME_MAX + 1], const gls_path *path, uint64_t number);

/* Removes numbered files of the path, not the one with `number`, until `keep` remain: first those with higher numbers,
 * which are of a course that was given up, from the highest down; then those with lower ones, from the lowest up. What
 * cannot be removed stays. */
void gls_keep_prune(const gls_path *path, uint32_t keep, uint64_t number);

#endif
