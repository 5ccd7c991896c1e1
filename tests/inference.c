/* SPDX-License-Identifier: Apache-2.0 */
/* The statistics of the studies, against values computed elsewhere, against enumeration, and against simulation. */
#include "../cli/study/inference.h"

#include "../cli/random.h"

#include <criterion/criterion.h>
#include <math.h>

static bool near(double actual, double expected, double relative) {
    return fabs(actual - expected) <= relative * fabs(expected);
}

static bool same(double actual, double expected) {
    return actual == expected || (isnan(actual) && isnan(expected));
}

#define assert_interval(INTERVAL, VALUE, LOW, HIGH)                                                          \
    do {                                                                                                     \
        struct interval got = (INTERVAL);                                                                    \
        cr_assert(same(got.value, VALUE) && same(got.low, LOW) && same(got.high, HIGH), "%g [%g, %g]",       \
                  got.value, got.low, got.high);                                                             \
    } while (0)

/* ---- Medians ---- */

Test(inference, medians) {
    cr_assert_eq(inference_median((const double[]){3, 1, 2}, 3), 2.0);
    cr_assert_eq(inference_median((const double[]){4, 1, 3, 2}, 4), 2.5);
    cr_assert_eq(inference_median((const double[]){7}, 1), 7.0);
    cr_assert_eq(inference_median((const double[]){5, 5, 5, 5}, 4), 5.0);
    cr_assert_eq(inference_median((const double[]){-3, 2, -1}, 3), -1.0);
    cr_assert(isnan(inference_median(NULL, 0)));
    cr_assert(isnan(inference_median((const double[]){1, NAN, 3}, 3)));
}

Test(inference, medians_of_censored_values) {
    cr_assert_eq(inference_median((const double[]){INFINITY, 1, 2}, 3), 2.0);
    cr_assert_eq(inference_median((const double[]){INFINITY, 1, INFINITY}, 3), INFINITY);
    cr_assert_eq(inference_median((const double[]){3, INFINITY, 1, 2}, 4), 2.5);
    cr_assert_eq(inference_median((const double[]){1, INFINITY, 2, INFINITY}, 4), INFINITY);
    cr_assert_eq(inference_median((const double[]){INFINITY, INFINITY}, 2), INFINITY);
}

/* ---- The bootstrap ---- */

enum { RECORDED = 20 }; /* the value's indices and the first resample's, of ten units */

static double record_indices(void *context, const size_t *indices, size_t n) {
    size_t *next = context, *record = next + 1;
    for (size_t i = 0; i < n && *next < RECORDED; ++i)
        record[(*next)++] = indices[i];
    return 0.0;
}

/* The draws were computed by another implementation of the generator, in Python's integers. */
Test(inference, resamples_are_the_same_everywhere) {
    static const size_t drawn[] = {6, 3, 7, 2, 8, 0, 3, 9, 6, 6};
    size_t record[1 + RECORDED] = {0};
    inference_bootstrap(10, 39, 20, record_indices, record);
    for (size_t i = 0; i < 10; ++i)
        cr_assert_eq(record[1 + i], i, "the value is not that of the sample");
    for (size_t i = 10; i < RECORDED; ++i)
        cr_assert_eq(record[1 + i], drawn[i - 10], "draw %zu", i - 10);
}

/* A statistic that numbers the resamples: NaN in the first `unknown`, INFINITY in the last `infinite`. */
struct numbering {
    size_t calls, rounds, unknown, infinite;
};

static double number_resamples(void *context, const size_t *indices, size_t n) {
    struct numbering *numbering = context;
    (void)indices, (void)n;
    size_t call = numbering->calls++;
    if (call == 0)
        return 1000.0;
    if (call <= numbering->unknown)
        return NAN;
    return call > numbering->rounds - numbering->infinite ? INFINITY : (double)call;
}

static struct interval numbered(size_t rounds, size_t unknown, size_t infinite) {
    struct numbering numbering = {.rounds = rounds, .unknown = unknown, .infinite = infinite};
    struct interval interval = inference_bootstrap(3, rounds, 1, number_resamples, &numbering);
    cr_assert_eq(numbering.calls, rounds + 1);
    return interval;
}

Test(inference, bounds_are_order_statistics) {
    assert_interval(numbered(399, 0, 0), 1000.0, 10.0, 390.0);
    assert_interval(numbered(400, 0, 0), 1000.0, 10.0, 391.0);
    assert_interval(numbered(39, 0, 0), 1000.0, 1.0, 39.0);
    assert_interval(numbered(38, 0, 0), 1000.0, NAN, NAN);
    assert_interval(numbered(0, 0, 0), 1000.0, NAN, NAN);
}

