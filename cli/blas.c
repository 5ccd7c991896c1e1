/* SPDX-License-Identifier: Apache-2.0 */
/* The thread control of CBLAS. Must not compute anything: network.c calls CBLAS for that. */
#include "blas.h"

#include <cblas.h>
#include <omp.h>
#include <stdio.h>

void blas_set_threads(uint32_t threads) {
    /* The OpenMP flavour asks OpenMP before every product, and lets its answer overrule its own setting. */
    omp_set_num_threads((int)threads);
#ifdef HAVE_OPENBLAS
    openblas_set_num_threads((int)threads);
#endif
}

void blas_describe(uint32_t threads, char *text, size_t size) {
#ifdef HAVE_OPENBLAS
    switch (openblas_get_parallel()) {
    case 2: /* OpenMP */
        snprintf(text, size, "OpenBLAS and the optimizer step take turns on the same OpenMP threads (%u)",
                 threads);
        return;
    case 1: /* its own threads */
        snprintf(text, size,
                 "OpenBLAS has its own %u threads beside the step's %u; its OpenMP flavour would share them",
                 threads, threads);
        return;
    default:
        snprintf(text, size, "OpenBLAS runs on one thread, the optimizer step on %u", threads);
        return;
    }
#else
    snprintf(text, size, "this CBLAS manages its threads itself, beside the optimizer step's %u", threads);
#endif
}
