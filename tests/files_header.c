/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading headers of tensor files: what is accepted and what it becomes.
 */
#include "files_header.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

glissade_status header_parse(gls_header *header, const char *json, size_t bytes, uint64_t data_bytes,
                             glissade_error *error) {
    unsigned char *text = malloc(GLS_HEADER_PREFIX + bytes); /* no byte more, for sanitizers */
    cr_assert_not_null(text);
    for (int i = 0; i < GLS_HEADER_PREFIX; i++)
        text[i] = (unsigned char)((uint64_t)bytes >> 8 * i);
    memcpy(text + GLS_HEADER_PREFIX, json, bytes);
    memset(header, 0xab, sizeof *header);
    *error = (glissade_error){0};
    const glissade_status status = gls_header_parse(header, text, GLS_HEADER_PREFIX + bytes,
                                                    GLS_HEADER_PREFIX + bytes + data_bytes, "it", error);
    free(text); /* a header holds copies */
    return status;
}

gls_header header_accept(const char *json, uint64_t data_bytes) {
    gls_header header;
    glissade_error error;
    const glissade_status status = header_parse(&header, json, strlen(json), data_bytes, &error);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%.200s: %s", json, error.message);
    return header;
}

Test(files_header, table_of_a_header) {
    gls_header header = header_accept(
        "{" TENSOR("b", "F32", "[2,3]", 8, 32) "," TENSOR(
            "a", "I64", "[]", 0, 8) ","
                                    "\"__metadata__\":{\"z\":\"1\",\"\":\"\",\"a b\":\"two\"}," TENSOR(
                                        "c", "BF16", "[0,7]", 32, 32) "}  \n\t\r ",
        32);
    cr_assert_eq(header.entry_count, 3);
    cr_assert_eq(header.text_count, 3);
    cr_assert_eq(header.data_bytes, 32);
    const gls_entry *e = header.entries;
    cr_assert(strcmp(e[0].name, "a") == 0 && e[0].dtype == GLISSADE_FILE_I64 && e[0].rank == 0);
    cr_assert(strcmp(e[1].name, "b") == 0 && e[1].dtype == GLISSADE_FILE_F32 && e[1].rank == 2);
    cr_assert(e[1].shape[0] == 2 && e[1].shape[1] == 3 && e[1].begin == 8 && e[1].end == 32);
    cr_assert(strcmp(e[2].name, "c") == 0 && e[2].shape[0] == 0 && e[2].shape[1] == 7 && e[2].begin == 32);
    cr_assert_str_eq(header.texts[0].key, "");
    cr_assert_str_eq(header.texts[1].key, "a b");
    cr_assert_str_eq(header.texts[2].key, "z");
    cr_assert_str_eq(gls_header_text(&header, "z"), "1");
    cr_assert_null(gls_header_text(&header, "y"));
    cr_assert_null(gls_header_text(&header, "zz"));
    cr_assert_eq(gls_header_find(&header, "a"), 0);
    cr_assert_eq(gls_header_find(&header, "b"), 1);
    cr_assert_eq(gls_header_find(&header, "c"), 2);
    cr_assert_eq(gls_header_find(&header, ""), SIZE_MAX);
    cr_assert_eq(gls_header_find(&header, "d"), SIZE_MAX);
    cr_assert_eq(header.chunk_bytes, 0);
    gls_header_destroy(&header);
    cr_assert_null(header.entries);
    gls_header_destroy(&header);
}

Test(files_header, headers_of_little) {
    static const char *const little[] = {
        "{}",
        "{} ",
        "{ }",
        "{\"__metadata__\":{}}",
        "{\"__metadata__\" : { } }",
        "{" TENSOR("", "U8", "[0]", 0, 0) "}",
    };
    for (size_t i = 0; i < sizeof little / sizeof *little; i++) {
        gls_header header = header_accept(little[i], 0);
        cr_expect_eq(header.text_count, 0);
        cr_expect_eq(gls_header_find(&header, "x"), SIZE_MAX);
        cr_expect_null(gls_header_text(&header, "x"));
        gls_header_destroy(&header);
    }
}

/* Tensors of no elements among others, in an order that is none of theirs. */
Test(files_header, tensors_of_no_bytes) {
    gls_header header =
        header_accept("{" TENSOR("d", "F32", "[1]", 0, 4) "," TENSOR("c", "F32", "[0]", 4, 4) "," TENSOR(
                          "b", "U8", "[0,18446744073709551615]", 0, 0) "," TENSOR("a", "F4", "[0]", 4, 4) "}",
                      4);
    static const char *const names[] = {"b", "d", "a", "c"};
    for (size_t i = 0; i < 4; i++)
        cr_assert_str_eq(header.entries[i].name, names[i]);
    cr_assert_eq(header.entries[0].shape[1], UINT64_MAX);
    gls_header_destroy(&header);
}

