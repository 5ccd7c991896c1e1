/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks of a header as a table (see check.h).
 *
 * That one wrong bit of a header with checksums never goes unnoticed rests on this: the header's own checksum tells, if
 * it is looked at; so the flip would have to hide all three keys of checksums at once, and it cannot. If it makes or
 * unmakes a quotation mark, or a backslash before one, the number of marks that are not escaped becomes odd, which is no
 * JSON. So it lies inside one text, of which it spoils one key at most, and two of three are refused (spoiling
 * "__metadata__" makes the map a tensor with fields that the format does not have); or outside all texts, where between
 * those of the metadata nothing stands but marks, each the only one that the grammar takes in its place.
 */
#include "check.h"

#include <string.h>
#include <xxhash.h>

#include "alloc.h"
#include "sort.h"

/* What the checks share. */
typedef struct subject {
    gls_header *header;
    const unsigned char *text;
    const char *file;
    glissade_error *error;
} subject;

#define REFUSE(subject, format, ...)                                                                         \
    gls_error_set((subject)->error, GLISSADE_STATUS_INVALID_FILE, "%s: " format, (subject)->file, __VA_ARGS__)

typedef unsigned long long number;

/* ---- lengths ---- */

glissade_status gls_header_length(const unsigned char prefix[GLS_HEADER_PREFIX], uint64_t file_bytes,
                                  const char *file, uint64_t *bytes, glissade_error *error) {
    const uint64_t least = 2; /* "{}" */
    uint64_t length = 0;
    *bytes = 0;
    if (file_bytes < GLS_HEADER_PREFIX + least)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_FILE,
                             "%s: the file has %llu bytes; a tensor file has at least %llu", file,
                             (number)file_bytes, (number)(GLS_HEADER_PREFIX + least));
    for (int i = 0; i < GLS_HEADER_PREFIX; i++)
        length |= (uint64_t)prefix[i] << 8 * i;
    const uint64_t room = file_bytes - GLS_HEADER_PREFIX;
    const uint64_t most = room < GLS_HEADER_MOST ? room : GLS_HEADER_MOST;
    if (length < least || length > most)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_FILE,
                             "%s: at offset 0 the header's length is %llu; expected %llu to %llu, %s", file,
                             (number)length, (number)least, (number)most,
                             most == room ? "what the file has behind it" : "the format's limit");
    *bytes = length;
    return GLISSADE_STATUS_OK;
}

/* ---- names and keys ---- */

static bool key_before(const void *a, const void *b, const void *context) {
    (void)context;
    return strcmp(((const glissade_file_text *)a)->key, ((const glissade_file_text *)b)->key) < 0;
}

static bool entry_before(const void *a, const void *b, const void *context) {
    const gls_entry *x = a, *y = b;
    (void)context;
    if (x->begin != y->begin)
        return x->begin < y->begin;
    return x->end != y->end ? x->end < y->end : strcmp(x->name, y->name) < 0;
}

static bool name_before(const void *a, const void *b, const void *context) {
    const gls_entry *entries = context;
    return strcmp(entries[*(const size_t *)a].name, entries[*(const size_t *)b].name) < 0;
}

static glissade_status sort_and_compare(const subject *it) {
    gls_header *h = it->header;
    gls_sort(h->texts, h->text_count, sizeof *h->texts, key_before, NULL);
    for (size_t i = 1; i < h->text_count; i++)
        if (strcmp(h->texts[i - 1].key, h->texts[i].key) == 0)
            return REFUSE(it, "__metadata__ has the key \"%.60s\" twice; expected keys that differ",
                          h->texts[i].key);
    gls_sort(h->entries, h->entry_count, sizeof *h->entries, entry_before, NULL);
    for (size_t i = 0; i < h->entry_count; i++)
        h->by_name[i] = i;
    gls_sort(h->by_name, h->entry_count, sizeof *h->by_name, name_before, h->entries);
    for (size_t i = 1; i < h->entry_count; i++) {
        const char *name = h->entries[h->by_name[i]].name;
        if (strcmp(h->entries[h->by_name[i - 1]].name, name) == 0)
            return REFUSE(it, "there are two tensors \"%.60s\"; expected names that differ", name);
    }
    return GLISSADE_STATUS_OK;
}

/* ---- checksums ---- */

