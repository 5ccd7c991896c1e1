/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of tensor files that are refused, and what the messages say; among them the attacks that have been published
 * on the format.
 */
#include "files_header.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void refuse_bytes(const char *json, size_t bytes, uint64_t data_bytes, const char *message) {
    static const gls_header empty;
    gls_header header;
    glissade_error error;
    const glissade_status status = header_parse(&header, json, bytes, data_bytes, &error);
    cr_expect_eq(status, GLISSADE_STATUS_INVALID_FILE, "%.200s: %s", json, glissade_status_name(status));
    cr_expect_eq(error.status, status);
    cr_expect(strncmp(error.message, "it: ", 4) == 0, "%.200s: \"%s\" does not say which file", json,
              error.message);
    cr_expect(strstr(error.message, message), "%.200s: \"%s\" does not say \"%s\"", json, error.message,
              message);
    cr_expect(memcmp(&header, &empty, sizeof empty) == 0, "%.200s: the header is not empty", json);
}

static void refuse(const char *json, uint64_t data_bytes, const char *message) {
    refuse_bytes(json, strlen(json), data_bytes, message);
}

Test(files_header, lengths_refused) {
    static const struct {
        uint64_t length, file_bytes;
        const char *message;
    } cases[] = {
        {0, 0, "the file has 0 bytes; a tensor file has at least 10"},
        {2, 9, "the file has 9 bytes"},
        {0, 100, "at offset 0 the header's length is 0; expected 2 to 92"},
        {1, 100, "is 1; expected 2"},
        {93, 100, "is 93; expected 2 to 92, what the file has behind it"},
        {UINT64_MAX, 100, "is 18446744073709551615;"},
        {UINT64_MAX - 7, 100, "is 18446744073709551608;"},
        {(uint64_t)1 << 63, UINT64_MAX, "expected 2 to 100000000, the format's limit"},
        {100000001, (uint64_t)1 << 40, "is 100000001; expected 2 to 100000000, the format's limit"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char prefix[GLS_HEADER_PREFIX];
        glissade_error error = {0};
        uint64_t bytes = 4711;
        for (int b = 0; b < 8; b++)
            prefix[b] = (unsigned char)(cases[i].length >> 8 * b);
        cr_expect_eq(gls_header_length(prefix, cases[i].file_bytes, "it", &bytes, &error),
                     GLISSADE_STATUS_INVALID_FILE);
        cr_expect(strstr(error.message, cases[i].message), "\"%s\" does not say \"%s\"", error.message,
                  cases[i].message);
        cr_expect_eq(bytes, 0);
    }
    uint64_t bytes;
    const unsigned char most[8] = {0x00, 0xe1, 0xf5, 0x05};
    cr_expect_eq(gls_header_length(most, GLS_HEADER_MOST + 8, "it", &bytes, NULL), GLISSADE_STATUS_OK);
    cr_expect_eq(bytes, GLS_HEADER_MOST);
    gls_header header;
    glissade_error error;
    cr_expect_eq(gls_header_parse(&header, "\2\0\0\0\0\0\0\0{} ", 11, 11, "it", &error),
                 GLISSADE_STATUS_INVALID_FILE);
    cr_expect(strstr(error.message, "11 bytes of header could be read; expected 10"), "%s", error.message);
}

typedef struct refusal {
    const char *json;
    uint64_t data_bytes;
    const char *message;
} refusal;

static void refuse_all(const refusal *cases, size_t count) {
    for (size_t i = 0; i < count; i++)
        refuse(cases[i].json, cases[i].data_bytes, cases[i].message);
}
#define REFUSE_ALL(cases) refuse_all(cases, sizeof(cases) / sizeof *(cases))

Test(files_header, grammar_refused) {
    static const refusal cases[] = {
        {" {}", 0, "at offset 8 the header has byte 0x20; expected '{', with which every header begins"},
        {"[]", 0, "at offset 8 the header has '['; expected '{'"},
        {"\xef\xbb\xbf{}", 0, "at offset 8 the header has byte 0xef; expected '{'"},
        {"{}x", 0, "at offset 10 the header has 'x'; expected nothing but spaces"},
        {"{}{}", 0, "at offset 10 the header has '{'"},
        {"{}\v", 0, "at offset 10 the header has byte 0x0b"},
        {"{,}", 0, "at offset 9 the header has ','; expected a text"},
        {"{\"__metadata__\":{},}", 0, "has '}'; expected a text"},
        {"{\"__metadata__\":{}", 0, "has its end; expected ',' or '}'"},
        {"{\"__metadata__\":{\"a\":\"b\",}}", 0, "has '}'; expected a text"},
        {"{\"__metadata__\":{\"a\":\"b\"", 0, "has its end; expected ',' or '}'"},
        {"{\"__metadata__\":{\"a\"}}", 0, "expected ':' behind a key"},
        {"{\"__metadata__\" {}}", 0, "expected ':' behind a tensor's name"},
        {"{\"__metadata__\":null}", 0,
         "at offset 24 the header has 'n'; expected '{', since __metadata__ maps"},
        {"{\"__metadata__\":[]}", 0, "has '['; expected '{', since __metadata__"},
        {"{\"__metadata__\":\"a\"}", 0, "expected '{', since __metadata__"},
        {"{\"__metadata__\":{\"a\":1}}", 0, "has '1'; expected a text"},
        {"{\"__metadata__\":{\"a\":{}}}", 0, "has '{'; expected a text"},
        {"{\"__metadata__\":{\"a\":null}}", 0, "has 'n'; expected a text"},
        {"{\"__metadata__\":{a:\"b\"}}", 0, "has 'a'; expected a text"},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, "expected __metadata__ no second time"},
        {"{\"__metadata__\":{},\"__metadata_\\u005f\":{}}", 0, "expected __metadata__ no second time"},
        {"{\"__metadata__\":{\"k\":\"1\",\"j\":\"\",\"\\u006b\":\"2\"}}", 0, "has the key \"k\" twice"},
        {"{\"x\":[]}", 0, "expected '{', since a tensor has fields"},
        {"{\"x\":{\"dtype\" \"U8\"}}", 0, "expected ':' behind a field's name"},
        {"{'x':{}}", 0, "has '''; expected a text"},
        {"{/**/}", 0, "has '/'"},
        {"{\"x", 0, "has its end; expected the quotation mark that ends a text"},
        {"{\"x\n\":{}}", 0, "byte 0x0a; expected control characters in a text to be escaped"},
        {"{\"\\x\":{}}", 0, "has 'x'; expected one of"},
        {"{\"\\", 0, "has its end; expected one of"},
        {"{\"\\u", 0, "has its end; expected four hexadecimal digits"},
        {"{\"\\u00g0\":{}}", 0, "has 'g'; expected four hexadecimal digits"},
        {"{\"\\u00G0\":{}}", 0, "has 'G'; expected four hexadecimal digits"},
        {"{\"\\u00 0\":{}}", 0, "byte 0x20; expected four hexadecimal digits"},
        {"{\"a\\u0000\":{}}", 0, "at offset 11 the header has '\\'; expected a text without zero bytes"},
        {"{\"\\ud800\":{}}", 0, "expected the second half of a surrogate pair"},
        {"{\"\\ud800", 0, "has its end; expected the second half of a surrogate pair"},
        {"{\"\\ud800\\n\":{}}", 0, "expected the second half of a surrogate pair"},
        {"{\"\\ud800\\u0041\":{}}", 0, "expected the second half of a surrogate pair"},
        {"{\"\\ud800\\ud800\":{}}", 0, "expected the second half of a surrogate pair"},
        {"{\"\\ud800\\ue000\":{}}", 0, "expected the second half of a surrogate pair"},
        {"{\"\\ud800\\u00\":{}}", 0, "expected four hexadecimal digits"},
        {"{\"\\udc00\":{}}", 0, "expected no second half of a surrogate pair without the first"},
        {"{\"\\udfff\\ud800\":{}}", 0, "expected no second half"},
    };
    REFUSE_ALL(cases);
    refuse_bytes("{\"a\0\":{}}", 9, 0, "byte 0x00; expected control characters");
    refuse_bytes("{}\0", 3, 0, "byte 0x00; expected nothing but spaces");
    refuse_bytes("\0\0", 2, 0, "byte 0x00; expected '{'");
}

