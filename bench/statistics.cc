// SPDX-License-Identifier: Apache-2.0
// Medians and their intervals (see statistics.h).
#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

static double middle(const std::vector<double> &sorted) {
    const size_t n = sorted.size();
    return n == 0 ? 0 : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return middle(values);
}

// The rank r for which the r-th smallest and r-th largest of n values hold the true median between them with
// at least 95 %: the number of values below the median is binomial (n, 1/2), and fewer than r of them must
// have at most 2.5 %. 0 if there is none. By logarithms, because 2^-n underflows.
static size_t bound_rank(size_t n) {
    double below = 0;
    for (size_t k = 0; k < n / 2; k++) {
        const double count = static_cast<double>(n), part = static_cast<double>(k);
        const double ways = std::lgamma(count + 1) - std::lgamma(part + 1) - std::lgamma(count - part + 1);
        below += std::exp(ways - count * std::log(2.0));
        if (2 * below > 0.05)
            return k;
    }
    return n / 2;
}

Interval median_interval(std::vector<double> values) {
    if (values.empty())
        return {0, 0, 0};
    std::sort(values.begin(), values.end());
    const size_t rank = std::max<size_t>(bound_rank(values.size()), 1);
    return {middle(values), values[rank - 1], values[values.size() - rank]};
}

Interval ratio_interval(const std::vector<double> &numerator, const std::vector<double> &denominator) {
    std::vector<double> ratios;
    for (size_t i = 0; i < numerator.size() && i < denominator.size(); i++)
        ratios.push_back(numerator[i] / denominator[i]);
    return median_interval(ratios);
}
