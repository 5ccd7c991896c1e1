/* SPDX-License-Identifier: Apache-2.0 */
/* What a converted file holds: which tensors, under which names, of which types, and which metadata. Reads no array. */
#include "convert.h"

#include "numbers.h"

#include <stdlib.h>
#include <string.h>

const char *convert_dtype_name(size_t place) {
    static const char *const names[] = {"f32", "bf16", "f16", "f64", NULL};
    return names[place < 4 ? place : 4];
}

static enum exit_code report_memory(void) {
    report_error("state convert: out of memory");
    return EXIT_CODE_FAILED;
}

/* ---- selection ---- */

static bool begins_with_any(const char *name, const struct option_list *prefixes) {
    for (size_t i = 0; i < prefixes->count; ++i)
        if (strncmp(name, prefixes->texts[i], strlen(prefixes->texts[i])) == 0)
            return true;
    return false;
}

static bool is_selected(const struct convert_options *options, const char *name) {
    return (options->only.count == 0 || begins_with_any(name, &options->only)) &&
           !begins_with_any(name, &options->without);
}

/* ---- names ---- */

/* What a tensor is renamed to; NULL if it keeps its name. `length` bytes of `name` count. */
static const char *new_name(const struct convert_options *options, const char *name, size_t length) {
    for (size_t i = 0; i < options->renames.count; ++i) {
        const char *rename = options->renames.texts[i], *equals = strchr(rename, '=');
        if ((size_t)(equals - rename) == length && strncmp(rename, name, length) == 0)
            return equals + 1;
    }
    return NULL;
}

/* PREFIX, the new name and the rest after it, as a text of the plan's own; NULL if memory is short. */
static const char *compose(struct convert_plan *plan, const char *prefix, const char *name,
                           const char *field) {
    size_t size = strlen(prefix) + strlen(name) + strlen(field) + 2;
    char *text = malloc(size);
    if (text == NULL)
        return NULL;
    snprintf(text, size, "%s%s%s%s", prefix, name, field[0] != '\0' ? "." : "", field);
    plan->texts[plan->text_count++] = text;
    return text;
}

/* The name under which a tensor is written; NULL if memory is short. */
static const char *name_of_array(struct convert_plan *plan, const struct convert_options *options,
                                 const char *name) {
    struct state_name parts;
    bool state = state_name_of_array(name, &parts);
    const char *other =
        state ? new_name(options, parts.tensor, parts.length) : new_name(options, name, strlen(name));
    if (other == NULL)
        return name;
    ++plan->renamed;
    return state ? compose(plan, "state.", other, parts.field) : compose(plan, "", other, "");
}

static const char *name_of_line(struct convert_plan *plan, const struct convert_options *options,
                                const char *key) {
    struct state_name parts;
    const char *other =
        state_name_of_text(key, &parts) ? new_name(options, parts.tensor, parts.length) : NULL;
    return other == NULL ? key : compose(plan, "glissade.tensor.", other, parts.field);
}

/* Whether a file speaks of a tensor: holds it, an array of its state, or a line about it. */
static bool is_known(const glissade_file *file, const char *name, size_t length) {
    struct state_name parts;
    for (size_t i = 0; i < glissade_file_count(file); ++i) {
        glissade_file_tensor tensor = state_tensor(file, i);
        bool state = state_name_of_array(tensor.name, &parts);
        const char *found = state ? parts.tensor : tensor.name;
        if ((state ? parts.length : strlen(found)) == length && strncmp(found, name, length) == 0)
            return true;
    }
    for (size_t i = 0; i < glissade_file_text_count(file); ++i)
        if (state_name_of_text(glissade_file_text_at(file, i).key, &parts) && parts.length == length &&
            strncmp(parts.tensor, name, length) == 0)
            return true;
    return false;
}

static enum exit_code check_renames(const struct convert_options *options, const glissade_file *file) {
    for (size_t i = 0; i < options->renames.count; ++i) {
        const char *rename = options->renames.texts[i], *equals = strchr(rename, '=');
        if (equals == NULL || equals == rename || equals[1] == '\0') {
            report_error("state convert: option '--rename' cannot be '%s'; it accepts FROM=TO", rename);
            return EXIT_CODE_USAGE;
        }
        if (!is_known(file, rename, (size_t)(equals - rename))) {
            report_error("state convert: option '--rename': '%s' has no tensor '%.*s'", options->input,
                         (int)(equals - rename), rename);
            return EXIT_CODE_USAGE;
        }
    }
    return EXIT_CODE_OK;
}

/* ---- types ---- */

/* Whether the new file holds the lower halves of a parameter, whose upper halves it then must stay. */
static bool is_split(const struct convert_options *options, const glissade_file *file, const char *name,
                     bool *split) {
    size_t size = strlen("state.") + strlen(name) + strlen(".master_low") + 1;
    char *low = malloc(size);
    if (low == NULL)
        return false;
    snprintf(low, size, "state.%s.master_low", name);
    *split = glissade_file_find(file, low) != SIZE_MAX && is_selected(options, low);
    free(low);
    return true;
}

