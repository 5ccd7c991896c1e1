/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory between two pages that may not be touched, so that a test sees a single byte read or written outside
 * an array. An array that ends or starts exactly at such a page is guarded by the hardware on that side; one
 * anywhere else is surrounded by marks, which show writes only.
 *
 *     guarded memory;
 *     if (!guarded_open(&memory, 1000)) ...
 *     float *x = guarded_place(&memory, GUARDED_AT_END, 1000);
 *     ... fill x ...
 *     guarded_mark(&memory, x, 1000);
 *     if (!guarded_run(action, context, &fault)) ... it touched `fault` ...
 *     if (!guarded_marks_intact(&memory, x, 1000)) ...
 *     guarded_close(&memory);
 */
#ifndef TESTS_SUPPORT_GUARDED_H
#define TESTS_SUPPORT_GUARDED_H

#include <stdbool.h>
#include <stddef.h>

typedef struct guarded {
    float *begin, *end; /* what may be touched; the bytes before and after may not */
} guarded;

/* Where an array lies: so many elements past a multiple of 64 bytes, or against one of the guards. */
enum {
    GUARDED_OFFSETS = 16, /* places 0 to 15 are these offsets */
    GUARDED_AT_END = 16,
    GUARDED_AT_START = 17,
    GUARDED_PLACES = 18,
};

/* Room for arrays of up to so many elements, at any place. False: the system refused, nothing was opened. */
bool guarded_open(guarded *memory, size_t elements);
void guarded_close(guarded *memory);

/* The address of an array of n elements at a place; and that place in words. */
float *guarded_place(const guarded *memory, int place, size_t n);
const char *guarded_place_text(int place);

/* Writes the marks around x[0 .. n - 1]; and tells whether all are still there. */
void guarded_mark(const guarded *memory, float *x, size_t n);
bool guarded_marks_intact(const guarded *memory, const float *x, size_t n);

/*
 * Runs action(context). False if it touched what may not be touched: *fault (if not NULL) is then the
 * address, and the action was abandoned there. One thread at a time; takes over SIGSEGV and SIGBUS.
 */
typedef void guarded_action(void *context);
bool guarded_run(guarded_action *action, void *context, const void **fault);

#endif
