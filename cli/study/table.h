/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A study's tables: CSV with a head of comments that says what made it. A number that is missing (NaN) is an empty
 * field, one beyond all that was seen is `inf`; an interval is three fields, to be named x, x_low, x_high. Must not
 * know what is in them.
 */
#ifndef GLISSADE_CLI_STUDY_TABLE_H
#define GLISSADE_CLI_STUDY_TABLE_H

#include "inference.h"
#include "study.h"

#include <stdio.h>

struct table {
    FILE *file;
    const char *folder, *name;
    size_t columns, fields; /* of the heading; of the row so far */
};

/* Opens `name` in settings->output, over what is there, and writes the head. Failures have been reported; after
 * one there is nothing to close. */
enum exit_code table_open(struct table *table, const struct study_settings *settings, const char *study,
                          const char *name);

/* A line of the head; it is not to hold a newline. */
__attribute__((format(printf, 2, 3))) void table_comment(struct table *table, const char *format, ...);

/* The names of the columns, separated by commas; after the comments. */
void table_columns(struct table *table, const char *names);

/* Fields of a row, from left to right; every row has as many as there are columns. */
void table_text(struct table *table, const char *text);
void table_count(struct table *table, uint64_t count);
void table_number(struct table *table, double number); /* six digits */
void table_interval(struct table *table, struct interval interval);
void table_end_row(struct table *table);

/* Reports what could not be written. */
enum exit_code table_close(struct table *table);

/* ---- for people ---- */

enum { TABLE_INTERVAL_SIZE = 128 };

/* "412 [398, 431]" with so many significant digits; "inf" and "-" where there is no number. Returns `text`, of
 * TABLE_INTERVAL_SIZE bytes. */
const char *table_format_interval(char *text, struct interval interval, int digits);

/* ---- predictions ---- */

enum verdict { VERDICT_HELD, VERDICT_FAILED, VERDICT_UNDECIDED, VERDICT_UNKNOWN };

extern const char *const verdict_names[]; /* "held", "failed", "undecided", "no estimate" */

/* HELD where the whole interval lies below (above) the threshold, FAILED where it all lies on the other side or
 * on it, UNDECIDED where it has the threshold inside, UNKNOWN where there is no value. A bound that is NaN
 * decides nothing. */
enum verdict verdict_below(struct interval interval, double threshold);
enum verdict verdict_above(struct interval interval, double threshold);

/* The same of a band: HELD where the interval lies within it, FAILED where none of it does. */
enum verdict verdict_within(struct interval interval, double from, double to);

/* Of a prediction with several parts: HELD if all held, FAILED if one failed, else the weakest of them. */
enum verdict verdict_all(const enum verdict *verdicts, size_t n);

#endif
