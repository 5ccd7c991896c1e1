/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making headers of tensor files, and what becomes of one when it is read again: as it was made, with any bit wrong, cut
 * off anywhere, and with any allocation failing.
 */
#include "files_header.h"

#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "alloc.h"

static const uint64_t two_by_three[] = {2, 3}, none[] = {0, 5}, seven[] = {7}, four_mib[] = {1 << 22};

static const gls_entry mixed[] = {
    {.name = "half", .dtype = GLISSADE_FILE_BF16, .rank = 2, .shape = two_by_three},
    {.name = "bytes", .dtype = GLISSADE_FILE_U8, .rank = 1, .shape = seven},
    {.name = "b", .dtype = GLISSADE_FILE_F32, .rank = 2, .shape = two_by_three},
    {.name = "scalar", .dtype = GLISSADE_FILE_I64},
    {.name = "a", .dtype = GLISSADE_FILE_F32, .rank = 2, .shape = none},
};
enum { MIXED = sizeof mixed / sizeof *mixed };

static const glissade_file_text lines[] = {{"z", "last"}, {"a", "first"}};

static gls_heading make(const gls_entry *entries, size_t count, const glissade_file_text *texts,
                        size_t texts_count, bool checksums) {
    gls_heading heading;
    glissade_error error = {0};
    gls_entry copies[16];
    cr_assert_leq(count, 16);
    if (count)
        memcpy(copies, entries, count * sizeof *copies);
    const glissade_status status =
        gls_heading_make(&heading, copies, count, texts, texts_count, checksums, &error);
    cr_assert_eq(status, GLISSADE_STATUS_OK, "%s", error.message);
    return heading;
}

static glissade_status parse(const gls_heading *heading, gls_header *header, glissade_error *error) {
    return gls_header_parse(header, heading->text, heading->bytes, heading->bytes + heading->data_bytes, "it",
                            error);
}

/* The text between the length and the spaces. */
static void check_json(const gls_heading *heading, const char *expected) {
    const size_t length = strlen(expected);
    uint64_t stated = 0;
    for (int i = 0; i < 8; i++)
        stated |= (uint64_t)(unsigned char)heading->text[i] << 8 * i;
    cr_assert_eq(stated, heading->bytes - 8);
    cr_assert_eq(heading->bytes % GLS_DATA_ALIGNMENT, 0);
    cr_assert_leq(8 + length, heading->bytes);
    cr_assert(memcmp(heading->text + 8, expected, length) == 0, "%.*s instead of %s", (int)length,
              heading->text + 8, expected);
    for (size_t i = 8 + length; i < heading->bytes; i++)
        cr_assert_eq(heading->text[i], ' ');
}

Test(files_heading, text_of_a_header) {
    gls_heading heading = make(mixed, MIXED, lines, 2, false);
    check_json(&heading, "{\"__metadata__\":{\"a\":\"first\",\"z\":\"last\"},"
                         "\"scalar\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[0,8]},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[0,5],\"data_offsets\":[8,8]},"
                         "\"b\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[8,32]},"
                         "\"half\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[32,44]},"
                         "\"bytes\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[44,51]}}");
    cr_assert_eq(heading.data_bytes, 51);
    cr_assert(heading.chunk_count == 0 && !heading.chunk_digits && !heading.header_digits);
    gls_heading_seal(&heading, NULL); /* nothing to write */
    gls_heading_destroy(&heading);
    cr_assert_null(heading.text);
    heading = make(NULL, 0, NULL, 0, false);
    check_json(&heading, "{}");
    gls_heading_destroy(&heading);
    heading = make(mixed, 1, NULL, 0, false);
    check_json(&heading, "{\"half\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]}}");
    gls_heading_destroy(&heading);
}