Test(files_header, bytes_that_are_no_utf8_refused) {
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc2",
        "\xc2\x41",
        "\xe0\x9f\xbf",
        "\xe2\x82",
        "\xe2\x82\x41",
        "\xe2\x41\x80",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf0\x9f\x98",
        "\xf0\x9f\x41\x80",
        "\xf5\x80\x80\x80",
        "\xf4\x90\x80\x80",
        "\xf8\x88\x80\x80\x80",
        "\xfe",
        "\xff",
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        char json[64];
        snprintf(json, sizeof json, "{\"ab%s\":{}}", bad[i]);
        refuse(json, 0, "at offset 12 the header has byte 0x");
        refuse(json, 0, "expected UTF-8");
        snprintf(json, sizeof json, "{\"__metadata__\":{\"%s", bad[i]);
        refuse(json, 0, "expected UTF-8");
    }
    refuse("{\xc3\xa9}", 0, "byte 0xc3; expected a text");
}

Test(files_header, fields_refused) {
    static const refusal cases[] = {
        {"{\"x\":{}}", 0, "tensor \"x\" ends without dtype"},
        {"{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0, "tensor \"x\" ends without shape"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0]}}", 0, "tensor \"x\" ends without data_offsets"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"dtype\":\"U8\",\"data_offsets\":[0,0]}}", 0,
         "at offset 39 tensor \"x\" has a field \"dtype\"; expected it only once"},
        {"{\"x\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0],\"more\":1}}", 0,
         "tensor \"x\" has a field \"more\"; expected dtype, shape and data_offsets alone"},
        {"{\"x\":{\"a field of a very long name\":1}}", 0, "has a field \"a field of a...\"; expected dtype"},
        {"{\"x\":{\"Dtype\":\"U8\"}}", 0, "has a field \"Dtype\""},
        {"{\"x\":{\"dtype\":\"U7\"}}", 0,
         "at offset 22 tensor \"x\" has dtype \"U7\"; expected one that the format"},
        {"{\"x\":{\"dtype\":\"u8\"}}", 0, "dtype \"u8\""},
        {"{\"x\":{\"dtype\":\"\"}}", 0, "dtype \"\""},
        {"{\"x\":{\"dtype\":\"U8U8U8U8U8U8U8U8\"}}", 0, "dtype \"U8U8U8U8U8U8...\""},
        {"{\"x\":{\"dtype\":8}}", 0, "has '8'; expected a text"},
        {"{\"x\":{\"dtype\":{\"U8\":null}}}", 0, "has '{'; expected a text"},
        {"{\"x\":{\"shape\":7}}", 0, "has '7'; expected '[', since a shape is a list"},
        {"{\"x\":{\"shape\":[1,]}}", 0, "has ']'; expected a number in decimal digits"},
        {"{\"x\":{\"shape\":[1 2]}}", 0, "has '2'; expected ',' or ']'"},
        {"{\"x\":{\"shape\":[[1]]}}", 0, "has '['; expected a number"},
        {"{\"x\":{\"shape\":[\"1\"]}}", 0, "expected a number"},
        {"{\"x\":{\"shape\":[true]}}", 0, "has 't'; expected a number"},
        {"{\"x\":{\"shape\":[NaN]}}", 0, "has 'N'; expected a number"},
        {"{\"x\":{\"data_offsets\":[]}}", 0, "expected a number in decimal digits"},
        {"{\"x\":{\"data_offsets\":[0]}}", 0, "expected two numbers, [begin, end], for data_offsets"},
        {"{\"x\":{\"data_offsets\":[0,1,2]}}", 0, "expected two numbers"},
        {"{\"x\":{\"data_offsets\":{\"0\":1}}}", 0, "expected two numbers"},
        {"{\"x\":{\"data_offsets\":0}}", 0, "expected two numbers"},
    };
    REFUSE_ALL(cases);
    char json[1024] = "{\"x\":{\"shape\":[1";
    for (int i = 0; i < 64; i++)
        strcat(json, ",1");
    refuse(json, 0, "tensor \"x\" has more than 64 dimensions; expected at most 64");
    json[strlen(json) - 2] = '\0';
    strcat(json, "],\"dtype\":\"U8\",\"data_offsets\":[0,1]}}");
    gls_header header = header_accept(json, 1);
    cr_assert_eq(header.entries[0].rank, 64);
    gls_header_destroy(&header);
}

