/* SPDX-License-Identifier: Apache-2.0 */
/* What a file's metadata says of an optimizer: counts of tensors, hyperparameters of groups. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fields.h"
#include "file/check.h"
#include "load.h"

/* ---- lines ---- */

/* Value of a key, which stays in loading->text for messages; NULL: there is none. */
static const char *text_of(const gls_loading *loading, const char *before, const char *name,
                           const char *after) {
    snprintf(loading->text, loading->text_room, "%s%s%s", before, name, after);
    return gls_header_text(loading->header, loading->text);
}

static glissade_status refuse(const gls_loading *loading, const char *text, const char *accepted) {
    return gls_loading_fail(loading, GLISSADE_STATUS_INVALID_FILE, "%.60s is %s%.40s%s; accepted: %s",
                            loading->text, text ? "\"" : "not there", text ? text : "", text ? "\"" : "",
                            accepted);
}

static glissade_status read_count(const gls_loading *loading, const char *text, uint64_t most,
                                  uint64_t *value) {
    char accepted[64];
    if (text && gls_count_parse(text, value) && *value <= most)
        return GLISSADE_STATUS_OK;
    snprintf(accepted, sizeof accepted, "decimal digits, up to %" PRIu64, most);
    return refuse(loading, text, accepted);
}

static const char *tensor_text(const gls_loading *loading, size_t tensor, const char *key) {
    return text_of(loading, GLS_KEY_TENSOR, loading->tensors[tensor].name, key);
}

static const char *group_text(const gls_loading *loading, size_t place, const char *key) {
    char number[24];
    snprintf(number, sizeof number, "%zu.", place);
    return text_of(loading, GLS_KEY_GROUP, number, key);
}

/* ---- groups ---- */

/* A later version's hyperparameter may change what steps do. */
static glissade_status check_unknown(const gls_loading *loading, const gls_algorithm *algorithm,
                                     size_t place) {
    static const char *const others[] = {"rule", "stream", "average_weight", "point"};
    const gls_header *header = loading->header;
    const gls_field *field;
    (void)group_text(loading, place, "");
    const size_t length = strlen(loading->text);
    size_t low = 0, high = header->text_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(header->texts[middle].key, loading->text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < header->text_count && strncmp(header->texts[low].key, loading->text, length) == 0; low++) {
        const char *name = header->texts[low].key + length;
        bool known = false;
        for (size_t i = 0; i < sizeof others / sizeof *others; i++)
            known = known || strcmp(name, others[i]) == 0;
        for (size_t i = 0; !known && (field = gls_fields_at(algorithm, i)); i++)
            known = strcmp(name, field->name) == 0;
        if (!known)
            return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                    "%.100s is none of the hyperparameters that %s has here",
                                    header->texts[low].key, algorithm->name);
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status read_hyperparameters(const gls_loading *loading, const gls_group *group,
                                            gls_group_arrival *it) {
    const gls_field *field;
    for (size_t i = 0; (field = gls_fields_at(group->algorithm, i)); i++) {
        const char *text = group_text(loading, it->place, field->name);
        if (!text || !gls_field_parse(field, it->saved, text))
            return refuse(loading, text, gls_field_accepted(field));
    }
    return check_unknown(loading, group->algorithm, it->place);
}

static glissade_status read_average(const gls_loading *loading, gls_group_arrival *it) {
    const char *text = group_text(loading, it->place, "average_weight");
    if (text && gls_hex_parse(text, &it->average_saved) && it->average_saved >= 0 && it->average_saved <= 1)
        return GLISSADE_STATUS_OK;
    return refuse(loading, text, "from 0 to 1, in C's hexadecimal notation");
}

static glissade_status read_group(gls_loading *loading, uint32_t index) {
    const gls_group *group = loading->optimizer->groups[index];
    gls_group_arrival *it = &loading->groups[index];
    uint64_t stream, point;
    glissade_status status;
    const char *rule = group_text(loading, it->place, "rule");
    if (!rule)
        return refuse(loading, rule, "the name of a rule");
    if (strcmp(rule, group->algorithm->name) != 0)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                "%.60s is \"%.40s\"; accepted: \"%s\", the rule of group %u", loading->text,
                                rule, group->algorithm->name, group->number);
    if ((status = read_count(loading, group_text(loading, it->place, "stream"), UINT32_MAX - 1, &stream)) ||
        (status = read_count(loading, group_text(loading, it->place, "point"), group->algorithm->has_points,
                             &point)) ||
        (status = read_average(loading, it)) || (status = read_hyperparameters(loading, group, it)))
        return status;
    it->stream = (uint32_t)stream;
    it->evaluates = point;
    if (loading->options.keep_hyperparameters)
        return GLISSADE_STATUS_OK;
    it->average_weight = it->average_saved;
    memcpy(it->options, it->saved, gls_options_bytes(group->algorithm));
    return GLISSADE_STATUS_OK;
}

