/* SPDX-License-Identifier: Apache-2.0 */
/* Making a header (see header.h): the same function writes it twice, once to count its bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "alloc.h"
#include "check.h"
#include "json.h"
#include "sort.h"

/* What is made, and of what. */
typedef struct header_making {
    const gls_entry *entries;
    const glissade_file_text *texts; /* sorted */
    size_t count, lines, chunk_count;
    bool checksums;
    char *out; /* NULL: counting */
    size_t at;
    size_t chunk_digits, header_digits; /* where they begin */
} header_making;

/* ---- writing ---- */

static void put(header_making *making, const char *bytes, size_t count) {
    if (making->out)
        memcpy(making->out + making->at, bytes, count);
    making->at += count;
}

static void put_words(header_making *making, const char *words) {
    put(making, words, strlen(words));
}

/* A text as JSON: what must be escaped is, and nothing else. */
static void put_text(header_making *making, const char *text) {
    static const char names[] = "\"\\bfnrt", values[] = "\"\\\b\f\n\r\t";
    put(making, "\"", 1);
    for (const char *c = text; *c; c++) {
        const char *named = strchr(values, *c);
        char escape[8];
        if (named) {
            const char pair[2] = {'\\', names[named - values]};
            put(making, pair, 2);
        } else if ((unsigned char)*c < ' ') {
            snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*c);
            put(making, escape, 6);
        } else {
            put(making, c, 1);
        }
    }
    put(making, "\"", 1);
}

static void put_number(header_making *making, uint64_t value) {
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, value);
    put_words(making, digits);
}

static size_t put_zeros(header_making *making, size_t count) {
    const size_t start = making->at;
    if (making->out)
        memset(making->out + start, '0', count);
    making->at += count;
    return start;
}

static void put_metadata(header_making *making) {
    put_words(making, "\"" GLS_KEY_METADATA "\":{");
    for (size_t i = 0; i < making->lines; i++) {
        put_words(making, i ? "," : "");
        put_text(making, making->texts[i].key);
        put_words(making, ":");
        put_text(making, making->texts[i].value);
    }
    if (making->checksums) {
        put_words(making, making->lines ? ",\"" GLS_KEY_CHUNK "\":\"" : "\"" GLS_KEY_CHUNK "\":\"");
        put_number(making, GLS_CHUNK);
        put_words(making, "\",\"" GLS_KEY_DATA "\":\"");
        making->chunk_digits = put_zeros(making, making->chunk_count * GLS_DIGITS);
        put_words(making, "\",\"" GLS_KEY_HEADER "\":\"");
        making->header_digits = put_zeros(making, GLS_DIGITS);
        put_words(making, "\"");
    }
    put_words(making, "}");
}

static void put_tensor(header_making *making, const gls_entry *entry) {
    put_text(making, entry->name);
    put_words(making, ":{\"dtype\":\"");
    put_words(making, glissade_file_dtype_name(entry->dtype));
    put_words(making, "\",\"shape\":[");
    for (uint32_t i = 0; i < entry->rank; i++) {
        put_words(making, i ? "," : "");
        put_number(making, entry->shape[i]);
    }
    put_words(making, "],\"data_offsets\":[");
    put_number(making, entry->begin);
    put_words(making, ",");
    put_number(making, entry->end);
    put_words(making, "]}");
}

static void put_header(header_making *making) {
    const bool metadata = making->lines || making->checksums;
    making->at = GLS_HEADER_PREFIX;
    put_words(making, "{");
    if (metadata)
        put_metadata(making);
    for (size_t i = 0; i < making->count; i++) {
        put_words(making, i || metadata ? "," : "");
        put_tensor(making, &making->entries[i]);
    }
    put_words(making, "}");
}

/* ---- checks ---- */

static bool is_utf8(const char *text) {
    size_t left = strlen(text), bytes;
    for (; left; text += bytes, left -= bytes)
        if ((bytes = gls_utf8_character(text, left)) == 0)
            return false;
    return true;
}

