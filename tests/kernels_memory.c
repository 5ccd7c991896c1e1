/* SPDX-License-Identifier: Apache-2.0 */
/* The kernels that only move memory, zero and read, on every instruction set that this machine can run; and the
 * guards that all tests of kernels rely on. Part of the kernels program. */
#include "dispatch.h"
#include "emulated.h"
#include "guarded.h"
#include "values.h"

#include <criterion/criterion.h>

enum { LONGEST = 2 * GLS_STREAMS_MAX * GLS_WALK_BLOCK + 1029, SHORT = 67, LENGTHS = SHORT + 6 };

/* 0 to 67, then longer. */
static size_t length_at(int i) {
    static const size_t longer[] = {1023, 4096 + 5, 5 * 1024 + 7, 16384 + 3, LONGEST};
    return i <= SHORT ? (size_t)i : longer[i - SHORT - 1];
}

/* ---- zero ---- */

typedef struct zeroing {
    gls_zero_kernel *run;
    float *x;
    size_t n;
} zeroing;

static void run_zeroing(void *context) {
    const zeroing *z = context;
    z->run(z->x, z->n);
}

static void check_zero(glissade_isa isa, const guarded *memory, int place, size_t n) {
    zeroing z = {gls_dispatch_kernels(isa)->zero, guarded_place(memory, emulated_place(isa, place), n), n};
    const char *name = glissade_isa_name(isa), *where = guarded_place_text(place);
    values_fill(z.x, n, FILL_BITS, n, 0);
    guarded_mark(memory, z.x, n);
    cr_assert(guarded_run(run_zeroing, &z, NULL), "zero on %s, n %zu %s: touched outside", name, n, where);
    for (size_t i = 0; i < n; i++)
        cr_assert(value_bits(z.x[i]) == 0, "zero on %s, n %zu %s: x[%zu] is 0x%08x", name, n, where, i,
                  value_bits(z.x[i]));
    cr_assert(guarded_marks_intact(memory, z.x, n), "zero on %s, n %zu %s: wrote outside", name, n, where);
}

Test(kernels_memory, zero) {
    guarded memory;
    cr_assert(guarded_open(&memory, LONGEST));
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (int i = 0; i < LENGTHS && glissade_isa_available(isa); i++)
            for (int place = 0; place < GUARDED_PLACES; place++)
                check_zero(isa, &memory, place, length_at(i));
    guarded_close(&memory);
}

/* ---- read ---- */

typedef struct reading {
    gls_read_kernel *run;
    const float *arrays[GLS_READ_ARRAYS_MAX];
    size_t count, n;
    gls_walk walk;
    uint32_t result;
} reading;

static guarded read_memory[GLS_READ_ARRAYS_MAX];
static float contents[GLS_READ_ARRAYS_MAX][LONGEST];

static void run_reading(void *context) {
    reading *r = context;
    r->result = r->run(r->arrays, r->count, r->n, &r->walk);
}

static void check_read(glissade_isa isa, int place, size_t count, size_t n, gls_walk walk) {
    reading r = {.run = gls_dispatch_kernels(isa)->read, .count = count, .n = n, .walk = walk};
    uint32_t wanted = 0;
    for (size_t a = 0; a < count; a++) {
        const int at = emulated_place(isa, (place + (int)a * 5) % GUARDED_PLACES);
        float *x = guarded_place(&read_memory[a], at, n);
        memcpy(x, contents[a], n * sizeof *x);
        r.arrays[a] = x;
        for (size_t i = 0; i < n; i++)
            wanted ^= value_bits(x[i]);
    }
    const char *name = glissade_isa_name(isa), *where = guarded_place_text(place);
    cr_assert(guarded_run(run_reading, &r, NULL),
              "read on %s, n %zu, %zu arrays, the first %s: touched outside", name, n, count, where);
    cr_assert(r.result == wanted,
              "read on %s, n %zu, %zu arrays, the first %s, streams %zu, lead %zu: 0x%08x, should be 0x%08x",
              name, n, count, where, walk.streams, walk.lead, r.result, wanted);
    for (size_t a = 0; a < count; a++)
        cr_assert(values_first_difference(r.arrays[a], contents[a], n, 0) == n,
                  "read on %s changed array %zu", name, a);
}

static void check_reads(glissade_isa isa, size_t n) {
    static const size_t streams[] = {1, 2, 3, 4, 6, 16};
    unsigned round = 0;
    for (size_t count = 0; count <= GLS_READ_ARRAYS_MAX; count++)
        for (size_t s = 0; s < sizeof streams / sizeof *streams; s++)
            for (int led = 0; led < 2; led++)
                for (int i = 0; i < 3; i++)
                    check_read(isa, (int)(round++ * 7 % GUARDED_PLACES), count, n,
                               (gls_walk){.streams = streams[s], .lead = led ? 512 : 0});
}

Test(kernels_memory, read) {
    for (size_t a = 0; a < GLS_READ_ARRAYS_MAX; a++) {
        cr_assert(guarded_open(&read_memory[a], LONGEST));
        values_fill(contents[a], LONGEST, FILL_BITS, a, 0);
    }
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (int i = 0; i < LENGTHS && glissade_isa_available(isa); i++)
            check_reads(isa, length_at(i));
}

/* ---- the guards themselves ---- */

static void read_byte(void *context) {
    (void)*(const volatile char *)context;
}

static void write_byte(void *context) {
    *(volatile char *)context = 1;
}

static void expect_fault(guarded_action *action, char *address) {
    const void *fault = NULL;
    cr_assert_not(guarded_run(action, address, &fault), "the guard let %p be touched", (void *)address);
    cr_assert_eq(fault, (const void *)address);
}

/* Without this, a guard that guards nothing would pass every test of the kernels. */
Test(kernels, guards_guard) {
    guarded memory;
    cr_assert(guarded_open(&memory, 5));
    char *begin = (char *)guarded_place(&memory, GUARDED_AT_START, 5);
    char *end = (char *)(guarded_place(&memory, GUARDED_AT_END, 5) + 5);
    expect_fault(read_byte, begin - 1);
    expect_fault(write_byte, begin - 1);
    expect_fault(read_byte, end);
    expect_fault(write_byte, end);
    cr_assert(guarded_run(write_byte, begin, NULL) && guarded_run(write_byte, end - 1, NULL));
    for (int place = 0; place < GUARDED_PLACES; place++) {
        float *x = guarded_place(&memory, place, 5);
        guarded_mark(&memory, x, 5);
        cr_assert(guarded_marks_intact(&memory, x, 5));
        cr_assert(place >= GUARDED_OFFSETS || (uintptr_t)x / sizeof(float) % 16 == (uintptr_t)place);
        ((char *)x)[place == GUARDED_AT_END ? -1 : 20] ^= 1;
        cr_assert_not(guarded_marks_intact(&memory, x, 5));
    }
    guarded_close(&memory);
}
