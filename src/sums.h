/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums over a tensor's elements, added up in an order that neither threads nor cuts change: kernels give one sum for
 * each GLS_SUM_UNIT elements from the tensor's start; units make blocks and blocks the tensor, each by pairing
 * neighbours up a tree, an odd last one passing up.
 */
#ifndef GLS_SUMS_H
#define GLS_SUMS_H

#include "kernel.h"
#include "plan.h"

enum { GLS_BLOCK_UNITS = GLS_BLOCK / GLS_SUM_UNIT };

/* One tensor's. */
typedef struct gls_sums {
    double *units;  /* one for each GLS_SUM_UNIT elements, used for blocks that a cut divides ... */
    double *blocks; /* ... and one for each GLS_BLOCK */
} gls_sums;

/* How many sums a tensor of n elements needs, by units and by blocks. */
size_t gls_sums_units(size_t n);
size_t gls_sums_blocks(size_t n);

/* Points `sums` at the next of the doubles at `room`; returns what follows. */
double *gls_sums_take(gls_sums *sums, size_t n, double *room);

/* Sums up a block from its units; and all blocks that a cut divides, once every owner of a part has left its units
 * with the tensor. The same block may be summed up again. */
void gls_sums_fold(const gls_sums *sums, size_t block, const double *units, size_t n);
void gls_sums_fold_divided(const gls_sums *sums, const gls_plan *plan, uint32_t tensor, size_t n);

/* The tensor's sum, from its blocks, which it overwrites; and of any numbers likewise. */
double gls_sums_total(const gls_sums *sums, size_t n);
double gls_sums_pairwise(double *x, size_t count);

/* The part of `range` from `begin` on that lies in one block, and whether that is the whole block. */
typedef struct gls_block_part {
    gls_range run;
    size_t block;
    bool whole;
} gls_block_part;
gls_block_part gls_sums_part(gls_range range, size_t begin, size_t n);

#endif
