/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The few words of JSON that a header is made of: punctuation, texts, whole numbers. What else JSON has (floats, signs,
 * exponents, literals, nesting without end) is refused where it stands, by never being asked for.
 *
 * Not by libjansson, which other programs of this project use: of 2.14, still shipped, one failed allocation inside
 * json_loadb can drop a byte of a text and report success, or read past the end of its buffer (lex_save ignores that
 * its buffer could not grow); its integers end at 2^63 - 1, the format's at 2^64 - 1; and after it nobody knows where in
 * the file a value stood.
 */
#ifndef GLS_JSON_H
#define GLS_JSON_H

#include "error.h"

/* Text that is being read. */
typedef struct gls_json {
    const unsigned char *text;
    size_t bytes, at;
    const char *file; /* what messages call it */
    glissade_error *error;
} gls_json;

/* Refuses the file, as status INVALID_FILE: what is at offset `at` is not what was expected. */
glissade_status gls_json_fail(const gls_json *json, size_t at, const char *expected);

/* Steps over spaces, tabs and line ends. */
void gls_json_skip(gls_json *json);

/* Takes a mark, spaces before it skipped: whether it was there; or an error if it was not. */
bool gls_json_take(gls_json *json, char mark);
glissade_status gls_json_expect(gls_json *json, char mark, const char *expected);

/*
 * Takes a text: strict UTF-8, without zero bytes, every escape resolved. Writes what fits into `room` bytes, the last of
 * which is a zero byte (room 0: nothing), and in *length how many bytes it has.
 */
glissade_status gls_json_text(gls_json *json, char *out, size_t room, size_t *length);

/* Takes decimal digits. */
glissade_status gls_json_number(gls_json *json, uint64_t *value);

/* Bytes of the UTF-8 character that text begins with, of which there are `bytes`; 0 if it is none. */
size_t gls_utf8_character(const char *text, size_t bytes);

#endif
