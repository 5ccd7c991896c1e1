/* SPDX-License-Identifier: Apache-2.0 */
/* The library and its inside, for C++. */
#ifndef BENCH_LIBRARY_H
#define BENCH_LIBRARY_H

#include "glissade/glissade.h"

extern "C" {
#include "alloc.h"
#include "debias.h"
#include "dispatch.h"
#include "inside.h"
#include "kernel.h"
#include "loops.h"
#include "sgd.h"
#include "team.h"
#include "tuner.h"
#include "tuning.h"
}

/* The suite's own loops, as fast as this machine takes them. Asked once: each question to the CPU leaves a
 * virtual machine, for 20 us and more. */
inline const bench_loops &best_loops() {
#if defined(__x86_64__)
    static const bench_loops &best =
        glissade_isa_available(GLISSADE_ISA_AVX2) ? bench_loops_avx2 : bench_loops_baseline;
    return best;
#else
    return bench_loops_baseline;
#endif
}

#endif
