/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ways to compute the divisor 1 - beta^k of a debiased average: the library's and those that optimizers use
 * instead. Each fills the step sizes of all tensors before a step, as their authors do, and is checked
 * against 128-bit arithmetic.
 */
#ifndef BENCH_DEBIAS_WAYS_H
#define BENCH_DEBIAS_WAYS_H

#include <cstddef>
#include <cstdint>
#include <vector>

/* What a way keeps for every tensor. */
struct Counts {
    std::vector<uint64_t> steps;       /* k before the coming step */
    std::vector<double> double_powers; /* beta^k, for those that carry it along */
    std::vector<float> float_powers;

    Counts(std::size_t tensors, uint64_t first, uint64_t stride, double beta);
};

struct Way {
    const char *name;
    /* Advances every tensor by a step and writes rate / (1 - beta^k). */
    void (*fill)(Counts &counts, double beta, double rate, std::vector<float> &etas);
    /* The last steps for which fill() takes a bearable time to arrive at from 0: products go there one by
     * one. */
    uint64_t reach;
    /* The divisor after `skipped` more steps of a single tensor. */
    double (*divisor)(Counts &counts, double beta, uint64_t skipped);
};

const Way &library_way();
/* pow and a running product, in double and in float. */
const std::vector<Way> &other_ways();

/* The largest relative error at beta = 0.999 over every k up to 100,000. */
double error_at_999(const Way &way);
/* The largest over beta = 0.9, 0.99, ..., 1 - 1e-8 and k = 1, 3, 10, 30, ..., up to 10^9 or the way's reach.
 */
double error_anywhere(const Way &way);

#endif
