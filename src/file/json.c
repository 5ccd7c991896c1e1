/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a header's words (see json.h). */
#include "json.h"

#include <stdio.h>

glissade_status gls_json_fail(const gls_json *json, size_t at, const char *expected) {
    char found[16];
    if (at >= json->bytes)
        snprintf(found, sizeof found, "its end");
    else if (json->text[at] > ' ' && json->text[at] <= '~')
        snprintf(found, sizeof found, "'%c'", json->text[at]);
    else
        snprintf(found, sizeof found, "byte 0x%02x", json->text[at]);
    return gls_error_set(json->error, GLISSADE_STATUS_INVALID_FILE,
                         "%s: at offset %zu the header has %s; expected %s", json->file, at, found, expected);
}

void gls_json_skip(gls_json *json) {
    while (json->at < json->bytes) {
        const unsigned char c = json->text[json->at];
        if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
            return;
        json->at++;
    }
}

bool gls_json_take(gls_json *json, char mark) {
    gls_json_skip(json);
    if (json->at == json->bytes || json->text[json->at] != (unsigned char)mark)
        return false;
    json->at++;
    return true;
}

glissade_status gls_json_expect(gls_json *json, char mark, const char *expected) {
    return gls_json_take(json, mark) ? GLISSADE_STATUS_OK : gls_json_fail(json, json->at, expected);
}

/* ---- texts ---- */

/* What a first byte demands: how many bytes, and what range of the second, which alone rules out longer spellings than
 * needed, surrogates, and what lies beyond the last character. */
typedef struct utf8_lead {
    unsigned char first, last, length, second_least, second_most;
} utf8_lead;

static const utf8_lead leads[] = {
    {0x00, 0x7f, 1, 0, 0},       {0xc2, 0xdf, 2, 0x80, 0xbf}, {0xe0, 0xe0, 3, 0xa0, 0xbf},
    {0xe1, 0xec, 3, 0x80, 0xbf}, {0xed, 0xed, 3, 0x80, 0x9f}, {0xee, 0xef, 3, 0x80, 0xbf},
    {0xf0, 0xf0, 4, 0x90, 0xbf}, {0xf1, 0xf3, 4, 0x80, 0xbf}, {0xf4, 0xf4, 4, 0x80, 0x8f},
};

size_t gls_utf8_character(const char *text, size_t bytes) {
    const unsigned char *c = (const unsigned char *)text;
    const utf8_lead *lead = NULL;
    for (size_t i = 0; bytes && i < sizeof leads / sizeof *leads && !lead; i++)
        if (c[0] >= leads[i].first && c[0] <= leads[i].last)
            lead = &leads[i];
    if (!lead || lead->length > bytes)
        return 0;
    if (lead->length > 1 && (c[1] < lead->second_least || c[1] > lead->second_most))
        return 0;
    for (size_t i = 2; i < lead->length; i++)
        if (c[i] < 0x80 || c[i] > 0xbf)
            return 0;
    return lead->length;
}

/* Where a text's bytes go, and how many there were. */
typedef struct text_sink {
    char *out;
    size_t room, length;
} text_sink;

static void put(text_sink *sink, unsigned value) {
    if (sink->length + 1 < sink->room)
        sink->out[sink->length] = (char)value;
    sink->length++;
}

static void put_character(text_sink *sink, uint32_t character) {
    if (character < 0x80) {
        put(sink, character);
        return;
    }
    if (character < 0x800) {
        put(sink, 0xc0 | character >> 6);
    } else {
        if (character < 0x10000) {
            put(sink, 0xe0 | character >> 12);
        } else {
            put(sink, 0xf0 | character >> 18);
            put(sink, 0x80 | (character >> 12 & 0x3f));
        }
        put(sink, 0x80 | (character >> 6 & 0x3f));
    }
    put(sink, 0x80 | (character & 0x3f));
}