Test(inference, bounds_are_infinite_from_their_share_of_infinite_resamples_on) {
    assert_interval(numbered(399, 0, 9), 1000.0, 10.0, 390.0);
    assert_interval(numbered(399, 0, 10), 1000.0, 10.0, INFINITY);
    assert_interval(numbered(399, 0, 389), 1000.0, 10.0, INFINITY);
    assert_interval(numbered(399, 0, 390), 1000.0, INFINITY, INFINITY);
}

Test(inference, resamples_without_a_statistic_widen_the_interval) {
    assert_interval(numbered(399, 3, 0), 1000.0, 3.0 + 7.0, 399.0 - 6.0);
    assert_interval(numbered(399, 9, 0), 1000.0, 10.0, 399.0);
    assert_interval(numbered(399, 10, 0), 1000.0, NAN, NAN);
    assert_interval(numbered(399, 399, 0), 1000.0, NAN, NAN);
}

/*
 * The median of a resample of an odd n is at most the i-th smallest value with the probability that at least
 * (n + 1) / 2 of n draws are among the first i: binomial (n, i / n). By scipy.stats.binom the first i where that
 * exceeds 2.5 % is as below, and with 9999 resamples it is at least three standard deviations from 2.5 %.
 */
Test(inference, bootstrap_of_the_median_has_its_exact_bounds) {
    static const struct {
        size_t n, rank;
    } cases[] = {{1, 1}, {3, 1}, {5, 1}, {7, 2}, {9, 2}, {11, 3}, {19, 6}, {21, 7}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; ++c) {
        const size_t n = cases[c].n, rank = cases[c].rank;
        double values[21];
        for (size_t i = 0; i < n; ++i)
            values[i] = (double)(1 + (i * 4) % n); /* 1 to n, out of order */
        assert_interval(inference_bootstrap_median(values, n, 9999, 5), (double)(n + 1) / 2.0, (double)rank,
                        (double)(n + 1 - rank));
    }
}

Test(inference, bootstrap_of_the_median_in_special_cases) {
    assert_interval(inference_bootstrap_median(NULL, 0, 999, 1), NAN, NAN, NAN);
    assert_interval(inference_bootstrap_median((const double[]){4}, 1, 999, 1), 4.0, 4.0, 4.0);
    assert_interval(inference_bootstrap_median((const double[]){4, 4, 4, 4}, 4, 999, 1), 4.0, 4.0, 4.0);
    assert_interval(inference_bootstrap_median((const double[]){4, NAN, 4, 4}, 4, 999, 1), NAN, NAN, NAN);
    const double never[] = {INFINITY, INFINITY, INFINITY};
    assert_interval(inference_bootstrap_median(never, 3, 999, 1), INFINITY, INFINITY, INFINITY);
}

static double exponential(struct random_source *random) {
    return -log(((double)(random_bits(random) >> 11) + 0.5) * 0x1p-53);
}

/* For an odd n all bounds are values of the sample: censoring the sample and censoring the bounds are the same. */
Test(inference, bootstrap_commutes_with_censoring) {
    struct random_source random;
    random_seed(&random, 1, 0);
    size_t changed = 0;
    for (int experiment = 0; experiment < 200; ++experiment) {
        double values[11], censored[11];
        const double bound = 1.0;
        for (size_t i = 0; i < 11; ++i) {
            values[i] = exponential(&random);
            censored[i] = values[i] > bound ? INFINITY : values[i];
        }
        struct interval whole = inference_bootstrap_median(values, 11, 399, (uint64_t)experiment);
        assert_interval(inference_bootstrap_median(censored, 11, 399, (uint64_t)experiment),
                        whole.value > bound ? INFINITY : whole.value,
                        whole.low > bound ? INFINITY : whole.low, whole.high > bound ? INFINITY : whole.high);
        changed += whole.value <= bound && whole.high > bound;
    }
    cr_assert_gt(changed, 50);
}

