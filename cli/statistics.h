/* SPDX-License-Identifier: Apache-2.0 */
/* Medians, which a neighbour's burst of work on a shared machine does not move as it moves a mean. */
#ifndef GLISSADE_CLI_STATISTICS_H
#define GLISSADE_CLI_STATISTICS_H

#include <stddef.h>

struct median {
    double value;
    double low, high; /* 95 % confidence interval, by order statistics */
};

/* Sorts the values; count is at least 1. */
struct median statistics_median(double *values, size_t count);

/* Median of numerators[i] / denominators[i]; `ratios` is scratch of the same length. */
struct median statistics_median_ratio(const double *numerators, const double *denominators, double *ratios,
                                      size_t count);

#endif