Test(files_header, every_dtype) {
    static const struct {
        const char *name;
        glissade_file_dtype dtype;
        uint32_t bits;
    } all[] = {{"F32", GLISSADE_FILE_F32, 32},
               {"BF16", GLISSADE_FILE_BF16, 16},
               {"F16", GLISSADE_FILE_F16, 16},
               {"F64", GLISSADE_FILE_F64, 64},
               {"I8", GLISSADE_FILE_I8, 8},
               {"U8", GLISSADE_FILE_U8, 8},
               {"I16", GLISSADE_FILE_I16, 16},
               {"U16", GLISSADE_FILE_U16, 16},
               {"I32", GLISSADE_FILE_I32, 32},
               {"U32", GLISSADE_FILE_U32, 32},
               {"I64", GLISSADE_FILE_I64, 64},
               {"U64", GLISSADE_FILE_U64, 64},
               {"BOOL", GLISSADE_FILE_BOOL, 8},
               {"F8_E4M3", GLISSADE_FILE_F8_E4M3, 8},
               {"F8_E5M2", GLISSADE_FILE_F8_E5M2, 8},
               {"F8_E8M0", GLISSADE_FILE_F8_E8M0, 8},
               {"F6_E2M3", GLISSADE_FILE_F6_E2M3, 6},
               {"F6_E3M2", GLISSADE_FILE_F6_E3M2, 6},
               {"F4", GLISSADE_FILE_F4, 4},
               {"C64", GLISSADE_FILE_C64, 64},
               {"F8_E4M3FNUZ", GLISSADE_FILE_F8_E4M3FNUZ, 8},
               {"F8_E5M2FNUZ", GLISSADE_FILE_F8_E5M2FNUZ, 8}};
    const size_t count = sizeof all / sizeof *all;
    for (size_t i = 0; i < count; i++) {
        char json[128];
        snprintf(json, sizeof json, "{\"x\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,%u]}}",
                 all[i].name, all[i].bits);
        gls_header header = header_accept(json, all[i].bits);
        cr_expect_eq(header.entries[0].dtype, all[i].dtype);
        gls_header_destroy(&header);
        cr_expect_str_eq(glissade_file_dtype_name(all[i].dtype), all[i].name);
        cr_expect_eq(glissade_file_dtype_bits(all[i].dtype), all[i].bits);
    }
    for (int none = (int)count; none < 300; none += 23) {
        cr_expect_null(glissade_file_dtype_name((glissade_file_dtype)none));
        cr_expect_eq(glissade_file_dtype_bits((glissade_file_dtype)none), 0);
    }
    cr_expect_null(glissade_file_dtype_name((glissade_file_dtype)-1));
    cr_expect_eq(glissade_file_dtype_bits((glissade_file_dtype)-1), 0);
}

/* Names are what their escapes stand for; those of fields, too. */
Test(files_header, escapes) {
    gls_header header =
        header_accept("{\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\uD83D\\uDE00\\uffff\\u0001\":"
                      "{\"\\u0064type\":\"\\u00558\",\"shape\":[1],\"data_offsets\":[0,1]},"
                      "\"\\u005f_metadata__\":{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\":\"\\u0009\"}}",
                      1);
    cr_assert_str_eq(header.entries[0].name,
                     "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbf\x01");
    cr_assert_eq(header.entries[0].dtype, GLISSADE_FILE_U8);
    cr_assert_str_eq(gls_header_text(&header, "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f"), "\t");
    gls_header_destroy(&header);
}

/* Of thousands, found by name whatever order they stand in. */
Test(files_header, many_tensors) {
    enum { COUNT = 3000 };
    char *json = malloc(COUNT * 100);
    size_t at = (size_t)sprintf(json, "{");
    for (unsigned i = 0; i < COUNT; i++) {
        const unsigned place = i * 1777 % COUNT;
        at += (size_t)sprintf(json + at,
                              "%s\"tensor %u\":{\"data_offsets\":[%u,%u],\"shape\":[1,1],\"dtype\":\"U16\"}",
                              i ? "," : "", place, 2 * place, 2 * place + 2);
    }
    sprintf(json + at, "}");
    gls_header header = header_accept(json, 2 * COUNT);
    free(json);
    for (size_t i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "tensor %zu", i);
        cr_assert_str_eq(header.entries[i].name, name);
        cr_assert_eq(gls_header_find(&header, name), i);
    }
    gls_header_destroy(&header);
}

/* A name as long as the header may be, and one with nothing but escapes. */
Test(files_header, long_names) {
    enum { BYTES = 6000000 };
    char *json = malloc(BYTES + 128);
    json[0] = '{', json[1] = '"';
    for (size_t i = 0; i < BYTES; i += 6)
        memcpy(json + 2 + i, "\\u00e9", 6);
    strcpy(json + 2 + BYTES, "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    gls_header header = header_accept(json, 0);
    cr_assert_eq(strlen(header.entries[0].name), BYTES / 3);
    gls_header_destroy(&header);
    free(json);
}
