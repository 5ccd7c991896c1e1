/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and hyperparameters as text (see fields.h). printf and strtod would take the locale's decimal point. */
#include "fields.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char hex_digits[] = "0123456789abcdef";

/* ---- numbers ---- */

enum { FRACTION_BITS = 52, LEAST_EXPONENT = -1022, INFINITE = 0x7FF };

/* A finite one's leading digit, fraction without zeros at its end, and exponent. */
static void write_finite(char *to, size_t room, uint64_t bits) {
    const int field = (int)(bits >> FRACTION_BITS & INFINITE);
    uint64_t fraction = bits & (((uint64_t)1 << FRACTION_BITS) - 1);
    const int exponent = field ? field - 1023 : fraction ? LEAST_EXPONENT : 0;
    char digits[FRACTION_BITS / 4 + 1];
    size_t count = 0;
    for (; fraction; fraction = fraction << 4 & (((uint64_t)1 << FRACTION_BITS) - 1))
        digits[count++] = hex_digits[fraction >> (FRACTION_BITS - 4)];
    digits[count] = 0;
    snprintf(to, room, "%s0x%d%s%sp%+d", bits >> 63 ? "-" : "", field != 0, count ? "." : "", digits,
             exponent);
}

gls_number gls_hex_format(double value) {
    gls_number number;
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    if (isnan(value))
        snprintf(number.text, sizeof number.text, "nan");
    else if (isinf(value))
        snprintf(number.text, sizeof number.text, value < 0 ? "-inf" : "inf");
    else
        write_finite(number.text, sizeof number.text, bits);
    return number;
}

static int digit_of(char c) {
    const char *at = c ? strchr(hex_digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - hex_digits) : -1;
}

/* Digits before and after a point as an integer and a power of two. False without any, or if they are too many. */
static bool read_digits(const char **text, uint64_t *digits, int64_t *exponent) {
    bool any = false, point = false;
    const char *c = *text;
    for (*digits = 0, *exponent = 0;; c++) {
        const int digit = digit_of(*c);
        if (*c == '.' && !point) {
            point = true;
            continue;
        }
        if (digit < 0)
            break;
        any = true;
        if (*digits >> 60)
            return false;
        *digits = *digits << 4 | (unsigned)digit;
        *exponent -= point ? 4 : 0;
    }
    *text = c;
    return any;
}

/* A sign, which may lack, and up to five digits. */
static bool read_exponent(const char *text, int64_t *exponent) {
    const bool negative = *text == '-';
    int value = 0, count = 0;
    text += *text == '-' || *text == '+';
    for (; *text >= '0' && *text <= '9' && count < 5; text++, count++)
        value = value * 10 + (*text - '0');
    *exponent += negative ? -value : value;
    return count && !*text;
}

/* What is not exact is refused: nothing that this library writes is. */
static bool make_exact(uint64_t digits, int64_t exponent, double *value) {
    while (digits && !(digits & 1)) {
        digits >>= 1;
        exponent++;
    }
    if (digits >> (FRACTION_BITS + 1))
        return false;
    *value = ldexp((double)digits, (int)exponent);
    return isfinite(*value) && (!digits || (*value != 0 && ldexp(*value, -(int)exponent) == (double)digits));
}

bool gls_hex_parse(const char *text, double *value) {
    uint64_t digits;
    int64_t exponent;
    double magnitude;
    const bool negative = *text == '-';
    text += negative;
    if (strcmp(text, "inf") == 0)
        magnitude = HUGE_VAL;
    else if (strcmp(text, "nan") == 0)
        magnitude = (double)NAN;
    else if (strncmp(text, "0x", 2) != 0)
        return false;
    else if (text += 2, !read_digits(&text, &digits, &exponent) || *text != 'p' ||
                            !read_exponent(text + 1, &exponent) || !make_exact(digits, exponent, &magnitude))
        return false;
    *value = negative ? -magnitude : magnitude;
    return true;
}

gls_number gls_count_format(uint64_t value) {
    gls_number number;
    snprintf(number.text, sizeof number.text, "%llu", (unsigned long long)value);
    return number;
}

bool gls_count_parse(const char *text, uint64_t *value) {
    uint64_t sum = 0;
    const char *c = text;
    for (; *c >= '0' && *c <= '9'; c++)
        if (__builtin_mul_overflow(sum, 10, &sum) || __builtin_add_overflow(sum, (uint64_t)(*c - '0'), &sum))
            return false;
    if (c == text || *c)
        return false;
    *value = sum;
    return true;
}

/* ---- hyperparameters ---- */

const gls_field *gls_fields_at(const gls_algorithm *algorithm, size_t i) {
    const gls_field *const tables[] = {algorithm->fields, algorithm->rule ? algorithm->rule->fields : NULL};
    for (size_t t = 0; t < 2; t++)
        for (const gls_field *field = tables[t]; field && field->name; field++)
            if (i-- == 0)
                return field;
    return NULL;
}

gls_number gls_field_format(const gls_field *field, const void *options) {
    const char *at = (const char *)options + field->offset;
    gls_number flags[2] = {{"false"}, {"true"}};
    double number;
    uint64_t count;
    unsigned choice;
    bool flag;
    switch (field->accepts) {
    case GLS_ACCEPT_FLAG:
        memcpy(&flag, at, sizeof flag);
        return flags[flag];
    case GLS_ACCEPT_COUNT:
        memcpy(&count, at, sizeof count);
        return gls_count_format(count);
    case GLS_ACCEPT_CHOICE:
        memcpy(&choice, at, sizeof choice);
        return gls_count_format(choice);
    default:
        memcpy(&number, at, sizeof number);
        return gls_hex_format(number);
    }
}

bool gls_field_parse(const gls_field *field, void *options, const char *text) {
    char *at = (char *)options + field->offset;
    double number;
    uint64_t count = 0;
    bool flag, good;
    unsigned choice;
    switch (field->accepts) {
    case GLS_ACCEPT_FLAG:
        flag = strcmp(text, "true") == 0;
        memcpy(at, &flag, sizeof flag);
        return flag || strcmp(text, "false") == 0;
    case GLS_ACCEPT_COUNT:
        if ((good = gls_count_parse(text, &count)))
            memcpy(at, &count, sizeof count);
        return good;
    case GLS_ACCEPT_CHOICE:
        good = gls_count_parse(text, &count) && count <= 1;
        choice = (unsigned)count;
        if (good)
            memcpy(at, &choice, sizeof choice);
        return good;
    default:
        if ((good = gls_hex_parse(text, &number)))
            memcpy(at, &number, sizeof number);
        return good;
    }
}

const char *gls_field_accepted(const gls_field *field) {
    return field->accepts == GLS_ACCEPT_FLAG     ? "true and false"
           : field->accepts == GLS_ACCEPT_COUNT  ? "decimal digits"
           : field->accepts == GLS_ACCEPT_CHOICE ? "0 and 1"
                                                 : "a double in C's hexadecimal notation";
}
