/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A good guest: what every entry point that computes, and every worker thread, saves on entering and restores
 * on leaving: errno and the whole floating-point control and status word. In between, the default holds:
 * rounding to nearest, all exceptions masked, subnormals honoured.
 */
#ifndef GLS_GUEST_H
#define GLS_GUEST_H

#include <errno.h>
#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

typedef struct gls_guest {
    uint64_t control, status; /* MXCSR holds both; AArch64 has FPCR and FPSR */
    int error_number;
} gls_guest;

static inline gls_guest gls_guest_enter(void) {
    gls_guest guest = {.error_number = errno};
#if defined(__x86_64__)
    guest.control = _mm_getcsr();
    _mm_setcsr(0x1F80);
#else
    __asm__ volatile("mrs %0, fpcr" : "=r"(guest.control));
    __asm__ volatile("mrs %0, fpsr" : "=r"(guest.status));
    __asm__ volatile("msr fpcr, %0" : : "r"(UINT64_C(0)) : "memory");
#endif
    return guest;
}

static inline void gls_guest_leave(const gls_guest *guest) {
#if defined(__x86_64__)
    _mm_setcsr((unsigned)guest->control);
#else
    __asm__ volatile("msr fpcr, %0" : : "r"(guest->control) : "memory");
    __asm__ volatile("msr fpsr, %0" : : "r"(guest->status) : "memory");
#endif
    errno = guest->error_number;
}

#endif
