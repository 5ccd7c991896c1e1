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
#include "naive.h"
#include "reads.h"
#include "sgd.h"
#include "team.h"
#include "tuner.h"
#include "tuning.h"
}

/* The suite's own loops, as fast as this machine takes them. Asked once: each question to the CPU leaves a
 * virtual machine, for 20 us and more. */
inline bool best_is_avx2() {
    static const bool is = glissade_isa_available(GLISSADE_ISA_AVX2);
    return is;
}
#if defined(__x86_64__)
#define BENCH_BEST(table) (best_is_avx2() ? table##_avx2 : table##_baseline)
#else
#define BENCH_BEST(table) table##_baseline
#endif
inline const bench_loops &best_loops() {
    return BENCH_BEST(bench_loops);
}
inline const bench_reads &best_reads() {
    return BENCH_BEST(bench_reads);
}
inline const bench_naive &best_naive() {
    return BENCH_BEST(bench_naive);
}

#endif
