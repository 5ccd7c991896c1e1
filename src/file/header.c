/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a header (see header.h). The grammar is walked twice by the same functions: once to count, with every array
 * NULL, and once to fill what was allocated by the counts, so that memory follows what is there and not what a number
 * in the file says. What the walk cannot see, order, sums and checksums, is checked on the table (check.c).
 */
#include "header.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "check.h"
#include "json.h"

/* Where the walk is. */
typedef struct header_walk {
    gls_json json;
    gls_header *header; /* its arrays are NULL while counting */
    size_t entries, texts, dimensions;
    uint64_t *shapes; /* room for all dimensions; NULL: counting */
    char *strings;    /* room for all names and texts; NULL: counting */
    size_t string_bytes, string_room;
    bool has_metadata;
    gls_digits digits; /* of the header's own checksum */
    char scratch[64];  /* the beginning of a name, while counting */
} header_walk;

/* Takes a name or text that is kept; while counting, *out is its beginning, until the next. */
static glissade_status take_string(header_walk *walk, char **out) {
    size_t length;
    *out = walk->strings ? walk->strings + walk->string_bytes : walk->scratch;
    const size_t room = walk->strings ? walk->string_room - walk->string_bytes : sizeof walk->scratch;
    const glissade_status status = gls_json_text(&walk->json, *out, room, &length);
    if (status == GLISSADE_STATUS_OK)
        walk->string_bytes += length + 1;
    return status;
}

/* Whether a list goes on: takes the comma, or the mark that ends it. */
static glissade_status take_next(header_walk *walk, char end, bool *more) {
    *more = gls_json_take(&walk->json, ',');
    if (*more || gls_json_take(&walk->json, end))
        return GLISSADE_STATUS_OK;
    return gls_json_fail(&walk->json, walk->json.at, end == '}' ? "',' or '}'" : "',' or ']'");
}

/* ---- metadata ---- */

/* Takes a key and its value. */
static glissade_status take_line(header_walk *walk) {
    char *key, *value;
    glissade_status status = take_string(walk, &key);
    if (status == GLISSADE_STATUS_OK)
        status = gls_json_expect(&walk->json, ':', "':' behind a key of __metadata__");
    if (status != GLISSADE_STATUS_OK)
        return status;
    gls_json_skip(&walk->json);
    const size_t start = walk->json.at + 1;
    if ((status = take_string(walk, &value)) != GLISSADE_STATUS_OK)
        return status;
    if (walk->header->texts) {
        walk->header->texts[walk->texts] = (glissade_file_text){.key = key, .value = value};
        if (strcmp(key, GLS_KEY_HEADER) == 0)
            walk->digits = (gls_digits){.at = start, .bytes = walk->json.at - 1 - start};
    }
    walk->texts++;
    return GLISSADE_STATUS_OK;
}

static glissade_status take_metadata(header_walk *walk, size_t start) {
    if (walk->has_metadata)
        return gls_json_fail(&walk->json, start, "__metadata__ no second time");
    walk->has_metadata = true;
    glissade_status status = gls_json_expect(&walk->json, '{', "'{', since __metadata__ maps texts to texts");
    bool more = status == GLISSADE_STATUS_OK && !gls_json_take(&walk->json, '}');
    while (status == GLISSADE_STATUS_OK && more) {
        status = take_line(walk);
        if (status == GLISSADE_STATUS_OK)
            status = take_next(walk, '}', &more);
    }
    return status;
}

/* ---- tensors ---- */

enum { FIELD_DTYPE, FIELD_SHAPE, FIELD_OFFSETS, FIELD_COUNT };

static const char *const fields[FIELD_COUNT] = {"dtype", "shape", "data_offsets"};

/* Refuses a tensor, by its name and by the offset of what is wrong with it. */
static glissade_status refuse(const header_walk *walk, const gls_entry *entry, size_t at, const char *found,
                              const char *expected) {
    return gls_error_set(walk->json.error, GLISSADE_STATUS_INVALID_FILE,
                         "%s: at offset %zu tensor \"%.40s\" has %s; expected %s", walk->json.file, at,
                         entry->name, found, expected);
}

/* Takes a short word; a longer one becomes one that is no name of anything. */
static glissade_status take_word(header_walk *walk, char word[16], size_t *at) {
    size_t length = 0;
    gls_json_skip(&walk->json);
    *at = walk->json.at;
    const glissade_status status = gls_json_text(&walk->json, word, 16, &length);
    if (status == GLISSADE_STATUS_OK && length >= 16)
        memcpy(word + 12, "...", sizeof "...");
    return status;
}

