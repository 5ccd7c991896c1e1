/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text for a terminal. Must not depend on the locale: names in files are UTF-8 whatever that says. */
#include "text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Takes one character off the text, which is not at its end. Returns its bytes; *point is UINT32_MAX if the first of
 * them begins no UTF-8, and then it is one byte. */
static size_t take(const unsigned char *text, uint32_t *point) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = text[0];
    size_t bytes = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    *point = UINT32_MAX;
    if (bytes == 0 || first >= 0xf8)
        return 1;
    uint32_t value = bytes == 1 ? first : first & (0x7fu >> bytes);
    for (size_t i = 1; i < bytes; ++i) {
        if ((text[i] & 0xc0) != 0x80) /* the end of the text is none either */
            return 1;
        value = value << 6 | (text[i] & 0x3fu);
    }
    if (value < least[bytes] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 1;
    *point = value;
    return bytes;
}

/* Controls, separators of lines, marks and overrides of direction, and what has no width. */
static bool is_treacherous(uint32_t point) {
    return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c ||
           (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
           (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || (point >= 0xfff9 && point <= 0xfffb) ||
           (point >= 0xe0000 && point <= 0xe0fff) || point > 0x10ffff;
}

static void print_escape(FILE *out, unsigned char byte, uint32_t point) {
    if (point == '\n')
        fputs("\\n", out);
    else if (point == '\t')
        fputs("\\t", out);
    else if (point == UINT32_MAX || point < 0x80)
        fprintf(out, "\\x%02x", byte);
    else
        fprintf(out, point < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)point);
}

void text_print(FILE *out, const char *text, size_t limit) {
    const unsigned char *rest = (const unsigned char *)text;
    for (size_t shown = 0; *rest != '\0'; ++shown) {
        if (limit > 0 && shown == limit) {
            fputs("...", out);
            return;
        }
        uint32_t point;
        size_t bytes = take(rest, &point);
        if (point == '\\')
            fputs("\\\\", out);
        else if (is_treacherous(point))
            print_escape(out, *rest, point);
        else
            fwrite(rest, 1, bytes, out);
        rest += bytes;
    }
}

void text_mask(char *text) {
    char *to = text;
    for (const char *from = text; *from != '\0';) {
        uint32_t point;
        size_t bytes = take((const unsigned char *)from, &point);
        if (is_treacherous(point)) {
            *to++ = '?';
        } else {
            memmove(to, from, bytes);
            to += bytes;
        }
        from += bytes;
    }
    *to = '\0';
}

void text_shortest(double value, char *text, size_t size) {
    for (int digits = 1; digits <= 17; ++digits) {
        snprintf(text, size, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            return;
    }
}

const char *text_count(unsigned long long count, char text[TEXT_COUNT_SIZE]) {
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", count), to = 0;
    for (int i = 0; i < length; ++i) {
        if (i > 0 && (length - i) % 3 == 0)
            text[to++] = ',';
        text[to++] = digits[i];
    }
    text[to] = '\0';
    return text;
}
