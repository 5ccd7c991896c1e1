/* SPDX-License-Identifier: Apache-2.0 */
/* State files in tests (see states.h). */
#include "states.h"

#include "optimizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- snapshots ---- */

static void put(snapshot *it, const void *bytes, size_t count) {
    if (it->count + count > it->room) {
        it->room = 2 * (it->count + count);
        it->bytes = realloc(it->bytes, it->room);
        REQUIRE(it->bytes, "no memory for a snapshot");
    }
    if (count)
        memcpy(it->bytes + it->count, bytes, count);
    it->count += count;
}

#define PUT(it, value) put(it, &(value), sizeof(value))

static void put_tensor(snapshot *it, const gls_group *group, uint32_t i) {
    const gls_tensor *tensor = &group->tensors[i];
    PUT(it, tensor->t);
    PUT(it, tensor->k);
    if (group->storage) {
        PUT(it, group->storage[i].numbers);
        PUT(it, group->storage[i].stream);
        PUT(it, group->storage[i].staged);
    }
    if (group->deferrals) {
        PUT(it, group->deferrals[i].rms);
        PUT(it, group->deferrals[i].acted);
        PUT(it, group->deferrals[i].holds);
    }
    for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++) {
        const void *at = gls_group_array(group, i, array);
        PUT(it, at);
        if (at)
            put(it, at, gls_group_bytes(group, i, array));
    }
}

snapshot snapshot_take(const glissade_optimizer *optimizer) {
    snapshot it = {.count = 0};
    PUT(&it, optimizer->seed);
    PUT(&it, optimizer->next_stream);
    PUT(&it, optimizer->arrays.count);
    for (size_t i = 0; i < optimizer->arrays.count; i++) {
        PUT(&it, optimizer->arrays.items[i].begin);
        PUT(&it, optimizer->arrays.items[i].end);
    }
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        gls_group *group = optimizer->groups[i];
        const bool records[] = {group->storage, group->deferrals};
        PUT(&it, group->number);
        PUT(&it, group->stream);
        PUT(&it, group->average_weight);
        PUT(&it, group->evaluates);
        PUT(&it, group->holding_count);
        PUT(&it, records);
        put(&it, gls_group_options(group), gls_options_bytes(group->algorithm));
        for (uint32_t j = 0; j < group->count; j++)
            put_tensor(&it, group, j);
    }
    return it;
}

bool snapshot_same(const snapshot *a, const snapshot *b) {
    return a->count == b->count && memcmp(a->bytes, b->bytes, a->count) == 0;
}

void snapshot_free(snapshot *it) {
    free(it->bytes);
    *it = (snapshot){.count = 0};
}

/* ---- saving and loading ---- */

void states_save(glissade_optimizer *optimizer, const char *path, bool parameters) {
    glissade_file_options file;
    glissade_save_options options;
    glissade_file_options_init(&file, sizeof file);
    glissade_save_options_init(&options, sizeof options);
    file.omit_synchronise = true;
    options.file = &file;
    options.parameters = parameters;
    const glissade_status status = glissade_optimizer_save(optimizer, path, &options, NULL);
    REQUIRE(!status, "save: %s: %s", glissade_status_name(status), glissade_optimizer_message(optimizer));
}

glissade_load_options states_load_options(void) {
    glissade_load_options options;
    glissade_load_options_init(&options, sizeof options);
    return options;
}

void states_load(glissade_optimizer *optimizer, const char *path, const glissade_load_options *options) {
    const glissade_status status = glissade_optimizer_load(optimizer, path, options, NULL);
    REQUIRE(!status, "load: %s: %s", glissade_status_name(status), glissade_optimizer_message(optimizer));
}

/* ---- tensors ---- */

static bool same_array(const void *a, const void *b, size_t bytes) {
    return !bytes || (!a == !b && (!a || memcmp(a, b, bytes) == 0));
}

/* A state that nobody has made any use of may be there or not. */
static bool same_state(const fleet *it, const glissade_tensor_info *a, const glissade_tensor_info *b, int s) {
    const gls_group *group = it->optimizer->groups[0];
    const bool used = (uint32_t)s < group->algorithm->states(group) &&
                      (group->algorithm->starts_afresh ? a->momentum_updates : a->steps) > 0;
    return !used || (a->state_format[s] == b->state_format[s] &&
                     same_array(a->state[s], b->state[s],
                                glissade_state_bytes(a->state_format[s], fleet_state_length(it, a),
                                                     a->parameter_dtype == GLISSADE_DTYPE_F64)));
}

const char *states_difference(const fleet *left, size_t i, const fleet *right, size_t j) {
    const glissade_tensor_info a = fleet_info(left, i), b = fleet_info(right, j);
    const size_t n = a.length;
    static char text[32];
    if (n != b.length || !same_array(a.parameter, b.parameter, n * dtype_bytes(a.parameter_dtype)))
        return "parameter";
    if (a.steps != b.steps || a.momentum_updates != b.momentum_updates)
        return "counts";
    if (memcmp(a.numbers, b.numbers, sizeof a.numbers) != 0)
        return "numbers";
    if (memcmp(&a.gradient_rms, &b.gradient_rms, sizeof a.gradient_rms) != 0)
        return "gradient_rms";
    if (!same_array(a.residual, b.residual, n * sizeof(float)))
        return "residual";
    if (a.master && !same_array(a.master_state, b.master_state,
                                n * (a.master == GLISSADE_MASTER_SPLIT ? sizeof(int16_t) : sizeof(float))))
        return "master";
    if (a.average && !same_array(a.average, b.average, n * sizeof(float)))
        return "average";
    if (a.copy && !same_array(a.copy, b.copy, n * dtype_bytes(a.copy_dtype)))
        return "copy";
    for (int s = 0; s < GLISSADE_STATES; s++)
        if (n && !same_state(left, &a, &b, s)) {
            snprintf(text, sizeof text, "state %d", s);
            return text;
        }
    return NULL;
}

