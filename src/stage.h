/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Updating what is not float: a stretch of elements at a time, small enough for the first-level cache, is turned into
 * float, updated by the kernel of floats, and turned back. So every rule works with every number format, and what else
 * a step does to an element (clipping by value, a copy in half precision, an average of the weights, zeroing) happens
 * while it is in the cache.
 */
#ifndef GLS_STAGE_H
#define GLS_STAGE_H

#include "optimizer.h"

/* What a stretch is updated by. */
typedef struct gls_stage {
    const gls_group *group;
    uint32_t tensor;
    const gls_call *call;
    gls_phase phase;
    const gls_kernels *kernels; /* of floats, whatever the tensor is */
    double clip_value,
        s; /* if clip_value is above 0, s times a gradient is limited to that, and s of the call is 1 */
    bool zero;
    uint64_t seed;
} gls_stage;

/* Whether an update of the tensor has to be staged. */
bool gls_stage_needed(const gls_group *group, uint32_t tensor, const gls_request *request);

/* Updates a run of a tensor that starts at a multiple of GLS_CUT_UNIT; as gls_algorithm.run otherwise. */
size_t gls_stage_run(const gls_stage *stage, gls_range run, const gls_gather *gather, const gls_walk *walk);

/* The gradient's elements of a run of at most GLS_STAGE elements as floats: where they are, or in `room`. */
enum { GLS_STAGE = 256 };
const float *gls_stage_gradient(const gls_kernels *kernels, const gls_group *group, uint32_t tensor,
                                gls_range run, size_t lead, float *room);

/* The same in `room`, times s and, if limit is above 0, limited to +- that. */
const float *gls_stage_scaled(const gls_kernels *kernels, const gls_group *group, uint32_t tensor,
                              gls_range run, double s, double limit, float *room);

/* x limited to +-limit, if that is above 0; a NaN stays. */
static inline double gls_clamp(double x, double limit) {
    return limit > 0 && (x > limit || x < -limit) ? (x > 0 ? limit : -limit) : x;
}

/*
 * p = fma(weight, state - p, p) for the parameter in full and an array of state that is plain (gls_algorithm); a copy
 * follows, an average does not.
 */
void gls_stage_blend(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range range,
                     uint32_t state, double weight);

/* Writes the copy of a float parameter anew. */
void gls_stage_copy(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range range);

/* Writes master and average anew from the parameter. */
void gls_stage_follow(const gls_kernels *kernels, const gls_group *group, uint32_t tensor, gls_range range,
                      bool master, bool average);

#endif