static bool read_digits(const char *text, uint64_t *value) {
    *value = 0;
    for (int i = 0; i < GLS_DIGITS; i++) {
        const char c = text[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        *value = *value << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

/* The header's own: over its bytes, with these digits as zeros. (Of a copy: a state to feed in parts would have to be
 * on the heap, too, and a rare failure more.) */
static glissade_status check_own(const subject *it, gls_digits digits) {
    uint64_t stated, found;
    const size_t bytes = it->header->data_begin;
    if (digits.bytes != GLS_DIGITS || !read_digits((const char *)it->text + digits.at, &stated))
        return REFUSE(it,
                      "at offset %zu " GLS_KEY_HEADER " is not 16 digits; expected 0-9 and a-f, none escaped",
                      digits.at);
    unsigned char *copy = gls_alloc(bytes, 1);
    if (!copy)
        return gls_error_set(it->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "%s: out of memory for %zu bytes of header", it->file, bytes);
    memcpy(copy, it->text, bytes);
    memset(copy + digits.at, '0', GLS_DIGITS);
    found = XXH3_64bits(copy, bytes);
    gls_free(copy);
    if (found == stated)
        return GLISSADE_STATUS_OK;
    return gls_error_set(it->error, GLISSADE_STATUS_CHECKSUM,
                         "%s: the header's checksum is %016llx; at offset %zu it should be %016llx", it->file,
                         (number)found, digits.at, (number)stated);
}

/* "4096" to "1073741824", by steps of 4,096; 0 if it is none of these. */
static uint64_t read_chunk_bytes(const char *text) {
    const uint64_t step = 4096, most = 1u << 30;
    uint64_t value = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || value > most || (value == 0 && c > text))
            return 0;
        value = value * 10 + (uint64_t)(*c - '0');
    }
    return value % step == 0 && value <= most ? value : 0;
}

static glissade_status read_chunks(const subject *it, const char *chunk, const char *data) {
    gls_header *h = it->header;
    const size_t length = strlen(data);
    const uint64_t chunk_bytes = read_chunk_bytes(chunk);
    if (chunk_bytes == 0)
        return REFUSE(it, GLS_KEY_CHUNK " is \"%.20s\"; expected a multiple of 4096, at most 1073741824",
                      chunk);
    const uint64_t count = h->data_bytes / chunk_bytes + (h->data_bytes % chunk_bytes != 0);
    if (length % GLS_DIGITS != 0 || length / GLS_DIGITS != count)
        return REFUSE(it, GLS_KEY_DATA " has %zu digits; expected 16 for each of %llu chunks", length,
                      (number)count);
    h->chunks = gls_alloc((size_t)count, sizeof *h->chunks);
    if (!h->chunks)
        return gls_error_set(it->error, GLISSADE_STATUS_OUT_OF_MEMORY, "%s: out of memory for %llu checksums",
                             it->file, (number)count);
    for (size_t i = 0; i < count; i++)
        if (!read_digits(data + i * GLS_DIGITS, &h->chunks[i]))
            return REFUSE(it, GLS_KEY_DATA ", digits %zu to %zu: expected 0-9 and a-f", i * GLS_DIGITS,
                          (i + 1) * GLS_DIGITS - 1);
    h->chunk_bytes = chunk_bytes;
    h->chunk_count = (size_t)count;
    return GLISSADE_STATUS_OK;
}

static glissade_status check_checksums(const subject *it, gls_digits digits) {
    const gls_header *h = it->header;
    const char *chunk = gls_header_text(h, GLS_KEY_CHUNK), *data = gls_header_text(h, GLS_KEY_DATA);
    size_t found = 0;
    for (size_t i = 0; i < h->text_count; i++) {
        const char *key = h->texts[i].key;
        if (strncmp(key, GLS_KEY_CHECKSUMS, strlen(GLS_KEY_CHECKSUMS)) != 0)
            continue;
        if (strcmp(key, GLS_KEY_CHUNK) != 0 && strcmp(key, GLS_KEY_DATA) != 0 &&
            strcmp(key, GLS_KEY_HEADER) != 0)
            return REFUSE(
                it, "__metadata__ has \"%.40s\"; expected " GLS_KEY_CHECKSUMS "chunk, data and header", key);
        found++;
    }
    if (found == 0)
        return GLISSADE_STATUS_OK;
    if (found < 3)
        return REFUSE(it,
                      "there are %zu of three keys " GLS_KEY_CHECKSUMS "chunk, data and header; expected all "
                      "or none",
                      found);
    const glissade_status status = check_own(it, digits);
    return status == GLISSADE_STATUS_OK ? read_chunks(it, chunk, data) : status;
}

/* ---- arrays ---- */

static glissade_status check_arrays(const subject *it) {
    const gls_header *h = it->header;
    uint64_t position = 0, bytes;
    for (size_t i = 0; i < h->entry_count; i++) {
        const gls_entry *e = &h->entries[i];
        if (e->end < e->begin)
            return REFUSE(
                it, "tensor \"%.40s\" has data_offsets [%llu, %llu]; expected an end not before the begin",
                e->name, (number)e->begin, (number)e->end);
        if (e->begin != position)
            return REFUSE(it, "tensor \"%.40s\" begins at byte %llu of the data; expected %llu, %s", e->name,
                          (number)e->begin, (number)position,
                          i ? "where the one before it ends" : "since it is the first");
        if (!gls_header_tensor_bytes(e->dtype, e->rank, e->shape, &bytes))
            return REFUSE(it,
                          "tensor \"%.40s\" has a shape whose size is no whole number of bytes below 2^61",
                          e->name);
        if (e->end - e->begin != bytes)
            return REFUSE(it,
                          "tensor \"%.40s\" has %llu bytes by data_offsets; expected %llu by shape and dtype",
                          e->name, (number)(e->end - e->begin), (number)bytes);
        position = e->end;
    }
    if (position != h->data_bytes)
        return REFUSE(it, "the tensors end at byte %llu of the data; expected %llu, where the file ends",
                      (number)position, (number)h->data_bytes);
    return GLISSADE_STATUS_OK;
}

glissade_status gls_header_check(gls_header *header, const unsigned char *text, gls_digits digits,
                                 const char *file, glissade_error *error) {
    const subject it = {.header = header, .text = text, .file = file, .error = error};
    glissade_status status = sort_and_compare(&it);
    if (status == GLISSADE_STATUS_OK)
        status = check_checksums(&it, digits);
    return status == GLISSADE_STATUS_OK ? check_arrays(&it) : status;
}