/*
 * Chooses the type of a tensor; false if memory is short. Counts of steps would no longer be what they are, units of 8-bit
 * state belong to its format, and a master in half precision would be no more than the parameter is.
 */
static bool choose_dtype(const struct convert_options *options, const glissade_file *file,
                         const glissade_file_tensor *tensor, glissade_file_dtype *dtype) {
    *dtype = tensor->dtype;
    if (options->dtype == SIZE_MAX || !numbers_known(tensor->dtype) ||
        (options->dtype_for.count > 0 && !begins_with_any(tensor->name, &options->dtype_for)))
        return true;
    struct state_name parts;
    bool stays = false;
    if (state_name_of_array(tensor->name, &parts))
        stays = strcmp(parts.field, "step") == 0 || strcmp(parts.field, "master") == 0 ||
                strchr(parts.field, '.') != NULL;
    else if (!is_split(options, file, tensor->name, &stays))
        return false;
    if (!stays)
        *dtype = (glissade_file_dtype)options->dtype;
    return true;
}

/* ---- the plan ---- */

static bool plan_tensors(struct convert_plan *plan, const struct convert_options *options,
                         const glissade_file *file) {
    for (size_t i = 0; i < glissade_file_count(file); ++i) {
        glissade_file_tensor tensor = state_tensor(file, i);
        if (!is_selected(options, tensor.name))
            continue;
        struct convert_tensor *planned = &plan->tensors[plan->tensor_count++];
        *planned = (struct convert_tensor){.index = i, .tensor = tensor, .former = tensor.dtype};
        if (!choose_dtype(options, file, &tensor, &planned->tensor.dtype))
            return false;
        plan->converted += planned->tensor.dtype != planned->former;
        planned->tensor.bytes = tensor.bytes / glissade_file_dtype_bits(tensor.dtype) *
                                glissade_file_dtype_bits(planned->tensor.dtype);
        if (planned->tensor.dtype == planned->former)
            planned->tensor.bytes = tensor.bytes; /* of types below a byte too */
        planned->tensor.name = name_of_array(plan, options, tensor.name);
        if (planned->tensor.name == NULL)
            return false;
    }
    return true;
}

/* A line about a tensor is selected as an array of its state would be: state.NAME.FIELD. */
static bool line_is_selected(const struct convert_options *options, const char *key, bool *selected) {
    struct state_name parts;
    *selected = true;
    if (!state_name_of_text(key, &parts))
        return true;
    size_t size = strlen("state.") + strlen(parts.tensor) + 1;
    char *name = malloc(size);
    if (name == NULL)
        return false;
    snprintf(name, size, "state.%s", parts.tensor);
    *selected = is_selected(options, name);
    free(name);
    return true;
}

static bool is_librarys(const char *key) {
    return strncmp(key, "glissade.", strlen("glissade.")) == 0;
}

/* Groups and the like go where no tensor's state is left to belong to them. */
static void drop_groups(struct convert_plan *plan) {
    size_t kept = 0;
    for (size_t i = 0; i < plan->line_count; ++i)
        if (!is_librarys(plan->lines[i].key))
            plan->lines[kept++] = plan->lines[i];
    plan->line_count = kept;
}

static bool plan_lines(struct convert_plan *plan, const struct convert_options *options,
                       const glissade_file *file) {
    size_t before = 0, after = 0;
    for (size_t i = 0; i < glissade_file_text_count(file); ++i) {
        glissade_file_text line = glissade_file_text_at(file, i);
        struct state_name parts;
        bool selected, about = state_name_of_text(line.key, &parts);
        if (!line_is_selected(options, line.key, &selected))
            return false;
        before += about;
        after += about && selected;
        if (!selected || state_is_checksum(line.key))
            continue;
        line.key = name_of_line(plan, options, line.key);
        if (line.key == NULL)
            return false;
        plan->lines[plan->line_count++] = line;
    }
    if (before > 0 && after == 0)
        drop_groups(plan);
    return true;
}

enum exit_code convert_plan_make(struct convert_plan *plan, const struct convert_options *options,
                                 const glissade_file *file) {
    *plan = (struct convert_plan){.tensor_count = 0};
    enum exit_code exit_code = check_renames(options, file);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    size_t tensors = glissade_file_count(file), lines = glissade_file_text_count(file);
    plan->tensors = calloc(tensors + 1, sizeof *plan->tensors);
    plan->lines = calloc(lines + 1, sizeof *plan->lines);
    plan->texts = calloc(tensors + lines + 1, sizeof *plan->texts);
    if (plan->tensors == NULL || plan->lines == NULL || plan->texts == NULL ||
        !plan_tensors(plan, options, file) || !plan_lines(plan, options, file))
        return report_memory();
    return EXIT_CODE_OK;
}

void convert_plan_free(struct convert_plan *plan) {
    for (size_t i = 0; i < plan->text_count; ++i)
        free(plan->texts[i]);
    free(plan->texts);
    free(plan->lines);
    free(plan->tensors);
    *plan = (struct convert_plan){.tensor_count = 0};
}
