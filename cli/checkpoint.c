/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving a run as it goes on. A save that fails is reported and tried again when the next is due; only the last one
 * decides. One is written at a time: one that becomes due meanwhile begins after the step in which the former has ended.
 */
#include "checkpoint.h"

#include "interruption.h"
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- options ---- */

static bool report_save(const char *path, const char *problem) {
    report_error("train: option '--save' cannot be '%s': %s", path, problem);
    return false;
}

/* The folder must be there now: a run of hours is not to find out at its first save. */
static bool folder_is_writable(const char *path) {
    char *folder = strdup(path);
    if (folder == NULL)
        return true; /* the run itself will notice */
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder] = '\0';
    bool writable = access(slash != NULL ? folder : ".", W_OK | X_OK) == 0;
    free(folder);
    return writable || report_save(path, strerror(errno));
}

static bool may_save(const struct checkpoint_settings *settings) {
    struct stat there, resumed;
    const char *path = settings->save;
    if (path[0] == '\0')
        return report_save(path, "a file's path is wanted");
    if (lstat(path, &there) != 0)
        return errno == ENOENT ? folder_is_writable(path) : report_save(path, strerror(errno));
    if (!S_ISREG(there.st_mode))
        return report_save(path, "it is there, and is no regular file");
    bool same = settings->resume != NULL && lstat(settings->resume, &resumed) == 0 &&
                resumed.st_dev == there.st_dev && resumed.st_ino == there.st_ino;
    if (!same && !settings->force)
        return report_save(path, "it exists; '--resume' goes on from it, '--force' replaces it");
    return folder_is_writable(path);
}

bool checkpoint_settings_agree(const struct checkpoint_settings *settings) {
    const char *lacking = NULL;
    if (settings->save == NULL && (settings->every > 0 || settings->keep > 0 || settings->force))
        lacking = "--save-every', '--keep' and '--force' need '--save";
    else if (settings->resume == NULL && settings->resume_if_exists)
        lacking = "--resume-if-exists' needs '--resume";
    if (lacking != NULL) {
        report_error("train: '%s'", lacking);
        return false;
    }
    return settings->save == NULL || may_save(settings);
}

/* ---- names ---- */

/* "layer0.weight" and the like, with their shapes. */
static enum exit_code name_tensors(struct learner *learner) {
    struct network *network = &learner->network;
    glissade_label labels[TENSORS_MAXIMUM];
    uint64_t shapes[TENSORS_MAXIMUM][2];
    char names[TENSORS_MAXIMUM][32];
    for (size_t i = 0; i < network->tensor_count; ++i) {
        const struct layer *layer = &network->layers[i / 2];
        bool weight = i % 2 == 0;
        snprintf(names[i], sizeof names[i], "layer%zu.%s", i / 2, weight ? "weight" : "bias");
        shapes[i][0] = weight ? layer->unit_inputs : layer->plan.outputs;
        shapes[i][1] = layer->plan.outputs;
        labels[i] = (glissade_label){sizeof *labels, names[i], weight ? 2 : 1, shapes[i]};
    }
    glissade_status status =
        glissade_optimizer_set_labels(learner->optimizer, learner->group, labels, network->tensor_count);
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK : learner_failure(learner, status);
}

enum exit_code checkpoint_begin(struct checkpoint *checkpoint, const struct checkpoint_settings *settings,
                                struct trainer *trainer) {
    *checkpoint = (struct checkpoint){.settings = *settings, .trainer = trainer, .resumed_at = UINT64_MAX};
    if (settings->save == NULL && settings->resume == NULL)
        return EXIT_CODE_OK;
    checkpoint->data_checksum = checkpoint_data_checksum(trainer->dataset);
    enum exit_code exit_code = name_tensors(&trainer->learner);
    if (exit_code == EXIT_CODE_OK && settings->resume != NULL)
        exit_code = checkpoint_resume(checkpoint);
    if (exit_code == EXIT_CODE_OK && settings->save != NULL)
        interruption_catch();
    return exit_code;
}

/* ---- saving ---- */

static void report_failure(struct checkpoint *checkpoint, const char *message) {
    checkpoint->failed = true;
    report_error("train: step %" PRIu64 " could not be saved: %s", checkpoint->saving_step, message);
}

/* Waits for the save under way and takes account of it. */
static void collect(struct checkpoint *checkpoint) {
    glissade_error error;
    glissade_save_progress progress = {.size = sizeof progress};
    if (checkpoint->saving == NULL)
        return;
    glissade_status status = glissade_save_wait(checkpoint->saving, &error);
    if (status != GLISSADE_STATUS_OK) {
        report_failure(checkpoint, error.message);
    } else if (glissade_save_get_progress(checkpoint->saving, &progress) == GLISSADE_STATUS_OK) {
        ++checkpoint->saves;
        checkpoint->failed = false;
        checkpoint->bytes = progress.bytes;
        checkpoint->seconds = progress.seconds;
        checkpoint->stalls += progress.stall_seconds;
        if (progress.stall_seconds > checkpoint->longest_stall)
            checkpoint->longest_stall = progress.stall_seconds;
    }
    glissade_save_destroy(&checkpoint->saving);
}

