/* SPDX-License-Identifier: Apache-2.0 */
/* Noticing that the process was forked since the library was loaded. */
#ifndef GLS_FORK_H
#define GLS_FORK_H

#include <stdbool.h>
#include <stdint.h>

/* 1 in the process that loaded the library, one more in each child of a fork than in its parent. */
uint32_t gls_fork_generation(void);

/* Whether this process is a child: its OpenMP runtime must not be asked for a team. */
bool gls_fork_is_child(void);

#endif
