/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that a study writes: tables as CSV, figures as SVG by gnuplot. Every table opens with comment lines
 * that say what made it. Must not know what is in them.
 */
#ifndef GLISSADE_CLI_STUDY_FIGURE_H
#define GLISSADE_CLI_STUDY_FIGURE_H

#include "../report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Makes the folder, and those above it, if need be and opens `name` in it for writing, replacing what is
 * there only if `force`. Returns NULL after reporting why not; *exit_code then says how to exit (USAGE for
 * what the caller can mend).
 */
FILE *figure_open(const char *folder, const char *name, bool force, enum exit_code *exit_code);

/* Closes, and reports what could not be written. */
enum exit_code figure_close(FILE *file, const char *folder, const char *name);

/*
 * Reports the first of `names` that is in the folder already, and returns USAGE; OK if there is none. For a
 * study that writes several files and should write none where one of them would be refused.
 */
enum exit_code figure_absent(const char *folder, const char *const *names, size_t count);

/*
 * Runs gnuplot (5.4 or later) in `folder` on figure_preamble and `script`, and makes NAME.svg of its standard
 * output (the script sets neither terminal nor output, and reads the tables by their names). A NAME.svg that
 * is there is replaced, but only by a figure that was drawn to its end. Where there is no gnuplot a note on
 * stderr says so, once, and OK is returned, so that all tables are written; figure_missing tells the command.
 */
enum exit_code figure_draw(const char *folder, const char *name, int width, int height, const char *script);

/*
 * Whether a figure was not drawn because there is no gnuplot. A command then exits with USAGE after all else is
 * written: whoever asked for figures, a script included, is to see that there are none.
 */
bool figure_missing(void);

/* What figures call a network: "perceptron" for small-mlp, "convolutional" for conv, others as they are. */
const char *figure_network(const char *name);

/*
 * What every script starts with: text, axes and grid in a grey, and lines 1 to 8 in colours, that stand out
 * from white and from GitHub's dark background (#0d1117) alike; the background itself is transparent. Defines
 * `ink` (text), `faint` (points behind lines) and `ghost` (grid, a truth behind an estimate) for scripts that
 * colour by hand. Lines 1 to 8 differ in dashes and points as well, so that nobody needs the colours.
 */
extern const char figure_preamble[];

#endif
