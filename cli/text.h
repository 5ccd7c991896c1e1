/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text that came from elsewhere, made fit for a terminal. Names in a file may hold what moves the cursor, changes colours
 * or turns the direction of writing, and a line that shows them must still say what it says.
 */
#ifndef GLISSADE_CLI_TEXT_H
#define GLISSADE_CLI_TEXT_H

#include <stdio.h>

/*
 * Prints UTF-8. Control characters, what changes the direction of writing and the backslash are printed as escapes (\n,
 * \x1b, \u202e, \\), bytes that are no UTF-8 as \x and two digits. With a limit that is not 0 no more than so many
 * characters of the text are shown, and "..." stands for the rest.
 */
void text_print(FILE *out, const char *text, size_t limit);

/* Puts one '?' in place of each of those characters and bytes, but for the backslash, which stays. */
void text_mask(char *text);

/* The shortest decimal number that reads back as the same double; 32 bytes are enough. */
void text_shortest(double value, char *text, size_t size);

/* "1,234,567"; 27 bytes are enough. */
enum { TEXT_COUNT_SIZE = 27 };
const char *text_count(unsigned long long count, char text[TEXT_COUNT_SIZE]);

#endif
