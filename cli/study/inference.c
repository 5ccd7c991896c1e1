/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of small samples; inference.h is the contract. Nothing here may assume a normal distribution, or an
 * infinite value to be large and finite. The random numbers are ../random.h's, so that results do not depend on the
 * machine.
 *
 * Efron 1979: Bootstrap methods: another look at the jackknife, Annals of Statistics 7, 1-26.
 * Efron and Tibshirani 1993: An Introduction to the Bootstrap, Chapman and Hall.
 * Holm 1979: A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 65-70.
 * Kiefer 1953: Sequential minimax search for a maximum, Proceedings of the AMS 4, 502-506.
 * McCandlish, Kaplan, Amodei et al. 2018: An empirical model of large-batch training, arXiv:1812.06162.
 * Pratt 1959: Remarks on zeros and ties in the Wilcoxon signed rank procedures, JASA 54, 655-667.
 * Wilcoxon 1945: Individual comparisons by ranking methods, Biometrics Bulletin 1, 80-83.
 */
#include "inference.h"

#include "../random.h"

#include <math.h>
#include <stdlib.h>

enum { TAILS = 40 }; /* 1 / TAILS, 2.5 %, lies beyond each bound of an interval */

static const struct interval nothing = {NAN, NAN, NAN};

/* ---- Medians and the bootstrap ---- */

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Sorts the values; n is at least 1. */
static double median_sorting(double *values, size_t n) {
    for (size_t i = 0; i < n; ++i)
        if (isnan(values[i]))
            return NAN;
    qsort(values, n, sizeof *values, compare);
    return values[(n - 1) / 2] / 2.0 + values[n / 2] / 2.0;
}

double inference_median(const double *values, size_t n) {
    double *copy = n > 0 ? calloc(n, sizeof *copy) : NULL;
    if (copy == NULL)
        return NAN;
    for (size_t i = 0; i < n; ++i)
        copy[i] = values[i];
    double median = median_sorting(copy, n);
    free(copy);
    return median;
}

/* Bounds of the resamples' statistics, which are sorted; the estimate is left to the caller. */
static struct interval percentiles(double *statistics, size_t rounds) {
    size_t known = 0;
    for (size_t i = 0; i < rounds; ++i)
        if (!isnan(statistics[i]))
            statistics[known++] = statistics[i];
    /* Chapter 12.5 of Efron and Tibshirani, for rounds / 40 that is no whole number. */
    size_t rank = (rounds + 1) / TAILS, unknown = rounds - known;
    if (rank <= unknown)
        return nothing;
    rank -= unknown;
    qsort(statistics, known, sizeof *statistics, compare);
    return (struct interval){.low = statistics[rank - 1], .high = statistics[known - rank]};
}

struct interval inference_bootstrap(size_t n, size_t rounds, uint64_t seed, inference_statistic statistic,
                                    void *context) {
    struct interval interval = nothing;
    size_t *indices = n > 0 ? calloc(n, sizeof *indices) : NULL;
    double *statistics = calloc(rounds + 1, sizeof *statistics); /* some allocators give NULL for 0 */
    if (indices != NULL && statistics != NULL) {
        for (size_t i = 0; i < n; ++i)
            indices[i] = i;
        double value = statistic(context, indices, n);
        struct random_source random;
        random_seed(&random, seed, 0);
        for (size_t round = 0; round < rounds; ++round) {
            for (size_t i = 0; i < n; ++i)
                indices[i] = random_below(&random, (uint32_t)n);
            statistics[round] = statistic(context, indices, n);
        }
        interval = percentiles(statistics, rounds);
        interval.value = value;
    }
    free(indices);
    free(statistics);
    return interval;
}

struct sample {
    const double *values;
    double *drawn; /* scratch of the median */
};

static double median_of_drawn(void *context, const size_t *indices, size_t n) {
    const struct sample *sample = context;
    for (size_t i = 0; i < n; ++i)
        sample->drawn[i] = sample->values[indices[i]];
    return median_sorting(sample->drawn, n);
}

/* Of logarithms: -INFINITY and INFINITY, 0 and INFINITY themselves, sum to NaN. */
static double geometric_mean_of_drawn(void *context, const size_t *indices, size_t n) {
    const struct sample *sample = context;
    double sum = 0.0;
    for (size_t i = 0; i < n; ++i)
        sum += sample->values[indices[i]];
    return exp(sum / (double)n);
}

