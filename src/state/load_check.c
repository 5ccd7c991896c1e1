/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a file and an optimizer fit: nothing over, nothing missing, counts that agree, values that go together. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "load.h"
#include "rule.h"

static glissade_status mismatch_of(const gls_loading *loading, size_t tensor, const char *what) {
    return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH, "of tensor \"%.60s\" there is no \"%s\"",
                            loading->tensors[tensor].name, what);
}

/* ---- nothing over ---- */

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* The name in a key that says which group a tensor of the file is in; false for another key. */
static bool tensor_in(const char *key, char *name) {
    static const char end[] = ".group";
    const size_t before = strlen(GLS_KEY_TENSOR), length = strlen(key);
    if (!begins(key, GLS_KEY_TENSOR) || length < before + sizeof end ||
        strcmp(key + length - strlen(end), end) != 0)
        return false;
    memcpy(name, key + before, length - before - strlen(end));
    name[length - before - strlen(end)] = 0;
    return true;
}

/* Tensors of the file need not have arrays. */
static glissade_status check_tensors(const gls_loading *loading) {
    const gls_header *header = loading->header;
    size_t longest = 0;
    for (size_t i = 0; i < header->text_count; i++) {
        const size_t length = strlen(header->texts[i].key);
        longest = length > longest ? length : longest;
    }
    char *name = gls_alloc(longest + 1, 1);
    if (!name)
        return gls_loading_fail(loading, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to look up names");
    glissade_status status = GLISSADE_STATUS_OK;
    for (size_t i = 0; !status && i < header->text_count; i++)
        if (tensor_in(header->texts[i].key, name) &&
            !gls_names_find(loading->in_file, loading->names.count, name))
            status = gls_loading_fail(
                loading, GLISSADE_STATUS_MISMATCH,
                "the optimizer has no tensor \"%.60s\"; the option ignore_extra would leave it out", name);
    gls_free(name);
    return status;
}

glissade_status gls_loading_check_extra(gls_loading *loading) {
    const gls_header *header = loading->header;
    const gls_entry *first = NULL;
    for (size_t i = 0; i < header->entry_count; i++) {
        const gls_entry *entry = &header->entries[i];
        const bool other = loading->uses[i] == GLS_USE_NONE &&
                           (loading->options.parameters || begins(entry->name, "state."));
        first = other && !first ? entry : first;
        loading->report.extra += other;
    }
    if (loading->options.ignore_extra)
        return GLISSADE_STATUS_OK;
    if (first)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "tensor \"%.60s\" is none of the optimizer's, of %" PRIu64
                                " such; the option ignore_extra would leave them out",
                                first->name, loading->report.extra);
    return loading->native ? check_tensors(loading) : GLISSADE_STATUS_OK;
}

/* ---- nothing missing ---- */

static bool is_missing(const gls_loading *loading, size_t tensor) {
    const gls_arrival *it = &loading->tensors[tensor];
    const gls_group_arrival *group = &loading->groups[loading->names.items[tensor].group];
    return !it->has_state && (loading->native || group->states || !it->has_parameter);
}

static bool brings(const gls_loading *loading, size_t tensor, gls_array array) {
    const gls_arrival *it = &loading->tensors[tensor];
    for (size_t i = 0; i < it->count; i++)
        if (loading->transfers[it->first + i].array == array)
            return true;
    return false;
}

/* The first part of an array as messages call it. */
static const char *word_of(const gls_loading *loading, size_t tensor, gls_array array) {
    gls_part parts[2];
    const uint32_t index = loading->names.items[tensor].tensor;
    return gls_array_parts(gls_loading_group(loading, tensor), index, array, parts) ? parts[0].word[0] : "";
}

/* State that was in use when it was saved; without metadata, that is in use here. An array that only the hyperparameters
 * here ask for starts as one does that they are changed to ask for. */
static glissade_status check_states(const gls_loading *loading, size_t tensor) {
    const gls_arrival *it = &loading->tensors[tensor];
    const gls_group_arrival *group = &loading->groups[loading->names.items[tensor].group];
    const gls_algorithm *algorithm = gls_loading_group(loading, tensor)->algorithm;
    const bool afresh = algorithm->starts_afresh;
    const uint32_t saved = loading->native ? group->states_saved : group->states,
                   count = afresh && group->states < saved ? group->states : saved;
    for (uint32_t s = 0; s < count && (afresh ? it->updates : it->steps); s++)
        if (!brings(loading, tensor, GLS_ARRAY_STATE + s))
            return mismatch_of(loading, tensor, word_of(loading, tensor, GLS_ARRAY_STATE + s));
    return GLISSADE_STATUS_OK;
}

static glissade_status check_master(gls_loading *loading, size_t tensor) {
    const gls_group *group = gls_loading_group(loading, tensor);
    const uint32_t index = loading->names.items[tensor].tensor;
    const gls_arrival *it = &loading->tensors[tensor];
    if (!group->storage || group->storage[index].mastered == GLISSADE_MASTER_NONE || it->has_master ||
        it->has_parameter || loading->options.ignore_missing)
        return GLISSADE_STATUS_OK;
    return mismatch_of(loading, tensor, word_of(loading, tensor, GLS_ARRAY_MASTER));
}

