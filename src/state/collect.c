/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a state file holds, from a live optimizer (see collect.h). Everything is gone over twice by the same code: once to
 * measure it, and once to write it.
 */
#include "collect.h"

#include <string.h>

#include "fields.h"
#include "parts.h"

/* A tensor of the file. */
typedef struct piece {
    const void *data;
    bool callers;
    uint64_t shape[2];
} piece;

/* Where things are written; they are only counted while the pointers are NULL. */
typedef struct pen {
    char *text;
    piece *pieces;
    gls_entry *entries; /* one a piece, its place the tag */
    glissade_file_text *lines;
    float *numbers; /* arrays of one element that are nowhere else */
    size_t characters, piece_count, line_count, number_count;
} pen;

/* ---- pieces and lines ---- */

/* Words as one text; NULL while they are measured. */
static const char *join(pen *it, const char *const *words, size_t count) {
    char *text = it->text ? it->text + it->characters : NULL;
    for (size_t i = 0; i < count; i++) {
        const size_t length = strlen(words[i]);
        if (it->text)
            memcpy(it->text + it->characters, words[i], length);
        it->characters += length;
    }
    if (it->text)
        it->text[it->characters] = 0;
    it->characters++;
    return text;
}

#define JOIN(pen, ...)                                                                                       \
    join(pen, (const char *const[]){__VA_ARGS__},                                                            \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void add_line(pen *it, const char *key, const char *value) {
    if (it->lines)
        it->lines[it->line_count] = (glissade_file_text){key, value};
    it->line_count++;
}

#define LINE(pen, value, ...)                                                                                \
    do {                                                                                                     \
        const char *key_ = JOIN(pen, __VA_ARGS__);                                                           \
        add_line(pen, key_, JOIN(pen, value));                                                               \
    } while (0)

/* A shape of no more than two dimensions may be a variable of the caller's. */
static void add_piece(pen *it, const char *name, glissade_file_dtype dtype, uint32_t rank,
                      const uint64_t *shape, const void *data, bool callers) {
    if (it->pieces) {
        piece *made = &it->pieces[it->piece_count];
        *made = (piece){.data = data, .callers = callers};
        if (rank && rank <= 2) {
            memcpy(made->shape, shape, rank * sizeof *shape);
            shape = made->shape;
        }
        it->entries[it->piece_count] =
            (gls_entry){.name = name, .dtype = dtype, .rank = rank, .shape = shape, .tag = it->piece_count};
    }
    it->piece_count++;
}

static void add_number(pen *it, const char *name, float value) {
    float *at = it->numbers ? it->numbers + it->number_count : NULL;
    if (at)
        *at = value;
    it->number_count++;
    add_piece(it, name, GLISSADE_FILE_F32, 0, NULL, at, false);
}

/* ---- arrays ---- */

/* Whether an array's content counts. */
static bool is_kept(const gls_group *group, uint32_t tensor, gls_array array, bool parameters) {
    const gls_tensor *t = &group->tensors[tensor];
    if (array == GLS_ARRAY_PARAMETER)
        return parameters;
    if (array == GLS_ARRAY_RESIDUAL)
        return group->deferrals && group->deferrals[tensor].holds;
    if (!gls_array_is_state(array))
        return gls_group_array(group, tensor, array);
    /* An empty tensor has its arrays, too, for those who look for them. */
    const bool present = t->n ? gls_group_array(group, tensor, array) != NULL
                              : array - GLS_ARRAY_STATE < group->algorithm->states(group);
    return present && (group->algorithm->starts_afresh ? t->k : t->t) > 0;
}

/* Whether an address is not of the library's own memory. */
bool gls_group_is_callers(const gls_group *group, const void *address) {
    const uintptr_t at = (uintptr_t)address;
    for (uint32_t i = 0; i < group->holding_count; i++) {
        const gls_arena *arena = &group->holdings[i].arena;
        if (arena->base && at - (uintptr_t)arena->base < arena->bytes)
            return false;
    }
    return true;
}

static void add_array(pen *it, const gls_group *group, const gls_name *name, gls_array array) {
    const char *data = gls_group_array(group, name->tensor, array);
    gls_part parts[2];
    const uint32_t count = gls_array_parts(group, name->tensor, array, parts);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t room[2];
        const uint64_t *shape;
        const uint32_t rank = gls_part_shape(group, name->tensor, &parts[i], room, &shape);
        const char *called = *parts[i].word[0]
                                 ? JOIN(it, "state.", name->name, ".", parts[i].word[0], parts[i].word[1])
                                 : JOIN(it, name->name);
        add_piece(it, called, parts[i].dtype, rank, shape, data ? data + parts[i].offset : NULL,
                  gls_group_is_callers(group, data));
    }
}