struct interval inference_bootstrap_median(const double *values, size_t n, size_t rounds, uint64_t seed) {
    /* A NaN is in 63 % of the resamples or more (1 - (1 - 1/n)^n), which leaves no bounds either. */
    struct sample sample = {.values = values, .drawn = n > 0 ? calloc(n, sizeof *sample.drawn) : NULL};
    if (sample.drawn == NULL)
        return nothing;
    struct interval interval = inference_bootstrap(n, rounds, seed, median_of_drawn, &sample);
    free(sample.drawn);
    return interval;
}

/* The ratios of the pairs that have one, to be freed; NULL where memory is short. */
static double *informative_ratios(const double *a, const double *b, size_t n, size_t *informative) {
    double *ratios = calloc(n + 1, sizeof *ratios); /* some allocators give NULL for 0 */
    *informative = 0;
    for (size_t i = 0; i < n; ++i) {
        double ratio = a[i] / b[i];
        if (isnan(ratio))
            continue;
        if (ratios != NULL)
            ratios[*informative] = ratio;
        ++*informative;
    }
    return ratios;
}

struct interval inference_bootstrap_ratio(const double *a, const double *b, size_t n, size_t rounds,
                                          uint64_t seed, size_t *informative) {
    size_t count;
    double *ratios = informative_ratios(a, b, n, &count);
    if (informative != NULL)
        *informative = count;
    if (ratios == NULL)
        return nothing;
    struct interval interval = inference_bootstrap_median(ratios, count, rounds, seed);
    free(ratios);
    return interval;
}

struct interval inference_bootstrap_mean_ratio(const double *a, const double *b, size_t n, size_t rounds,
                                               uint64_t seed, size_t *informative) {
    size_t count;
    double *logarithms = informative_ratios(a, b, n, &count);
    if (informative != NULL)
        *informative = count;
    if (logarithms == NULL)
        return nothing;
    for (size_t i = 0; i < count; ++i)
        logarithms[i] = log(logarithms[i]);
    struct sample sample = {.values = logarithms};
    struct interval interval = inference_bootstrap(count, rounds, seed, geometric_mean_of_drawn, &sample);
    free(logarithms);
    return interval;
}

/* ---- The paired test ---- */

struct difference {
    double
        magnitude; /* larger side / smaller side, which orders as |log(a / b)| does; 0 without difference */
    bool positive;
};

/*
 * Twice the rank among all, a whole number even for a mid-rank: the values below have ranks 1 to below, the
 * equal ones (itself among them) share the mean (below + 1 + below + equal) / 2.
 */
static size_t doubled_rank(const struct difference *differences, size_t n, double magnitude) {
    size_t below = 0, equal = 0;
    for (size_t i = 0; i < n; ++i) {
        below += differences[i].magnitude < magnitude;
        equal += differences[i].magnitude == magnitude;
    }
    return 2 * below + equal + 1;
}

static double signed_rank_test(const struct difference *differences, size_t n) {
    /* ways[s]: how many of the sign assignments to the differences so far have positive (doubled) ranks that sum to
     * s. One more difference of rank r adds the assignments that reached s - r. All n ranks sum to n (n + 1). */
    uint64_t ways[INFERENCE_PAIRS_MAXIMUM * (INFERENCE_PAIRS_MAXIMUM + 1) + 1] = {1};
    size_t total = 0, positive = 0;
    int differing = 0;
    for (size_t i = 0; i < n; ++i) {
        if (differences[i].magnitude == 0.0)
            continue;
        size_t rank = doubled_rank(differences, n, differences[i].magnitude);
        total += rank;
        for (size_t sum = total; sum >= rank; --sum)
            ways[sum] += ways[sum - rank];
        if (differences[i].positive)
            positive += rank;
        ++differing;
    }
    /* Turning all signs maps a sum to total - sum: both tails are alike. They overlap only where p would exceed 1. */
    size_t extreme = positive > total - positive ? positive : total - positive;
    uint64_t tail = 0;
    for (size_t sum = extreme; sum <= total; ++sum)
        tail += ways[sum];
    return fmin(1.0, ldexp((double)tail, 1 - differing));
}

