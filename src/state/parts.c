/* SPDX-License-Identifier: Apache-2.0 */
/* What a tensor's arrays are in a file (see parts.h). */
#include "parts.h"

static glissade_file_dtype dtype_of(gls_format format, bool is_unsigned) {
    static const glissade_file_dtype dtypes[] = {
        [GLS_F32] = GLISSADE_FILE_F32,   [GLS_BF16] = GLISSADE_FILE_BF16,
        [GLS_F16] = GLISSADE_FILE_F16,   [GLS_F64] = GLISSADE_FILE_F64,
        [GLS_LOW16] = GLISSADE_FILE_I16, [GLS_BF16_RANDOM] = GLISSADE_FILE_BF16,
        [GLS_Q8] = GLISSADE_FILE_I8};
    return format == GLS_Q8 && is_unsigned ? GLISSADE_FILE_U8 : dtypes[format];
}

/* NULL: it is in no file. */
static const char *word_of(const gls_group *group, uint32_t tensor, gls_array array) {
    switch (array) {
    case GLS_ARRAY_PARAMETER:
        return "";
    case GLS_ARRAY_RESIDUAL:
        return "residual";
    case GLS_ARRAY_MASTER:
        return gls_group_format(group, tensor, array) == GLS_LOW16 ? GLS_PART_MASTER_LOW : GLS_PART_MASTER;
    case GLS_ARRAY_AVERAGE:
        return "average";
    case GLS_ARRAY_COPY:
    case GLS_ARRAY_GRADIENT:
        return NULL;
    default:
        return group->algorithm->state_names[array - GLS_ARRAY_STATE];
    }
}

static gls_part part_of(const char *word, gls_part_kind kind, glissade_file_dtype dtype, size_t elements,
                        size_t element) {
    return (gls_part){
        .word = {word, ""}, .kind = kind, .dtype = dtype, .elements = elements, .bytes = elements * element};
}

uint32_t gls_array_parts(const gls_group *group, uint32_t tensor, gls_array array, gls_part parts[2]) {
    const char *word = word_of(group, tensor, array);
    const size_t n = group->tensors[tensor].n;
    const gls_format format = gls_group_format(group, tensor, array);
    const bool is_unsigned = array >= GLS_ARRAY_STATE && array <= GLS_ARRAY_STATE_LAST &&
                             group->algorithm->unsigned_states >> (array - GLS_ARRAY_STATE) & 1;
    const glissade_file_dtype dtype = dtype_of(format, is_unsigned);
    if (!word)
        return 0;
    if (format == GLS_Q8) {
        gls_span spans[2];
        (void)gls_format_spans(format, n, (gls_range){0, n}, spans);
        parts[0] = part_of(word, GLS_PART_ELEMENTS, dtype, n, 1);
        parts[1] =
            part_of(word, GLS_PART_UNITS, GLISSADE_FILE_F32, spans[1].bytes / sizeof(float), sizeof(float));
        parts[1].word[1] = GLS_PART_UNIT;
        parts[1].offset = spans[1].offset;
        return 2;
    }
    if (array == GLS_ARRAY_STATE && group->storage && group->storage[tensor].factored) {
        const size_t columns = group->storage[tensor].columns;
        parts[0] = part_of("row_var", GLS_PART_ROWS, dtype, n / columns, gls_format_element(format));
        parts[1] = part_of("col_var", GLS_PART_COLUMNS, dtype, columns, gls_format_element(format));
        parts[1].offset = parts[0].bytes;
        return 2;
    }
    parts[0] = part_of(word, GLS_PART_ELEMENTS, dtype, n, gls_format_element(format));
    return 1;
}

uint32_t gls_part_shape(const gls_group *group, uint32_t tensor, const gls_part *part, uint64_t room[2],
                        const uint64_t **shape) {
    const gls_label *label = group->labels ? &group->labels->items[tensor] : NULL;
    const size_t columns = group->storage ? group->storage[tensor].columns : 0;
    *shape = room;
    room[0] = part->elements;
    room[1] = 1;
    switch (part->kind) {
    case GLS_PART_UNITS:
        return 1;
    case GLS_PART_ROWS:
        return 2;
    case GLS_PART_COLUMNS:
        room[0] = 1;
        room[1] = part->elements;
        return 2;
    default:
        break;
    }
    if (label && label->rank) {
        *shape = label->shape;
        return label->rank;
    }
    if (!columns)
        return 1;
    room[0] = part->elements / columns;
    room[1] = columns;
    return 2;
}
