// SPDX-License-Identifier: Apache-2.0
// Divisors and their errors (see debias_ways.h).
#include "debias_ways.h"

#include <algorithm>
#include <cmath>

#include "library.h"

namespace {

struct Library {
    double operator()(Counts &counts, size_t i, double beta) const {
        return gls_debias(beta, ++counts.steps[i]);
    }
};

struct PowDouble {
    double operator()(Counts &counts, size_t i, double beta) const {
        return 1 - std::pow(beta, static_cast<double>(++counts.steps[i]));
    }
};

struct PowFloat {
    float operator()(Counts &counts, size_t i, double beta) const {
        return 1 - std::pow(static_cast<float>(beta), static_cast<float>(++counts.steps[i]));
    }
};

struct ProductDouble {
    double operator()(Counts &counts, size_t i, double beta) const {
        counts.steps[i]++;
        return 1 - (counts.double_powers[i] *= beta);
    }
};

struct ProductFloat {
    float operator()(Counts &counts, size_t i, double beta) const {
        counts.steps[i]++;
        return 1 - (counts.float_powers[i] *= static_cast<float>(beta));
    }
};

template <class Next> void fill(Counts &counts, double beta, double rate, std::vector<float> &etas) {
    for (size_t i = 0; i < etas.size(); i++)
        etas[i] = static_cast<float>(rate / Next()(counts, i, beta));
}

template <class Next> double jump(Counts &counts, double beta, uint64_t skipped) {
    counts.steps[0] += skipped - 1;
    return Next()(counts, 0, beta);
}

template <class Next> double walk(Counts &counts, double beta, uint64_t skipped) {
    for (uint64_t i = 1; i < skipped; i++)
        Next()(counts, 0, beta);
    return Next()(counts, 0, beta);
}

constexpr uint64_t furthest = 1000000000;

// 113 bits at least: on AArch64 long double is that wide.
#if defined(__SIZEOF_FLOAT128__)
__extension__ typedef __float128 quad;
#else
typedef long double quad;
#endif

double relative_error(double divisor, quad power) {
    const quad exact = 1 - power, error = (divisor - exact) / exact;
    return static_cast<double>(error < 0 ? -error : error);
}

quad power_of(quad base, uint64_t exponent) {
    quad power = 1;
    for (; exponent; exponent >>= 1, base *= base)
        if (exponent & 1)
            power *= base;
    return power;
}

} // namespace

Counts::Counts(size_t tensors, uint64_t first, uint64_t stride, double beta) {
    for (size_t i = 0; i < tensors; i++) {
        steps.push_back(first + i * stride);
        double_powers.push_back(std::pow(beta, static_cast<double>(steps[i])));
        float_powers.push_back(static_cast<float>(double_powers[i]));
    }
}

const Way &library_way() {
    static const Way way = {"library", fill<Library>, furthest, jump<Library>};
    return way;
}

const std::vector<Way> &other_ways() {
    static const std::vector<Way> ways = {
        {"pow_double", fill<PowDouble>, furthest, jump<PowDouble>},
        {"pow_float", fill<PowFloat>, furthest, jump<PowFloat>},
        {"product_double", fill<ProductDouble>, 3000000, walk<ProductDouble>},
        {"product_float", fill<ProductFloat>, 3000000, walk<ProductFloat>},
    };
    return ways;
}

double error_at_999(const Way &way) {
    const double beta = 0.999;
    Counts counts(1, 0, 0, beta);
    double worst = 0;
    quad power = 1;
    for (uint64_t k = 1; k <= 100000; k++) {
        power *= beta;
        worst = std::max(worst, relative_error(way.divisor(counts, beta, 1), power));
    }
    return worst;
}

double error_anywhere(const Way &way) {
    double worst = 0;
    for (double gap = 0.1; gap > 0.5e-8; gap /= 10) {
        const double beta = 1 - gap;
        Counts counts(1, 0, 0, beta);
        uint64_t done = 0;
        for (uint64_t ten = 1; ten <= way.reach; ten *= 10)
            for (const uint64_t k : {ten, 3 * ten}) {
                if (k > way.reach)
                    continue;
                worst =
                    std::max(worst, relative_error(way.divisor(counts, beta, k - done), power_of(beta, k)));
                done = k;
            }
    }
    return worst;
}
