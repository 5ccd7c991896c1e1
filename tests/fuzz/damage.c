/* SPDX-License-Identifier: Apache-2.0 */
/* Damage to files (see damage.h). */
#include "damage.h"

#include <string.h>
#include <xxhash.h>

#include "check.h"
#include "file/header.h"
#include "files.h"

/* ---- whole files ---- */

bool damage_bit(const char *path, input *from) {
    size_t count;
    uint8_t *bytes = bytes_load(path, &count);
    const uint64_t bit = input_word(from, 3);
    const bool done = bytes && count;
    if (done) {
        bytes[bit / 8 % count] ^= (uint8_t)(1u << bit % 8);
        bytes_store(path, bytes, count);
    }
    free(bytes);
    return done;
}

bool damage_length(const char *path, input *from) {
    size_t count;
    uint8_t *bytes = bytes_load(path, &count);
    const size_t other = input_word(from, 2);
    if (!bytes || other == count) {
        free(bytes);
        return false;
    }
    uint8_t *longer = calloc(1, other + 1);
    CHECK(longer, "memory");
    memcpy(longer, bytes, other < count ? other : count);
    bytes_store(path, longer, other);
    free(longer);
    free(bytes);
    return true;
}

/* ---- with checksums made right ---- */

static void write_digits(uint8_t *place, uint64_t value) {
    char digits[17];
    snprintf(digits, sizeof digits, "%016llx", (unsigned long long)value);
    memcpy(place, digits, 16);
}

/* Where the digits behind a key begin, if there are at least 16 bytes. */
static uint8_t *find_digits(uint8_t *text, size_t bytes, const char *key) {
    uint8_t *found = memmem(text, bytes, key, strlen(key));
    return found && (size_t)(text + bytes - found) >= strlen(key) + 16 ? found + strlen(key) : NULL;
}

bool damage_mend(uint8_t *text, size_t bytes) {
    uint8_t *place = find_digits(text, bytes, "\"glissade.checksum.header\":\"");
    if (!place)
        return false;
    memset(place, '0', 16);
    write_digits(place, XXH3_64bits(text, bytes));
    return true;
}

/* A file as header and data; false if it has no header. */
static bool load(const char *path, uint8_t **bytes, size_t *header, size_t *count) {
    uint64_t length = 0;
    *bytes = bytes_load(path, count);
    if (*bytes && *count >= GLS_HEADER_PREFIX)
        memcpy(&length, *bytes, sizeof length); /* little-endian, as every machine this is run on */
    *header = GLS_HEADER_PREFIX + (size_t)length;
    if (length && length <= *count - GLS_HEADER_PREFIX)
        return true;
    free(*bytes);
    return false;
}

/* What is written into headers: what a state file's grammar turns on, or bytes as they come. */
static const char *pick_words(input *from, char own[16]) {
    static const char *const words[] = {
        "state.",
        ".exp_avg",
        ".momentum_buffer",
        ".step",
        ".unit",
        ".master",
        ".master_low",
        ".residual",
        ".average",
        "0",
        "1",
        "2",
        "18446744073709551615",
        "-1",
        "0x1p+0",
        "-0x1p+0",
        "0x1.fffffffffffffp+1023",
        "nan",
        "inf",
        "0x0p+0",
        "adam",
        "sgd",
        "glissade.format",
        "glissade.",
        "glissade.tensor.",
        ".group",
        ".steps",
        "F32",
        "BF16",
        "I8",
        "F64",
        "\\u0000",
        "",
        "a",
        ".",
        "\",\"a\":\"b",
    };
    const uint32_t count = sizeof words / sizeof *words, picked = input_below(from, count + 4);
    return picked < count ? words[picked] : input_text(from, own);
}

/* Where to write: behind a quotation mark, or anywhere. */
static size_t pick_place(const uint8_t *text, size_t bytes, input *from) {
    const uint64_t choice = input_word(from, 2);
    size_t marks = 0;
    if (choice & 1)
        return GLS_HEADER_PREFIX + (size_t)(choice >> 1) % (bytes - GLS_HEADER_PREFIX);
    for (size_t i = GLS_HEADER_PREFIX; i < bytes; i++)
        marks += text[i] == '"';
    size_t skipped = marks ? (size_t)(choice >> 1) % marks : 0;
    for (size_t i = GLS_HEADER_PREFIX; i < bytes; i++)
        if (text[i] == '"' && skipped-- == 0)
            return i + 1;
    return GLS_HEADER_PREFIX;
}

bool damage_header(const char *path, input *from) {
    uint8_t *bytes;
    size_t header, count;
    char own[16];
    if (!load(path, &bytes, &header, &count))
        return false;
    size_t end = header;
    while (end > GLS_HEADER_PREFIX && bytes[end - 1] == ' ')
        end--;
    const size_t at = pick_place(bytes, end > GLS_HEADER_PREFIX ? end : header, from);
    const char *words = pick_words(from, own);
    /* 255: up to the next quotation mark. */
    size_t gone = input_byte(from);
    const uint8_t *mark = at < end ? memchr(bytes + at, '"', end - at) : NULL;
    if (gone == 255 && mark)
        gone = (size_t)(mark - (bytes + at));
    gone = at >= end ? 0 : gone < end - at ? gone : end - at;
    const size_t length = strlen(words);
    const size_t used = (at > end ? at : end) - gone + length;
    const size_t whole = (used + GLS_DATA_ALIGNMENT - 1) / GLS_DATA_ALIGNMENT * GLS_DATA_ALIGNMENT;
    uint8_t *made = malloc(whole + count - header);
    CHECK(made, "memory");
    memset(made, ' ', whole);
    memcpy(made, bytes, at);
    memcpy(made + at, words, length);
    if (at + gone < end)
        memcpy(made + at + length, bytes + at + gone, end - at - gone);
    const uint64_t json = whole - GLS_HEADER_PREFIX;
    memcpy(made, &json, sizeof json);
    memcpy(made + whole, bytes + header, count - header);
    damage_mend(made, whole);
    bytes_store(path, made, whole + count - header);
    free(made);
    free(bytes);
    return true;
}

bool damage_data(const char *path, input *from) {
    uint8_t *bytes;
    size_t header, count;
    if (!load(path, &bytes, &header, &count))
        return false;
    const size_t data = count - header;
    uint8_t *digits = find_digits(bytes, header, "\"glissade.checksum.data\":\"");
    const bool done = data && data <= GLS_CHUNK;
    if (done) {
        const size_t at = (size_t)input_word(from, 3) % data, length = 1 + input_below(from, 8);
        for (size_t i = at; i < at + length && i < data; i++)
            bytes[header + i] = input_byte(from);
        if (digits)
            write_digits(digits, XXH3_64bits(bytes + header, data));
        damage_mend(bytes, header);
        bytes_store(path, bytes, count);
    }
    free(bytes);
    return done;
}
