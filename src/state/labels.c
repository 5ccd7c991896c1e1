/* SPDX-License-Identifier: Apache-2.0 */
/* Labels of tensors (see labels.h). */
#include "labels.h"

#include <stdio.h>
#include <string.h>

#include "file/json.h"
#include "file/sort.h"
#include "optimizer.h"
#include "options.h"

static const gls_layout layout = {"glissade_label", {sizeof(glissade_label)}};

void gls_labels_free(gls_labels *labels) {
    gls_free(labels);
}

/* ---- order ---- */

static bool is_before(const void *a, const void *b, const void *context) {
    (void)context;
    return strcmp((*(const gls_name *const *)a)->name, (*(const gls_name *const *)b)->name) < 0;
}

void gls_names_sort(const gls_name **names, size_t count) {
    gls_sort(names, count, sizeof *names, is_before, NULL);
}

const gls_name *gls_names_find(const gls_name *const *sorted, size_t count, const char *name) {
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(sorted[middle]->name, name);
        if (order == 0)
            return sorted[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* ---- all names ---- */

void gls_names_free(gls_names *names) {
    gls_free(names->items);
    gls_free(names->sorted);
    gls_free(names->texts);
    *names = (gls_names){.count = 0};
}

static glissade_status check_unique(const gls_names *names, const glissade_optimizer *optimizer,
                                    glissade_error *error) {
    for (size_t i = 1; i < names->count; i++) {
        const gls_name *a = names->sorted[i - 1], *b = names->sorted[i];
        if (strcmp(a->name, b->name) == 0)
            return gls_error_set(error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                                 "tensor %u of group %u and tensor %u of group %u are both called "
                                 "\"%.100s\"; a tensor without "
                                 "a label is called by its place",
                                 a->tensor, optimizer->groups[a->group]->number, b->tensor,
                                 optimizer->groups[b->group]->number, a->name);
    }
    return GLISSADE_STATUS_OK;
}

/* A place has up to 20 digits. */
enum { PLACE_TEXT = 21 };

glissade_status gls_names_make(glissade_optimizer *optimizer, gls_names *names) {
    size_t count = 0, places = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        count += optimizer->groups[i]->count;
        places += optimizer->groups[i]->labels ? 0 : optimizer->groups[i]->count;
    }
    *names = (gls_names){.items = gls_alloc(count, sizeof *names->items),
                         .sorted = gls_alloc(count, sizeof *names->sorted),
                         .texts = gls_alloc(places, PLACE_TEXT)};
    if (!names->items || !names->sorted || !names->texts)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_OUT_OF_MEMORY,
                             "no memory for the names of %zu tensors", count);
    char *text = names->texts;
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        const gls_group *group = optimizer->groups[i];
        for (uint32_t j = 0; j < group->count; j++) {
            gls_name *name = &names->items[names->count];
            *name = (gls_name){
                .name = group->labels ? group->labels->items[j].name : text, .group = i, .tensor = j};
            if (!group->labels)
                text += snprintf(text, PLACE_TEXT, "%zu", names->count) + 1;
            names->sorted[names->count++] = name;
        }
    }
    gls_names_sort(names->sorted, count);
    return check_unique(names, optimizer, &optimizer->error);
}

/* ---- checks ---- */

static bool is_utf8(const char *text) {
    for (size_t left = strlen(text), bytes; left; left -= bytes, text += bytes)
        if ((bytes = gls_utf8_character(text, left)) == 0)
            return false;
    return true;
}

static glissade_status check_shape(const glissade_label *label, size_t i, size_t length,
                                   glissade_error *error) {
    uint64_t product = 1;
    bool held = true;
    if (label->rank > GLISSADE_FILE_RANK_MAX)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "labels[%zu].rank is %u; accepted: up to %d dimensions", i, label->rank,
                             GLISSADE_FILE_RANK_MAX);
    if (label->rank && !label->shape)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "labels[%zu].shape is NULL with rank %u",
                             i, label->rank);
    for (uint32_t d = 0; d < label->rank; d++)
        held = held && !__builtin_mul_overflow(product, label->shape[d], &product);
    if (label->rank && (!held || product != length))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "the shape of labels[%zu] has %s elements; accepted: %zu, the tensor's length",
                             i, held ? gls_number_format((double)product).text : "too many", length);
    return GLISSADE_STATUS_OK;
}

static glissade_status check_label(const glissade_label *label, size_t i, size_t length,
                                   glissade_error *error) {
    if (!label->name)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "labels[%zu].name is NULL", i);
    if (!*label->name || !is_utf8(label->name))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "labels[%zu].name is \"%.100s\"; accepted: UTF-8 that is not empty", i,
                             label->name);
    return check_shape(label, i, length, error);
}

/* ---- setting ---- */