/* A tensor that was never stepped has no count in the file either, because PyTorch takes one with a count for one with
 * all of its state. */
static void add_arrays(pen *it, const gls_group *group, const gls_name *name, bool parameters) {
    const gls_tensor *tensor = &group->tensors[name->tensor];
    const gls_algorithm *algorithm = group->algorithm;
    for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++)
        if (is_kept(group, name->tensor, array, parameters))
            add_array(it, group, name, array);
    if (tensor->t && !algorithm->starts_afresh)
        add_number(it, JOIN(it, "state.", name->name, ".", GLS_PART_STEP), (float)tensor->t);
    if (tensor->t && algorithm->rest_name)
        add_number(it, JOIN(it, "state.", name->name, ".", algorithm->rest_name),
                   (float)(1 - group->storage[name->tensor].numbers[0]));
}

/* ---- metadata ---- */

static void add_group(pen *it, gls_group *group, uint32_t place) {
    const gls_number number = gls_count_format(place);
    const gls_field *field;
    LINE(it, group->algorithm->name, GLS_KEY_GROUP, number.text, ".rule");
    LINE(it, gls_count_format(group->stream).text, GLS_KEY_GROUP, number.text, ".stream");
    LINE(it, gls_hex_format(group->average_weight).text, GLS_KEY_GROUP, number.text, ".average_weight");
    LINE(it, group->evaluates ? "1" : "0", GLS_KEY_GROUP, number.text, ".point");
    for (size_t i = 0; (field = gls_fields_at(group->algorithm, i)); i++)
        LINE(it, gls_field_format(field, gls_group_options(group)).text, GLS_KEY_GROUP, number.text, ".",
             field->name);
}

static bool is_random(const gls_group *group, uint32_t tensor) {
    for (gls_array array = GLS_ARRAY_STATE; group->storage && array <= GLS_ARRAY_STATE_LAST; array++)
        if (group->storage[tensor].formats[array] == GLS_BF16_RANDOM)
            return true;
    return false;
}

static void add_tensor(pen *it, const gls_group *group, const gls_name *name) {
    const gls_tensor *tensor = &group->tensors[name->tensor];
    const double rms = group->deferrals ? group->deferrals[name->tensor].rms : 0;
    LINE(it, gls_count_format(name->group).text, GLS_KEY_TENSOR, name->name, ".group");
    LINE(it, gls_count_format(tensor->t).text, GLS_KEY_TENSOR, name->name, ".steps");
    LINE(it, gls_count_format(tensor->k).text, GLS_KEY_TENSOR, name->name, ".updates");
    if (rms != 0) /* true for a NaN */
        LINE(it, gls_hex_format(rms).text, GLS_KEY_TENSOR, name->name, ".gradient_rms");
    if (is_random(group, name->tensor))
        LINE(it, gls_count_format(group->storage[name->tensor].stream).text, GLS_KEY_TENSOR, name->name,
             ".stream");
    if (!group->algorithm->own_numbers)
        return;
    const double *numbers = group->storage[name->tensor].numbers;
    const gls_number first = gls_hex_format(numbers[0]), second = gls_hex_format(numbers[1]);
    const char *key = JOIN(it, GLS_KEY_TENSOR, name->name, ".numbers");
    add_line(it, key, JOIN(it, first.text, " ", second.text));
}