/* A simulation in NumPy with 3000 samples of ten had the median in 94.5 % of the intervals. */
Test(inference, bootstrap_of_the_median_covers) {
    struct random_source random;
    random_seed(&random, 2, 0);
    const int experiments = 1000;
    int covered = 0;
    for (int experiment = 0; experiment < experiments; ++experiment) {
        double values[10];
        for (size_t i = 0; i < 10; ++i)
            values[i] = exponential(&random);
        struct interval interval = inference_bootstrap_median(values, 10, 399, (uint64_t)experiment);
        cr_assert(interval.low <= interval.value && interval.value <= interval.high);
        covered += interval.low <= log(2.0) && log(2.0) <= interval.high;
    }
    cr_assert(covered > 915 && covered < 975, "%d of %d", covered, experiments);
}

/* ---- Ratios of pairs ---- */

Test(inference, ratios_are_those_of_pairs) {
    const double a[] = {2, 40, 600}, b[] = {1, 10, 100};
    size_t informative = 0;
    assert_interval(inference_bootstrap_ratio(a, b, 3, 999, 1, &informative), 4.0, 2.0, 6.0);
    cr_assert_eq(informative, 3);
    const double constant[] = {3, 30, 300};
    assert_interval(inference_bootstrap_ratio(constant, b, 3, 999, 1, NULL), 3.0, 3.0, 3.0);
    /* Ratios resampled in pairs are ratios resampled. */
    const double ratios[] = {2, 4, 6};
    struct interval direct = inference_bootstrap_median(ratios, 3, 99, 7);
    assert_interval(inference_bootstrap_ratio(a, b, 3, 99, 7, NULL), direct.value, direct.low, direct.high);
}

Test(inference, ratios_of_censored_pairs) {
    size_t informative = 0;
    const double a[] = {2, INFINITY, 9, INFINITY, 0, NAN, 6}, b[] = {1, 10, INFINITY, INFINITY, 0, 3, 2};
    assert_interval(inference_bootstrap_ratio(a, b, 7, 999, 1, &informative), 2.5, 0.0, INFINITY);
    cr_assert_eq(informative, 4);
    assert_interval(inference_bootstrap_ratio(a + 3, b + 3, 3, 999, 1, &informative), NAN, NAN, NAN);
    cr_assert_eq(informative, 0);
    assert_interval(inference_bootstrap_ratio(NULL, NULL, 0, 999, 1, &informative), NAN, NAN, NAN);
    cr_assert_eq(informative, 0);
}

/* Twice the ratio at every pair: twice the mean and twice its bounds, as the draws are the same. */
Test(inference, mean_ratios_are_geometric) {
    const double a[] = {2, 40, 800, NAN, 0}, b[] = {1, 10, 100, 1, 0}, twice[] = {4, 80, 1600, 1, INFINITY};
    size_t informative = 0;
    struct interval mean = inference_bootstrap_mean_ratio(a, b, 5, 999, 1, &informative);
    cr_assert_eq(informative, 3);
    cr_assert(near(mean.value, 4.0, 1e-14) && near(mean.low, 2.0, 1e-14) && near(mean.high, 8.0, 1e-14),
              "%g [%g, %g]", mean.value, mean.low, mean.high);
    struct interval doubled = inference_bootstrap_mean_ratio(twice, b, 3, 999, 1, NULL);
    cr_assert(near(doubled.value, 8.0, 1e-14) && near(doubled.low, 4.0, 1e-14) &&
              near(doubled.high, 16.0, 1e-14));
    assert_interval(inference_bootstrap_mean_ratio(b, b, 3, 999, 1, NULL), 1.0, 1.0, 1.0);
    assert_interval(inference_bootstrap_mean_ratio(NULL, NULL, 0, 999, 1, &informative), NAN, NAN, NAN);
    cr_assert_eq(informative, 0);
}

/* Of four pairs with a = b but for one, 32 % of the resamples lack that one. */
Test(inference, mean_ratios_of_censored_pairs) {
    const double ones[] = {1, 1, 1, 1}, one_infinite[] = {1, INFINITY, 1, 1};
    assert_interval(inference_bootstrap_mean_ratio(one_infinite, ones, 4, 999, 1, NULL), INFINITY, 1.0,
                    INFINITY);
    assert_interval(inference_bootstrap_mean_ratio(ones, one_infinite, 4, 999, 1, NULL), 0.0, 0.0, 1.0);
    const double other_infinite[] = {1, 1, INFINITY, 1};
    assert_interval(inference_bootstrap_mean_ratio(one_infinite, other_infinite, 4, 999, 1, NULL), NAN, NAN,
                    NAN);
}

/* ---- The paired test ---- */

/* References: scipy.stats.wilcoxon of sign * log(larger / smaller), zero_method "pratt", with all permutations of the
 * signs (PermutationMethod); an infinite side as 1e300 times the other, both infinite removed. */
