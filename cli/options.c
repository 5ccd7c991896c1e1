/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option parser behind every command. Strict: a number is the whole of its text and inside its range, or
 * the command does not start. Must not know any option but --help and --version.
 */
#include "options.h"

#include "report.h"

#include <errno.h>
#include <float.h>
#include <getopt.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_MAXIMUM = 32,
    RANGE_SIZE = 512, /* of the words for what an option accepts */
    HELP_WIDTH = 80,  /* of the right column of the help text */
    /* getopt_long's values for long options start above every short option's character. */
    VALUE_HELP = 256,
    VALUE_VERSION = 257,
    VALUE_FIRST_ROW = 258
};

struct option_row option_flag(const char *name, const char *help, bool *target) {
    return (struct option_row){.name = name, .help = help, .kind = OPTION_FLAG, .target = target};
}

struct option_row option_count(const char *name, const char *help, const char *fallback, uint64_t minimum,
                               uint64_t maximum, uint64_t *target) {
    struct option_row row = {.name = name, .placeholder = "N", .help = help, .fallback = fallback};
    row.kind = OPTION_COUNT;
    row.minimum = minimum;
    row.maximum = maximum;
    row.target = target;
    return row;
}

static struct option_row option_real(const char *name, const char *help, const char *fallback,
                                     double *target) {
    struct option_row row = {.name = name, .placeholder = "X", .help = help, .fallback = fallback};
    row.kind = OPTION_REAL;
    row.highest = DBL_MAX;
    row.target = target;
    return row;
}

struct option_row option_at_least_0(const char *name, const char *help, const char *fallback,
                                    double *target) {
    return option_real(name, help, fallback, target);
}

struct option_row option_below_1(const char *name, const char *help, const char *fallback, double *target) {
    struct option_row row = option_real(name, help, fallback, target);
    row.highest = 1.0;
    row.highest_excluded = true;
    return row;
}

struct option_row option_up_to_1(const char *name, const char *help, const char *fallback, double *target) {
    struct option_row row = option_real(name, help, fallback, target);
    row.highest = 1.0;
    return row;
}

struct option_row option_text(const char *name, const char *placeholder, const char *help,
                              const char **target) {
    struct option_row row = {.name = name, .placeholder = placeholder, .help = help};
    row.kind = OPTION_TEXT;
    row.target = target;
    return row;
}

struct option_row option_list(const char *name, const char *placeholder, const char *help,
                              struct option_list *target) {
    struct option_row row = {.name = name, .placeholder = placeholder, .help = help};
    row.kind = OPTION_LIST;
    row.target = target;
    return row;
}

struct option_row option_choice(const char *name, const char *help, const char *fallback,
                                const char *(*choice)(size_t place), size_t *target) {
    struct option_row row = {.name = name, .placeholder = "NAME", .help = help, .fallback = fallback};
    row.kind = OPTION_CHOICE;
    row.choice = choice;
    row.target = target;
    return row;
}

static void describe_choice(const struct option_row *row, char *text, size_t size) {
    size_t length = 0;
    text[0] = '\0';
    for (size_t place = 0; row->choice(place) != NULL && length < size; ++place) {
        const char *before = place == 0 ? "" : row->choice(place + 1) == NULL ? " or " : ", ";
        length += (size_t)snprintf(text + length, size - length, "%s%s", before, row->choice(place));
    }
}

/* Writes what an option accepts, in words; not of a flag or a text, which accept anything. */
static void describe_range(const struct option_row *row, char *text, size_t size) {
    if (row->kind == OPTION_CHOICE)
        describe_choice(row, text, size);
    else if (row->kind == OPTION_LIST)
        snprintf(text, size, "at most %d of them", OPTION_LIST_MAXIMUM);
    else if (row->kind == OPTION_COUNT)
        snprintf(text, size, "a whole number from %" PRIu64 " to %" PRIu64, row->minimum, row->maximum);
    else if (row->highest == DBL_MAX)
        snprintf(text, size, "a finite number, at least 0");
    else if (row->highest_excluded)
        snprintf(text, size, "a number, at least 0 and below %g", row->highest);
    else
        snprintf(text, size, "a number from 0 to %g", row->highest);
}

