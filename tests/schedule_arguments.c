/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Schedules: arguments that make the result NaN, options structs of every size, and surroundings that change neither
 * results nor themselves.
 */
#include "glissade/schedule.h"
#include "values.h"

#include <criterion/criterion.h>

#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <math.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

/* ---- refused ---- */

#define REFUSED(call) cr_assert(isnan(call), "%s is %g", #call, call)
#define TAKEN(call)   cr_assert((call) >= 0, "%s is %g", #call, call)

static const double bad_rates[] = {NAN, -NAN, INFINITY, -INFINITY, -1, -DBL_TRUE_MIN, 0x1p128, DBL_MAX};
enum { BAD_RATES = sizeof bad_rates / sizeof *bad_rates };

Test(schedule_arguments, rates) {
    for (uint64_t t = 0; t < 12; t += 5)
        for (int i = 0; i < BAD_RATES; i++) {
            const double bad = bad_rates[i];
            REFUSED(glissade_schedule_constant(t, bad, 0.1, 10));
            REFUSED(glissade_schedule_constant(t, 0.1, bad, 10));
            REFUSED(glissade_schedule_linear(t, bad, 0.1, 10));
            REFUSED(glissade_schedule_linear(t, 0.1, bad, 10));
            REFUSED(glissade_schedule_cosine(t, bad, 0.1, 10));
            REFUSED(glissade_schedule_cosine(t, 0.1, bad, 10));
            REFUSED(glissade_schedule_polynomial(t, bad, 0.1, 10, 2));
            REFUSED(glissade_schedule_polynomial(t, 0.1, bad, 10, 2));
            REFUSED(glissade_schedule_cosine_restarts(t, bad, 0.1, 10, 2));
            REFUSED(glissade_schedule_cosine_restarts(t, 0.1, bad, 10, 2));
            REFUSED(glissade_schedule_warm_up(t, bad, 10));
            REFUSED(glissade_schedule_inverse_sqrt(t, bad, 10));
            REFUSED(glissade_schedule_exponential(t, bad, 0.5));
            REFUSED(glissade_schedule_step(t, bad, 0.5, 3));
            REFUSED(glissade_schedule_multi_step(t, bad, 0.5, NULL, 0));
        }
    TAKEN(glissade_schedule_linear(5, (double)FLT_MAX, 0, 10));
    TAKEN(glissade_schedule_linear(5, -0.0, DBL_TRUE_MIN, 10));
}

Test(schedule_arguments, factors) {
    static const double bad[] = {NAN, INFINITY, -INFINITY, -0.5, -DBL_TRUE_MIN};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSED(glissade_schedule_exponential(1, 0.1, bad[i]));
        REFUSED(glissade_schedule_exponential(0, 0.1, bad[i]));
        REFUSED(glissade_schedule_step(1, 0.1, bad[i], 3));
        REFUSED(glissade_schedule_multi_step(1, 0.1, bad[i], NULL, 0));
        REFUSED(glissade_schedule_polynomial(1, 0.1, 0, 10, bad[i]));
        REFUSED(glissade_schedule_polynomial(11, 0.1, 0, 10, bad[i]));
    }
    REFUSED(glissade_schedule_polynomial(1, 0.1, 0, 10, 0));
    TAKEN(glissade_schedule_polynomial(1, 0.1, 0, 10, DBL_MAX));
    TAKEN(glissade_schedule_polynomial(1, 0.1, 0, 10, DBL_TRUE_MIN));
    TAKEN(glissade_schedule_exponential(1, 0.1, DBL_MAX));
}

Test(schedule_arguments, counts_and_lists) {
    static const uint64_t falling[] = {5, 9, 8}, level[] = {5, 5, 5};
    REFUSED(glissade_schedule_cosine_restarts(3, 0.1, 0, 0, 2));
    REFUSED(glissade_schedule_cosine_restarts(3, 0.1, 0, 10, 0));
    REFUSED(glissade_schedule_step(3, 0.1, 0.5, 0));
    REFUSED(glissade_schedule_multi_step(0, 0.1, 0.5, falling, 3));
    REFUSED(glissade_schedule_multi_step(0, 0.1, 0.5, NULL, 1));
    TAKEN(glissade_schedule_multi_step(0, 0.1, 0.5, falling, 2));
    cr_assert_eq(glissade_schedule_multi_step(5, 0.5, 0.5, level, 3), 0.0625);
    REFUSED(glissade_schedule_wsd(0, NULL));
    REFUSED(glissade_schedule_one_cycle(0, NULL));
    REFUSED(glissade_schedule_one_cycle_momentum(0, NULL));
}

/* ---- options ---- */

static glissade_wsd_options some_wsd(void) {
    glissade_wsd_options o;
    glissade_wsd_options_init(&o, sizeof o);
    o.warm_up_steps = 3;
    o.stable_steps = 4;
    o.decay_steps = 5;
    return o;
}