static glissade_status take_dtype(header_walk *walk, gls_entry *entry) {
    char word[16], found[32];
    size_t at;
    const glissade_status status = take_word(walk, word, &at);
    if (status != GLISSADE_STATUS_OK || gls_dtype_find(word, &entry->dtype))
        return status;
    snprintf(found, sizeof found, "dtype \"%s\"", word);
    return refuse(walk, entry, at, found, "one that the format names, such as F32");
}

static glissade_status take_shape(header_walk *walk, gls_entry *entry) {
    entry->shape = walk->shapes ? walk->shapes + walk->dimensions : NULL;
    glissade_status status = gls_json_expect(&walk->json, '[', "'[', since a shape is a list of numbers");
    bool more = status == GLISSADE_STATUS_OK && !gls_json_take(&walk->json, ']');
    while (status == GLISSADE_STATUS_OK && more) {
        uint64_t dimension;
        if (entry->rank == GLISSADE_FILE_RANK_MAX)
            return refuse(walk, entry, walk->json.at, "more than 64 dimensions", "at most 64");
        if ((status = gls_json_number(&walk->json, &dimension)) != GLISSADE_STATUS_OK)
            return status;
        if (walk->shapes)
            walk->shapes[walk->dimensions] = dimension;
        walk->dimensions++;
        entry->rank++;
        status = take_next(walk, ']', &more);
    }
    return status;
}

static glissade_status take_offsets(header_walk *walk, gls_entry *entry) {
    static const char *const expected = "two numbers, [begin, end], for data_offsets";
    glissade_status status = gls_json_expect(&walk->json, '[', expected);
    if (status == GLISSADE_STATUS_OK)
        status = gls_json_number(&walk->json, &entry->begin);
    if (status == GLISSADE_STATUS_OK)
        status = gls_json_expect(&walk->json, ',', expected);
    if (status == GLISSADE_STATUS_OK)
        status = gls_json_number(&walk->json, &entry->end);
    return status == GLISSADE_STATUS_OK ? gls_json_expect(&walk->json, ']', expected) : status;
}

/* Takes a field and its value; `taken` are those that were there before. */
static glissade_status take_field(header_walk *walk, gls_entry *entry, unsigned *taken) {
    typedef glissade_status take_value(header_walk * walk, gls_entry * entry);
    static take_value *const takes[] = {take_dtype, take_shape, take_offsets};
    char word[16], found[32];
    size_t at;
    int field = 0;
    glissade_status status = take_word(walk, word, &at);
    if (status != GLISSADE_STATUS_OK)
        return status;
    while (field < FIELD_COUNT && strcmp(word, fields[field]) != 0)
        field++;
    snprintf(found, sizeof found, "a field \"%s\"", word);
    if (field == FIELD_COUNT)
        return refuse(walk, entry, at, found, "dtype, shape and data_offsets alone");
    if (*taken & 1u << field)
        return refuse(walk, entry, at, found, "it only once");
    *taken |= 1u << field;
    status = gls_json_expect(&walk->json, ':', "':' behind a field's name");
    return status == GLISSADE_STATUS_OK ? takes[field](walk, entry) : status;
}

static glissade_status take_tensor(header_walk *walk, const char *name) {
    gls_entry entry = {.name = name};
    unsigned taken = 0;
    glissade_status status = gls_json_expect(&walk->json, '{', "'{', since a tensor has fields");
    bool more = status == GLISSADE_STATUS_OK && !gls_json_take(&walk->json, '}');
    while (status == GLISSADE_STATUS_OK && more) {
        status = take_field(walk, &entry, &taken);
        if (status == GLISSADE_STATUS_OK)
            status = take_next(walk, '}', &more);
    }
    if (status != GLISSADE_STATUS_OK)
        return status;
    for (int i = 0; i < FIELD_COUNT; i++)
        if (!(taken & 1u << i))
            return gls_error_set(walk->json.error, GLISSADE_STATUS_INVALID_FILE,
                                 "%s: before offset %zu tensor \"%.40s\" ends without %s", walk->json.file,
                                 walk->json.at, name, fields[i]);
    if (walk->header->entries)
        walk->header->entries[walk->entries] = entry;
    walk->entries++;
    return GLISSADE_STATUS_OK;
}

/* ---- all of it ---- */

