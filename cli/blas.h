/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How CBLAS shares the cores with the optimizer's team.
 *
 * The OpenMP flavour of OpenBLAS runs its products on the threads of the process's OpenMP runtime, which are
 * also the library's team: one pool, used by turns, nobody waits for a core. With another flavour there are
 * two pools of the same size; they work by turns too, but a pool that has just finished goes on spinning for
 * a while on the cores that the other needs.
 */
#ifndef GLISSADE_CLI_BLAS_H
#define GLISSADE_CLI_BLAS_H

#include <stddef.h>
#include <stdint.h>

/* Makes CBLAS use as many threads as the team, where it can be told. */
void blas_set_threads(uint32_t threads);

/* Writes one line that says how the cores are shared. */
void blas_describe(uint32_t threads, char *text, size_t size);

#endif