/* A tensor of which the file says something. */
static glissade_status check_tensor(gls_loading *loading, size_t tensor) {
    const gls_name *name = &loading->names.items[tensor];
    const gls_group *group = gls_loading_group(loading, tensor);
    const gls_arrival *it = &loading->tensors[tensor];
    const gls_group_arrival *of = &loading->groups[name->group];
    glissade_status status;
    if (!group->tensors[name->tensor].n)
        return GLISSADE_STATUS_OK;
    if ((status = check_states(loading, tensor)) || (status = check_master(loading, tensor)))
        return status;
    if (loading->native && of->average_saved != 0 && !brings(loading, tensor, GLS_ARRAY_AVERAGE))
        return mismatch_of(loading, tensor, "average");
    if (!loading->native && group->algorithm->own_numbers && it->steps && it->rest == SIZE_MAX)
        return gls_loading_fail(
            loading, GLISSADE_STATUS_MISMATCH,
            "of tensor \"%.60s\" there is no \"%s\", without which %s does not go on", it->name,
            group->algorithm->rest_name ? group->algorithm->rest_name : "numbers", group->algorithm->name);
    return GLISSADE_STATUS_OK;
}

glissade_status gls_loading_check_complete(gls_loading *loading) {
    for (size_t i = 0; i < loading->names.count; i++) {
        const gls_arrival *it = &loading->tensors[i];
        const bool missing = is_missing(loading, i);
        loading->report.missing += missing;
        loading->report.tensors += it->has_state;
        loading->groups[loading->names.items[i].group].has_state |= it->has_state;
        if (missing && !loading->options.ignore_missing)
            return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                    "there is nothing of tensor \"%.60s\"; the option ignore_missing would "
                                    "leave its state as it is",
                                    it->name);
        if (loading->options.parameters && !it->has_parameter && !loading->options.ignore_missing)
            return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                    "there is no tensor \"%.60s\", the parameter", it->name);
        const glissade_status status = it->has_state ? check_tensor(loading, i) : GLISSADE_STATUS_OK;
        if (status)
            return status;
    }
    return GLISSADE_STATUS_OK;
}

/* ---- counts that are arrays ---- */

/* The one number of an entry. */
static glissade_status read_number(const gls_loading *loading, size_t index, double *value) {
    const gls_entry *entry = &loading->header->entries[index];
    const void *data = loading->data[index];
    float single;
    int32_t small;
    int64_t large;
    bool one = true;
    for (uint32_t i = 0; i < entry->rank; i++)
        one = one && entry->shape[i] == 1;
    if (one && entry->dtype == GLISSADE_FILE_F32) {
        memcpy(&single, data, sizeof single);
        *value = (double)single;
    } else if (one && entry->dtype == GLISSADE_FILE_F64) {
        memcpy(value, data, sizeof *value);
    } else if (one && entry->dtype == GLISSADE_FILE_I32) {
        memcpy(&small, data, sizeof small);
        *value = small;
    } else if (one && entry->dtype == GLISSADE_FILE_I64) {
        memcpy(&large, data, sizeof large);
        *value = (double)large;
    } else {
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "tensor \"%.60s\" is %s of %u dimensions; accepted: one number of F32, F64, "
                                "I32 or I64",
                                entry->name, glissade_file_dtype_name(entry->dtype), entry->rank);
    }
    return GLISSADE_STATUS_OK;
}

/* A float that is counted up stays at 2^24; the metadata counts further. */
static glissade_status read_step(const gls_loading *loading, gls_arrival *it) {
    const double all_counted = 0x1p24;
    const gls_entry *entry = &loading->header->entries[it->step];
    double value;
    const glissade_status status = read_number(loading, it->step, &value);
    if (status)
        return status;
    if (!(value >= 0 && value < 0x1p63 && floor(value) == value))
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "tensor \"%.60s\" is %s; accepted: a number of steps", entry->name,
                                gls_number_format(value).text);
    const bool agrees = value == (double)it->steps || value == (double)(float)it->steps ||
                        (value == all_counted && (double)it->steps > all_counted);
    if (loading->native && !agrees)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "tensor \"%.60s\" is %s; expected: %" PRIu64 ", the steps in the metadata",
                                entry->name, gls_number_format(value).text, it->steps);
    if (!loading->native)
        it->steps = it->updates = (uint64_t)value;
    return GLISSADE_STATUS_OK;
}

static glissade_status read_rest(const gls_loading *loading, gls_arrival *it) {
    double value;
    const glissade_status status = read_number(loading, it->rest, &value);
    if (status || loading->native)
        return status;
    if (!isfinite(value))
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH, "tensor \"%.60s\" is %s; accepted: finite",
                                loading->header->entries[it->rest].name, gls_number_format(value).text);
    it->numbers[0] = 1 - value;
    return GLISSADE_STATUS_OK;
}

