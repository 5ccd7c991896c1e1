/* SPDX-License-Identifier: Apache-2.0 */
/* Arrays of the file that belong to an optimizer's: found by name, shapes and number formats compared. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "load.h"

/* ---- shapes ---- */

typedef struct shape_text {
    char text[80];
} shape_text;

static shape_text shape_of(uint32_t rank, const uint64_t *shape) {
    shape_text it = {"["};
    size_t used = 1;
    for (uint32_t i = 0; i < rank && used < sizeof it.text - 24; i++)
        used +=
            (size_t)snprintf(it.text + used, sizeof it.text - used, "%s%" PRIu64, i ? ", " : "", shape[i]);
    snprintf(it.text + used, sizeof it.text - used, "]");
    return it;
}

/* The file's header was checked: the product is a size. */
static uint64_t elements_of(const gls_entry *entry) {
    uint64_t product = 1;
    for (uint32_t i = 0; i < entry->rank; i++)
        product *= entry->shape[i];
    return product;
}

/* Of a tensor whose shape was given the shape must be that; of others, and of what they are no shape of, the number of
 * elements. */
static glissade_status check_shape(const gls_loading *loading, size_t tensor, const gls_part *part,
                                   const gls_entry *entry) {
    const gls_group *group = gls_loading_group(loading, tensor);
    const uint32_t index = loading->names.items[tensor].tensor;
    uint64_t room[2];
    const uint64_t *shape;
    const uint32_t rank = gls_part_shape(group, index, part, room, &shape);
    const bool given = part->kind == GLS_PART_ELEMENTS && group->labels && group->labels->items[index].rank;
    const bool same =
        rank == entry->rank && (!rank || memcmp(shape, entry->shape, rank * sizeof *shape) == 0);
    if (same || (!given && elements_of(entry) == part->elements))
        return GLISSADE_STATUS_OK;
    return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH, "tensor \"%.60s\" has shape %s; accepted: %s",
                            entry->name, shape_of(entry->rank, entry->shape).text,
                            shape_of(rank, shape).text);
}

/* ---- formats ---- */

static bool is_code(glissade_file_dtype dtype) {
    return dtype == GLISSADE_FILE_I8 || dtype == GLISSADE_FILE_U8;
}

/* Codes are of state alone. */
static glissade_status check_format(const gls_loading *loading, gls_array array, gls_format format,
                                    const gls_part *part, const gls_entry *entry) {
    const bool is_state = array >= GLS_ARRAY_STATE && array <= GLS_ARRAY_STATE_LAST;
    const bool possible = gls_convertible(entry->dtype, format) &&
                          (!is_code(entry->dtype) || (is_state && part->kind == GLS_PART_ELEMENTS));
    if (part->dtype == entry->dtype || (possible && loading->options.convert))
        return GLISSADE_STATUS_OK;
    return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH, "tensor \"%.60s\" is %s; accepted: %s%s",
                            entry->name, glissade_file_dtype_name(entry->dtype),
                            glissade_file_dtype_name(part->dtype),
                            possible ? ", or this with the option convert" : "");
}

/* Takes an array of the file for one purpose: tensors can be called, or renamed to, what another's state is called. */
static glissade_status claim(gls_loading *loading, size_t tensor, size_t entry) {
    if (loading->uses[entry] == GLS_USE_READ)
        return gls_loading_fail(
            loading, GLISSADE_STATUS_MISMATCH,
            "tensor \"%.60s\" would be loaded twice, the second time for the tensor \"%.60s\"",
            loading->header->entries[entry].name, loading->names.items[tensor].name);
    loading->uses[entry] = GLS_USE_READ;
    return GLISSADE_STATUS_OK;
}

