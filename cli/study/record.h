/* SPDX-License-Identifier: Apache-2.0 */
/* A run as a line of runs.csv. The last column is the CRC-32 of all before it, so that damage is noticed. */
#ifndef GLISSADE_CLI_STUDY_RECORD_H
#define GLISSADE_CLI_STUDY_RECORD_H

#include "results.h"

enum { RECORD_SIZE = 16384 };

/* The names of the columns as a line, with its end. */
void record_write_columns(char *text, size_t size);

/* Writes the line with its end into RECORD_SIZE bytes; returns its length. */
size_t record_write(char *line, const struct result *result);

/* Reads a line without its end; returns false if it is not as record_write writes it. */
bool record_read(const char *line, struct result *result);

#endif