/* Loaders of PyTorch's world want to know whose format this is. */
static void add_callers(pen *it, const glissade_save_options *options) {
    bool named = false;
    for (size_t i = 0; i < options->lines; i++) {
        named = named || strcmp(options->metadata[i].key, "format") == 0;
        add_line(it, options->metadata[i].key, options->metadata[i].value);
    }
    if (!named)
        add_line(it, "format", "pt");
}

static void write_all(pen *it, const glissade_optimizer *optimizer, const gls_names *names,
                      const glissade_save_options *options) {
    LINE(it, GLS_STATE_FORMAT, GLS_KEY_FORMAT);
    LINE(it, gls_count_format(optimizer->seed).text, GLS_KEY_SEED);
    LINE(it, gls_count_format(optimizer->group_count).text, GLS_KEY_GROUPS);
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        add_group(it, optimizer->groups[i], i);
    for (size_t i = 0; i < names->count; i++) {
        const gls_name *name = &names->items[i];
        const gls_group *group = optimizer->groups[name->group];
        add_tensor(it, group, name);
        add_arrays(it, group, name, options->parameters);
    }
    add_callers(it, options);
}

/* ---- the writing ---- */

static glissade_status check_callers(const glissade_save_options *options, glissade_error *error) {
    for (size_t i = 0; i < options->lines; i++) {
        const glissade_file_text *line = &options->metadata[i];
        if (!line->key || !line->value)
            return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "metadata[%zu].%s is NULL", i,
                                 line->key ? "value" : "key");
        if (strncmp(line->key, "glissade.", strlen("glissade.")) == 0)
            return gls_error_set(
                error, GLISSADE_STATUS_INVALID_OPTION,
                "metadata[%zu].key is \"%.100s\"; accepted: keys that do not begin with \"glissade.\"", i,
                line->key);
    }
    return GLISSADE_STATUS_OK;
}

static void list_sources(const pen *it, gls_writing *writing) {
    for (size_t i = 0; i < it->piece_count; i++) {
        const gls_entry *entry = &it->entries[i];
        const piece *from = &it->pieces[entry->tag];
        if (entry->begin < entry->end)
            writing->sources[writing->source_count++] =
                (gls_source){entry->begin, entry->end, from->data, from->callers};
    }
}

static glissade_status write_out(glissade_optimizer *optimizer, const gls_names *names,
                                 const glissade_save_options *options, gls_writing *writing) {
    pen measure = {.text = NULL}, it;
    write_all(&measure, optimizer, names, options);
    it = (pen){.text = gls_alloc(measure.characters, 1),
               .pieces = gls_alloc(measure.piece_count, sizeof *it.pieces),
               .entries = gls_alloc(measure.piece_count, sizeof *it.entries),
               .lines = gls_alloc(measure.line_count, sizeof *it.lines),
               .numbers = gls_alloc(measure.number_count, sizeof *it.numbers)};
    writing->room = it.numbers;
    writing->sources = gls_alloc(measure.piece_count, sizeof *writing->sources);
    glissade_status status = GLISSADE_STATUS_OUT_OF_MEMORY;
    if (it.text && it.pieces && it.entries && it.lines && it.numbers && writing->sources) {
        write_all(&it, optimizer, names, options);
        status = gls_heading_make(&writing->heading, it.entries, it.piece_count, it.lines, it.line_count,
                                  !writing->options.omit_checksums, &optimizer->error);
        if (!status)
            list_sources(&it, writing);
    } else {
        gls_error_set(&optimizer->error, status, "no memory to list %zu arrays", measure.piece_count);
    }
    gls_free(it.text);
    gls_free(it.pieces);
    gls_free(it.entries);
    gls_free(it.lines);
    return status;
}

glissade_status gls_state_collect(glissade_optimizer *optimizer, const glissade_save_options *options,
                                  gls_writing *writing) {
    gls_names names;
    glissade_status status = check_callers(options, &optimizer->error);
    if (status)
        return status;
    status = gls_names_make(optimizer, &names);
    if (!status)
        status = write_out(optimizer, &names, options, writing);
    gls_names_free(&names);
    return status;
}