static glissade_one_cycle_options some_cycle(void) {
    glissade_one_cycle_options o;
    glissade_one_cycle_options_init(&o, sizeof o);
    o.steps = 20;
    return o;
}

Test(schedule_arguments, wsd_options) {
    for (int i = 0; i < BAD_RATES; i++) {
        glissade_wsd_options o = some_wsd();
        o.learning_rate = bad_rates[i];
        REFUSED(glissade_schedule_wsd(20, &o));
        o = some_wsd();
        o.final_rate = bad_rates[i];
        REFUSED(glissade_schedule_wsd(0, &o));
    }
    for (int curve = -1; curve <= 3; curve++) {
        glissade_wsd_options o = some_wsd();
        o.curve = (glissade_curve)curve;
        cr_assert_eq(isnan(glissade_schedule_wsd(0, &o)), curve < 0 || curve > 2, "curve %d", curve);
    }
}

/* What only one of the two functions uses the other does not look at. */
Test(schedule_arguments, one_cycle_options) {
    static const double bad_divisors[] = {NAN, 0, -1, INFINITY}, bad_momenta[] = {NAN, -0.1, 1, INFINITY};
    glissade_one_cycle_options o;
    for (int i = 0; i < BAD_RATES; i++) {
        o = some_cycle(), o.highest_rate = bad_rates[i];
        REFUSED(glissade_schedule_one_cycle(0, &o));
        TAKEN(glissade_schedule_one_cycle_momentum(0, &o));
    }
    for (int i = 0; i < 4; i++) {
        o = some_cycle(), o.division = bad_divisors[i];
        REFUSED(glissade_schedule_one_cycle(0, &o));
        o = some_cycle(), o.final_division = bad_divisors[i];
        REFUSED(glissade_schedule_one_cycle(0, &o));
        TAKEN(glissade_schedule_one_cycle_momentum(0, &o));
        o = some_cycle(), o.highest_momentum = bad_momenta[i];
        REFUSED(glissade_schedule_one_cycle_momentum(0, &o));
        o = some_cycle(), o.lowest_momentum = bad_momenta[i];
        REFUSED(glissade_schedule_one_cycle_momentum(0, &o));
        TAKEN(glissade_schedule_one_cycle(0, &o));
    }
    o = some_cycle(), o.division = DBL_TRUE_MIN; /* the first rate would be infinite */
    REFUSED(glissade_schedule_one_cycle(0, &o));
}

Test(schedule_arguments, one_cycle_shape) {
    static const double bad_parts[] = {NAN, -DBL_TRUE_MIN, 1 + DBL_EPSILON, INFINITY};
    glissade_one_cycle_options o;
    for (int i = 0; i < 4; i++) {
        o = some_cycle(), o.rising = bad_parts[i];
        REFUSED(glissade_schedule_one_cycle(0, &o));
        REFUSED(glissade_schedule_one_cycle_momentum(0, &o));
    }
    for (int curve = -1; curve <= 3; curve++) {
        o = some_cycle(), o.curve = (glissade_curve)curve;
        cr_assert_eq(isnan(glissade_schedule_one_cycle(0, &o)), curve < 0 || curve > 1, "curve %d", curve);
    }
    o = some_cycle(), o.steps = 0;
    REFUSED(glissade_schedule_one_cycle(0, &o));
    REFUSED(glissade_schedule_one_cycle_momentum(0, &o));
    o = some_cycle(), o.rising = 0.500001, o.three_phase = true;
    REFUSED(glissade_schedule_one_cycle(0, &o));
    o.rising = 0.5;
    TAKEN(glissade_schedule_one_cycle(0, &o));
}

Test(schedule_arguments, defaults) {
    glissade_wsd_options wsd;
    glissade_one_cycle_options cycle;
    memset(&wsd, 0xAA, sizeof wsd);
    memset(&cycle, 0xAA, sizeof cycle);
    glissade_wsd_options_init(&wsd, sizeof wsd);
    glissade_one_cycle_options_init(&cycle, sizeof cycle);
    cr_assert(wsd.size == sizeof wsd && wsd.learning_rate == 0.001 && wsd.final_rate == 0 &&
              wsd.warm_up_steps == 0 && wsd.stable_steps == 0 && wsd.decay_steps == 0 &&
              wsd.curve == GLISSADE_CURVE_LINEAR);
    cr_assert(cycle.size == sizeof cycle && cycle.highest_rate == 0.001 && cycle.division == 25 &&
              cycle.final_division == 10000 && cycle.steps == 0 && cycle.rising == 0.3);
    cr_assert(cycle.curve == GLISSADE_CURVE_COSINE && !cycle.three_phase && cycle.highest_momentum == 0.95 &&
              cycle.lowest_momentum == 0.85);
    glissade_wsd_options_init(NULL, sizeof wsd);
    glissade_one_cycle_options_init(NULL, sizeof cycle);
}

