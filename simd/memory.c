/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernels that compute nothing of an update: zeroing gradients, the read-only pass that is the floor of every step, and
 * sums of squares. Knows no instruction set but for one thing: what works on bits has no double form.
 */
#include "isa.h"
#include "squares.h"
#include "walk.h"

#ifndef VF_IS_F64
void GLS_OWN(gls_zero)(float *x, size_t n) {
    const vf nothing = vf_set1(0.0f);
    const gls_walk straight = {.streams = 1};
#define ZERO_WHOLE(i)       vf_store(x + (i), nothing)
#define ZERO_PART(i, left)  vf_store_part(x + (i), nothing, left)
#define ZERO_AHEAD(i, lead) gls_prefetch(x, i, lead, 0, 1)
    GLS_WALK(n, &straight, ZERO_WHOLE, ZERO_PART, ZERO_AHEAD);
#undef ZERO_WHOLE
#undef ZERO_PART
#undef ZERO_AHEAD
}

/* One accumulator an array, so that the reads do not wait for one another. */
static VF_INLINE uint32_t read_side_by_side(const float *const *arrays, size_t count, size_t n,
                                            const gls_walk *walk) {
    vf bits[GLS_READ_ARRAYS_MAX] = {vf_set1(0.0f), vf_set1(0.0f), vf_set1(0.0f), vf_set1(0.0f)};
#define READ_WHOLE(i)                                                                                        \
    for (size_t a = 0; a < count; a++)                                                                       \
    bits[a] = vf_xor(bits[a], vf_load(arrays[a] + (i)))
#define READ_PART(i, left)                                                                                   \
    for (size_t a = 0; a < count; a++)                                                                       \
    bits[a] = vf_xor(bits[a], vf_load_part(arrays[a] + (i), left))
#define READ_AHEAD(i, lead)                                                                                  \
    for (size_t a = 0; a < count; a++)                                                                       \
    gls_prefetch(arrays[a], i, lead, a, 0)
    GLS_WALK(n, walk, READ_WHOLE, READ_PART, READ_AHEAD);
#undef READ_WHOLE
#undef READ_PART
#undef READ_AHEAD
    return vf_xor_lanes(vf_xor(vf_xor(bits[0], bits[1]), vf_xor(bits[2], bits[3])));
}

/* The count is a constant in each branch, so that the loop over arrays unrolls and accumulators stay in
 * registers. */
uint32_t GLS_OWN(gls_read)(const float *const *arrays, size_t count, size_t n, const gls_walk *walk) {
    switch (count) {
    case 0:
        return 0;
    case 1:
        return read_side_by_side(arrays, 1, n, walk);
    case 2:
        return read_side_by_side(arrays, 2, n, walk);
    case 3:
        return read_side_by_side(arrays, 3, n, walk);
    default:
        return read_side_by_side(arrays, GLS_READ_ARRAYS_MAX, n, walk);
    }
}
#endif

/* ---- sums of squares ---- */

/* How many of a unit's elements are not finite. Asked only where the sum is not. */
static size_t squares_count(const vf_element *x, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += !((x[i] < 0 ? -x[i] : x[i]) <= VF_SELECT_TYPE(__FLT_MAX__, __DBL_MAX__));
    return count;
}

size_t GLS_OWN(gls_squares)(double *sums, const void *elements, size_t n, const gls_walk *walk) {
    const vf_element *x = elements;
    gls_squares squares;
    gls_squares_start(&squares, sums, n, walk);
#define SQUARES_WHOLE(i)       gls_squares_add(&squares, i, vf_load(x + (i)))
#define SQUARES_PART(i, left)  gls_squares_add_part(&squares, i, vf_load_part(x + (i), left))
#define SQUARES_AHEAD(i, lead) gls_prefetch(x, i, lead, 0, 0)
    GLS_WALK(n, walk, SQUARES_WHOLE, SQUARES_PART, SQUARES_AHEAD);
#undef SQUARES_WHOLE
#undef SQUARES_PART
#undef SQUARES_AHEAD
    gls_squares_finish(&squares, n);
    size_t count = 0;
    for (size_t begin = 0; begin < n; begin += GLS_SUM_UNIT)
        if (!(sums[begin / GLS_SUM_UNIT] <= __DBL_MAX__))
            count += squares_count(x + begin, n - begin < GLS_SUM_UNIT ? n - begin : GLS_SUM_UNIT);
    return count;
}