static void start(struct checkpoint *checkpoint) {
    struct trainer *trainer = checkpoint->trainer;
    struct checkpoint_lines lines = {.count = 0};
    checkpoint->due = false;
    checkpoint->saving_step = trainer->step;
    checkpoint->saving_epoch = trainer->epoch;
    checkpoint_add_configuration(&lines, checkpoint);
    checkpoint_add_progress(&lines, trainer);
    glissade_file_options file;
    glissade_file_options_init(&file, sizeof file);
    file.keep = (uint32_t)checkpoint->settings.keep;
    file.number = file.keep > 0 ? trainer->step : 0;
    glissade_save_options options;
    glissade_save_options_init(&options, sizeof options);
    options.file = &file;
    options.metadata = lines.list;
    options.lines = lines.count;
    options.parameters = true;
    if (lines.failed) {
        report_failure(checkpoint, "out of memory");
    } else if (glissade_optimizer_save_start(trainer->learner.optimizer, checkpoint->settings.save, &options,
                                             &checkpoint->saving) != GLISSADE_STATUS_OK) {
        report_failure(checkpoint, glissade_optimizer_message(trainer->learner.optimizer));
    }
    checkpoint_lines_free(&lines);
}

/* Starts the save that is due, unless one is still under way. */
static void proceed(struct checkpoint *checkpoint) {
    glissade_save_progress progress = {.size = sizeof progress};
    if (checkpoint->saving != NULL &&
        glissade_save_get_progress(checkpoint->saving, &progress) == GLISSADE_STATUS_OK && progress.done)
        collect(checkpoint);
    if (checkpoint->due && checkpoint->saving == NULL)
        start(checkpoint);
}

bool checkpoint_after_step(void *context) {
    struct checkpoint *checkpoint = context;
    const struct checkpoint_settings *settings = &checkpoint->settings;
    if (settings->save == NULL)
        return true;
    if (settings->every > 0 && checkpoint->trainer->step % settings->every == 0)
        checkpoint->due = true;
    proceed(checkpoint);
    return interruption_signal() == 0;
}

void checkpoint_after_epoch(struct checkpoint *checkpoint) {
    if (checkpoint->settings.save == NULL)
        return;
    if (checkpoint->settings.every == 0)
        checkpoint->due = true;
    proceed(checkpoint);
}

enum exit_code checkpoint_finish(struct checkpoint *checkpoint) {
    if (checkpoint->settings.save == NULL)
        return EXIT_CODE_OK;
    double before = clock_seconds();
    collect(checkpoint);
    const struct trainer *trainer = checkpoint->trainer;
    bool saved = checkpoint->saves > 0 && !checkpoint->failed && checkpoint->saving_step == trainer->step &&
                 checkpoint->saving_epoch == trainer->epoch;
    if (!saved) {
        start(checkpoint);
        collect(checkpoint);
    }
    checkpoint->waited_at_end = clock_seconds() - before;
    return checkpoint->failed ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

void checkpoint_end(struct checkpoint *checkpoint) {
    collect(checkpoint);
}

/* ---- what came of it ---- */

static double mean_stall(const struct checkpoint *checkpoint) {
    return checkpoint->saves > 0 ? checkpoint->stalls / (double)checkpoint->saves : 0.0;
}

void checkpoint_print(FILE *out, const struct checkpoint *checkpoint) {
    if (checkpoint->settings.save == NULL)
        return;
    char bytes[TEXT_COUNT_SIZE];
    fprintf(out, "saved %" PRIu64 " times to ", checkpoint->saves);
    text_print(out, checkpoint->settings.save, 0);
    fprintf(out,
            ": %s bytes, the last in %.1f ms; each held training up for %.2f ms in the mean and %.2f ms at "
            "most, the end of the run for %.1f ms\n",
            text_count(checkpoint->bytes, bytes), 1e3 * checkpoint->seconds, 1e3 * mean_stall(checkpoint),
            1e3 * checkpoint->longest_stall, 1e3 * checkpoint->waited_at_end);
}

json_t *checkpoint_json(const struct checkpoint *checkpoint) {
    if (checkpoint->settings.save == NULL)
        return json_null();
    return json_pack("{s:o, s:I, s:I, s:f, s:f, s:f, s:f}", "path",
                     report_json_text(checkpoint->settings.save), "count", (json_int_t)checkpoint->saves,
                     "bytes", (json_int_t)checkpoint->bytes, "seconds", checkpoint->seconds,
                     "mean_stall_seconds", mean_stall(checkpoint), "longest_stall_seconds",
                     checkpoint->longest_stall, "end_seconds", checkpoint->waited_at_end);
}