/* Takes the four digits behind "\u". */
static glissade_status take_unit(gls_json *json, uint32_t *unit) {
    *unit = 0;
    for (int i = 0; i < 4; i++) {
        const int c = json->at < json->bytes ? json->text[json->at] : -1;
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
            digit = (uint32_t)((c | 0x20) - 'a' + 10);
        else
            return gls_json_fail(json, json->at, "four hexadecimal digits behind \\u");
        *unit = *unit << 4 | digit;
        json->at++;
    }
    return GLISSADE_STATUS_OK;
}

/* Takes what follows "\u", and the second half of a surrogate pair. */
static glissade_status take_escaped_character(gls_json *json, text_sink *sink) {
    const size_t start = json->at - 2;
    uint32_t character, low;
    glissade_status status = take_unit(json, &character);
    if (status != GLISSADE_STATUS_OK)
        return status;
    if (character == 0)
        return gls_json_fail(json, start, "a text without zero bytes (\\u0000)");
    if (character >= 0xdc00 && character <= 0xdfff)
        return gls_json_fail(json, start, "no second half of a surrogate pair without the first");
    if (character >= 0xd800 && character <= 0xdbff) {
        if (json->bytes - json->at < 2 || json->text[json->at] != '\\' || json->text[json->at + 1] != 'u')
            return gls_json_fail(json, json->at, "the second half of a surrogate pair");
        json->at += 2;
        if ((status = take_unit(json, &low)) != GLISSADE_STATUS_OK)
            return status;
        if (low < 0xdc00 || low > 0xdfff)
            return gls_json_fail(json, json->at - 6, "the second half of a surrogate pair");
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    }
    put_character(sink, character);
    return GLISSADE_STATUS_OK;
}

/* Takes what follows a backslash. */
static glissade_status take_escape(gls_json *json, text_sink *sink) {
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const int c = json->at < json->bytes ? json->text[json->at] : -1;
    if (c == 'u') {
        json->at++;
        return take_escaped_character(json, sink);
    }
    for (size_t i = 0; names[i]; i++)
        if (c == names[i]) {
            json->at++;
            put(sink, (unsigned char)values[i]);
            return GLISSADE_STATUS_OK;
        }
    return gls_json_fail(json, json->at, "one of \" \\ / b f n r t u behind a backslash");
}

glissade_status gls_json_text(gls_json *json, char *out, size_t room, size_t *length) {
    text_sink sink = {.out = out, .room = room};
    glissade_status status = gls_json_expect(json, '"', "a text in quotation marks");
    while (status == GLISSADE_STATUS_OK) {
        if (json->at == json->bytes)
            return gls_json_fail(json, json->at, "the quotation mark that ends a text");
        const unsigned char c = json->text[json->at];
        if (c == '"')
            break;
        if (c < ' ')
            return gls_json_fail(json, json->at, "control characters in a text to be escaped");
        if (c == '\\') {
            json->at++;
            status = take_escape(json, &sink);
            continue;
        }
        const size_t bytes = gls_utf8_character((const char *)json->text + json->at, json->bytes - json->at);
        if (bytes == 0)
            return gls_json_fail(json, json->at, "UTF-8");
        for (size_t i = 0; i < bytes; i++)
            put(&sink, json->text[json->at++]);
    }
    if (status != GLISSADE_STATUS_OK)
        return status;
    json->at++;
    if (room)
        out[sink.length < room ? sink.length : room - 1] = '\0';
    *length = sink.length;
    return GLISSADE_STATUS_OK;
}

/* ---- numbers ---- */

glissade_status gls_json_number(gls_json *json, uint64_t *value) {
    gls_json_skip(json);
    const size_t start = json->at;
    *value = 0;
    while (json->at < json->bytes && json->text[json->at] >= '0' && json->text[json->at] <= '9') {
        if (json->at > start && json->text[start] == '0')
            return gls_json_fail(json, start, "a number without leading zeros");
        if (__builtin_mul_overflow(*value, 10u, value) ||
            __builtin_add_overflow(*value, (uint64_t)(json->text[json->at] - '0'), value))
            return gls_json_fail(json, start, "a number of at most 18446744073709551615");
        json->at++;
    }
    return json->at > start ? GLISSADE_STATUS_OK : gls_json_fail(json, start, "a number in decimal digits");
}
