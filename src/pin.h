/* SPDX-License-Identifier: Apache-2.0 */
/* The calling thread's CPU affinity: reading it, binding to one CPU, putting it back. */
#ifndef GLS_PIN_H
#define GLS_PIN_H

#include <stdbool.h>
#include <stdint.h>

/* A set of CPUs by the operating system's numbers, wide enough for any kernel's (8,192 at most today). */
enum { GLS_CPU_MAX = 8192 };
typedef struct gls_cpuset {
    uint64_t words[GLS_CPU_MAX / 64];
} gls_cpuset;

static inline bool gls_cpuset_has(const gls_cpuset *set, uint32_t cpu) {
    return cpu < GLS_CPU_MAX && (set->words[cpu / 64] >> (cpu % 64) & 1);
}

static inline void gls_cpuset_add(gls_cpuset *set, uint32_t cpu) {
    if (cpu < GLS_CPU_MAX)
        set->words[cpu / 64] |= UINT64_C(1) << (cpu % 64);
}

/* CPUs that the calling thread may run on. False, and set empty, if the kernel does not tell. */
bool gls_pin_read(gls_cpuset *set);

/* Binds the calling thread to one CPU and saves where it was. False, and nothing changed, if that cannot be
 * done. */
bool gls_pin_bind(uint32_t cpu, gls_cpuset *saved);

/* Puts the calling thread back to a saved set. */
void gls_pin_restore(const gls_cpuset *saved);

#endif