Test(inference, paired_test_against_scipy) {
    const double a[] = {900, 410, 520, 300, 800, 640, 330, 720, 505, 610};
    const double b[] = {200, 400, 500, 260, 410, 320, 330, 700, 505, 630};
    cr_assert_eq(inference_paired_test(a, b, 10), 0.03125);
    const double tied_a[] = {10, 20, 30, 40, 50, 60, 70, 80};
    const double tied_b[] = {30, 20, 10, 20, 100, 180, INFINITY, 40};
    cr_assert_eq(inference_paired_test(tied_a, tied_b, 8), 0.5625);
    const double censored_a[] = {INFINITY, INFINITY, INFINITY, 900, 850, INFINITY, 700, 640, 990};
    const double censored_b[] = {500, 510, 620, 450, INFINITY, INFINITY, 690, 640, 980};
    cr_assert_eq(inference_paired_test(censored_a, censored_b, 9), 0.15625);
}

/* Differences of ranks 1 to 24 and 1 to 50, every third and every fourth of them negative:
 * scipy.stats.wilcoxon(method="exact"). */
Test(inference, paired_test_of_many_pairs_against_scipy) {
    double a[50], b[50];
    for (size_t i = 0; i < 50; ++i) {
        a[i] = (i + 1) % 3 == 0 ? 1.0 : (double)(i + 2);
        b[i] = (i + 1) % 3 == 0 ? (double)(i + 2) : 1.0;
    }
    cr_assert(near(inference_paired_test(a, b, 24), 0.2405325174331665, 1e-14));
    for (size_t i = 0; i < 50; ++i) {
        a[i] = (i + 1) % 4 == 0 ? 1.0 : (double)(i + 2);
        b[i] = (i + 1) % 4 == 0 ? (double)(i + 2) : 1.0;
    }
    cr_assert(near(inference_paired_test(a, b, 50), 0.0013303578723942167, 1e-14));
}

enum { ENUMERATED = 10, ENUMERATED_INFINITE = 4, ENUMERATED_NOTHING = 5 };

/* The p-value from all sign assignments one by one; the differences are whole logarithms to base 2. */
static double enumerated_test(const int *logarithms, size_t n) {
    double ranks[ENUMERATED], observed = 0.0;
    size_t count = 0, as_low = 0, as_high = 0;
    for (size_t i = 0; i < n; ++i) {
        double below = 0.0, equal = 0.0;
        for (size_t j = 0; j < n; ++j) {
            if (logarithms[j] == ENUMERATED_NOTHING)
                continue;
            below += abs(logarithms[j]) < abs(logarithms[i]);
            equal += abs(logarithms[j]) == abs(logarithms[i]);
        }
        if (logarithms[i] == 0 || logarithms[i] == ENUMERATED_NOTHING)
            continue;
        ranks[count] = below + (equal + 1.0) / 2.0;
        observed += logarithms[i] > 0 ? ranks[count] : 0.0;
        ++count;
    }
    for (size_t signs = 0; signs < (size_t)1 << count; ++signs) {
        double sum = 0.0;
        for (size_t i = 0; i < count; ++i)
            sum += signs >> i & 1 ? ranks[i] : 0.0;
        as_low += sum <= observed;
        as_high += sum >= observed;
    }
    return fmin(1.0, 2.0 * (double)(as_low < as_high ? as_low : as_high) / (double)((size_t)1 << count));
}

static double side(int logarithm) {
    if (logarithm == ENUMERATED_INFINITE || logarithm == ENUMERATED_NOTHING)
        return INFINITY;
    return 3.0 * ldexp(1.0, logarithm > 0 ? logarithm : 0);
}

Test(inference, paired_test_against_enumeration) {
    struct random_source random;
    random_seed(&random, 3, 0);
    for (int experiment = 0; experiment < 2000; ++experiment) {
        const size_t n = (size_t)experiment % (ENUMERATED + 1);
        double a[ENUMERATED], b[ENUMERATED];
        int logarithms[ENUMERATED];
        for (size_t i = 0; i < n; ++i) {
            logarithms[i] = (int)random_below(&random, 2 * ENUMERATED_INFINITE + 2) - ENUMERATED_INFINITE;
            a[i] = side(logarithms[i]);
            b[i] = logarithms[i] == ENUMERATED_NOTHING ? INFINITY : side(-logarithms[i]);
        }
        const double expected = enumerated_test(logarithms, n);
        cr_assert_eq(inference_paired_test(a, b, n), expected, "experiment %d", experiment);
        cr_assert_eq(inference_paired_test(b, a, n), expected, "experiment %d, exchanged", experiment);
    }
}

