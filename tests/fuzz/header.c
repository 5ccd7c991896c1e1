/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Headers of tensor files from arbitrary bytes: the input is 8 bytes, the size of the data, and JSON, to which the length
 * is added here, since a mutation would hardly ever keep it right. The input is also read as a file as it is.
 *
 * A header with checksums is read once more with its own checksum made right, without which nothing behind that check
 * would ever be reached. What is accepted must hold together, and must survive being made anew from its table.
 */
#include "check.h"

#include <string.h>

#include "damage.h"
#include "file/header.h"

enum { MOST_CHUNKS = 1000 }; /* whose checksums are made: beyond, only time is lost */

static glissade_status parse(const uint8_t *text, size_t bytes, uint64_t file_bytes, gls_header *header) {
    glissade_error error = {0};
    const glissade_status status = gls_header_parse(header, text, bytes, file_bytes, "it", &error);
    if (status != GLISSADE_STATUS_OK) {
        CHECK(status == GLISSADE_STATUS_INVALID_FILE || status == GLISSADE_STATUS_CHECKSUM, "%d", status);
        CHECK(error.status == status && strncmp(error.message, "it: ", 4) == 0, "\"%s\"", error.message);
        CHECK(!header->entries && !header->texts && !header->memory && !header->chunks, "not empty");
    }
    return status;
}

/* What is promised of every table. */
static void check_table(const gls_header *h, size_t bytes, uint64_t file_bytes) {
    uint64_t position = 0;
    CHECK(h->data_begin == bytes && h->data_begin + h->data_bytes == file_bytes, "data");
    for (size_t i = 0; i < h->entry_count; i++) {
        const gls_entry *e = &h->entries[i];
        uint64_t size;
        CHECK(gls_header_find(h, e->name) == i, "tensor %zu", i);
        CHECK(e->rank <= GLISSADE_FILE_RANK_MAX && glissade_file_dtype_name(e->dtype), "tensor %zu", i);
        CHECK(gls_header_tensor_bytes(e->dtype, e->rank, e->shape, &size), "tensor %zu", i);
        CHECK(e->begin == position && e->end - e->begin == size, "tensor %zu", i);
        position = e->end;
    }
    CHECK(position == h->data_bytes, "%llu bytes", (unsigned long long)position);
    for (size_t i = 0; i < h->text_count; i++) {
        CHECK(gls_header_text(h, h->texts[i].key) == h->texts[i].value, "line %zu", i);
        CHECK(i == 0 || strcmp(h->texts[i - 1].key, h->texts[i].key) < 0, "line %zu", i);
    }
    if (h->chunk_bytes)
        CHECK(h->chunk_count == (h->data_bytes + h->chunk_bytes - 1) / h->chunk_bytes, "%zu chunks",
              h->chunk_count);
}

/* Whether two tables say the same, but for the order of tensors and for checksums. */
static void compare(const gls_header *a, const gls_header *b) {
    CHECK(a->entry_count == b->entry_count && a->data_bytes == b->data_bytes, "tensors");
    for (size_t i = 0; i < a->entry_count; i++) {
        const size_t place = gls_header_find(b, a->entries[i].name);
        CHECK(place != SIZE_MAX, "tensor %zu", i);
        const gls_entry *x = &a->entries[i], *y = &b->entries[place];
        CHECK(x->dtype == y->dtype && x->rank == y->rank && x->end - x->begin == y->end - y->begin,
              "tensor %zu", i);
        CHECK(!x->rank || memcmp(x->shape, y->shape, x->rank * sizeof *x->shape) == 0, "tensor %zu", i);
    }
    for (size_t i = 0; i < a->text_count; i++) {
        const char *key = a->texts[i].key, *value = gls_header_text(b, key);
        if (strncmp(key, "glissade.checksum.", 18) != 0)
            CHECK(value && strcmp(value, a->texts[i].value) == 0, "line %zu", i);
    }
}

/* Makes a header of what was read, and reads it. */
static void make_again(const gls_header *header, bool checksums) {
    const size_t count = header->entry_count;
    gls_entry *entries = malloc((count + 1) * sizeof *entries);
    glissade_file_text *texts = malloc((header->text_count + 1) * sizeof *texts);
    uint64_t sums[MOST_CHUNKS];
    size_t lines = 0;
    bool empty = false; /* the format has empty names, but none are written */
    glissade_error error = {0};
    gls_heading heading;
    CHECK(entries && texts, "memory");
    for (size_t i = 0; i < count; i++) {
        entries[count - 1 - i] = header->entries[i];
        empty = empty || !*header->entries[i].name;
    }
    for (size_t i = 0; i < header->text_count; i++)
        if (strncmp(header->texts[i].key, "glissade.checksum.", 18) != 0) {
            texts[lines++] = header->texts[i];
            empty = empty || !*header->texts[i].key;
        }
    const glissade_status status =
        gls_heading_make(&heading, entries, count, texts, lines, checksums, &error);
    CHECK((status == GLISSADE_STATUS_INVALID_OPTION) == empty, "%s", error.message);
    CHECK(status == GLISSADE_STATUS_OK || status == GLISSADE_STATUS_INVALID_OPTION, "%s", error.message);
    if (status == GLISSADE_STATUS_OK) {
        gls_header again;
        memset(sums, 0x5a, sizeof sums);
        gls_heading_seal(&heading, sums);
        const glissade_status read = gls_header_parse(&again, heading.text, heading.bytes,
                                                      heading.bytes + heading.data_bytes, "made", &error);
        CHECK(read == GLISSADE_STATUS_OK, "%s", error.message);
        CHECK(heading.bytes % GLS_DATA_ALIGNMENT == 0, "%zu bytes", heading.bytes);
        CHECK((again.chunk_bytes != 0) == checksums, "checksums");
        check_table(&again, heading.bytes, heading.bytes + heading.data_bytes);
        compare(header, &again);
        gls_header_destroy(&again);
    }
    gls_heading_destroy(&heading);
    free(texts);
    free(entries);
}

static void try(const uint8_t *text, size_t bytes, uint64_t file_bytes) {
    gls_header header;
    if (parse(text, bytes, file_bytes, &header) != GLISSADE_STATUS_OK)
        return;
    check_table(&header, bytes, file_bytes);
    make_again(&header, false);
    if (header.data_bytes / GLS_CHUNK < MOST_CHUNKS)
        make_again(&header, true);
    gls_header_destroy(&header);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint64_t data_bytes = 0, length;
    if (size >= GLS_HEADER_PREFIX && gls_header_length(data, size, "it", &length, NULL) == GLISSADE_STATUS_OK)
        try(data, GLS_HEADER_PREFIX + (size_t)length, size);
    if (size < GLS_HEADER_PREFIX)
        return 0;
    uint8_t *text = malloc(size); /* no byte more, for sanitizers */
    CHECK(text, "memory");
    memcpy(text, data, size);
    for (int i = 0; i < GLS_HEADER_PREFIX; i++) {
        data_bytes |= (uint64_t)data[i] << 8 * i;
        text[i] = (uint8_t)((uint64_t)(size - GLS_HEADER_PREFIX) >> 8 * i);
    }
    data_bytes &= INT64_MAX >> 1; /* a file's size is signed */
    try(text, size, size + data_bytes);
    if (damage_mend(text, size))
        try(text, size, size + data_bytes);
    free(text);
    return 0;
}