static glissade_status check_entry(const gls_entry *entry, glissade_error *error) {
    uint64_t bytes;
    if (!*entry->name || !is_utf8(entry->name) || strcmp(entry->name, GLS_KEY_METADATA) == 0)
        return gls_error_set(
            error, GLISSADE_STATUS_INVALID_OPTION,
            "a tensor's name is \"%.60s\"; accepted: UTF-8, not empty, not " GLS_KEY_METADATA, entry->name);
    if (!glissade_file_dtype_name(entry->dtype))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "tensor \"%.60s\": dtype is %d; accepted: a GLISSADE_FILE_ value", entry->name,
                             (int)entry->dtype);
    if (entry->rank > GLISSADE_FILE_RANK_MAX)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "tensor \"%.60s\": rank is %u; accepted: 0 to %d", entry->name, entry->rank,
                             GLISSADE_FILE_RANK_MAX);
    if (!gls_header_tensor_bytes(entry->dtype, entry->rank, entry->shape, &bytes))
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "tensor \"%.60s\": its shape is no whole number of bytes below 2^61",
                             entry->name);
    return GLISSADE_STATUS_OK;
}

static glissade_status check_text(const glissade_file_text *text, glissade_error *error) {
    if (!*text->key || !is_utf8(text->key))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "a key of metadata is \"%.60s\"; accepted: UTF-8, not empty", text->key);
    if (strncmp(text->key, GLS_KEY_CHECKSUMS, strlen(GLS_KEY_CHECKSUMS)) == 0)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "a key of metadata is \"%.60s\"; accepted: not those of checksums", text->key);
    if (!is_utf8(text->value))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "the value of the key \"%.60s\" of metadata is not UTF-8", text->key);
    return GLISSADE_STATUS_OK;
}

/* ---- order ---- */

static bool text_before(const void *a, const void *b, const void *context) {
    (void)context;
    return strcmp(((const glissade_file_text *)a)->key, ((const glissade_file_text *)b)->key) < 0;
}

static bool name_before(const void *a, const void *b, const void *context) {
    (void)context;
    return strcmp(*(const char *const *)a, *(const char *const *)b) < 0;
}

static bool entry_before(const void *a, const void *b, const void *context) {
    const gls_entry *x = a, *y = b;
    const uint32_t x_bits = glissade_file_dtype_bits(x->dtype), y_bits = glissade_file_dtype_bits(y->dtype);
    (void)context;
    return x_bits != y_bits ? x_bits > y_bits : strcmp(x->name, y->name) < 0;
}

/* Whether names differ, over all element sizes; `names` is room for them. */
static glissade_status compare_names(const gls_entry *entries, const char **names, size_t count,
                                     glissade_error *error) {
    for (size_t i = 0; i < count; i++)
        names[i] = entries[i].name;
    gls_sort(names, count, sizeof *names, name_before, NULL);
    for (size_t i = 1; i < count; i++)
        if (strcmp(names[i - 1], names[i]) == 0)
            return gls_error_set(error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                                 "there are two tensors \"%.60s\"; accepted: names that differ", names[i]);
    return GLISSADE_STATUS_OK;
}

static glissade_status compare_keys(const glissade_file_text *texts, size_t lines, glissade_error *error) {
    for (size_t i = 1; i < lines; i++)
        if (strcmp(texts[i - 1].key, texts[i].key) == 0)
            return gls_error_set(error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                                 "metadata has the key \"%.60s\" twice; accepted: keys that differ",
                                 texts[i].key);
    return GLISSADE_STATUS_OK;
}

/* Lays the arrays end to end. */
static glissade_status lay_out(gls_entry *entries, size_t count, uint64_t *end, glissade_error *error) {
    gls_sort(entries, count, sizeof *entries, entry_before, NULL);
    *end = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = 0;
        gls_header_tensor_bytes(entries[i].dtype, entries[i].rank, entries[i].shape, &bytes);
        entries[i].begin = *end;
        /* A file's size is signed, and its header is no longer than this. */
        if (__builtin_add_overflow(*end, bytes, end) || *end > INT64_MAX - 2 * (uint64_t)GLS_HEADER_MOST)
            return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                                 "tensor \"%.60s\" and those before it are more than a file can hold",
                                 entries[i].name);
        entries[i].end = *end;
    }
    return GLISSADE_STATUS_OK;
}