/* The group's tensors that the file knows are together there, too. */
static glissade_status join_group(gls_loading *loading, size_t tensor, uint64_t place) {
    const gls_name *name = &loading->names.items[tensor];
    gls_group_arrival *it = &loading->groups[name->group];
    if (it->place == SIZE_MAX) {
        it->place = (size_t)place;
        return read_group(loading, name->group);
    }
    if (it->place == place)
        return GLISSADE_STATUS_OK;
    return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                            "tensor \"%.60s\" is of group %" PRIu64
                            ", others of its group here are of group %zu; accepted: all of one",
                            loading->tensors[tensor].name, place, it->place);
}

/* ---- tensors ---- */

static glissade_status read_numbers(const gls_loading *loading, size_t tensor, gls_arrival *it) {
    const char *text = tensor_text(loading, tensor, ".numbers");
    const char *space = text ? strchr(text, ' ') : NULL;
    char first[64] = "";
    if (space && (size_t)(space - text) < sizeof first)
        memcpy(first, text, (size_t)(space - text));
    if (space && gls_hex_parse(first, &it->numbers[0]) && gls_hex_parse(space + 1, &it->numbers[1]) &&
        isfinite(it->numbers[0]) && isfinite(it->numbers[1]))
        return GLISSADE_STATUS_OK;
    return refuse(loading, text, "two finite numbers in C's hexadecimal notation");
}

static glissade_status read_gradient_rms(const gls_loading *loading, size_t tensor,
                                         const gls_algorithm *algorithm, gls_arrival *it) {
    const char *text = tensor_text(loading, tensor, ".gradient_rms");
    if (!text || (algorithm->threshold && gls_hex_parse(text, &it->gradient_rms) && !(it->gradient_rms < 0)))
        return GLISSADE_STATUS_OK;
    return refuse(loading, text,
                  algorithm->threshold ? "0 and above, infinity and NaN, in C's hexadecimal notation"
                                       : "nothing, for the rule defers nothing");
}

static glissade_status read_tensor(gls_loading *loading, size_t tensor) {
    gls_arrival *it = &loading->tensors[tensor];
    const gls_algorithm *algorithm = gls_loading_group(loading, tensor)->algorithm;
    const gls_group *group = gls_loading_group(loading, tensor);
    const uint32_t index = loading->names.items[tensor].tensor;
    uint64_t place, stream;
    glissade_status status;
    const char *text = tensor_text(loading, tensor, ".group");
    if (!text)
        return GLISSADE_STATUS_OK;
    if (!loading->group_count)
        return refuse(loading, text, "nothing, for there are no groups");
    it->has_state = true;
    if ((status = read_count(loading, text, loading->group_count - 1, &place)) ||
        (status = join_group(loading, tensor, place)) ||
        (status = read_count(loading, tensor_text(loading, tensor, ".steps"), INT64_MAX, &it->steps)) ||
        (status = read_count(loading, tensor_text(loading, tensor, ".updates"), it->steps, &it->updates)) ||
        (status = read_gradient_rms(loading, tensor, algorithm, it)) ||
        (algorithm->own_numbers && (status = read_numbers(loading, tensor, it))))
        return status;
    it->stream = group->storage ? group->storage[index].stream : 0;
    text = tensor_text(loading, tensor, ".stream");
    if (!text)
        return GLISSADE_STATUS_OK;
    status = read_count(loading, text, (1u << 24) - 1, &stream);
    it->stream = (uint32_t)stream;
    return status;
}