Test(inference, paired_test_in_special_cases) {
    const double ones[] = {1, 1, 1, 1, 1}, twos[] = {2, 2, 2, 2, 2};
    const double never[] = {INFINITY, INFINITY, INFINITY, INFINITY, INFINITY};
    cr_assert_eq(inference_paired_test(NULL, NULL, 0), 1.0);
    cr_assert_eq(inference_paired_test(ones, twos, 1), 1.0);
    cr_assert_eq(inference_paired_test(ones, ones, 5), 1.0);
    cr_assert_eq(inference_paired_test(never, never, 5), 1.0);
    cr_assert_eq(inference_paired_test(ones, twos, 5), 0.0625);
    cr_assert_eq(inference_paired_test(never, ones, 5), 0.0625);
    const double missing[] = {1, NAN, 1, 1, 1};
    cr_assert_eq(inference_paired_test(missing, twos, 5), 0.125);
}

/* x / y twice and y / x once share one rank, which gives 1; of ranks 1, 2 and 3 with the odd one first it is 0.5. */
Test(inference, paired_test_ties_a_ratio_with_its_inverse) {
    for (int x = 1; x <= 40; ++x)
        for (int y = 1; y <= 40; ++y)
            cr_assert_eq(
                inference_paired_test((const double[]){x, x, 3 * y}, (const double[]){y, y, 3 * x}, 3), 1.0,
                "%d / %d", x, y);
}

Test(inference, paired_test_has_a_limit) {
    double a[INFERENCE_PAIRS_MAXIMUM + 1], b[INFERENCE_PAIRS_MAXIMUM + 1];
    for (size_t i = 0; i <= INFERENCE_PAIRS_MAXIMUM; ++i) {
        a[i] = (double)(i + 2);
        b[i] = 1.0;
    }
    cr_assert_eq(inference_paired_test(a, b, INFERENCE_PAIRS_MAXIMUM), 0x1p-51);
    cr_assert(isnan(inference_paired_test(a, b, INFERENCE_PAIRS_MAXIMUM + 1)));
    b[0] = NAN;
    cr_assert_eq(inference_paired_test(a, b, INFERENCE_PAIRS_MAXIMUM + 1), 0x1p-51);
}

/* ---- Multiple tests ---- */

static void assert_holm(double *p, const double *expected, size_t n) {
    inference_holm(p, n);
    for (size_t i = 0; i < n; ++i)
        cr_assert(isnan(expected[i]) ? isnan(p[i]) : near(p[i], expected[i], 1e-15), "p[%zu] = %g", i, p[i]);
}

Test(inference, holm) {
    /* By hand: 0.005 * 4, 0.01 * 3, 0.03 * 2, and 0.04 * 1, which may not be below the one before. */
    assert_holm((double[]){0.01, 0.04, 0.03, 0.005}, (const double[]){0.03, 0.06, 0.06, 0.02}, 4);
    assert_holm((double[]){0.03}, (const double[]){0.03}, 1);
    assert_holm((double[]){0.5, 0.9, 0.4}, (const double[]){1, 1, 1}, 3);
    assert_holm((double[]){0.01, 0.01, 0.01}, (const double[]){0.03, 0.03, 0.03}, 3);
    assert_holm((double[]){0, 0.02, 0, 1}, (const double[]){0, 0.04, 0, 1}, 4);
    assert_holm((double[]){0.02, NAN, 0.01, -NAN}, (const double[]){0.06, NAN, 0.04, NAN}, 4);
    inference_holm(NULL, 0);
}

Test(inference, holm_leaves_no_negative_zero) {
    double p[] = {0, 0.5};
    inference_holm(p, 2);
    cr_assert(!signbit(p[0]) && !signbit(p[1]));
}

/* ---- Steps against batch size ---- */

enum { BATCHES = 8 };
static const double batches[BATCHES] = {8, 16, 32, 64, 128, 256, 512, 1024};

