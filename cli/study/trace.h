/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade study trace`: one run, recorded step by step, for another implementation to repeat and be compared with. */
#ifndef GLISSADE_CLI_STUDY_TRACE_H
#define GLISSADE_CLI_STUDY_TRACE_H

#include "runner.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * losses.csv         the step, from 1, and the mean loss of its batch before its update
 * batches.bin        the images of every step, in the order of the data set's file: uint32
 * weights.bin        the initial parameters, tensor after tensor: float32; weights-after.bin the final ones
 * trace.json         what all that belongs to; written last, so that it is empty if the run did not end
 *
 * Numbers in the .bin files are in the byte order of the platforms that the library supports, little-endian.
 */
enum trace_file {
    TRACE_JSON,
    TRACE_LOSSES,
    TRACE_BATCHES,
    TRACE_WEIGHTS,
    TRACE_WEIGHTS_AFTER,
    TRACE_FILE_COUNT
};

struct trace_files {
    const char *folder;
    FILE *open[TRACE_FILE_COUNT]; /* NULL: not open */
};

/*
 * Makes the folder if need be and opens all files. Where one exists and `force` is not set, none is made. Failures
 * have been reported when it returns, and trace_files_close is still due.
 */
enum exit_code trace_files_open(struct trace_files *files, const char *folder, bool force);

/* Closes what is open, and reports the first file that could not be written. */
enum exit_code trace_files_close(struct trace_files *files);

/* Problems with writing come to light in trace_files_close. */
void trace_write_heading(const struct trace_files *files);
void trace_write_step(const struct trace_files *files, uint64_t step, double loss, const uint32_t *images,
                      uint64_t count);
void trace_write_parameters(const struct trace_files *files, enum trace_file file,
                            const struct network *network);

/* Reports and returns FAILED if memory is short. */
enum exit_code trace_write_description(const struct trace_files *files, const struct runner *runner);

#endif
