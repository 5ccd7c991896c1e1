/* SPDX-License-Identifier: Apache-2.0 */
/* What an optimizer's tensors are called in the file that is loaded. */
#include <stdio.h>
#include <string.h>

#include "load.h"

/* What a name of the file or a key of its metadata has around the tensor's own name, at most. */
enum { AROUND = 128 };

/* The place of a name among all tensors. */
static size_t place_of(const gls_loading *loading, const gls_name *name) {
    return (size_t)(name - loading->names.items);
}

/* ---- renamings ---- */

static glissade_status rename_tensor(gls_loading *loading, size_t i) {
    const glissade_renaming *it = &loading->options.renamings[i];
    glissade_error *error = &loading->optimizer->error;
    if (!it->file || !it->tensor)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "renamings[%zu].%s is NULL", i,
                             it->file ? "tensor" : "file");
    const gls_name *found = gls_names_find(loading->names.sorted, loading->names.count, it->tensor);
    if (!found)
        return gls_error_set(
            error, GLISSADE_STATUS_INVALID_OPTION,
            "renamings[%zu].tensor is \"%.60s\"; accepted: the name of a tensor of the optimizer", i,
            it->tensor);
    gls_arrival *arrival = &loading->tensors[place_of(loading, found)];
    if (arrival->name)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "renamings[%zu].tensor is \"%.60s\", as that of one before; accepted: each once",
                             i, it->tensor);
    arrival->name = it->file;
    return GLISSADE_STATUS_OK;
}

/* Nothing of the file goes to two tensors. */
static glissade_status check_unique(const gls_loading *loading) {
    for (size_t i = 1; i < loading->names.count; i++) {
        const gls_name *a = loading->in_file[i - 1], *b = loading->in_file[i];
        if (strcmp(a->name, b->name) == 0)
            return gls_error_set(&loading->optimizer->error, GLISSADE_STATUS_DUPLICATE_TENSOR,
                                 "tensors \"%.60s\" and \"%.60s\" are both renamed to, or called, \"%.60s\"; "
                                 "accepted: a name in the file for each",
                                 loading->names.items[a - loading->in_file_items].name,
                                 loading->names.items[b - loading->in_file_items].name, a->name);
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status name_in_file(gls_loading *loading) {
    size_t longest = 0;
    for (size_t i = 0; i < loading->options.renaming_count; i++) {
        const glissade_status status = rename_tensor(loading, i);
        if (status)
            return status;
    }
    for (size_t i = 0; i < loading->names.count; i++) {
        gls_arrival *arrival = &loading->tensors[i];
        if (!arrival->name)
            arrival->name = loading->names.items[i].name;
        const size_t length = strlen(arrival->name);
        longest = length > longest ? length : longest;
        loading->in_file_items[i].name = arrival->name;
        loading->in_file[i] = &loading->in_file_items[i];
    }
    gls_names_sort(loading->in_file, loading->names.count);
    const glissade_status status = check_unique(loading);
    if (status)
        return status;
    loading->text_room = longest + AROUND;
    loading->text = gls_alloc(loading->text_room, 1);
    return loading->text
               ? GLISSADE_STATUS_OK
               : gls_loading_fail(loading, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to look up names");
}

/* ---- room ---- */

/* Options of a group as they are; false without memory. */
static bool copy_options(gls_group_arrival *it, gls_group *group) {
    const size_t bytes = gls_options_bytes(group->algorithm);
    void **const copies[] = {&it->options, &it->saved, &it->before};
    for (size_t i = 0; i < 3; i++) {
        if (!(*copies[i] = gls_alloc(1, bytes)))
            return false;
        memcpy(*copies[i], gls_group_options(group), bytes);
    }
    return true;
}

/* Parameter, states, of which a factored one comes in two parts, residual, master, average. */
static size_t transfers_of(const gls_group *group) {
    return 5 + group->algorithm->most_states;
}

static bool make_room(gls_loading *loading) {
    const size_t count = loading->names.count;
    const glissade_optimizer *optimizer = loading->optimizer;
    loading->tensors = gls_alloc(count, sizeof *loading->tensors);
    loading->in_file = gls_alloc(count, sizeof *loading->in_file);
    loading->in_file_items = gls_alloc(count, sizeof *loading->in_file_items);
    loading->groups = gls_alloc(optimizer->group_count, sizeof *loading->groups);
    loading->uses = gls_alloc(loading->header->entry_count, sizeof *loading->uses);
    loading->data = gls_alloc(loading->header->entry_count, sizeof *loading->data);
    size_t transfers = 0, first = 0;
    for (uint32_t i = 0; loading->groups && i < optimizer->group_count; i++) {
        gls_group *group = optimizer->groups[i];
        gls_group_arrival *it = &loading->groups[i];
        *it = (gls_group_arrival){.first = first,
                                  .place = SIZE_MAX,
                                  .average_weight = group->average_weight,
                                  .average_saved = group->average_weight,
                                  .average_before = group->average_weight,
                                  .stream = group->stream,
                                  .evaluates = group->evaluates};
        first += group->count;
        transfers += group->count * transfers_of(group);
        if (!copy_options(it, group))
            return false;
    }
    loading->transfers = gls_alloc(transfers, sizeof *loading->transfers);
    return loading->tensors && loading->in_file && loading->in_file_items && loading->groups &&
           loading->uses && loading->data && loading->transfers;
}

glissade_status gls_loading_name(gls_loading *loading) {
    const glissade_status status = gls_names_make(loading->optimizer, &loading->names);
    if (status)
        return status;
    if (!make_room(loading))
        return gls_loading_fail(loading, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to plan %zu tensors",
                                loading->names.count);
    for (size_t i = 0, first = 0; i < loading->names.count; i++) {
        gls_arrival *it = &loading->tensors[i];
        it->step = it->rest = SIZE_MAX;
        it->first = first;
        first += transfers_of(gls_loading_group(loading, i));
    }
    return name_in_file(loading);
}

size_t gls_loading_find(const gls_loading *loading, size_t tensor, const char *first, const char *second) {
    const char *name = loading->tensors[tensor].name;
    if (!*first)
        return gls_header_find(loading->header, name);
    snprintf(loading->text, loading->text_room, "state.%s.%s%s", name, first, second);
    return gls_header_find(loading->header, loading->text);
}
