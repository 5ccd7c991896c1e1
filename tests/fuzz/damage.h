/* SPDX-License-Identifier: Apache-2.0 */
/* Changes to a file's bytes, and making its checksums right again, so that what lies behind them is reached, too. */
#ifndef FUZZ_DAMAGE_H
#define FUZZ_DAMAGE_H

#include "input.h"

/* Flips one bit. False if there is no such file, or it is empty. */
bool damage_bit(const char *path, input *from);
/* Cuts the file off, or makes it longer. */
bool damage_length(const char *path, input *from);
/* Writes another text into the header behind one of its quotation marks, or the like; the checksums become right. */
bool damage_header(const char *path, input *from);
/* Writes other bytes into the data; the checksums become right. */
bool damage_data(const char *path, input *from);

/* Makes a header's own checksum right where it seems to have one; whether it has. */
bool damage_mend(uint8_t *text, size_t bytes);

#endif