/* The checksums by the letter of the format's description. */
Test(files_heading, checksums) {
    const gls_entry two_chunks[] = {{.name = "x", .dtype = GLISSADE_FILE_U8, .rank = 1, .shape = four_mib},
                                    {.name = "y", .dtype = GLISSADE_FILE_U8}};
    const uint64_t sums[] = {0x0123456789abcdef, 0xfedcba9876543210};
    gls_heading heading = make(two_chunks, 2, lines, 1, true);
    cr_assert_eq(heading.chunk_count, 2);
    gls_heading_seal(&heading, sums);
    gls_heading_seal(&heading, sums); /* as if it had not been sealed before */
    char digits[17] = {0}, json[512];
    memcpy(digits, heading.header_digits, 16);
    snprintf(json, sizeof json,
             "{\"__metadata__\":{\"z\":\"last\",\"glissade.checksum.chunk\":\"4194304\","
             "\"glissade.checksum.data\":\"0123456789abcdeffedcba9876543210\",\"glissade.checksum.header\":"
             "\"%s\"},"
             "\"x\":{\"dtype\":\"U8\",\"shape\":[4194304],\"data_offsets\":[0,4194304]},"
             "\"y\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[4194304,4194305]}}",
             digits);
    check_json(&heading, json);
    char expected[17];
    memset(heading.header_digits, '0', 16);
    snprintf(expected, sizeof expected, "%016llx",
             (unsigned long long)XXH3_64bits(heading.text, heading.bytes));
    cr_assert_str_eq(digits, expected);
    memcpy(heading.header_digits, digits, 16);
    gls_header header;
    glissade_error error;
    cr_assert_eq(parse(&heading, &header, &error), GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert(header.chunk_bytes == 4194304 && header.chunk_count == 2);
    cr_assert(header.chunks[0] == sums[0] && header.chunks[1] == sums[1]);
    cr_assert_eq(header.data_begin % GLS_DATA_ALIGNMENT, 0);
    cr_assert_eq(header.text_count, 4);
    gls_header_destroy(&header);
    gls_heading_destroy(&heading);
    heading = make(NULL, 0, NULL, 0, true);
    gls_heading_seal(&heading, NULL);
    cr_assert_eq(parse(&heading, &header, &error), GLISSADE_STATUS_OK, "%s", error.message);
    cr_assert(header.chunk_bytes == 4194304 && header.chunk_count == 0);
    gls_header_destroy(&header);
    gls_heading_destroy(&heading);
}

/* ---- checksums that are not as they should be ---- */

/* Writes the right checksum into a header's own digits and parses it. */
static glissade_status parse_summed(char *json, uint64_t data_bytes, glissade_error *error) {
    char text[1024], digits[17];
    const size_t bytes = 8 + strlen(json);
    snprintf(text, sizeof text, "%c%c%c%c%c%c%c%c%s", (int)(bytes - 8) & 255, (int)(bytes - 8) >> 8, 0, 0, 0,
             0, 0, 0, json);
    char *place = strstr(json, "0000000000000000");
    cr_assert_not_null(place);
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)XXH3_64bits(text, bytes));
    memcpy(place, digits, 16);
    gls_header header;
    const glissade_status status = header_parse(&header, json, bytes - 8, data_bytes, error);
    gls_header_destroy(&header);
    return status;
}

#define OWN "\"glissade.checksum.header\":\"0000000000000000\""