/* ---- all of it ---- */

/* Values that the file has must be such as the rule accepts. */
static glissade_status check_hyperparameters(const gls_loading *loading, uint32_t index) {
    const gls_group *group = loading->optimizer->groups[index];
    const gls_group_arrival *it = &loading->groups[index];
    glissade_error error;
    for (uint32_t i = 0; it->average_weight != 0 && i < group->count; i++)
        if (gls_group_is_wide(group, i))
            return gls_loading_fail(loading, GLISSADE_STATUS_INVALID_COMBINATION,
                                    "average_weight of group %zu is not 0, and tensor %u of group %u is of "
                                    "double; averages are of float, bf16 and f16 ones",
                                    it->place, i, group->number);
    const glissade_status status = group->algorithm->check(group, it->options, &error);
    if (!status)
        return status;
    return gls_loading_fail(
        loading,
        status == GLISSADE_STATUS_INVALID_COMBINATION ? status : GLISSADE_STATUS_INVALID_HYPERPARAMETER,
        "group %zu: %s", it->place, error.message);
}

/* What another program wrote has none of our lines, but for checksums. */
static glissade_status check_foreign(const gls_loading *loading) {
    for (size_t i = 0; i < loading->header->text_count; i++) {
        const char *key = loading->header->texts[i].key;
        if (strncmp(key, GLS_KEY_OWN, strlen(GLS_KEY_OWN)) == 0 &&
            strncmp(key, GLS_KEY_CHECKSUMS, strlen(GLS_KEY_CHECKSUMS)) != 0)
            return gls_loading_fail(loading, GLISSADE_STATUS_INVALID_FILE,
                                    "there is \"%.60s\" and no " GLS_KEY_FORMAT "; expected: both or neither",
                                    key);
    }
    return GLISSADE_STATUS_OK;
}

static glissade_status read_optimizer(gls_loading *loading) {
    const char *version = text_of(loading, GLS_KEY_FORMAT, "", "");
    loading->native = version;
    if (!version)
        return check_foreign(loading);
    if (strcmp(version, GLS_STATE_FORMAT) != 0)
        return gls_loading_fail(loading, GLISSADE_STATUS_MISMATCH,
                                GLS_KEY_FORMAT " is \"%.40s\"; accepted: \"" GLS_STATE_FORMAT
                                               "\", the version that this library knows",
                                version);
    const glissade_status status =
        read_count(loading, text_of(loading, GLS_KEY_SEED, "", ""), UINT64_MAX, &loading->seed);
    return status ? status
                  : read_count(loading, text_of(loading, GLS_KEY_GROUPS, "", ""), UINT32_MAX,
                               &loading->group_count);
}

/* What is asked of groups' rules again and again. */
static void look_ahead(gls_loading *loading, uint32_t index) {
    const gls_group *group = loading->optimizer->groups[index];
    gls_group_arrival *it = &loading->groups[index];
    const gls_group now = gls_loading_shadow(group, it->options),
                    saved = gls_loading_shadow(group, it->saved);
    it->states = group->algorithm->states(&now);
    it->states_saved = group->algorithm->states(&saved);
    it->defers = group->algorithm->threshold && group->algorithm->threshold(&now).value != 0;
}

glissade_status gls_loading_read_metadata(gls_loading *loading) {
    glissade_status status = read_optimizer(loading);
    for (size_t i = 0; loading->native && !status && i < loading->names.count; i++)
        status = read_tensor(loading, i);
    for (uint32_t i = 0; !status && i < loading->optimizer->group_count; i++) {
        if (loading->groups[i].place != SIZE_MAX)
            status = check_hyperparameters(loading, i);
        if (!status)
            look_ahead(loading, i);
    }
    return status;
}
