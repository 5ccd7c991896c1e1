/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How CBLAS shares the cores with the optimizer's team.
 *
 * The OpenMP flavour of OpenBLAS runs its products on the threads of the process's OpenMP runtime, which are
 * also the library's team: one pool, used by turns, nobody waits for a core. A flavour with threads of its
 * own gets one thread: two pools fight, since each goes on spinning on the cores when its turn is over
 * (measured on two cores: an epoch of `glissade train` took 10.5 s so, against 0.5 s in one pool).
 */
#ifndef GLISSADE_CLI_BLAS_H
#define GLISSADE_CLI_BLAS_H

#include <stddef.h>
#include <stdint.h>

/* Settles how many threads CBLAS uses beside a team of `threads`, where it can be told. */
void blas_set_threads(uint32_t threads);

/* How many it then uses, on which the last bits of its products depend; 0: nobody knows. */
uint32_t blas_threads(uint32_t threads);

/* Writes one line that says how the cores are shared. */
void blas_describe(uint32_t threads, char *text, size_t size);

#endif
