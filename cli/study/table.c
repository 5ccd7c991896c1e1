/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as CSV. Must not compute what is in them. */
#include "table.h"

#include "figure.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>

/*
 * The head names the command that makes the same bytes of the runs that lie beside the table. Neither the folder nor
 * --data: they change nothing in a table, and a path may tell whose machine it was.
 */
enum exit_code table_open(struct table *table, const struct study_settings *settings, const char *study,
                          const char *name) {
    enum exit_code exit_code = EXIT_CODE_OK;
    *table = (struct table){.folder = settings->output, .name = name};
    table->file = figure_open(settings->output, name, true, &exit_code);
    if (table->file == NULL)
        return exit_code;
    table_comment(table, "glissade %s", glissade_version());
    table_comment(table, "command: glissade study %s --tables --seed %" PRIu64 "%s%s", study, settings->seed,
                  settings->quick ? " --quick" : "", settings->synthetic ? " --synthetic" : "");
    return EXIT_CODE_OK;
}

void table_comment(struct table *table, const char *format, ...) {
    va_list arguments;
    fputs("# ", table->file);
    va_start(arguments, format);
    vfprintf(table->file, format, arguments);
    va_end(arguments);
    fputc('\n', table->file);
}

void table_columns(struct table *table, const char *names) {
    table->columns = 1;
    for (const char *at = names; *at != '\0'; ++at)
        table->columns += *at == ',';
    fprintf(table->file, "%s\n", names);
}

static void begin_field(struct table *table) {
    if (table->fields++ > 0)
        fputc(',', table->file);
}

void table_text(struct table *table, const char *text) {
    begin_field(table);
    fputs(text, table->file);
}

void table_count(struct table *table, uint64_t count) {
    begin_field(table);
    fprintf(table->file, "%" PRIu64, count);
}

void table_number(struct table *table, double number) {
    begin_field(table);
    if (!isnan(number))
        fprintf(table->file, "%.6g", number);
}

void table_interval(struct table *table, struct interval interval) {
    table_number(table, interval.value);
    table_number(table, interval.low);
    table_number(table, interval.high);
}

void table_end_row(struct table *table) {
    assert(table->fields == table->columns);
    table->fields = 0;
    fputc('\n', table->file);
}

enum exit_code table_close(struct table *table) {
    return figure_close(table->file, table->folder, table->name);
}

/* ---- for people ---- */

static int format_number(char *text, size_t size, double number, int digits) {
    if (isnan(number))
        return snprintf(text, size, "-");
    /* %g would turn 1234 at three digits into 1.23e+03. */
    if (isfinite(number) && fabs(number) >= pow(10.0, digits))
        return snprintf(text, size, "%.0f", number);
    return snprintf(text, size, "%.*g", digits, number);
}

const char *table_format_interval(char *text, struct interval interval, int digits) {
    char low[32], high[32], value[32];
    format_number(value, sizeof value, interval.value, digits);
    format_number(low, sizeof low, interval.low, digits);
    format_number(high, sizeof high, interval.high, digits);
    if (isnan(interval.value))
        snprintf(text, TABLE_INTERVAL_SIZE, "-");
    else
        snprintf(text, TABLE_INTERVAL_SIZE, "%s [%s, %s]", value, low, high);
    return text;
}

/* ---- predictions ---- */

const char *const verdict_names[] = {[VERDICT_HELD] = "held",
                                     [VERDICT_FAILED] = "failed",
                                     [VERDICT_UNDECIDED] = "undecided",
                                     [VERDICT_UNKNOWN] = "no estimate"};

enum verdict verdict_below(struct interval interval, double threshold) {
    if (isnan(interval.value))
        return VERDICT_UNKNOWN;
    if (interval.high < threshold)
        return VERDICT_HELD;
    return interval.low >= threshold ? VERDICT_FAILED : VERDICT_UNDECIDED;
}

enum verdict verdict_above(struct interval interval, double threshold) {
    if (isnan(interval.value))
        return VERDICT_UNKNOWN;
    if (interval.low > threshold)
        return VERDICT_HELD;
    return interval.high <= threshold ? VERDICT_FAILED : VERDICT_UNDECIDED;
}

enum verdict verdict_within(struct interval interval, double from, double to) {
    if (isnan(interval.value))
        return VERDICT_UNKNOWN;
    if (interval.low >= from && interval.high <= to)
        return VERDICT_HELD;
    return interval.high < from || interval.low > to ? VERDICT_FAILED : VERDICT_UNDECIDED;
}

enum verdict verdict_all(const enum verdict *verdicts, size_t n) {
    enum verdict all = n > 0 ? VERDICT_HELD : VERDICT_UNKNOWN;
    for (size_t i = 0; i < n; ++i) {
        if (verdicts[i] == VERDICT_FAILED)
            return VERDICT_FAILED;
        if (verdicts[i] > all)
            all = verdicts[i];
    }
    return all;
}