static bool parse_count(const struct option_row *row, const char *text) {
    /* strtoull would accept a sign and leading white space, and wrap -1 around. */
    if (text[0] == '\0' || text[strspn(text, "0123456789")] != '\0')
        return false;
    errno = 0;
    uint64_t value = strtoull(text, NULL, 10);
    if (errno != 0 || value < row->minimum || value > row->maximum)
        return false;
    *(uint64_t *)row->target = value;
    return true;
}

static bool parse_real(const struct option_row *row, const char *text) {
    /* Only decimal notation: strtod would also take "nan", "inf", hexadecimal and leading white space. */
    if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
        return false;
    char *end;
    double value = strtod(text, &end);
    if (*end != '\0' || !isfinite(value) || value < 0.0 || value > row->highest ||
        (row->highest_excluded && value == row->highest))
        return false;
    *(double *)row->target = value;
    return true;
}

static bool parse_choice(const struct option_row *row, const char *text) {
    for (size_t place = 0; row->choice(place) != NULL; ++place) {
        if (strcmp(row->choice(place), text) == 0) {
            *(size_t *)row->target = place;
            return true;
        }
    }
    return false;
}

static bool parse_list(const struct option_row *row, const char *text) {
    struct option_list *list = row->target;
    if (list->count == OPTION_LIST_MAXIMUM)
        return false;
    list->texts[list->count++] = text;
    return true;
}

static bool parse_value(const struct option_row *row, const char *text) {
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)row->target = true;
        return true;
    case OPTION_COUNT:
        return parse_count(row, text);
    case OPTION_REAL:
        return parse_real(row, text);
    case OPTION_TEXT:
        *(const char **)row->target = text;
        return true;
    case OPTION_LIST:
        return parse_list(row, text);
    case OPTION_CHOICE:
        return parse_choice(row, text);
    }
    return false;
}

/* Prints text in the column of the help texts, lines broken between words. */
static void print_wrapped(const char *text) {
    size_t column = 0;
    while (*text != '\0') {
        size_t length = strcspn(text, " ");
        if (column > 0 && column + 1 + length > HELP_WIDTH) {
            putchar('\n');
            column = 0;
        }
        if (column == 0)
            printf("  %-22s ", "");
        else
            putchar(' ');
        column += (column > 0) + length;
        printf("%.*s", (int)length, text);
        text += length + strspn(text + length, " ");
    }
    putchar('\n');
}

static void print_help(const struct command *command, const struct option_row *rows, size_t row_count,
                       const struct operands *operands) {
    printf("Usage: glissade %s [OPTION]...%s%s\n\n%s\nOptions:\n", command->name,
           operands->maximum > 0 ? " " : "", operands->words, command->description);
    for (size_t i = 0; i < row_count; ++i) {
        const struct option_row *row = &rows[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", row->name, row->placeholder != NULL ? " " : "",
                 row->placeholder != NULL ? row->placeholder : "");
        printf("  %-22s %s\n", left, row->help);
        if (row->fallback != NULL) {
            char range[RANGE_SIZE], text[RANGE_SIZE + 128];
            describe_range(row, range, sizeof range);
            snprintf(text, sizeof text, "(%s; default %s)", range, row->fallback);
            print_wrapped(text);
        }
    }
    printf("  %-22s %s\n  %-22s %s\n", "-h, --help", "print this text and exit", "--version",
           "print the library's version and exit");
}

static void set_defaults(const struct option_row *rows, size_t row_count) {
    for (size_t i = 0; i < row_count; ++i) {
        const char *fallback = rows[i].fallback;
        bool is_number = fallback != NULL && fallback[strspn(fallback, "0123456789.")] == '\0';
        if (is_number && !parse_value(&rows[i], fallback))
            abort(); /* a row that contradicts itself; every run of the command would show it */
    }
}