Test(files_heading, checksum_lines_refused) {
    static const struct {
        const char *lines;
        uint64_t data_bytes;
        const char *message; /* NULL: accepted */
    } cases[] = {
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"0123456789abcdef\"," OWN, 1,
         NULL},
        {OWN
         ",\"glissade.checksum.data\":\"01234567\\u00389abcdef\",\"glissade.checksum.chunk\":\"1073741824\"",
         1, NULL},
        {OWN, 1, "there are 1 of three keys"},
        {"\"glissade.checksum.chunk\":\"4096\"," OWN, 1, "there are 2 of three keys"},
        {"\"glissade.checksum.datum\":\"\",\"glissade.checksum.chunk\":\"4096\"," OWN, 1,
         "__metadata__ has \"glissade.checksum.datum\"; expected glissade.checksum.chunk, data and header"},
        {"\"glissade.checksum.\":\"\",\"x\":\"0000000000000000\"", 1, "has \"glissade.checksum.\"; expected"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "glissade.checksum.data has 0 digits; expected 16 for each of 1 chunks"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"0123456789abcde\"," OWN, 1,
         "has 15 digits"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":"
         "\"0123456789abcdef0123456789abcdef\"," OWN,
         1, "has 32 digits; expected 16 for each of 1 chunks"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"0123456789abcdef\"," OWN, 4097,
         "has 16 digits; expected 16 for each of 2 chunks"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"0123456789abcdef\"," OWN,
         UINT64_MAX / 2, "has 16 digits; expected 16 for each of 2251799813685248 chunks"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"0123456789abcdef\"," OWN, 0,
         "has 16 digits; expected 16 for each of 0 chunks"},
        {"\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"0123456789abcdeF\"," OWN, 1,
         "glissade.checksum.data, digits 0 to 15: expected 0-9 and a-f"},
        {"\"glissade.checksum.chunk\":\"0\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "glissade.checksum.chunk is \"0\"; expected a multiple of 4096, at most 1073741824"},
        {"\"glissade.checksum.chunk\":\"\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "chunk is \"\"; expected"},
        {"\"glissade.checksum.chunk\":\"04096\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "chunk is \"04096\""},
        {"\"glissade.checksum.chunk\":\"4097\",\"glissade.checksum.data\":\"\"," OWN, 1, "chunk is \"4097\""},
        {"\"glissade.checksum.chunk\":\"-4096\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "chunk is \"-4096\""},
        {"\"glissade.checksum.chunk\":\"4096 \",\"glissade.checksum.data\":\"\"," OWN, 1,
         "chunk is \"4096 \""},
        {"\"glissade.checksum.chunk\":\"1073745920\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "is \"1073745920\""},
        {"\"glissade.checksum.chunk\":\"73786976294838206464\",\"glissade.checksum.data\":\"\"," OWN, 1,
         "is \"73786976294838206464"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[900];
        glissade_error error;
        snprintf(
            json, sizeof json,
            "{\"x\":{\"dtype\":\"U8\",\"shape\":[%llu],\"data_offsets\":[0,%llu]},\"__metadata__\":{%s}}",
            (unsigned long long)cases[i].data_bytes, (unsigned long long)cases[i].data_bytes, cases[i].lines);
        const glissade_status status = parse_summed(json, cases[i].data_bytes, &error);
        cr_expect_eq(status, cases[i].message ? GLISSADE_STATUS_INVALID_FILE : GLISSADE_STATUS_OK, "%s: %s",
                     json, error.message);
        if (cases[i].message)
            cr_expect(strstr(error.message, cases[i].message), "\"%s\" does not say \"%s\"", error.message,
                      cases[i].message);
    }
}

