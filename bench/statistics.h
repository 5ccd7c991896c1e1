/* SPDX-License-Identifier: Apache-2.0 */
/* Medians and what is known of them. */
#ifndef BENCH_STATISTICS_H
#define BENCH_STATISTICS_H

#include <vector>

/* A median with the interval that holds the true one with a confidence of at least 95 %. */
struct Interval {
    double median, low, high;
};

/* 0 for no values. */
double median(std::vector<double> values);

/*
 * The interval runs between two order statistics, so it assumes nothing of the distribution but that the
 * values are independent. Below 6 values no pair reaches 95 %: then it is the whole range.
 */
Interval median_interval(std::vector<double> values);

/* Of numerator[i] / denominator[i]: measured side by side, so that the machine's drift cancels. */
Interval ratio_interval(const std::vector<double> &numerator, const std::vector<double> &denominator);

#endif
