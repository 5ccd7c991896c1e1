/* SPDX-License-Identifier: Apache-2.0 */
/* Loading: its options, its course from the file's header to the report, and its calls (see load.h). */
#include "load.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "options.h"

static const gls_layout options_layout = {"glissade_load_options", {sizeof(glissade_load_options)}};
static const gls_layout report_layout = {"glissade_load_report", {sizeof(glissade_load_report)}};

static const glissade_load_options defaults = {.size = sizeof(glissade_load_options)};

void glissade_load_options_init(glissade_load_options *options, size_t size) {
    gls_options_init(&options_layout, options, size, &defaults);
}

/* ---- for all of it ---- */

glissade_status gls_loading_fail(const gls_loading *loading, glissade_status status, const char *format,
                                 ...) {
    char message[sizeof loading->optimizer->error.message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    return gls_error_set(&loading->optimizer->error, status, "%s: %s", loading->file->quoted, message);
}

gls_group *gls_loading_group(const gls_loading *loading, size_t tensor) {
    return loading->optimizer->groups[loading->names.items[tensor].group];
}

gls_group gls_loading_shadow(const gls_group *group, void *options) {
    gls_group shadow = *group;
    if (group->algorithm->options_size)
        shadow.options = options;
    else
        memcpy(&shadow.sgd, options, sizeof shadow.sgd);
    return shadow;
}

/* ---- reading ---- */

/* What is used of the file, and where it will be. */
static size_t list_extents(const gls_loading *loading, gls_extent *extents) {
    const gls_header *header = loading->header;
    size_t count = 0;
    for (size_t i = 0; i < header->entry_count; i++)
        if (loading->uses[i] == GLS_USE_READ && header->entries[i].begin < header->entries[i].end)
            extents[count++] =
                (gls_extent){header->entries[i].begin, header->entries[i].end, loading->data[i]};
    return count;
}

static void locate(const gls_loading *loading, const gls_extent *extents) {
    const gls_header *header = loading->header;
    for (size_t i = 0; i < header->entry_count; i++)
        if (loading->uses[i] == GLS_USE_READ && header->entries[i].begin < header->entries[i].end)
            loading->data[i] = extents++->to;
    for (size_t i = 0; i < loading->names.count; i++)
        for (size_t j = 0; j < loading->tensors[i].count; j++) {
            gls_transfer *it = &loading->transfers[loading->tensors[i].first + j];
            it->from.dtype = header->entries[it->entry].dtype;
            it->from.elements = loading->data[it->entry];
            it->from.units = it->units == SIZE_MAX ? NULL : loading->data[it->units];
        }
}

/* Reads it and checks it. */
static glissade_status stage(gls_loading *loading) {
    gls_extent *extents = gls_alloc(loading->header->entry_count, sizeof *extents);
    if (!extents)
        return gls_loading_fail(loading, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to list %zu arrays",
                                loading->header->entry_count);
    gls_loading_house(loading);
    const size_t count = list_extents(loading, extents);
    glissade_file_report report = {.size = sizeof report};
    const glissade_status status = gls_file_stage(loading->optimizer->engine, loading->file, extents, count,
                                                  &loading->staged, &report, &loading->optimizer->error);
    if (!status)
        locate(loading, extents);
    gls_free(extents);
    loading->report.bytes = report.bytes;
    loading->report.verified = report.verified;
    return status;
}

/* ---- the course ---- */

/* All that is known before the arrays are read. */
static glissade_status plan(gls_loading *loading) {
    const gls_header *header = loading->header;
    glissade_status status;
    if (loading->options.need_checksums && !header->chunk_bytes)
        return gls_loading_fail(loading, GLISSADE_STATUS_CHECKSUM,
                                "there are no checksums, and need_checksums is true");
    if ((status = gls_loading_name(loading)) || (status = gls_loading_read_metadata(loading)) ||
        (status = gls_loading_find_arrays(loading)) || (status = gls_loading_check_extra(loading)))
        return status;
    return loading->native ? gls_loading_check_complete(loading) : GLISSADE_STATUS_OK;
}

static glissade_status run(gls_loading *loading) {
    glissade_status status = plan(loading);
    if (!status)
        status = stage(loading);
    if (!status)
        status = gls_loading_read_counts(loading);
    if (!status && !loading->native)
        status = gls_loading_check_complete(loading);
    if (!status)
        status = gls_loading_check_together(loading);
    if (!status)
        status = gls_loading_commit(loading);
    if (status)
        gls_loading_evict(loading);
    gls_arena_destroy(&loading->staged);
    return status;
}

static void release(gls_loading *loading) {
    for (uint32_t i = 0; loading->groups && i < loading->optimizer->group_count; i++) {
        gls_free(loading->groups[i].options);
        gls_free(loading->groups[i].saved);
        gls_free(loading->groups[i].before);
    }
    gls_names_free(&loading->names);
    gls_free(loading->in_file);
    gls_free(loading->in_file_items);
    gls_free(loading->tensors);
    gls_free(loading->groups);
    gls_free(loading->transfers);
    gls_free(loading->uses);
    gls_free(loading->data);
    gls_free(loading->text);
}

/* The caller's options and report, before anything else. */
static glissade_status read_options(glissade_optimizer *optimizer, const glissade_load_options *given,
                                    glissade_load_options *options, const glissade_load_report *report) {
    glissade_error *error = &optimizer->error;
    glissade_status status = report ? gls_options_check(&report_layout, report, error) : GLISSADE_STATUS_OK;
    *options = defaults;
    if (!status && given)
        status = gls_options_read(&options_layout, options, given, error);
    if (!status && options->renaming_count && !options->renamings)
        status = gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT,
                               "renamings is NULL with renaming_count %zu", options->renaming_count);
    return status;
}

static glissade_status load(glissade_optimizer *optimizer, const glissade_file *file,
                            const glissade_load_options *options, glissade_load_report *report) {
    const double begun = gls_seconds();
    gls_loading loading = {
        .optimizer = optimizer, .file = file, .header = &file->header, .options = *options};
    const glissade_status status = run(&loading);
    release(&loading);
    loading.report.size = sizeof loading.report;
    loading.report.seconds = gls_seconds() - begun;
    if (!status && report)
        (void)gls_options_write(&report_layout, report, &loading.report, NULL); /* its size was checked */
    return status;
}

static glissade_status load_path(glissade_optimizer *optimizer, const char *path,
                                 const glissade_load_options *given, glissade_load_report *report) {
    glissade_load_options options;
    glissade_file *file;
    glissade_error error;
    glissade_status status = read_options(optimizer, given, &options, report);
    if (status)
        return status;
    if ((status = glissade_file_open(path, &file, &error))) {
        optimizer->error = error;
        return status;
    }
    status = load(optimizer, file, &options, report);
    glissade_file_close(&file);
    return status;
}

static glissade_status load_file(glissade_optimizer *optimizer, glissade_file *file,
                                 const glissade_load_options *given, glissade_load_report *report) {
    glissade_load_options options;
    if (!file)
        return gls_error_set(&optimizer->error, GLISSADE_STATUS_NULL_ARGUMENT, "file is NULL");
    const glissade_status status = read_options(optimizer, given, &options, report);
    return status ? status : load(optimizer, file, &options, report);
}

glissade_status glissade_optimizer_load(glissade_optimizer *optimizer, const char *path,
                                        const glissade_load_options *options, glissade_load_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, load_path(optimizer, path, options, report));
}

glissade_status glissade_optimizer_load_file(glissade_optimizer *optimizer, glissade_file *file,
                                             const glissade_load_options *options,
                                             glissade_load_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, load_file(optimizer, file, options, report));
}