/* Units of the codes that an entry is. */
static glissade_status find_units(gls_loading *loading, size_t tensor, gls_transfer *it) {
    const gls_entry *codes = &loading->header->entries[it->entry];
    const size_t n = it->part.elements;
    const gls_part part = {.word = {it->part.word[0], GLS_PART_UNIT},
                           .kind = GLS_PART_UNITS,
                           .dtype = GLISSADE_FILE_F32,
                           .elements = n / GLS_QUANTISED_BLOCK + (n % GLS_QUANTISED_BLOCK != 0)};
    it->units = gls_loading_find(loading, tensor, part.word[0], part.word[1]);
    if (it->units == SIZE_MAX)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "tensor \"%.60s\" is %s; \"%.60s\", which its codes need, is not there",
                                codes->name, glissade_file_dtype_name(codes->dtype), loading->text);
    const gls_entry *units = &loading->header->entries[it->units];
    const glissade_status status = claim(loading, tensor, it->units);
    if (status)
        return status;
    if (units->dtype != GLISSADE_FILE_F32)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH, "tensor \"%.60s\" is %s; accepted: F32",
                                units->name, glissade_file_dtype_name(units->dtype));
    return check_shape(loading, tensor, &part, units);
}

/* ---- arrays ---- */

/* Takes a part of an array, if the file has it. */
static glissade_status find_part(gls_loading *loading, size_t tensor, gls_array array, const gls_part *part,
                                 bool *found) {
    const gls_name *name = &loading->names.items[tensor];
    const gls_format format = gls_group_format(gls_loading_group(loading, tensor), name->tensor, array);
    gls_arrival *arrival = &loading->tensors[tensor];
    gls_transfer it = {.array = array,
                       .part = *part,
                       .units = SIZE_MAX,
                       .entry = gls_loading_find(loading, tensor, part->word[0], part->word[1])};
    *found = it.entry != SIZE_MAX;
    if (!*found)
        return GLISSADE_STATUS_OK;
    const gls_entry *entry = &loading->header->entries[it.entry];
    glissade_status status;
    if ((status = claim(loading, tensor, it.entry)) || (status = check_shape(loading, tensor, part, entry)) ||
        (status = check_format(loading, array, format, part, entry)) ||
        (is_code(entry->dtype) && (status = find_units(loading, tensor, &it))))
        return status;
    it.same = entry->dtype == part->dtype;
    if (it.part.elements)
        loading->transfers[arrival->first + arrival->count++] = it;
    return GLISSADE_STATUS_OK;
}

/* An array that is there in part is not there. */
static glissade_status find_array(gls_loading *loading, size_t tensor, gls_array array, bool *found) {
    const gls_name *name = &loading->names.items[tensor];
    const gls_group *group = gls_loading_group(loading, tensor);
    gls_part parts[2];
    bool second = true;
    uint32_t count = gls_array_parts(group, name->tensor, array, parts);
    if (count == 2 && parts[1].kind == GLS_PART_UNITS)
        count = 1; /* the file's number format decides whether there are units */
    *found = false;
    if (!count)
        return GLISSADE_STATUS_OK;
    glissade_status status = find_part(loading, tensor, array, &parts[0], found);
    if (!status && count == 2)
        status = find_part(loading, tensor, array, &parts[1], &second);
    if (!status && count == 2 && *found != second)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "of tensor \"%.60s\" there is \"%s\", but no \"%s\"",
                                loading->tensors[tensor].name, parts[!*found].word[0], parts[*found].word[0]);
    if (!status && *found && group->tensors[name->tensor].n) {
        loading->groups[name->group].wanted |= 1u << array;
        loading->report.arrays++;
        loading->report.converted +=
            !loading->transfers[loading->tensors[tensor].first + loading->tensors[tensor].count - 1].same;
    }
    return status;
}

/* Masters that are kept otherwise are of no use. */
static glissade_status find_master(gls_loading *loading, size_t tensor, glissade_master kept) {
    gls_arrival *it = &loading->tensors[tensor];
    const char *here = kept == GLISSADE_MASTER_SPLIT ? GLS_PART_MASTER_LOW : GLS_PART_MASTER,
               *other = kept == GLISSADE_MASTER_SPLIT ? GLS_PART_MASTER : GLS_PART_MASTER_LOW;
    const glissade_status status = find_array(loading, tensor, GLS_ARRAY_MASTER, &it->has_master);
    if (status || it->has_master || gls_loading_find(loading, tensor, other, "") == SIZE_MAX)
        return status;
    return gls_loading_fail(
        loading, GLISSADE_STATUS_MISMATCH,
        "tensor \"%.60s\" is no \"%s\", which the optimizer keeps of it, and becomes none", loading->text,
        here);
}

