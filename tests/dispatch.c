/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Choosing instruction sets, on whatever CPU this runs on, emulated ones included: what is offered is what
 * the compiler's own detection finds, the best of it is chosen, and a step with each executes nothing that
 * the CPU lacks.
 */
#include "dispatch.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

#include "glissade/glissade.h"

static const glissade_isa all[] = {GLISSADE_ISA_SCALAR, GLISSADE_ISA_AVX2, GLISSADE_ISA_AVX512,
                                   GLISSADE_ISA_NEON};
enum { ISA_COUNT = sizeof all / sizeof *all };

/* The compiler's runtime looks at CPUID and at what the operating system saves, as the library does by its
 * own code. */
static bool compiler_finds(glissade_isa isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == GLISSADE_ISA_AVX2)
        return avx2;
    if (isa == GLISSADE_ISA_AVX512)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return isa == GLISSADE_ISA_SCALAR;
#else
    return isa == GLISSADE_ISA_SCALAR || isa == GLISSADE_ISA_NEON;
#endif
}

Test(dispatch, offers_what_the_cpu_has) {
    for (int i = 0; i < ISA_COUNT; i++)
        cr_expect_eq(glissade_isa_available(all[i]), compiler_finds(all[i]), "%s", glissade_isa_name(all[i]));
}

Test(dispatch, available_implies_built) {
    for (int i = 0; i < ISA_COUNT; i++) {
        cr_expect(!glissade_isa_available(all[i]) || glissade_isa_built(all[i]));
        cr_expect_eq(gls_dispatch_kernels(all[i]) != NULL, glissade_isa_built(all[i]));
    }
    cr_expect(!glissade_isa_built(GLISSADE_ISA_AUTO));
    cr_expect(!glissade_isa_built((glissade_isa)99));
    cr_expect_null(glissade_isa_name((glissade_isa)99));
}

Test(dispatch, chooses_the_best) {
    glissade_isa best = GLISSADE_ISA_SCALAR;
    for (int i = 0; i < ISA_COUNT; i++)
        if (glissade_isa_available(all[i]))
            best = all[i];
    cr_expect_eq(gls_dispatch_best(), best);
}

/* Criterion's messages are shown for failures only; this line tells a reader of the log which CPU it was. */
Test(dispatch, steps_with_each) {
    static float parameter[1003], gradient[1003];
    for (int i = 0; i < ISA_COUNT; i++) {
        if (!glissade_isa_available(all[i]))
            continue;
        cr_log_info("this CPU runs %s", glissade_isa_name(all[i]));
        glissade_engine_options options;
        glissade_engine_options_init(&options, sizeof options);
        options.isa = all[i];
        options.threads = 1;
        glissade_engine *engine;
        glissade_optimizer *optimizer;
        cr_assert_eq(glissade_engine_create(&options, &engine, NULL), GLISSADE_STATUS_OK);
        cr_assert_eq(glissade_optimizer_create(engine, &optimizer, NULL), GLISSADE_STATUS_OK);
        for (int j = 0; j < 1003; j++) {
            parameter[j] = 1;
            gradient[j] = (float)j;
        }
        glissade_tensor tensor;
        glissade_tensor_init(&tensor, sizeof tensor);
        tensor.parameter = parameter;
        tensor.gradient = gradient;
        tensor.length = 1003;
        glissade_sgd_options sgd;
        glissade_sgd_options_init(&sgd, sizeof sgd);
        sgd.learning_rate = 0.5;
        uint32_t group;
        cr_assert_eq(glissade_optimizer_add_sgd(optimizer, &tensor, 1, &sgd, &group), GLISSADE_STATUS_OK);
        cr_assert_eq(glissade_optimizer_step(optimizer, NULL, NULL), GLISSADE_STATUS_OK);
        for (int j = 0; j < 1003; j++)
            cr_assert(parameter[j] == 1 - 0.5f * (float)j, "%s, element %d: %g", glissade_isa_name(all[i]), j,
                      parameter[j]);
        glissade_optimizer_destroy(&optimizer);
        glissade_engine_destroy(&engine);
    }
}