Test(inference, fit_recovers_the_curve) {
    for (double critical = 2.0; critical < 10000.0; critical *= 1.7) {
        double steps[BATCHES], floor = 0.0, fitted = 0.0;
        for (size_t i = 0; i < BATCHES; ++i)
            steps[i] = 123.0 * (1.0 + critical / batches[i]);
        cr_assert(inference_fit_batches(batches, steps, BATCHES, &floor, &fitted));
        cr_assert(near(fitted, critical, 1e-8) && near(floor, 123.0, 1e-8), "%g, %g", fitted, floor);
        cr_assert(inference_fit_batches(batches + 2, steps + 2, 2, &floor, &fitted));
        cr_assert(near(fitted, critical, 1e-8) && near(floor, 123.0, 1e-8), "%g, %g", fitted, floor);
    }
}

/* scipy.optimize.least_squares in log(floor) and log(critical). */
Test(inference, fit_against_scipy) {
    const double steps[BATCHES] = {5100, 2700, 1400, 790, 430, 280, 190, 150};
    double floor = 0.0, critical = 0.0;
    cr_assert(inference_fit_batches(batches, steps, BATCHES, &floor, &critical));
    cr_assert(near(critical, 372.457898, 1e-6) && near(floor, 111.10616322, 1e-6), "%.12g, %.12g", critical,
              floor);
}

static void assert_no_fit(const double *at, const double *steps, size_t n) {
    double floor = -1.0, critical = -2.0;
    cr_assert(!inference_fit_batches(at, steps, n, &floor, &critical), "%g, %g", floor, critical);
    cr_assert(floor == -1.0 && critical == -2.0);
}

Test(inference, fit_of_points_that_determine_nothing) {
    double flat[BATCHES], inverse[BATCHES], rising[BATCHES], steeper[BATCHES], one_batch[BATCHES];
    for (size_t i = 0; i < BATCHES; ++i) {
        flat[i] = 700.0;
        inverse[i] = 1e6 / batches[i];
        rising[i] = 100.0 + batches[i];
        steeper[i] = 1e6 / (batches[i] * batches[i]);
        one_batch[i] = 32.0;
    }
    assert_no_fit(batches, flat, BATCHES);
    assert_no_fit(batches, inverse, BATCHES);
    assert_no_fit(batches, rising, BATCHES);
    assert_no_fit(batches, steeper, BATCHES);
    assert_no_fit(one_batch, inverse, BATCHES);
    assert_no_fit(batches, inverse, 1);
    assert_no_fit(batches, inverse, 0);
}

Test(inference, fit_refuses_what_has_no_logarithm) {
    static const double refused[] = {INFINITY, NAN, 0.0, -1.0};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; ++i) {
        double points[BATCHES] = {5100, 2700, 1400, 790, 430, 280, 190, 150};
        points[3] = refused[i];
        assert_no_fit(batches, points, BATCHES);
        assert_no_fit(points, batches, BATCHES);
    }
}

/* ---- A fit with its interval: what the callback is for ---- */

enum { SEEDS = 10 };

static double critical_of_medians(void *context, const size_t *indices, size_t n) {
    double(*steps)[SEEDS] = context;
    double medians[BATCHES], drawn[SEEDS], floor, critical;
    for (size_t batch = 0; batch < BATCHES; ++batch) {
        for (size_t i = 0; i < n; ++i)
            drawn[i] = steps[batch][indices[i]];
        medians[batch] = inference_median(drawn, n);
    }
    return inference_fit_batches(batches, medians, BATCHES, &floor, &critical) ? critical : NAN;
}

Test(inference, bootstrap_of_a_fit) {
    struct random_source random;
    random_seed(&random, 4, 0);
    double steps[BATCHES][SEEDS];
    for (size_t batch = 0; batch < BATCHES; ++batch)
        for (size_t i = 0; i < SEEDS; ++i)
            steps[batch][i] =
                200.0 * (1.0 + 90.0 / batches[batch]) * (1.0 + (double)random_uniform(&random, -0.1f, 0.1f));
    struct interval interval = inference_bootstrap(SEEDS, 399, 1, critical_of_medians, steps);
    cr_assert(60.0 < interval.low && interval.low < 90.0 && 90.0 < interval.high && interval.high < 130.0,
              "%g [%g, %g]", interval.value, interval.low, interval.high);
    cr_assert(interval.low < interval.value && interval.value < interval.high);
    /* Censored at one batch in most resamples: no fit there, and no interval. */
    for (size_t i = 0; i < SEEDS / 2; ++i)
        steps[0][i] = INFINITY;
    interval = inference_bootstrap(SEEDS, 399, 1, critical_of_medians, steps);
    cr_assert(isnan(interval.value) && isnan(interval.low) && isnan(interval.high));
}
