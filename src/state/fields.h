/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers and hyperparameters as text, exactly and whatever the locale, and back. */
#ifndef GLS_FIELDS_H
#define GLS_FIELDS_H

#include "optimizer.h"
#include "rule.h"

/* C's hexadecimal notation, as %a writes it in the C locale; "inf", "-inf", "nan". */
gls_number gls_hex_format(double value);

/* The other way round, for any number that a double holds exactly. False, and nothing is written, for other text. */
bool gls_hex_parse(const char *text, double *value);

/* Decimal digits, with nothing around them, of a number up to UINT64_MAX. */
gls_number gls_count_format(uint64_t value);
bool gls_count_parse(const char *text, uint64_t *value);

/* The rule's i-th hyperparameter; NULL: it has no more. */
const gls_field *gls_fields_at(const gls_algorithm *algorithm, size_t i);

/* A hyperparameter of an options struct as text. */
gls_number gls_field_format(const gls_field *field, const void *options);

/* The other way round, whatever the rule accepts. False for text that is none of the field's type. */
bool gls_field_parse(const gls_field *field, void *options, const char *text);

/* What such text looks like. */
const char *gls_field_accepted(const gls_field *field);

#endif
