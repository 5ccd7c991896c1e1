/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the kernels of number formats go through their arrays: a function a vector, told how many elements are left for
 * it. Knows no instruction set.
 */
#ifndef GLS_SIMD_FORMAT_STEPS_H
#define GLS_SIMD_FORMAT_STEPS_H

#include "walk.h"

/* What a kernel was called with: up to two arrays each way, and scalars in every lane. */
typedef struct format_arrays {
    void *to[2];
    const void *from[2];
    vf scalars[2];
} format_arrays;

/* Handles `left` elements from i on: VF_LANES, or fewer at the end. Asks for what lies `lead` elements past i. */
typedef void format_step(const format_arrays *a, size_t i, size_t left);
typedef void format_ahead(const format_arrays *a, size_t i, size_t lead);

/* A vector of elements, or the `left` that there are. Whole steps pass VF_LANES as a constant, which leaves of these
 * the plain load or store. */
#define FORMAT_TAKE(vector, type, load)                                                                      \
    static VF_INLINE vector format_##load(const void *x, size_t i, size_t left) {                            \
        const type *elements = (const type *)x + i;                                                          \
        return left == VF_LANES ? load(elements) : load##_part(elements, left);                              \
    }
#define FORMAT_PUT(vector, type, store)                                                                      \
    static VF_INLINE void format_##store(void *x, size_t i, vector v, size_t left) {                         \
        type *elements = (type *)x + i;                                                                      \
        if (left == VF_LANES)                                                                                \
            store(elements, v);                                                                              \
        else                                                                                                 \
            store##_part(elements, v, left);                                                                 \
    }
FORMAT_TAKE(vf, float, vf_load)
FORMAT_TAKE(vf, uint16_t, vf_load_f16)
FORMAT_TAKE(vu, uint16_t, vu_load_u16)
FORMAT_TAKE(vu, int16_t, vu_load_i16)
FORMAT_TAKE(vu, uint8_t, vu_load_u8)
FORMAT_TAKE(vu, int8_t, vu_load_i8)
FORMAT_PUT(vf, float, vf_store)
FORMAT_PUT(vf, uint16_t, vf_store_f16)
FORMAT_PUT(vu, uint16_t, vu_store_u16)
FORMAT_PUT(vu, uint16_t, vu_store_high)
FORMAT_PUT(vu, uint8_t, vu_store_u8)
#undef FORMAT_TAKE
#undef FORMAT_PUT

static VF_INLINE void format_walk(const format_arrays *a, size_t n, size_t lead, format_step *step,
                                  format_ahead *ahead) {
    const gls_walk walk = {.streams = 1, .lead = lead};
#define FORMAT_WHOLE(i)       step(a, i, VF_LANES)
#define FORMAT_PART(i, left)  step(a, i, left)
#define FORMAT_AHEAD(i, lead) ahead(a, i, lead)
    GLS_WALK(n, &walk, FORMAT_WHOLE, FORMAT_PART, FORMAT_AHEAD);
#undef FORMAT_WHOLE
#undef FORMAT_PART
#undef FORMAT_AHEAD
}

/* The bits of x plus an increment, whose upper half is x rounded; a NaN keeps its bits and is made quiet. */
static VF_INLINE vu format_rounded(vf x, vu increment) {
    const vu bits = vf_bits(x);
    return vu_select(vf_nan(x), vu_or(bits, vu_set1(0x400000)), vu_add(bits, increment));
}

/* gls_prefetch for an array of smaller elements: distances are in elements, but a cache line holds more of them, and is
 * asked for once. */
static VF_INLINE void format_prefetch(const void *x, size_t size, size_t i, size_t lead, size_t array) {
    if (i * size % (GLS_WALK_LINE * sizeof(float)))
        return;
    const uintptr_t far = (uintptr_t)x + (i + lead + array * GLS_WALK_STAGGER_FAR) * size;
    const uintptr_t near = (uintptr_t)x + (i + GLS_WALK_NEAR + array * GLS_WALK_STAGGER_NEAR) * size;
    __builtin_prefetch((const void *)far, 0, 2);
    __builtin_prefetch((const void *)near, 0, 3);
}

/* What is written was read, or is about to be: nothing to ask for. */
static VF_INLINE void format_ahead_none(const format_arrays *a, size_t i, size_t lead) {
    (void)a, (void)i, (void)lead;
}

static VF_INLINE void format_ahead_halves(const format_arrays *a, size_t i, size_t lead) {
    format_prefetch(a->from[0], sizeof(uint16_t), i, lead, 0);
}

static VF_INLINE void format_ahead_two_halves(const format_arrays *a, size_t i, size_t lead) {
    format_prefetch(a->from[0], sizeof(uint16_t), i, lead, 0);
    format_prefetch(a->from[1], sizeof(uint16_t), i, lead, 1);
}

static VF_INLINE void format_ahead_floats(const format_arrays *a, size_t i, size_t lead) {
    gls_prefetch(a->from[0], i, lead, 0, 0);
}

#endif
