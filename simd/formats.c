/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that turn number formats into float and back, as glissade/format.h defines them, and their table. Knows no
 * instruction set. */
#include "isa.h"

#include "format_quantised.h"
#include "format_random.h"
#include "format_steps.h"

/* ---- halves to float ---- */

static VF_INLINE void widen_bf16_step(const format_arrays *a, size_t i, size_t left) {
    const vu bits = vu_left(format_vu_load_u16(a->from[0], i, left), 16);
    format_vf_store(a->to[0], i, vf_of_bits(bits), left);
}

static VF_INLINE void widen_f16_step(const format_arrays *a, size_t i, size_t left) {
    format_vf_store(a->to[0], i, format_vf_load_f16(a->from[0], i, left), left);
}

/*
 * The magnitude of the upper half, plus the lower one, which is signed; an upper half of zero can have no less than
 * that. No sum leaves the magnitudes: the largest upper half is 0x7FFF, and NaN stays NaN because the least such is
 * 0x7F81.
 */
static VF_INLINE void join_step(const format_arrays *a, size_t i, size_t left) {
    const vu high = vu_left(format_vu_load_u16(a->from[0], i, left), 16);
    const vu size = vu_and(high, vu_set1(0x7FFFFFFF)), low = format_vu_load_i16(a->from[1], i, left);
    const vu bits = vu_or(vu_positive(vu_add(size, low)), vu_xor(high, size));
    format_vf_store(a->to[0], i, vf_of_bits(bits), left);
}

static void widen_bf16(float *to, const uint16_t *from, size_t n, size_t lead) {
    const format_arrays a = {.to = {to}, .from = {from}};
    format_walk(&a, n, lead, widen_bf16_step, format_ahead_halves);
}

static void widen_f16(float *to, const uint16_t *from, size_t n, size_t lead) {
    const format_arrays a = {.to = {to}, .from = {from}};
    format_walk(&a, n, lead, widen_f16_step, format_ahead_halves);
}

static void join(float *to, const uint16_t *high, const int16_t *low, size_t n, size_t lead) {
    const format_arrays a = {.to = {to}, .from = {high, low}};
    format_walk(&a, n, lead, join_step, format_ahead_two_halves);
}

/* ---- float to halves ---- */

/* Half of the last place less its own last bit, and that again if the place is odd. */
static VF_INLINE void narrow_bf16_step(const format_arrays *a, size_t i, size_t left) {
    const vf x = format_vf_load(a->from[0], i, left);
    const vu odd = vu_and(vu_right(vf_bits(x), 16), vu_set1(1));
    format_vu_store_high(a->to[0], i, format_rounded(x, vu_add(odd, vu_set1(0x7FFF))), left);
}

static VF_INLINE void narrow_f16_step(const format_arrays *a, size_t i, size_t left) {
    format_vf_store_f16(a->to[0], i, format_vf_load(a->from[0], i, left), left);
}

/* The lower half is what the upper one leaves over: as a signed number, the lower bits as they are. */
static VF_INLINE void split_step(const format_arrays *a, size_t i, size_t left) {
    const vf x = format_vf_load(a->from[0], i, left);
    format_vu_store_high(a->to[0], i, format_rounded(x, vu_set1(0x8000)), left);
    format_vu_store_u16(a->to[1], i, vu_unless(vf_nan(x), vf_bits(x)), left);
}

static void narrow_bf16(uint16_t *to, const float *from, size_t n) {
    const format_arrays a = {.to = {to}, .from = {from}};
    format_walk(&a, n, 0, narrow_bf16_step, format_ahead_none);
}

static void narrow_f16(uint16_t *to, const float *from, size_t n) {
    const format_arrays a = {.to = {to}, .from = {from}};
    format_walk(&a, n, 0, narrow_f16_step, format_ahead_none);
}

static void split(uint16_t *high, int16_t *low, const float *from, size_t n) {
    const format_arrays a = {.to = {high, low}, .from = {from}};
    format_walk(&a, n, 0, split_step, format_ahead_none);
}

/* ---- float to float ---- */

static VF_INLINE void clamp_step(const format_arrays *a, size_t i, size_t left) {
    const vf s = a->scalars[0], limit = a->scalars[1];
    const vf x = vf_mul(s, format_vf_load(a->from[0], i, left));
    format_vf_store(a->to[0], i, vf_max(vf_sub(vf_set1(-0.0f), limit), vf_min(limit, x)), left);
}

static void clamp(float *to, const float *from, float s, float limit, size_t n, size_t lead) {
    const format_arrays a = {.to = {to}, .from = {from}, .scalars = {vf_set1(s), vf_set1(limit)}};
    format_walk(&a, n, lead, clamp_step, format_ahead_floats);
}

static VF_INLINE void average_step(const format_arrays *a, size_t i, size_t left) {
    const vf p = format_vf_load(a->from[0], i, left), average = format_vf_load(a->to[0], i, left);
    format_vf_store(a->to[0], i, vf_fma(a->scalars[0], vf_sub(p, average), average), left);
}

static VF_INLINE void average_ahead(const format_arrays *a, size_t i, size_t lead) {
    gls_prefetch(a->to[0], i, lead, 0, 1);
    gls_prefetch(a->from[0], i, lead, 1, 0);
}

static void average(float *to, const float *p, float weight, size_t n, size_t lead) {
    const format_arrays a = {.to = {to}, .from = {p}, .scalars = {vf_set1(weight)}};
    format_walk(&a, n, lead, average_step, average_ahead);
}

/* ---- the table ---- */

const gls_format_kernels GLS_OWN(gls_format_kernels) = {
    .widen_bf16 = widen_bf16,
    .widen_f16 = widen_f16,
    .narrow_bf16 = narrow_bf16,
    .narrow_f16 = narrow_f16,
    .narrow_bf16_random = narrow_bf16_random,
    .join = join,
    .split = split,
    .expand_signed = expand_signed,
    .expand_unsigned = expand_unsigned,
    .quantise_signed = quantise_signed,
    .quantise_unsigned = quantise_unsigned,
    .clamp = clamp,
    .average = average,
};