static glissade_status take_item(header_walk *walk) {
    char *name;
    gls_json_skip(&walk->json);
    const size_t start = walk->json.at;
    glissade_status status = take_string(walk, &name);
    if (status == GLISSADE_STATUS_OK)
        status = gls_json_expect(&walk->json, ':', "':' behind a tensor's name");
    if (status != GLISSADE_STATUS_OK)
        return status;
    return strcmp(name, GLS_KEY_METADATA) == 0 ? take_metadata(walk, start) : take_tensor(walk, name);
}

static glissade_status take_header(header_walk *walk) {
    walk->json.at = GLS_HEADER_PREFIX;
    /* The format allows spaces behind the JSON, not before it, though most readers take them there. */
    if (walk->json.text[walk->json.at] != '{')
        return gls_json_fail(&walk->json, walk->json.at, "'{', with which every header begins");
    walk->json.at++;
    glissade_status status = GLISSADE_STATUS_OK;
    bool more = !gls_json_take(&walk->json, '}');
    while (status == GLISSADE_STATUS_OK && more) {
        status = take_item(walk);
        if (status == GLISSADE_STATUS_OK)
            status = take_next(walk, '}', &more);
    }
    gls_json_skip(&walk->json);
    if (status == GLISSADE_STATUS_OK && walk->json.at < walk->json.bytes)
        status = gls_json_fail(&walk->json, walk->json.at, "nothing but spaces behind the last '}'");
    return status;
}

/* Allocates what the walk has counted, and makes it ready to fill that. */
static bool allocate(gls_header *header, header_walk *walk) {
    const size_t shape_bytes = walk->dimensions * sizeof *walk->shapes;
    header->entry_count = walk->entries;
    header->text_count = walk->texts;
    header->entries = gls_alloc(walk->entries, sizeof *header->entries);
    header->by_name = gls_alloc(walk->entries, sizeof *header->by_name);
    header->texts = gls_alloc(walk->texts, sizeof *header->texts);
    header->memory = gls_alloc(shape_bytes + walk->string_bytes, 1);
    if (!header->entries || !header->by_name || !header->texts || !header->memory)
        return false;
    walk->shapes = header->memory;
    walk->strings = (char *)header->memory + shape_bytes;
    walk->string_room = walk->string_bytes;
    walk->entries = walk->texts = walk->dimensions = walk->string_bytes = 0;
    walk->has_metadata = false;
    return true;
}

glissade_status gls_header_parse(gls_header *header, const void *text, size_t bytes, uint64_t file_bytes,
                                 const char *file, glissade_error *error) {
    *header = (gls_header){0};
    header_walk walk = {.json = {.text = text, .bytes = bytes, .file = file, .error = error},
                        .header = header};
    uint64_t json_bytes = 0;
    glissade_status status = gls_header_length(text, file_bytes, file, &json_bytes, error);
    if (status != GLISSADE_STATUS_OK)
        return status;
    if (bytes < GLS_HEADER_PREFIX || bytes - GLS_HEADER_PREFIX != json_bytes)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_FILE,
                             "%s: %zu bytes of header could be read; expected %llu", file, bytes,
                             (unsigned long long)(json_bytes + GLS_HEADER_PREFIX));
    header->data_begin = bytes;
    header->data_bytes = file_bytes - bytes;
    status = take_header(&walk);
    if (status == GLISSADE_STATUS_OK && !allocate(header, &walk))
        status = gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY,
                               "%s: out of memory for a header of %zu tensors", file, walk.entries);
    if (status == GLISSADE_STATUS_OK)
        status = take_header(&walk);
    if (status == GLISSADE_STATUS_OK)
        status = gls_header_check(header, text, walk.digits, file, error);
    if (status != GLISSADE_STATUS_OK)
        gls_header_destroy(header);
    return status;
}

void gls_header_destroy(gls_header *header) {
    gls_free(header->entries);
    gls_free(header->by_name);
    gls_free(header->texts);
    gls_free(header->chunks);
    gls_free(header->memory);
    *header = (gls_header){0};
}

size_t gls_header_find(const gls_header *header, const char *name) {
    size_t low = 0, high = header->entry_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(header->entries[header->by_name[middle]].name, name);
        if (order == 0)
            return header->by_name[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

const char *gls_header_text(const gls_header *header, const char *key) {
    size_t low = 0, high = header->text_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(header->texts[middle].key, key);
        if (order == 0)
            return header->texts[middle].value;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
