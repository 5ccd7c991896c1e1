/* SPDX-License-Identifier: Apache-2.0 */
/* Medians. Must not assume a distribution: timings have a long tail. */
#include "statistics.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

struct median statistics_median(double *values, size_t count) {
    qsort(values, count, sizeof *values, compare);
    /* How many values lie below the true median is binomial (count, 1/2): nearly normal, deviation
     * sqrt(count) / 2. Below six values no interval inside the range has 95 %, and the range is given. */
    double reach = ((double)count - 1.96 * sqrt((double)count)) / 2.0;
    size_t rank = reach > 0.0 ? (size_t)reach : 0;
    return (struct median){
        .value = (values[(count - 1) / 2] + values[count / 2]) / 2.0,
        .low = values[rank],
        .high = values[count - 1 - rank],
    };
}

struct median statistics_median_ratio(const double *numerators, const double *denominators, double *ratios,
                                      size_t count) {
    for (size_t i = 0; i < count; ++i)
        ratios[i] = numerators[i] / denominators[i];
    return statistics_median(ratios, count);
}