/* Which of a rule's arrays are looked for. Of a file without metadata, those that are in use; and of SGD's momentum, if
 * there is any. */
static bool is_looked_for(const gls_loading *loading, size_t tensor, uint32_t state) {
    const gls_arrival *it = &loading->tensors[tensor];
    const gls_group_arrival *group = &loading->groups[loading->names.items[tensor].group];
    const gls_algorithm *algorithm = gls_loading_group(loading, tensor)->algorithm;
    if (!loading->native)
        return state < group->states;
    return it->has_state && (!algorithm->starts_afresh || (state < group->states && it->updates));
}

static glissade_status find_states(gls_loading *loading, size_t tensor) {
    gls_arrival *it = &loading->tensors[tensor];
    const gls_algorithm *algorithm = gls_loading_group(loading, tensor)->algorithm;
    glissade_status status = GLISSADE_STATUS_OK;
    for (uint32_t s = 0; !status && s < GLS_STATES_MAX; s++) {
        bool found = false;
        if (is_looked_for(loading, tensor, s))
            status = find_array(loading, tensor, GLS_ARRAY_STATE + s, &found);
        it->has_momentum = it->has_momentum || (found && s == 0);
        it->has_state = it->has_state || found;
    }
    if (status || (loading->native && !it->has_state))
        return status;
    it->step = gls_loading_find(loading, tensor, GLS_PART_STEP, "");
    if (it->step != SIZE_MAX)
        status = claim(loading, tensor, it->step);
    if (!status && algorithm->rest_name &&
        (it->rest = gls_loading_find(loading, tensor, algorithm->rest_name, "")) != SIZE_MAX)
        status = claim(loading, tensor, it->rest);
    it->has_state = it->has_state || it->step != SIZE_MAX;
    return status;
}

/* A parameter that is not asked for may be there. */
static glissade_status find_parameter(gls_loading *loading, size_t tensor) {
    gls_arrival *it = &loading->tensors[tensor];
    if (loading->options.parameters)
        return find_array(loading, tensor, GLS_ARRAY_PARAMETER, &it->has_parameter);
    const size_t entry = gls_loading_find(loading, tensor, "", "");
    if (entry != SIZE_MAX && loading->uses[entry] == GLS_USE_NONE)
        loading->uses[entry] = GLS_USE_KNOWN;
    return GLISSADE_STATUS_OK;
}

static glissade_status find_tensor(gls_loading *loading, size_t tensor) {
    const gls_group *group = gls_loading_group(loading, tensor);
    const uint32_t index = loading->names.items[tensor].tensor;
    gls_arrival *it = &loading->tensors[tensor];
    bool found;
    glissade_status status;
    if ((status = find_parameter(loading, tensor)) || (status = find_states(loading, tensor)))
        return status;
    if (!it->has_state || gls_group_is_wide(group, index))
        return GLISSADE_STATUS_OK;
    if (group->storage && group->storage[index].mastered != GLISSADE_MASTER_NONE &&
        (status = find_master(loading, tensor, group->storage[index].mastered)))
        return status;
    if (group->algorithm->threshold && (status = find_array(loading, tensor, GLS_ARRAY_RESIDUAL, &it->holds)))
        return status;
    return find_array(loading, tensor, GLS_ARRAY_AVERAGE, &found);
}

glissade_status gls_loading_find_arrays(gls_loading *loading) {
    glissade_status status = GLISSADE_STATUS_OK;
    for (size_t i = 0; !status && i < loading->names.count; i++)
        status = find_tensor(loading, i);
    return status;
}
