/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saving a training run while it goes on, and going on from what was saved, to the bit: checkpoint.c saves,
 * checkpoint_resume.c goes on, and checkpoint_lines.c is what both agree on.
 *
 * A file holds parameters and optimizer state, as the library writes them, and in its metadata, under "train.", what
 * makes the run this one (its configuration, which must be the same when it goes on) and where it is. Numbers are written
 * so that they read back as the same. The order of the images is not saved: it follows from the seed.
 */
#ifndef GLISSADE_CLI_CHECKPOINT_H
#define GLISSADE_CLI_CHECKPOINT_H

#include "trainer.h"

struct checkpoint_settings {
    const char *save, *resume; /* paths; NULL: do not */
    uint64_t every;            /* steps; 0: at the end of each epoch */
    uint64_t keep;             /* see glissade_file_options */
    bool resume_if_exists, force;
};

struct checkpoint {
    struct checkpoint_settings settings;
    struct trainer *trainer;
    uint32_t data_checksum;
    uint64_t resumed_at; /* step; UINT64_MAX: the run begins here */
    glissade_save *saving;
    uint64_t saving_step, saving_epoch; /* where the trainer was when it was started, as was the last one */
    bool due;                           /* a save, as soon as the last one has ended */
    bool failed;                        /* the last one */
    uint64_t saves, bytes;              /* done; of the last */
    double seconds, stalls, longest_stall, waited_at_end; /* of the last; of all that were started */
};

/* Refuses options that make no sense, and a file to save to that cannot be or must not be overwritten. */
bool checkpoint_settings_agree(const struct checkpoint_settings *settings);

/* Prepares the trainer for saving, and resumes it if asked. Failures have been reported; checkpoint_end is still due. */
enum exit_code checkpoint_begin(struct checkpoint *checkpoint, const struct checkpoint_settings *settings,
                                struct trainer *trainer);

/* A trainer_watch: saves when it is time. False if the run is to stop. */
bool checkpoint_after_step(void *checkpoint);
void checkpoint_after_epoch(struct checkpoint *checkpoint);

/* Saves what the run came to and waits until that is done. Failures have been reported. */
enum exit_code checkpoint_finish(struct checkpoint *checkpoint);

/* Prints a line, or nothing if nothing was saved. */
void checkpoint_print(FILE *out, const struct checkpoint *checkpoint);
/* An object, or null. */
json_t *checkpoint_json(const struct checkpoint *checkpoint);

/* Waits for a save that is under way. */
void checkpoint_end(struct checkpoint *checkpoint);

/* ---- checkpoint_resume.c ---- */

enum exit_code checkpoint_resume(struct checkpoint *checkpoint);

/* ---- checkpoint_lines.c ---- */

/* Lines of metadata with their own memory. */
struct checkpoint_lines {
    glissade_file_text *list;
    size_t count;
    bool failed; /* memory was short */
};

/* Adds what must be the same when a run goes on; and where it is. */
void checkpoint_add_configuration(struct checkpoint_lines *lines, const struct checkpoint *checkpoint);
void checkpoint_add_progress(struct checkpoint_lines *lines, const struct trainer *trainer);
void checkpoint_lines_free(struct checkpoint_lines *lines);

/* CRC-32 of images and labels. */
uint32_t checkpoint_data_checksum(const struct dataset *dataset);

/* Sets the trainer to where the file says it was, but for parameters and state; `reason` says why not, on failure. */
bool checkpoint_read_progress(const glissade_file *file, struct trainer *trainer, const char **reason);

#endif