/* Without metadata state that is there has been updated as often as there were steps, or once, for all that is known. */
static glissade_status count_foreign(const gls_loading *loading, size_t tensor) {
    gls_arrival *it = &loading->tensors[tensor];
    const gls_group *group = gls_loading_group(loading, tensor);
    const gls_group_arrival *of = &loading->groups[loading->names.items[tensor].group];
    const gls_group shadow = gls_loading_shadow(group, of->options);
    const gls_algorithm *algorithm = group->algorithm;
    const char *refusal = algorithm->refuses_torch ? algorithm->refuses_torch(&shadow) : NULL;
    if (refusal)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH, "tensor \"%.60s\": %s", it->name, refusal);
    if (it->step == SIZE_MAX && !(algorithm->is_timeless && algorithm->is_timeless(&shadow)))
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "of tensor \"%.60s\" there is no \"" GLS_PART_STEP
                                "\", on which the next step under %s depends",
                                it->name, algorithm->name);
    if (it->step == SIZE_MAX)
        it->steps = it->updates = 1;
    if (!it->has_momentum && algorithm->starts_afresh)
        it->updates = 0;
    return GLISSADE_STATUS_OK;
}

glissade_status gls_loading_read_counts(gls_loading *loading) {
    for (size_t i = 0; i < loading->names.count; i++) {
        gls_arrival *it = &loading->tensors[i];
        const gls_group_arrival *group = &loading->groups[loading->names.items[i].group];
        glissade_status status = GLISSADE_STATUS_OK;
        if (!it->has_state)
            continue;
        if (it->step != SIZE_MAX)
            status = read_step(loading, it);
        if (!status && it->rest != SIZE_MAX)
            status = read_rest(loading, it);
        if (!status && !loading->native)
            status = count_foreign(loading, i);
        if (status)
            return status;
        if (!group->states)
            it->updates = 0;
    }
    return GLISSADE_STATUS_OK;
}

/* ---- all together ---- */

/* What the rule says to a change of hyperparameters in a group with tensors of so many steps. */
static glissade_status check_change(const gls_loading *loading, const gls_group *group, void *from, void *to,
                                    uint64_t steps, bool evaluates) {
    gls_tensor stepped = {.t = steps};
    gls_group shadow = gls_loading_shadow(group, from);
    glissade_error error;
    shadow.tensors = &stepped;
    shadow.count = 1;
    shadow.evaluates = evaluates;
    const glissade_status status = group->algorithm->rule->change(&shadow, to, &error);
    return status ? gls_loading_fail(loading, status, "%s", error.message) : status;
}

/* Tensors with the state of the file, and others with the state that they have, under the hyperparameters to be. */
static glissade_status check_group(const gls_loading *loading, uint32_t index, uint64_t brought,
                                   uint64_t left) {
    const gls_group *group = loading->optimizer->groups[index];
    const gls_group_arrival *it = &loading->groups[index];
    glissade_status status = GLISSADE_STATUS_OK;
    if (left && it->evaluates != group->evaluates)
        return gls_loading_fail(loading, GLISSADE_STATUS_INVALID_COMBINATION,
                                "point of group %zu is %d, and tensors of group %u that it says nothing of "
                                "hold the other",
                                it->place, it->evaluates, group->number);
    if (!group->algorithm->rule || !group->algorithm->rule->change)
        return status;
    status = check_change(loading, group, it->saved, it->options, brought, it->evaluates);
    return status ? status : check_change(loading, group, it->before, it->options, left, group->evaluates);
}

static glissade_status check_residual(const gls_loading *loading, size_t tensor) {
    const gls_name *name = &loading->names.items[tensor];
    const gls_group *group = loading->optimizer->groups[name->group];
    const gls_group_arrival *of = &loading->groups[name->group];
    const gls_arrival *it = &loading->tensors[tensor];
    const gls_group shadow = gls_loading_shadow(group, of->options);
    const char *refusal =
        group->algorithm->refuses_residual ? group->algorithm->refuses_residual(&shadow) : NULL;
    const bool holds = it->has_state ? it->holds : group->deferrals && group->deferrals[name->tensor].holds;
    if (!holds || !refusal)
        return GLISSADE_STATUS_OK;
    return gls_loading_fail(loading, GLISSADE_STATUS_INVALID_COMBINATION,
                            "tensor \"%.60s\" holds a residual, but %s", it->name, refusal);
}

glissade_status gls_loading_check_together(gls_loading *loading) {
    size_t tensor = 0;
    for (uint32_t i = 0; i < loading->optimizer->group_count; i++) {
        const gls_group *group = loading->optimizer->groups[i];
        uint64_t brought = 0, left = 0;
        for (uint32_t j = 0; j < group->count; j++, tensor++) {
            const gls_arrival *it = &loading->tensors[tensor];
            uint64_t *most = it->has_state ? &brought : &left;
            const uint64_t steps = it->has_state ? it->steps : group->tensors[j].t;
            *most = steps > *most ? steps : *most;
            const glissade_status status = check_residual(loading, tensor);
            if (status)
                return status;
        }
        const glissade_status status = check_group(loading, i, brought, left);
        if (status)
            return status;
    }
    return GLISSADE_STATUS_OK;
}