/* Reports what getopt_long could not use: `answer` is its '?' or ':', optopt tells the option if it knows it.
 */
static void report_unusable(const struct command *command, const struct option_row *rows, int answer,
                            const char *argument) {
    char option[128];
    if (optopt >= VALUE_FIRST_ROW)
        snprintf(option, sizeof option, "--%s", rows[optopt - VALUE_FIRST_ROW].name);
    else if (optopt >= VALUE_HELP)
        snprintf(option, sizeof option, "--%s", optopt == VALUE_HELP ? "help" : "version");
    else if (optopt != 0)
        snprintf(option, sizeof option, "-%c", optopt);
    else
        snprintf(option, sizeof option, "%s", argument);
    const char *problem = "is unknown or ambiguous";
    if (answer == ':')
        problem = "needs a value";
    else if (optopt >= VALUE_HELP)
        problem = "takes no value";
    report_error("%s: option '%s' %s; see 'glissade %s --help'", command->name, option, problem,
                 command->name);
}

/* Takes one answer of getopt_long, other than to --help and --version. */
static bool take_answer(const struct command *command, const struct option_row *rows, int answer,
                        const char *argument) {
    if (answer < VALUE_FIRST_ROW) {
        report_unusable(command, rows, answer, argument);
        return false;
    }
    const struct option_row *row = &rows[answer - VALUE_FIRST_ROW];
    if (!parse_value(row, optarg)) {
        char range[RANGE_SIZE];
        describe_range(row, range, sizeof range);
        report_error("%s: option '--%s' cannot be '%s'; it accepts %s", command->name, row->name, optarg,
                     range);
        return false;
    }
    return true;
}

/* Takes what getopt_long has left at the end of argv. */
static bool take_operands(const struct command *command, int argc, char **argv, struct operands *operands) {
    operands->list = argv + optind;
    operands->count = argc - optind;
    if (operands->count > operands->maximum) {
        report_error("%s: unexpected argument '%s'; see 'glissade %s --help'", command->name,
                     operands->list[operands->maximum], command->name);
        return false;
    }
    if (operands->count < operands->minimum) {
        report_error("%s: takes %s, and %s was given; see 'glissade %s --help'", command->name,
                     operands->words, operands->count == 0 ? "nothing" : "one", command->name);
        return false;
    }
    return true;
}

bool options_parse_operands(const struct command *command, const struct option_row *rows, size_t row_count,
                            int argc, char **argv, struct operands *operands, int *exit_code) {
    struct option long_options[ROWS_MAXIMUM + 3] = {
        {"help", no_argument, NULL, VALUE_HELP},
        {"version", no_argument, NULL, VALUE_VERSION},
    };
    for (size_t i = 0; i < row_count; ++i)
        long_options[i + 2] =
            (struct option){rows[i].name, rows[i].kind == OPTION_FLAG ? no_argument : required_argument, NULL,
                            VALUE_FIRST_ROW + (int)i};
    set_defaults(rows, row_count);

    opterr = 0;
    for (;;) {
        int answer = getopt_long(argc, argv, ":h", long_options, NULL);
        *exit_code = EXIT_CODE_OK;
        if (answer == VALUE_HELP || answer == 'h') {
            print_help(command, rows, row_count, operands);
            return false;
        }
        if (answer == VALUE_VERSION) {
            printf("glissade %s\n", glissade_version());
            return false;
        }
        *exit_code = EXIT_CODE_USAGE;
        if (answer == -1)
            return take_operands(command, argc, argv, operands);
        if (!take_answer(command, rows, answer, argv[optind - 1]))
            return false;
    }
}

bool options_parse(const struct command *command, const struct option_row *rows, size_t row_count, int argc,
                   char **argv, int *exit_code) {
    struct operands none = {.words = "", .maximum = 0};
    return options_parse_operands(command, rows, row_count, argc, argv, &none, exit_code);
}
