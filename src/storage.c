/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes of number formats (see storage.h). */
#include "storage.h"

_Static_assert(GLS_CUT_UNIT % GLS_QUANTISED_BLOCK == 0, "a cut divides no block that shares a scale");
_Static_assert(GLS_CUT_UNIT % GLS_RANDOM_RUN == 0, "a cut divides no run that shares random bits");

static size_t blocks_of(size_t n) {
    return n / GLS_QUANTISED_BLOCK + (n % GLS_QUANTISED_BLOCK != 0);
}

size_t gls_format_element(gls_format format) {
    static const uint8_t bytes[] = {[GLS_F32] = 4,   [GLS_BF16] = 2,        [GLS_F16] = 2, [GLS_F64] = 8,
                                    [GLS_LOW16] = 2, [GLS_BF16_RANDOM] = 2, [GLS_Q8] = 0};
    return bytes[format];
}

size_t gls_format_alignment(gls_format format) {
    return format == GLS_Q8 ? sizeof(float) : gls_format_element(format);
}

size_t gls_format_bytes(gls_format format, size_t n) {
    return format == GLS_Q8 ? (n + 3) / 4 * 4 + blocks_of(n) * sizeof(float) : n * gls_format_element(format);
}

uint32_t gls_format_spans(gls_format format, size_t n, gls_range range, gls_span spans[2]) {
    const size_t element = gls_format_element(format);
    if (element) {
        spans[0] = (gls_span){range.begin * element, (range.end - range.begin) * element};
        return 1;
    }
    const size_t codes = (n + 3) / 4 * 4, first = range.begin / GLS_QUANTISED_BLOCK;
    spans[0] = (gls_span){range.begin, range.end - range.begin};
    spans[1] = (gls_span){codes + first * sizeof(float), (blocks_of(range.end) - first) * sizeof(float)};
    return 2;
}

const char *gls_array_name(gls_array array) {
    static const char *const names[GLS_ARRAY_COUNT] = {
        [GLS_ARRAY_PARAMETER] = "parameter",     [GLS_ARRAY_STATE] = "momentum",
        [GLS_ARRAY_STATE + 1] = "second state",  [GLS_ARRAY_STATE + 2] = "third state",
        [GLS_ARRAY_STATE_LAST] = "fourth state", [GLS_ARRAY_RESIDUAL] = "residual",
        [GLS_ARRAY_MASTER] = "master",           [GLS_ARRAY_COPY] = "copy",
        [GLS_ARRAY_AVERAGE] = "average",         [GLS_ARRAY_GRADIENT] = "gradient"};
    return names[array];
}
