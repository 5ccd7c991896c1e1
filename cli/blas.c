/* SPDX-License-Identifier: Apache-2.0 */
/* The thread control of CBLAS. Must not compute anything: network.c calls CBLAS for that. */
#include "blas.h"

#include <cblas.h>
#include <omp.h>
#include <stdio.h>

uint32_t blas_threads(uint32_t threads) {
#ifdef HAVE_OPENBLAS
    return openblas_get_parallel() == OPENBLAS_OPENMP ? threads : 1;
#else
    (void)threads;
    return 0;
#endif
}

void blas_set_threads(uint32_t threads) {
    /* The OpenMP flavour asks OpenMP before every product, and lets its answer overrule its own setting. */
    omp_set_num_threads((int)threads);
#ifdef HAVE_OPENBLAS
    openblas_set_num_threads((int)blas_threads(threads));
#endif
}

void blas_describe(uint32_t threads, char *text, size_t size) {
#ifdef HAVE_OPENBLAS
    if (openblas_get_parallel() == OPENBLAS_OPENMP)
        snprintf(text, size, "OpenBLAS and the optimizer step take turns on the same OpenMP threads (%u)",
                 threads);
    else
        snprintf(text, size,
                 "the optimizer step runs on %u threads, OpenBLAS on one, since a second pool would fight "
                 "the first; its OpenMP flavour would share the %u",
                 threads, threads);
#else
    snprintf(text, size, "the optimizer step runs on %u threads; this CBLAS manages its own", threads);
#endif
}
