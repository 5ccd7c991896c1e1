/* SPDX-License-Identifier: Apache-2.0 */
/* Conversion by stretches that stay in the cache, through float, or through double where the file has that. */
#include "convert.h"

#include <math.h>
#include <string.h>

enum { STRETCH = GLS_QUANTISED_BLOCK };

bool gls_convertible(glissade_file_dtype from, gls_format to) {
    const bool known = from <= GLISSADE_FILE_F64 || from == GLISSADE_FILE_I8 || from == GLISSADE_FILE_U8;
    return known && to != GLS_LOW16;
}

static size_t block_of(size_t i) {
    return i / GLS_QUANTISED_BLOCK;
}

/* ---- copying ---- */

static void copy(const gls_stored *from, const gls_kept *to, gls_range range) {
    gls_span spans[2];
    const uint32_t count = gls_format_spans(to->format, to->length, range, spans);
    memcpy((char *)to->elements + spans[0].offset, (const char *)from->elements + spans[0].offset,
           spans[0].bytes);
    if (count == 2)
        memcpy((char *)to->elements + spans[1].offset,
               (const char *)from->units + block_of(range.begin) * sizeof(float), spans[1].bytes);
}

/* ---- reading ---- */

/* Elements of any format but F64 as floats. */
static void read_floats(const gls_format_kernels *kernels, const gls_stored *from, size_t begin, size_t n,
                        float *to) {
    uint16_t halves[STRETCH];
    uint8_t codes[STRETCH];
    float unit;
    switch (from->dtype) {
    case GLISSADE_FILE_F32:
        memcpy(to, (const char *)from->elements + begin * sizeof *to, n * sizeof *to);
        return;
    case GLISSADE_FILE_BF16:
    case GLISSADE_FILE_F16:
        memcpy(halves, (const char *)from->elements + begin * sizeof *halves, n * sizeof *halves);
        (from->dtype == GLISSADE_FILE_F16 ? kernels->widen_f16 : kernels->widen_bf16)(to, halves, n, 0);
        return;
    default:
        memcpy(codes, (const char *)from->elements + begin, n);
        memcpy(&unit, (const char *)from->units + block_of(begin) * sizeof unit, sizeof unit);
        (from->dtype == GLISSADE_FILE_U8 ? kernels->expand_unsigned : kernels->expand_signed)(to, codes,
                                                                                              &unit, n, 0);
    }
}

/* A float that any format of no more than 22 significant bits rounds as it would the double: what is cut off makes the
 * last bit odd, so that it neither vanishes nor looks like a tie. */
static float round_to_odd(double x) {
    float nearest = (float)x;
    uint32_t bits;
    if (isnan(x) || (double)nearest == x)
        return nearest;
    memcpy(&bits, &nearest, sizeof bits);
    bits -= fabs((double)nearest) > fabs(x); /* towards zero: an infinity becomes the largest float */
    bits |= 1;
    memcpy(&nearest, &bits, sizeof nearest);
    return nearest;
}

static void read_doubles(const gls_stored *from, size_t begin, size_t n, double *to) {
    memcpy(to, (const char *)from->elements + begin * sizeof *to, n * sizeof *to);
}

/* ---- writing ---- */

static void write_floats(const gls_format_kernels *kernels, const gls_kept *to, size_t begin, size_t n,
                         const float *from) {
    void *const base = to->elements;
    switch (to->format) {
    case GLS_F32:
        memcpy((float *)base + begin, from, n * sizeof *from);
        return;
    case GLS_BF16:
    case GLS_BF16_RANDOM:
        kernels->narrow_bf16((uint16_t *)base + begin, from, n);
        return;
    case GLS_F16:
        kernels->narrow_f16((uint16_t *)base + begin, from, n);
        return;
    case GLS_Q8:
        (to->is_unsigned ? kernels->quantise_unsigned : kernels->quantise_signed)(
            (uint8_t *)base + begin, gls_scales_of(base, to->length) + block_of(begin), from, n);
        return;
    default:
        for (size_t i = 0; i < n; i++)
            ((double *)base)[begin + i] = (double)from[i];
    }
}

void gls_convert(const gls_format_kernels *kernels, const gls_stored *from, const gls_kept *to,
                 gls_range range, bool same) {
    const bool is_half = to->format == GLS_BF16 || to->format == GLS_BF16_RANDOM || to->format == GLS_F16;
    float floats[STRETCH];
    double doubles[STRETCH];
    if (same) {
        copy(from, to, range);
        return;
    }
    for (size_t begin = range.begin, n; begin < range.end; begin += n) {
        n = range.end - begin < STRETCH ? range.end - begin : STRETCH;
        if (from->dtype == GLISSADE_FILE_F64) {
            read_doubles(from, begin, n, doubles);
            for (size_t i = 0; i < n; i++)
                floats[i] = is_half ? round_to_odd(doubles[i]) : (float)doubles[i];
        } else {
            read_floats(kernels, from, begin, n, floats);
        }
        write_floats(kernels, to, begin, n, floats);
    }
}
