/* SPDX-License-Identifier: Apache-2.0 */
/* Saving while the caller waits: the team writes the live arrays. */
#include "save.h"

#include <fcntl.h>

#include "clock.h"
#include "collect.h"
#include "options.h"

static const gls_layout layout = {"glissade_save_options", {sizeof(glissade_save_options)}};

static const glissade_save_options defaults = {.size = sizeof(glissade_save_options)};

void glissade_save_options_init(glissade_save_options *options, size_t size) {
    gls_options_init(&layout, options, size, &defaults);
}

glissade_status gls_save_prepare(glissade_optimizer *optimizer, const char *path,
                                 const glissade_save_options *given, glissade_save_options *options,
                                 gls_writing *writing) {
    glissade_error *error = &optimizer->error;
    *writing = (gls_writing){.path = {.folder = -1}};
    *options = defaults;
    if (!path)
        return gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "path is NULL");
    glissade_status status = GLISSADE_STATUS_OK;
    if (given)
        status = gls_options_read(&layout, options, given, error);
    if (!status && options->lines && !options->metadata)
        status = gls_error_set(error, GLISSADE_STATUS_NULL_ARGUMENT, "metadata is NULL and lines %zu",
                               options->lines);
    if (!status)
        status = gls_writing_options(options->file, &writing->options, error);
    if (!status)
        status = gls_state_collect(optimizer, options, writing);
    return status ? status : gls_path_open(&writing->path, path, O_RDONLY, error);
}

static glissade_status save(glissade_optimizer *optimizer, const char *path,
                            const glissade_save_options *given, glissade_file_report *report) {
    const double begun = gls_seconds();
    glissade_status status = gls_file_report_check(report, &optimizer->error);
    if (status)
        return status;
    glissade_save_options options;
    gls_writing writing;
    status = gls_save_prepare(optimizer, path, given, &options, &writing);
    if (!status) {
        writing.engine = optimizer->engine;
        status = gls_writing_run(&writing, &optimizer->error);
    }
    if (!status) {
        const glissade_file_report known = gls_writing_report(&writing, begun);
        gls_file_report_write(report, &known);
    }
    gls_writing_destroy(&writing);
    return status;
}

glissade_status glissade_optimizer_save(glissade_optimizer *optimizer, const char *path,
                                        const glissade_save_options *options, glissade_file_report *report) {
    GLS_OPTIMIZER_CALL(optimizer, save(optimizer, path, options, report));
}
