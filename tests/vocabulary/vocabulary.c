/* SPDX-License-Identifier: Apache-2.0 */
/* The vector vocabulary of each instruction set that this machine can run, operation by operation. */
#include "vocabulary.h"

#include <criterion/criterion.h>

#include "emulated.h"
#include "guarded.h"
#include "values.h"

/* An instruction set that the machine lacks is skipped, and says so. */
static void test(glissade_isa isa, int (*run)(char *message, size_t room, int at_end)) {
    char message[256] = "";
    if (!glissade_isa_available(isa))
        cr_skip_test("this machine cannot run %s", glissade_isa_name(isa));
    const int failed = run(message, sizeof message, emulated_place(isa, GUARDED_AT_END));
    cr_assert(failed == 0, "%s: %d failures, the first: %s", glissade_isa_name(isa), failed, message);
}

#define GLS_ISA(name, enumerator)                                                                            \
    Test(vocabulary, name) {                                                                                 \
        test(enumerator, vocabulary_test_##name);                                                            \
    }
#include "isas.def"
#undef GLS_ISA

/* That the operands can tell a fused operation from two: otherwise the comparison above proves nothing. */
Test(vocabulary, operands_tell_fused_from_unfused) {
    static uint32_t a[OPERANDS_ROOM], b[OPERANDS_ROOM], c[OPERANDS_ROOM];
    const size_t count = expected_operands(a, b, c);
    size_t differing = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t unfused = expected_add(expected_mul(a[i], b[i], 0), c[i], 0);
        differing += value_canonical(unfused) != value_canonical(expected_fma(a[i], b[i], c[i]));
    }
    cr_assert_gt(differing, count / 100, "%zu of %zu", differing, count);
    const uint32_t one_and_more = 0x3F800800u, minus_square = 0xBF801000u;
    cr_assert_eq(expected_fma(one_and_more, one_and_more, minus_square), 0x33800000u); /* 2^-24 */
    cr_assert_eq(expected_add(expected_mul(one_and_more, one_and_more, 0), minus_square, 0), 0u);
}