/* Numbers in every other form that JSON has, and in some that it has not. */
Test(files_header, numbers_refused) {
    static const struct {
        const char *number, *message;
    } cases[] = {
        {"-1", "has '-'; expected a number in decimal digits"},
        {"-0", "has '-'; expected a number in decimal digits"},
        {"+1", "has '+'; expected a number in decimal digits"},
        {".0", "has '.'; expected a number in decimal digits"},
        {"1.0", "has '.'; expected"},
        {"0.0", "has '.'; expected"},
        {"1e0", "has 'e'; expected"},
        {"1E+2", "has 'E'; expected"},
        {"0x1", "has 'x'; expected"},
        {"00", "has '0'; expected a number without leading zeros"},
        {"01", "has '0'; expected a number without leading zeros"},
        {"18446744073709551616", "has '1'; expected a number of at most 18446744073709551615"},
        {"99999999999999999999", "has '9'; expected a number of at most 18446744073709551615"},
        {"100000000000000000000000000000", "has '1'; expected a number of at most"},
        {"null", "has 'n'; expected a number"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[256];
        snprintf(json, sizeof json, "{\"x\":{\"dtype\":\"U8\",\"shape\":[%s],\"data_offsets\":[0,1]}}",
                 cases[i].number);
        refuse(json, 1, cases[i].message);
        snprintf(json, sizeof json, "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[%s,1]}}",
                 cases[i].number);
        refuse(json, 1, cases[i].message);
        snprintf(json, sizeof json, "{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,%s]}}",
                 cases[i].number);
        refuse(json, 1, cases[i].message);
    }
}

Test(files_header, arrays_refused) {
    static const refusal cases[] = {
        {"{}", 1, "the tensors end at byte 0 of the data; expected 1, where the file ends"},
        {"{" TENSOR("x", "U8", "[4]", 0, 4) "}", 3, "the tensors end at byte 4 of the data; expected 3"},
        {"{" TENSOR("x", "U8", "[4]", 0, 4) "}", 5, "the tensors end at byte 4 of the data; expected 5"},
        {"{" TENSOR("x", "U8", "[4]", 1, 5) "}", 5,
         "tensor \"x\" begins at byte 1 of the data; expected 0, since it"},
        {"{" TENSOR("x", "U8", "[4]", 0, 4) "," TENSOR("y", "U8", "[1]", 5, 6) "}", 6,
         "tensor \"y\" begins at byte 5 of the data; expected 4, where the one before it ends"},
        {"{" TENSOR("x", "U8", "[4]", 0, 4) "," TENSOR("y", "U8", "[1]", 3, 4) "}", 4,
         "tensor \"y\" begins at byte 3 of the data; expected 4, where the one before it ends"},
        {"{" TENSOR("x", "U8", "[4]", 0, 4) "," TENSOR("y", "U8", "[4]", 0, 4) "}", 4,
         "tensor \"y\" begins at byte 0"},
        {"{" TENSOR("x", "U8", "[4]", 0, 4) "," TENSOR("y", "U8", "[0]", 2, 2) "}", 4,
         "tensor \"y\" begins at byte 2"},
        {"{" TENSOR("x", "U8", "[4]", 4, 0) "}", 4,
         "data_offsets [4, 0]; expected an end not before the begin"},
        {"{" TENSOR("x", "U8", "[0]", 18446744073709551615, 0) "}", 4,
         "expected an end not before the begin"},
        {"{" TENSOR("x", "F32", "[1]", 0, 3) "}", 3,
         "has 3 bytes by data_offsets; expected 4 by shape and dtype"},
        {"{" TENSOR("x", "F32", "[]", 0, 8) "}", 8, "has 8 bytes by data_offsets; expected 4"},
        {"{" TENSOR("x", "F32", "[2,0]", 0, 8) "}", 8, "has 8 bytes by data_offsets; expected 0"},
        {"{" TENSOR("x", "F32", "[1073741824]", 0, 4) "}", 4,
         "has 4 bytes by data_offsets; expected 4294967296"},
        {"{" TENSOR("x", "F32", "[4611686018427387905]", 0, 4) "}", 4, "no whole number of bytes below 2^61"},
        {"{" TENSOR("x", "U8", "[4294967296,4294967296]", 0, 0) "}", 0, "no whole number of bytes"},
        {"{" TENSOR("x", "U8", "[4294967296,4294967296,0]", 0, 0) "}", 0, "no whole number of bytes"},
        {"{" TENSOR("x", "U8", "[2305843009213693952]", 0, 0) "}", 0, "no whole number of bytes"},
        {"{" TENSOR("x", "F4", "[3]", 0, 2) "}", 2, "no whole number of bytes"},
        {"{" TENSOR("x", "F6_E2M3", "[2]", 0, 2) "}", 2, "no whole number of bytes"},
        {"{" TENSOR("x", "U8", "[1]", 0, 1) "," TENSOR("y", "U8", "[1]", 1, 2) "," TENSOR("\\u0078", "U8",
                                                                                          "[1]", 2, 3) "}",
         3, "there are two tensors \"x\"; expected names that differ"},
        {"{" TENSOR("x", "U8", "[0]", 0, 0) "," TENSOR("x", "U8", "[0]", 0, 0) "}", 0,
         "there are two tensors \"x\""},
        {"{" TENSOR("x", "U8", "[18446744073709551615]", 0, 18446744073709551615) "}", 7,
         "no whole number of bytes"},
    };
    REFUSE_ALL(cases);
}

/* However deep, in time that does not matter and without a stack of calls. */
Test(files_header, deep_nesting_refused) {
    enum { DEPTH = 1000000 };
    static const char *const starts[] = {
        "{\"x\":", "{\"__metadata__\":", "{\"x\":{\"shape\":", "{\"x\":{\"y\":"};
    static const char nests[] = "[{";
    char *json = malloc(DEPTH + 32);
    for (size_t i = 0; i < sizeof starts / sizeof *starts; i++)
        for (int n = 0; n < 2; n++) {
            strcpy(json, starts[i]);
            memset(json + strlen(starts[i]), nests[n], DEPTH);
            refuse_bytes(json, strlen(starts[i]) + DEPTH, 0, "expected");
        }
    free(json);
}
