/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing kernels by what the CPU has and the operating system saves. CPUID alone is not enough: without the
 * system's consent (XCR0) the wide registers are lost at a context switch.
 */
#include "dispatch.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

static const struct entry {
    const char *name;
    glissade_isa isa;
    const gls_kernels *kernels;
} built[] = {
#define GLS_ISA(name, enumerator) {#name, enumerator, &gls_kernels_##name},
#include "isas.def"
#undef GLS_ISA
};

enum { BUILT_COUNT = sizeof built / sizeof *built };

#if defined(__x86_64__)
/* XCR0: which register states the operating system saves. */
static uint64_t enabled_states(void) {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static bool can_run(glissade_isa isa) {
    enum { YMM = 0x6, ZMM = 0xE6 }; /* SSE and AVX state; with opmask and both halves of ZMM */
    const uint32_t avx2 = bit_AVX2, avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512DQ | bit_AVX512VL;
    if (isa == GLISSADE_ISA_SCALAR)
        return true;
    uint32_t eax, ebx, ecx, edx;
    const uint32_t base = bit_OSXSAVE | bit_AVX | bit_FMA | bit_F16C;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx & base) != base)
        return false;
    const uint64_t states = enabled_states();
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) || (ebx & avx2) != avx2 || (states & YMM) != YMM)
        return false;
    return isa == GLISSADE_ISA_AVX2 || ((ebx & avx512) == avx512 && (states & ZMM) == ZMM);
}
#else
static bool can_run(glissade_isa isa) {
    (void)isa; /* Advanced SIMD is part of AArch64 */
    return true;
}
#endif

static const struct entry *find(glissade_isa isa) {
    for (int i = 0; i < BUILT_COUNT; i++)
        if (built[i].isa == isa)
            return &built[i];
    return NULL;
}

const char *glissade_isa_name(glissade_isa isa) {
    static const char *const names[] = {"auto", "scalar", "avx2", "avx512", "neon"};
    return (size_t)isa < sizeof names / sizeof *names ? names[isa] : NULL;
}

bool glissade_isa_built(glissade_isa isa) {
    return find(isa) != NULL;
}

bool glissade_isa_available(glissade_isa isa) {
    return find(isa) && can_run(isa);
}

glissade_isa gls_dispatch_best(void) {
    for (int i = BUILT_COUNT - 1; i > 0; i--)
        if (can_run(built[i].isa))
            return built[i].isa;
    return GLISSADE_ISA_SCALAR;
}

const gls_kernels *gls_dispatch_kernels(glissade_isa isa) {
    const struct entry *entry = find(isa);
    return entry ? entry->kernels : NULL;
}