/* Reads and checks the i-th of the caller's, which may be longer structs than ours. */
static glissade_status read_label(const glissade_label *labels, size_t i, glissade_label *label,
                                  glissade_error *error) {
    const size_t stride = labels->size;
    const void *given = (const char *)labels + i * stride;
    const glissade_status status = gls_options_read(&layout, label, given, error);
    if (!status && label->size != stride)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_SIZE,
                             "labels[%zu].size is %zu, that of labels[0] %zu; accepted: all the same", i,
                             label->size, stride);
    return status;
}

/* Checks all of them and adds up what they take. */
static glissade_status measure(const glissade_label *labels, const gls_group *group, size_t *dimensions,
                               size_t *characters, glissade_error *error) {
    *dimensions = *characters = 0;
    for (uint32_t i = 0; i < group->count; i++) {
        glissade_label label;
        glissade_status status;
        if ((status = read_label(labels, i, &label, error)) ||
            (status = check_label(&label, i, group->tensors[i].n, error)))
            return status;
        *dimensions += label.rank;
        *characters += strlen(label.name) + 1;
    }
    return GLISSADE_STATUS_OK;
}

static gls_labels *copy(const glissade_label *labels, uint32_t count, size_t dimensions, size_t characters) {
    gls_labels *made =
        gls_alloc(1, sizeof *made + count * sizeof *made->items + dimensions * sizeof(uint64_t) + characters);
    if (!made)
        return NULL;
    made->count = count;
    uint64_t *shape = (uint64_t *)(void *)(made->items + count);
    char *text = (char *)(shape + dimensions);
    for (uint32_t i = 0; i < count; i++) {
        glissade_label label;
        memcpy(&label, (const char *)labels + i * labels->size, sizeof label);
        const size_t bytes = strlen(label.name) + 1;
        made->items[i] = (gls_label){.name = text, .rank = label.rank, .shape = shape};
        memcpy(text, label.name, bytes);
        if (label.rank)
            memcpy(shape, label.shape, label.rank * sizeof *shape);
        text += bytes;
        shape += label.rank;
    }
    return made;
}

/* Looks the labels of other groups up in a sorted list of the new ones: groups of one tensor, ten thousand of them, are
 * labelled one after another. */
static glissade_status check_others(glissade_optimizer *optimizer, const gls_group *group,
                                    const gls_name **sorted) {
    glissade_error *error = &optimizer->error;
    for (uint32_t i = 1; i < group->count; i++)
        if (strcmp(sorted[i - 1]->name, sorted[i]->name) == 0)
            return gls_error_set(error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                                 "labels[%u] and labels[%u] are both called \"%.100s\"",
                                 sorted[i - 1]->tensor, sorted[i]->tensor, sorted[i]->name);
    for (uint32_t i = 0; i < optimizer->group_count; i++) {
        const gls_group *other = optimizer->groups[i];
        for (uint32_t j = 0; other != group && other->labels && j < other->count; j++) {
            const gls_name *found = gls_names_find(sorted, group->count, other->labels->items[j].name);
            if (found)
                return gls_error_set(error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                                     "labels[%u] is called \"%.100s\", as tensor %u of group %u is",
                                     found->tensor, found->name, j, other->number);
        }
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status check_names(glissade_optimizer *optimizer, const gls_group *group,
                                   const gls_labels *labels) {
    gls_name *items = gls_alloc(group->count, sizeof *items);
    const gls_name **sorted = gls_alloc(group->count, sizeof *sorted);
    glissade_status status = GLISSADE_STATUS_OUT_OF_MEMORY;
    for (uint32_t i = 0; items && sorted && i < group->count; i++) {
        items[i] = (gls_name){.name = labels->items[i].name, .tensor = i};
        sorted[i] = &items[i];
    }
    if (items && sorted) {
        gls_names_sort(sorted, group->count);
        status = check_others(optimizer, group, sorted);
    } else {
        gls_error_set(&optimizer->error, status, "no memory to check %u labels", group->count);
    }
    gls_free(items);
    gls_free(sorted);
    return status;
}

static glissade_status set_labels(glissade_optimizer *optimizer, uint32_t number,
                                  const glissade_label *labels, size_t count) {
    glissade_error *error = &optimizer->error;
    size_t dimensions, characters;
    gls_group *group = gls_optimizer_group(optimizer, number);
    if (!group)
        return GLISSADE_STATUS_NOT_FOUND;
    if (!labels)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "labels is NULL");
    if (count != group->count)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "count is %zu; accepted: %u, the tensors of group %u", count, group->count,
                             number);
    glissade_status status = measure(labels, group, &dimensions, &characters, error);
    if (status)
        return status;
    gls_labels *made = copy(labels, group->count, dimensions, characters);
    if (!made)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for %u labels", group->count);
    status = check_names(optimizer, group, made);
    gls_labels_free(status ? made : group->labels);
    if (!status)
        group->labels = made;
    return status;
}

glissade_status glissade_optimizer_set_labels(glissade_optimizer *optimizer, uint32_t group,
                                              const glissade_label *labels, size_t count) {
    GLS_OPTIMIZER_CALL(optimizer, set_labels(optimizer, group, labels, count));
}