Test(files_heading, own_checksum_refused) {
    static const struct {
        const char *digits;
        glissade_status status;
        const char *message;
    } cases[] = {
        {"0000000000000000", GLISSADE_STATUS_CHECKSUM, "at offset 114 it should be 0000000000000000"},
        {"000000000000000", GLISSADE_STATUS_INVALID_FILE,
         "at offset 114 glissade.checksum.header is not 16 digits"},
        {"00000000000000000", GLISSADE_STATUS_INVALID_FILE, "is not 16 digits"},
        {"\\u0030000000000000000", GLISSADE_STATUS_INVALID_FILE, "none escaped"},
        {"\\u00300000000000", GLISSADE_STATUS_INVALID_FILE, "none escaped"},
        {"000000000000000A", GLISSADE_STATUS_INVALID_FILE, "expected 0-9 and a-f"},
        {"", GLISSADE_STATUS_INVALID_FILE, "is not 16 digits"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char json[512];
        gls_header header;
        glissade_error error;
        snprintf(json, sizeof json,
                 "{\"__metadata__\":{\"glissade.checksum.chunk\":\"4096\",\"glissade.checksum.data\":\"\","
                 "\"glissade.checksum.header\":\"%s\"}}",
                 cases[i].digits);
        cr_expect_eq(header_parse(&header, json, strlen(json), 0, &error), cases[i].status, "%s",
                     error.message);
        cr_expect(strstr(error.message, cases[i].message), "\"%s\" does not say \"%s\"", error.message,
                  cases[i].message);
    }
}

/* ---- damage ---- */

static gls_heading sealed(void) {
    gls_heading heading = make(mixed, MIXED, lines, 2, true);
    gls_heading_seal(&heading, &(uint64_t){0x243f6a8885a308d3});
    return heading;
}

/* Every bit, of the length and of the spaces, too; in a file that has as many bytes as before. */
Test(files_heading, every_flipped_bit_is_noticed) {
    gls_heading heading = sealed();
    const uint64_t file_bytes = heading.bytes + heading.data_bytes;
    /* What a reader of the file would see behind the header, should the length grow. */
    unsigned char *file = calloc(1, file_bytes);
    memcpy(file, heading.text, heading.bytes);
    memset(file + heading.bytes, ' ', heading.data_bytes);
    gls_header header;
    glissade_error error;
    for (size_t bit = 0; bit < 8 * heading.bytes; bit++) {
        uint64_t bytes;
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
        glissade_status status = gls_header_length(file, file_bytes, "it", &bytes, &error);
        if (status == GLISSADE_STATUS_OK)
            status = gls_header_parse(&header, file, GLS_HEADER_PREFIX + bytes, file_bytes, "it", &error);
        cr_assert(status == GLISSADE_STATUS_CHECKSUM || status == GLISSADE_STATUS_INVALID_FILE, "bit %zu: %s",
                  bit, glissade_status_name(status));
        cr_assert(error.status == status && *error.message);
        file[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    cr_assert_eq(gls_header_parse(&header, file, heading.bytes, file_bytes, "it", &error),
                 GLISSADE_STATUS_OK);
    gls_header_destroy(&header);
    free(file);
    gls_heading_destroy(&heading);
}

/* Cut off anywhere, the length as it was, or adapted to what is left; with checksums and without. */
Test(files_heading, every_truncation_is_noticed) {
    for (int checksums = 0; checksums < 2; checksums++) {
        gls_heading heading = checksums ? sealed() : make(mixed, MIXED, lines, 2, false);
        gls_header header;
        glissade_error error;
        for (size_t bytes = 0; bytes < heading.bytes + heading.data_bytes; bytes++) {
            const size_t read = bytes < heading.bytes ? bytes : heading.bytes;
            unsigned char *text = malloc(read ? read : 1);
            memcpy(text, heading.text, read);
            const glissade_status status = gls_header_parse(&header, text, read, bytes, "it", &error);
            cr_assert_eq(status, GLISSADE_STATUS_INVALID_FILE, "%zu bytes: %s", bytes,
                         glissade_status_name(status));
            free(text);
        }
        for (size_t bytes = 0; bytes < heading.bytes - 8; bytes++)
            cr_assert_neq(header_parse(&header, heading.text + 8, bytes, heading.data_bytes + 1, &error),
                          GLISSADE_STATUS_OK);
        gls_heading_destroy(&heading);
    }
}

/* ---- names ---- */

/* Names and texts of every character below 0x80, alone and between others, and some beyond. */
Test(files_heading, odd_names_survive) {
    static const char *const beyond[] = {
        "\xc2\x80",      "\xdf\xbf",         "\xe0\xa0\x80",     "\xed\x9f\xbf", "\xee\x80\x80",
        "\xef\xbf\xbf",  "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf", "\\u0041",      "a\"b\\c/",
        "__metadata__ ", "__metadata_",      "../../etc/passwd", "\"",           "\\"};
    for (int i = 1; i < 0x80 + (int)(sizeof beyond / sizeof *beyond); i++) {
        char alone[32] = {(char)i}, between[64];
        if (i >= 0x80)
            strcpy(alone, beyond[i - 0x80]);
        snprintf(between, sizeof between, "x%sy", alone);
        const gls_entry entries[] = {{.name = alone, .dtype = GLISSADE_FILE_U8},
                                     {.name = between, .dtype = GLISSADE_FILE_U8}};
        const glissade_file_text texts[] = {{alone, between}, {between, alone}};
        gls_heading heading = make(entries, 2, texts, 2, true);
        gls_heading_seal(&heading, &(uint64_t){0});
        gls_header header;
        glissade_error error;
        cr_assert_eq(parse(&heading, &header, &error), GLISSADE_STATUS_OK, "%s", error.message);
        cr_assert_neq(gls_header_find(&header, alone), SIZE_MAX);
        cr_assert_neq(gls_header_find(&header, between), SIZE_MAX);
        cr_assert_str_eq(gls_header_text(&header, alone), between);
        cr_assert_str_eq(gls_header_text(&header, between), alone);
        gls_header_destroy(&header);
        gls_heading_destroy(&heading);
    }
}

static void refuse(const gls_entry *entries, size_t count, const glissade_file_text *texts,
                   size_t texts_count, glissade_status expected, const char *message) {
    static const gls_heading empty;
    gls_heading heading;
    gls_entry copies[4];
    glissade_error error = {0};
    memcpy(copies, entries, count * sizeof *copies);
    memset(&heading, 0xab, sizeof heading);
    const glissade_status status =
        gls_heading_make(&heading, copies, count, texts, texts_count, true, &error);
    cr_expect_eq(status, expected, "%s instead of \"%s\"", glissade_status_name(status), message);
    cr_expect(strstr(error.message, message), "\"%s\" does not say \"%s\"", error.message, message);
    cr_expect(memcmp(&heading, &empty, sizeof empty) == 0);
}

Test(files_heading, tensors_refused) {
    static const uint64_t huge[] = {(uint64_t)1 << 32, (uint64_t)1 << 32}, most[] = {(uint64_t)1 << 60},
                          three[] = {3};
    const gls_entry good = {.name = "good", .dtype = GLISSADE_FILE_U8};
    const struct {
        gls_entry entry;
        glissade_status status;
        const char *message;
    } cases[] = {
        {{.name = ""}, GLISSADE_STATUS_INVALID_OPTION, "a tensor's name is \"\"; accepted: UTF-8"},
        {{.name = "__metadata__"}, GLISSADE_STATUS_INVALID_OPTION, "a tensor's name is \"__metadata__\""},
        {{.name = "a\xff"}, GLISSADE_STATUS_INVALID_OPTION, "a tensor's name is \"a?\""},
        {{.name = "a\xe2\x82"},
         GLISSADE_STATUS_INVALID_OPTION,
         "accepted: UTF-8, not empty, not __metadata__"},
        {{.name = "a", .dtype = (glissade_file_dtype)99},
         GLISSADE_STATUS_INVALID_OPTION,
         "\"a\": dtype is 99"},
        {{.name = "a", .dtype = (glissade_file_dtype)-1},
         GLISSADE_STATUS_INVALID_OPTION,
         "\"a\": dtype is -1"},
        {{.name = "a", .rank = 65}, GLISSADE_STATUS_INVALID_OPTION, "\"a\": rank is 65; accepted: 0 to 64"},
        {{.name = "a", .rank = 2, .shape = huge},
         GLISSADE_STATUS_TOO_LARGE,
         "no whole number of bytes below 2^61"},
        {{.name = "a", .dtype = GLISSADE_FILE_F4, .rank = 1, .shape = three},
         GLISSADE_STATUS_TOO_LARGE,
         "no whole number"},
        {{.name = "a", .dtype = GLISSADE_FILE_U8, .rank = 1, .shape = most},
         GLISSADE_STATUS_TOO_LARGE,
         "the header has 4398046511"},
        {{.name = "good", .dtype = GLISSADE_FILE_F64},
         GLISSADE_STATUS_DUPLICATE_TENSOR,
         "there are two tensors \"good\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const gls_entry entries[] = {good, cases[i].entry};
        refuse(entries, 2, NULL, 0, cases[i].status, cases[i].message);
    }
    gls_entry eight[16];
    gls_heading heading;
    glissade_error error;
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    for (size_t i = 0; i < 8; i++)
        eight[i] = (gls_entry){.name = names[i], .dtype = GLISSADE_FILE_U8, .rank = 1, .shape = most};
    cr_assert_eq(gls_heading_make(&heading, eight, 8, NULL, 0, false, &error), GLISSADE_STATUS_TOO_LARGE);
    cr_assert(strstr(error.message, "tensor \"h\" and those before it are more than a file can hold"), "%s",
              error.message);
}

Test(files_heading, texts_refused) {
    static const glissade_file_text empty = {"", "x"}, key = {"\xc0\x80", "x"}, value = {"k", "\xed\xa0\x80"},
                                    own = {"glissade.checksum.header", "x"},
                                    other = {"glissade.checksum.", "x"},
                                    twice[] = {{"k", "1"}, {"j", "2"}, {"k", "1"}};
    const gls_entry good = {.name = "good", .dtype = GLISSADE_FILE_U8};
    refuse(&good, 1, &empty, 1, GLISSADE_STATUS_INVALID_OPTION, "a key of metadata is \"\"; accepted: UTF-8");
    refuse(&good, 1, &key, 1, GLISSADE_STATUS_INVALID_OPTION, "a key of metadata is \"?");
    refuse(&good, 1, &value, 1, GLISSADE_STATUS_INVALID_OPTION,
           "the value of the key \"k\" of metadata is not UTF-8");
    refuse(&good, 1, &own, 1, GLISSADE_STATUS_INVALID_OPTION, "accepted: not those of checksums");
    refuse(&good, 1, &other, 1, GLISSADE_STATUS_INVALID_OPTION, "accepted: not those of checksums");
    refuse(&good, 1, twice, 3, GLISSADE_STATUS_DUPLICATE_TENSOR, "metadata has the key \"k\" twice");
    enum { BYTES = 51000000 }; /* each of which is written as two */
    char *long_value = malloc(BYTES + 1);
    memset(long_value, '\n', BYTES);
    long_value[BYTES] = '\0';
    const glissade_file_text text = {"k", long_value};
    refuse(&good, 1, &text, 1, GLISSADE_STATUS_TOO_LARGE, "the header has 102000");
    free(long_value);
}

/* ---- memory ---- */

static size_t asked, failing;

static bool fail_at(size_t bytes) {
    (void)bytes;
    return asked++ != failing;
}

Test(files_heading, every_allocation_failing) {
    gls_heading heading = sealed(), second;
    gls_header header;
    glissade_error error;
    glissade_status status = GLISSADE_STATUS_OUT_OF_MEMORY;
    for (failing = 0; status != GLISSADE_STATUS_OK; failing++) {
        asked = 0;
        gls_alloc_permit = fail_at;
        status = parse(&heading, &header, &error);
        gls_alloc_permit = NULL;
        if (status == GLISSADE_STATUS_OK)
            break;
        cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY, "%s", error.message);
        cr_assert(strstr(error.message, "it: out of memory"), "%s", error.message);
        cr_assert(!header.entries && !header.memory && !header.chunks);
    }
    cr_assert_eq(failing, 6);
    gls_header_destroy(&header);
    gls_heading_destroy(&heading);
    for (failing = 0, status = GLISSADE_STATUS_OUT_OF_MEMORY; status != GLISSADE_STATUS_OK; failing++) {
        gls_entry copies[MIXED];
        memcpy(copies, mixed, sizeof copies);
        asked = 0;
        gls_alloc_permit = fail_at;
        status = gls_heading_make(&second, copies, MIXED, lines, 2, true, &error);
        gls_alloc_permit = NULL;
        if (status == GLISSADE_STATUS_OK)
            break;
        cr_assert_eq(status, GLISSADE_STATUS_OUT_OF_MEMORY, "%s", error.message);
        cr_assert(strstr(error.message, "out of memory"), "%s", error.message);
        cr_assert_null(second.text);
    }
    cr_assert_eq(failing, 3);
    gls_heading_destroy(&second);
}
