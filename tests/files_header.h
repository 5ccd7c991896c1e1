/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of headers share. */
#ifndef FILES_HEADER_H
#define FILES_HEADER_H

#include "file/header.h"

/* Parses a header of this JSON, in front of which stands its length and behind it data_bytes of data. */
glissade_status header_parse(gls_header *header, const char *json, size_t bytes, uint64_t data_bytes,
                             glissade_error *error);

/* The same of a text, which must be accepted. */
gls_header header_accept(const char *json, uint64_t data_bytes);

/* A tensor in JSON; begin and end are bare numbers. */
#define TENSOR(name, dtype, shape, begin, end)                                                               \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #begin "," #end "]}"

#endif