/* ---- files ---- */

enum { MOST = 256 };

/* The format in a few lines, without checksums, alignment or order: what is in a file is the test's. */
static void write_file(const char *path, const glissade_file_tensor *tensors, size_t count,
                       const glissade_file_text *lines, size_t line_count) {
    snapshot header = {.count = 0}, data = {.count = 0};
    char text[512];
#define TEXT(...) put(&header, text, (size_t)snprintf(text, sizeof text, __VA_ARGS__))
    TEXT("{\"__metadata__\":{");
    for (size_t i = 0; i < line_count; i++)
        TEXT("%s\"%s\":\"%s\"", i ? "," : "", lines[i].key, lines[i].value);
    TEXT("}");
    for (size_t i = 0; i < count; i++) {
        const glissade_file_tensor *it = &tensors[i];
        size_t bytes = glissade_file_dtype_bits(it->dtype) / 8;
        TEXT(",\"%s\":{\"dtype\":\"%s\",\"shape\":[", it->name, glissade_file_dtype_name(it->dtype));
        for (uint32_t d = 0; d < it->rank; d++) {
            TEXT("%s%llu", d ? "," : "", (unsigned long long)it->shape[d]);
            bytes *= it->shape[d];
        }
        TEXT("],\"data_offsets\":[%zu,%zu]}", data.count, data.count + bytes);
        put(&data, it->data, bytes);
    }
    TEXT("}");
    snapshot all = {.count = 0};
    const uint64_t length = header.count;
    PUT(&all, length);
    put(&all, header.bytes, header.count);
    put(&all, data.bytes, data.count);
    bytes_store(path, all.bytes, all.count);
    snapshot_free(&header);
    snapshot_free(&data);
    snapshot_free(&all);
}

void states_write(const char *path, const made *tensors, size_t count, const char *const *lines) {
    glissade_file_tensor written[MOST];
    glissade_file_text texts[MOST];
    size_t line_count = 0;
    for (; lines && lines[2 * line_count]; line_count++)
        texts[line_count] = (glissade_file_text){lines[2 * line_count], lines[2 * line_count + 1]};
    for (size_t i = 0; i < count; i++)
        written[i] = (glissade_file_tensor){.size = sizeof *written,
                                            .name = tensors[i].name,
                                            .dtype = tensors[i].dtype,
                                            .rank = tensors[i].rank,
                                            .shape = tensors[i].shape,
                                            .data = tensors[i].data};
    write_file(path, written, count, texts, line_count);
}

/* Whether a tensor is the one named, or one of its. */
static bool is_of(const char *name, const char *key) {
    const size_t length = strlen(key);
    return strncmp(name, key, length) == 0 && (name[length] == 0 || name[length] == '.');
}

void states_rewrite(const char *from, const char *to, const char *key, const char *value) {
    glissade_file *file;
    glissade_file_tensor tensors[MOST];
    glissade_file_text lines[MOST];
    void *data[MOST];
    size_t count = 0, line_count = 0;
    bool met = false;
    REQUIRE(!glissade_file_open(from, &file, NULL), "%s cannot be opened", from);
    const size_t entries = glissade_file_count(file), texts = glissade_file_text_count(file);
    REQUIRE(entries < MOST && texts < MOST, "%zu tensors, %zu lines", entries, texts);
    for (size_t i = 0; i < entries; i++) {
        glissade_file_tensor *it = &tensors[count];
        it->size = sizeof *it;
        REQUIRE(!glissade_file_get(file, i, it), "tensor %zu", i);
        const bool meant = is_of(it->name, key);
        met = met || meant;
        if (meant && !value)
            continue;
        it->name = meant ? value : it->name;
        data[count] = malloc(it->bytes + 1);
        const glissade_file_target target = {i, data[count]};
        REQUIRE(!glissade_file_read(NULL, file, &target, 1, NULL, NULL), "read %s", it->name);
        it->data = data[count++];
    }
    for (size_t i = 0; i < texts; i++) {
        glissade_file_text line = glissade_file_text_at(file, i);
        const bool meant = strcmp(line.key, key) == 0;
        if (strncmp(line.key, "glissade.checksum.", 18) == 0)
            continue;
        met = met || meant;
        line.value = meant ? value : line.value;
        if (line.value)
            lines[line_count++] = line;
    }
    if (!met)
        lines[line_count++] = (glissade_file_text){key, value};
    write_file(to, tensors, count, lines, line_count);
    for (size_t i = 0; i < count; i++)
        free(data[i]);
    glissade_file_close(&file);
}