/* Today's size, and larger if what lies past it is zero; no other. */
Test(schedule_arguments, sizes) {
    struct {
        glissade_wsd_options known;
        unsigned char later[16];
    } wsd = {some_wsd(), {0}};
    struct {
        glissade_one_cycle_options known;
        unsigned char later[16];
    } cycle = {some_cycle(), {0}};
    const double rate = glissade_schedule_wsd(5, &wsd.known),
                 top = glissade_schedule_one_cycle(5, &cycle.known);
    TAKEN(rate);
    TAKEN(top);
    for (size_t size = 0; size < sizeof wsd.known; size++) {
        wsd.known.size = size;
        REFUSED(glissade_schedule_wsd(5, &wsd.known));
    }
    for (size_t size = 0; size < sizeof cycle.known; size++) {
        cycle.known.size = size;
        REFUSED(glissade_schedule_one_cycle(5, &cycle.known));
        REFUSED(glissade_schedule_one_cycle_momentum(5, &cycle.known));
    }
    wsd.known.size = sizeof wsd;
    cycle.known.size = sizeof cycle;
    cr_assert_eq(glissade_schedule_wsd(5, &wsd.known), rate);
    cr_assert_eq(glissade_schedule_one_cycle(5, &cycle.known), top);
    wsd.later[15] = cycle.later[15] = 1;
    REFUSED(glissade_schedule_wsd(5, &wsd.known));
    REFUSED(glissade_schedule_one_cycle(5, &cycle.known));
}

/* ---- surroundings ---- */

enum { SCHEDULES = 13, MOMENTS = 300 };

/* Every schedule at a step between its ends. */
static void all_at(uint64_t t, double *rates) {
    static const uint64_t milestones[] = {30, 80, 150};
    glissade_wsd_options wsd = some_wsd();
    glissade_one_cycle_options cycle = some_cycle();
    wsd.warm_up_steps = wsd.stable_steps = wsd.decay_steps = 77;
    wsd.curve = GLISSADE_CURVE_SQRT;
    cycle.steps = 233;
    const double all[SCHEDULES] = {glissade_schedule_constant(t, 0.1, 0.3, 100),
                                   glissade_schedule_linear(t, 0.1, 0.3, 271),
                                   glissade_schedule_cosine(t, 0.3, 0.1, 271),
                                   glissade_schedule_polynomial(t, 0.3, 0.01, 271, 1.9),
                                   glissade_schedule_cosine_restarts(t, 0.3, 0.01, 11, 3),
                                   glissade_schedule_warm_up(t, 0.3, 271),
                                   glissade_schedule_inverse_sqrt(t, 0.3, 29),
                                   glissade_schedule_exponential(t, 0.3, 0.97),
                                   glissade_schedule_step(t, 0.3, 0.7, 13),
                                   glissade_schedule_multi_step(t, 0.3, 0.7, milestones, 3),
                                   glissade_schedule_wsd(t, &wsd),
                                   glissade_schedule_one_cycle(t, &cycle),
                                   glissade_schedule_one_cycle_momentum(t, &cycle)};
    memcpy(rates, all, sizeof all);
}

/* One word for all of them (FNV-1a by words), the same on every machine. */
Test(schedule_arguments, known_bits) {
    uint64_t sum = 0xCBF29CE484222325u;
    for (uint64_t t = 0; t < MOMENTS; t++) {
        double rates[SCHEDULES];
        uint64_t bits[SCHEDULES];
        all_at(t, rates);
        memcpy(bits, rates, sizeof bits);
        for (int i = 0; i < SCHEDULES; i++)
            sum = (sum ^ bits[i]) * 0x100000001B3u;
    }
    cr_assert_eq(sum, 0x13A1B38D17E9AEAEu, "0x%016llX", (unsigned long long)sum);
}

/* Rounding modes; on x86-64 subnormals flushed, too: results stay, and so do the mode, the flags and errno. */
Test(schedule_arguments, foreign_floating_point) {
    static const int modes[] = {FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
    for (uint64_t t = 0; t < MOMENTS; t++)
        for (int m = 0; m < 3; m++) {
            double expected[SCHEDULES], found[SCHEDULES];
            all_at(t, expected);
            fesetround(modes[m]);
            feclearexcept(FE_ALL_EXCEPT);
#if defined(__x86_64__)
            _mm_setcsr(_mm_getcsr() | 0x8040);
#endif
            errno = 12345;
            all_at(t, found);
            const int mode = fegetround(), raised = fetestexcept(FE_ALL_EXCEPT), error = errno;
            fesetenv(FE_DFL_ENV);
            cr_assert(memcmp(found, expected, sizeof found) == 0, "step %llu", (unsigned long long)t);
            cr_assert(mode == modes[m] && raised == 0 && error == 12345, "mode %d, flags %d, errno %d", mode,
                      raised, error);
        }
}