/* ---- all of it ---- */

/* Writes what is now checked and in order. */
static glissade_status write_header(gls_heading *heading, header_making *making, glissade_error *error) {
    put_header(making);
    const size_t used = making->at, room = GLS_DATA_ALIGNMENT - 1;
    const size_t bytes = (used + room) & ~room;
    if (bytes - GLS_HEADER_PREFIX > GLS_HEADER_MOST)
        return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                             "the header has %zu bytes; accepted: at most %d", used - GLS_HEADER_PREFIX,
                             GLS_HEADER_MOST);
    making->out = gls_alloc(bytes, 1);
    if (!making->out)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "out of memory for %zu bytes of header",
                             bytes);
    put_header(making);
    memset(making->out + used, ' ', bytes - used);
    for (int i = 0; i < GLS_HEADER_PREFIX; i++)
        making->out[i] = (char)((uint64_t)(bytes - GLS_HEADER_PREFIX) >> 8 * i & 0xff);
    heading->text = making->out;
    heading->bytes = bytes;
    if (making->checksums) {
        heading->chunk_count = making->chunk_count;
        heading->chunk_digits = heading->text + making->chunk_digits;
        heading->header_digits = heading->text + making->header_digits;
    }
    return GLISSADE_STATUS_OK;
}

glissade_status gls_heading_make(gls_heading *heading, gls_entry *entries, size_t count,
                                 const glissade_file_text *texts, size_t lines, bool checksums,
                                 glissade_error *error) {
    *heading = (gls_heading){0};
    glissade_status status = GLISSADE_STATUS_OK;
    for (size_t i = 0; i < count && status == GLISSADE_STATUS_OK; i++)
        status = check_entry(&entries[i], error);
    for (size_t i = 0; i < lines && status == GLISSADE_STATUS_OK; i++)
        status = check_text(&texts[i], error);
    if (status != GLISSADE_STATUS_OK)
        return status;
    const char **names = gls_alloc(count, sizeof *names);
    glissade_file_text *sorted = gls_alloc(lines, sizeof *sorted);
    if (!names || !sorted) {
        status = gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                               "out of memory for the names of %zu tensors", count);
    } else {
        if (lines)
            memcpy(sorted, texts, lines * sizeof *sorted);
        gls_sort(sorted, lines, sizeof *sorted, text_before, NULL);
        status = compare_names(entries, names, count, error);
        if (status == GLISSADE_STATUS_OK)
            status = compare_keys(sorted, lines, error);
        if (status == GLISSADE_STATUS_OK)
            status = lay_out(entries, count, &heading->data_bytes, error);
        header_making making = {.entries = entries, .texts = sorted, .count = count, .lines = lines};
        making.checksums = checksums;
        making.chunk_count = (size_t)((heading->data_bytes + GLS_CHUNK - 1) / GLS_CHUNK);
        if (status == GLISSADE_STATUS_OK)
            status = write_header(heading, &making, error);
    }
    gls_free(names);
    gls_free(sorted);
    if (status != GLISSADE_STATUS_OK)
        *heading = (gls_heading){0};
    return status;
}

/* Writes 16 digits, without the zero byte that snprintf ends with. */
static void write_digits(char *out, uint64_t value) {
    char digits[GLS_DIGITS + 1];
    snprintf(digits, sizeof digits, "%016" PRIx64, value);
    memcpy(out, digits, GLS_DIGITS);
}

void gls_heading_seal(gls_heading *heading, const uint64_t *chunks) {
    if (!heading->header_digits)
        return;
    for (size_t i = 0; i < heading->chunk_count; i++)
        write_digits(heading->chunk_digits + i * GLS_DIGITS, chunks[i]);
    memset(heading->header_digits, '0', GLS_DIGITS);
    write_digits(heading->header_digits, XXH3_64bits(heading->text, heading->bytes));
}

void gls_heading_destroy(gls_heading *heading) {
    gls_free(heading->text);
    *heading = (gls_heading){0};
}