double inference_paired_test(const double *a, const double *b, size_t n) {
    struct difference differences[INFERENCE_PAIRS_MAXIMUM];
    size_t count = 0;
    for (size_t i = 0; i < n; ++i) {
        if (isnan(a[i] / b[i]))
            continue;
        if (count == INFERENCE_PAIRS_MAXIMUM)
            return NAN;
        /* Not |log(a / b)|: 1 / 3 and 3 / 1, or 9 / 3, must tie, which rounded logarithms need not. */
        double magnitude = a[i] > b[i] ? a[i] / b[i] : b[i] / a[i];
        differences[count++] = (struct difference){
            .magnitude = a[i] == b[i] ? 0.0 : magnitude,
            .positive = a[i] > b[i],
        };
    }
    return signed_rank_test(differences, count);
}

/* ---- Multiple tests ---- */

void inference_holm(double *p, size_t n) {
    /* From the smallest p up: p times the number of hypotheses not yet rejected, and no smaller than the one before.
     * A sign bit marks what is done, zeros too; so it needs no memory, and n^2 comparisons are few for tables. */
    double adjusted = 0.0;
    for (size_t rank = 0; rank < n; ++rank) {
        size_t smallest = n;
        for (size_t i = 0; i < n; ++i)
            if (!isnan(p[i]) && !signbit(p[i]) && (smallest == n || p[i] < p[smallest]))
                smallest = i;
        if (smallest == n)
            break; /* NaN is left, which the factors have counted */
        adjusted = fmin(1.0, fmax(adjusted, p[smallest] * (double)(n - rank)));
        p[smallest] = -adjusted;
    }
    for (size_t i = 0; i < n; ++i)
        p[i] = fabs(p[i]);
}

/* ---- Steps against batch size ---- */

struct curve {
    const double *batches, *steps;
    size_t n;
};

/* The residual sum of squares for a critical batch size, with the floor that suits it best: the mean residual. */
static double misfit(const struct curve *curve, double log_critical, double *log_floor) {
    double critical = exp(log_critical), mean = 0.0, squares = 0.0;
    for (size_t i = 0; i < curve->n; ++i)
        mean += (log(curve->steps[i]) - log1p(critical / curve->batches[i])) / (double)curve->n;
    for (size_t i = 0; i < curve->n; ++i) {
        double residual = log(curve->steps[i]) - log1p(critical / curve->batches[i]) - mean;
        squares += residual * residual;
    }
    *log_floor = mean;
    return squares;
}

/* Golden-section search (Kiefer 1953) of the least misfit, which lies between low and high. */
static double least_misfit(const struct curve *curve, double low, double high) {
    const double golden = 0.61803398874989484820, width = 1e-10; /* relative, of the critical batch size */
    double ignored, left = high - golden * (high - low), right = low + golden * (high - low);
    double left_misfit = misfit(curve, left, &ignored), right_misfit = misfit(curve, right, &ignored);
    while (high - low > width) {
        if (left_misfit < right_misfit) {
            high = right;
            right = left;
            right_misfit = left_misfit;
            left = high - golden * (high - low);
            left_misfit = misfit(curve, left, &ignored);
        } else {
            low = left;
            left = right;
            left_misfit = right_misfit;
            right = low + golden * (high - low);
            right_misfit = misfit(curve, right, &ignored);
        }
    }
    return low + (high - low) / 2.0;
}

bool inference_fit_batches(const double *batches, const double *steps, size_t n, double *floor,
                           double *critical) {
    double smallest = INFINITY, largest = 0.0;
    for (size_t i = 0; i < n; ++i) {
        if (!(batches[i] > 0.0 && isfinite(batches[i]) && steps[i] > 0.0 && isfinite(steps[i])))
            return false;
        smallest = fmin(smallest, batches[i]);
        largest = fmax(largest, batches[i]);
    }
    if (!(smallest < largest)) /* fewer than two points, too */
        return false;
    /* The misfit is not convex and might have two minima: a grid finds the lower one, golden section ends it. */
    enum { INTERVALS = 256 };
    const struct curve curve = {batches, steps, n};
    const double low = log(smallest / 1024.0), spacing = (log(largest * 1024.0) - low) / INTERVALS;
    double least = INFINITY, log_floor;
    int best = 0;
    for (int i = 0; i <= INTERVALS; ++i) {
        double value = misfit(&curve, low + i * spacing, &log_floor);
        if (value < least) {
            least = value;
            best = i;
        }
    }
    if (best == 0 || best == INTERVALS)
        return false;
    double log_critical = least_misfit(&curve, low + (best - 1) * spacing, low + (best + 1) * spacing);
    misfit(&curve, log_critical, &log_floor);
    *floor = exp(log_floor);
    *critical = exp(log_critical);
    return true;
}
