/* SPDX-License-Identifier: Apache-2.0 */
/* Element types by the names that the format gives them. */
#include <string.h>

#include "header.h"

typedef struct element {
    const char *name;
    uint32_t bits;
} element;

static const element elements[] = {
    [GLISSADE_FILE_F32] = {"F32", 32},
    [GLISSADE_FILE_BF16] = {"BF16", 16},
    [GLISSADE_FILE_F16] = {"F16", 16},
    [GLISSADE_FILE_F64] = {"F64", 64},
    [GLISSADE_FILE_I8] = {"I8", 8},
    [GLISSADE_FILE_U8] = {"U8", 8},
    [GLISSADE_FILE_I16] = {"I16", 16},
    [GLISSADE_FILE_U16] = {"U16", 16},
    [GLISSADE_FILE_I32] = {"I32", 32},
    [GLISSADE_FILE_U32] = {"U32", 32},
    [GLISSADE_FILE_I64] = {"I64", 64},
    [GLISSADE_FILE_U64] = {"U64", 64},
    [GLISSADE_FILE_BOOL] = {"BOOL", 8},
    [GLISSADE_FILE_F8_E4M3] = {"F8_E4M3", 8},
    [GLISSADE_FILE_F8_E5M2] = {"F8_E5M2", 8},
    [GLISSADE_FILE_F8_E8M0] = {"F8_E8M0", 8},
    [GLISSADE_FILE_F6_E2M3] = {"F6_E2M3", 6},
    [GLISSADE_FILE_F6_E3M2] = {"F6_E3M2", 6},
    [GLISSADE_FILE_F4] = {"F4", 4},
    [GLISSADE_FILE_C64] = {"C64", 64},
    [GLISSADE_FILE_F8_E4M3FNUZ] = {"F8_E4M3FNUZ", 8},
    [GLISSADE_FILE_F8_E5M2FNUZ] = {"F8_E5M2FNUZ", 8},
};

static const size_t element_count = sizeof elements / sizeof *elements;

const char *glissade_file_dtype_name(glissade_file_dtype dtype) {
    return (size_t)dtype < element_count ? elements[dtype].name : NULL;
}

uint32_t glissade_file_dtype_bits(glissade_file_dtype dtype) {
    return (size_t)dtype < element_count ? elements[dtype].bits : 0;
}

bool gls_dtype_find(const char *name, glissade_file_dtype *dtype) {
    for (size_t i = 0; i < element_count; i++)
        if (strcmp(elements[i].name, name) == 0) {
            *dtype = (glissade_file_dtype)i;
            return true;
        }
    return false;
}

/* The dimensions are multiplied in their order, and one of 0 does not excuse those before it: so does the reference. */
bool gls_header_tensor_bytes(glissade_file_dtype dtype, uint32_t rank, const uint64_t *shape,
                             uint64_t *bytes) {
    uint64_t count = 1, bits;
    for (uint32_t i = 0; i < rank; i++)
        if (__builtin_mul_overflow(count, shape[i], &count))
            return false;
    if (__builtin_mul_overflow(count, (uint64_t)glissade_file_dtype_bits(dtype), &bits) || bits % 8 != 0)
        return false;
    *bytes = bits / 8;
    return true;
}
