/* SPDX-License-Identifier: Apache-2.0 */
/* Going on from a saved run: its file must be of this configuration, whole, and of these tensors. */
#include "checkpoint.h"

#include "blas.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool is_missing(const char *path) {
    struct stat status;
    return lstat(path, &status) != 0 && errno == ENOENT;
}

static enum exit_code check_line(const struct checkpoint *checkpoint, const glissade_file *file,
                                 const glissade_file_text *wanted) {
    const char *path = checkpoint->settings.resume, *found = glissade_file_text_find(file, wanted->key);
    const char *name = wanted->key + strlen("train.");
    if (found != NULL && strcmp(found, wanted->value) == 0)
        return EXIT_CODE_OK;
    if (found == NULL)
        report_error("train: '%s' is no run of this command: it has no line %s", path, wanted->key);
    else
        report_error("train: '%s' belongs to another run: its %s is %.200s, and here it is %s", path, name,
                     found, wanted->value);
    return EXIT_CODE_USAGE;
}

static enum exit_code check_configuration(const struct checkpoint *checkpoint, const glissade_file *file) {
    struct checkpoint_lines lines = {.count = 0};
    checkpoint_add_configuration(&lines, checkpoint);
    enum exit_code exit_code = EXIT_CODE_OK;
    if (lines.failed) {
        report_error("train: out of memory");
        exit_code = EXIT_CODE_FAILED;
    }
    for (size_t i = 0; exit_code == EXIT_CODE_OK && i < lines.count; ++i)
        exit_code = check_line(checkpoint, file, &lines.list[i]);
    checkpoint_lines_free(&lines);
    return exit_code;
}

/* Products in as many parts as before, whatever the threads of the step: their sums have the same bits then. */
static void restore_products(struct trainer *trainer) {
    uint32_t before = trainer->product_threads, now = blas_threads(before);
    if (before == 0 || now == 0)
        return;
    blas_set_threads(before);
    if (now != before)
        fprintf(stderr,
                "glissade: note: CBLAS works on %u threads, and on %u when the run was saved: the last bits "
                "of its products may differ\n",
                now, before);
    trainer->product_threads = now;
}

static enum exit_code load(struct checkpoint *checkpoint, glissade_file *file) {
    const char *path = checkpoint->settings.resume, *reason;
    struct trainer *trainer = checkpoint->trainer;
    struct learner *learner = &trainer->learner;
    enum exit_code exit_code = check_configuration(checkpoint, file);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    if (!checkpoint_read_progress(file, trainer, &reason)) {
        report_error("train: '%s' cannot be gone on from: %s", path, reason);
        return EXIT_CODE_USAGE;
    }
    glissade_load_options options;
    glissade_load_options_init(&options, sizeof options);
    options.parameters = true;
    glissade_load_report report = {.size = sizeof report};
    glissade_status status = glissade_optimizer_load_file(learner->optimizer, file, &options, &report);
    if (status != GLISSADE_STATUS_OK) {
        learner_failure(learner, status);
        return status == GLISSADE_STATUS_OUT_OF_MEMORY ? EXIT_CODE_FAILED : EXIT_CODE_USAGE;
    }
    if (!report.verified)
        fprintf(stderr, "glissade: note: '%s' has no checksums and could not be verified\n", path);
    learner_take_parameters(learner);
    restore_products(trainer);
    checkpoint->resumed_at = trainer->step;
    return EXIT_CODE_OK;
}

enum exit_code checkpoint_resume(struct checkpoint *checkpoint) {
    const char *path = checkpoint->settings.resume;
    if (is_missing(path)) {
        if (checkpoint->settings.resume_if_exists)
            return EXIT_CODE_OK;
        report_error("train: option '--resume' cannot be '%s': there is no such file; with "
                     "'--resume-if-exists' the run would begin anew",
                     path);
        return EXIT_CODE_USAGE;
    }
    glissade_file *file;
    glissade_error error;
    if (glissade_file_open(path, &file, &error) != GLISSADE_STATUS_OK) {
        report_error("train: %s", error.message);
        return EXIT_CODE_USAGE;
    }
    enum exit_code exit_code = load(checkpoint, file);
    glissade_file_close(&file);
    return exit_code;
}
