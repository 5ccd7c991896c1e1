/* SPDX-License-Identifier: Apache-2.0 */
/* Finding out about the emulator (see emulated.h). */
#include "emulated.h"

#include <stdlib.h>

#include "guarded.h"

bool emulated(void) {
    return getenv("EMULATION_COMMAND") != NULL;
}

#if defined(__x86_64__)
#include <immintrin.h>

/* Loads no lane at all. */
__attribute__((target("avx"))) static void load_nothing(void *context) {
    const float *x = context;
    volatile float lanes[8];
    const __m256 loaded = _mm256_maskload_ps(x, _mm256_setzero_si256());
    float plain[8];
    _mm256_storeu_ps(plain, loaded);
    for (int i = 0; i < 8; i++)
        lanes[i] = plain[i];
    (void)lanes;
}

static bool masked_loads_touch(void) {
    static int known = -1;
    guarded memory;
    if (known < 0 && guarded_open(&memory, 1)) {
        known = !guarded_run(load_nothing, memory.end, NULL);
        guarded_close(&memory);
    }
    return known == 1;
}

int emulated_place(glissade_isa isa, int place) {
    const bool at_risk = isa == GLISSADE_ISA_AVX2 && place == GUARDED_AT_END;
    return at_risk && emulated() && masked_loads_touch() ? GUARDED_OFFSETS - 1 : place;
}
#else
int emulated_place(glissade_isa isa, int place) {
    (void)isa;
    return place;
}
#endif
