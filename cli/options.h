/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command-line options as a table: one row gives an option's name, range, default and help, and serves the
 * parser and the help text alike, so that the two cannot disagree.
 */
#ifndef GLISSADE_CLI_OPTIONS_H
#define GLISSADE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,  /* takes no value; *(bool *)target becomes true */
    OPTION_COUNT, /* *(uint64_t *)target, from minimum to maximum */
    OPTION_REAL,  /* *(double *)target, finite, from 0 to highest */
    OPTION_TEXT,  /* *(const char **)target */
    OPTION_LIST,  /* *(struct option_list *)target: the texts of all times that it was given */
    OPTION_CHOICE /* *(size_t *)target: the place of a name in a list; until it is given the target keeps what it holds */
};

enum { OPTION_LIST_MAXIMUM = 64 };

struct option_list {
    const char *texts[OPTION_LIST_MAXIMUM];
    size_t count;
};

struct option_row {
    const char *name;        /* without the dashes */
    const char *placeholder; /* of its value in the help text; NULL for a flag */
    const char *help;
    const char *fallback; /* default of a numeric option: a number, or words for one that is found out later,
                             until when the target keeps what it holds */
    enum option_kind kind;
    uint64_t minimum, maximum;
    double highest;
    bool highest_excluded;
    const char *(*choice)(size_t place); /* the names of an OPTION_CHOICE; NULL after the last */
    void *target;
};

/* One row each; OPTION_REAL from 0 up, to 1 with or without 1 itself. */
struct option_row option_flag(const char *name, const char *help, bool *target);
struct option_row option_count(const char *name, const char *help, const char *fallback, uint64_t minimum,
                               uint64_t maximum, uint64_t *target);
struct option_row option_at_least_0(const char *name, const char *help, const char *fallback, double *target);
struct option_row option_below_1(const char *name, const char *help, const char *fallback, double *target);
struct option_row option_up_to_1(const char *name, const char *help, const char *fallback, double *target);
struct option_row option_text(const char *name, const char *placeholder, const char *help,
                              const char **target);
struct option_row option_list(const char *name, const char *placeholder, const char *help,
                              struct option_list *target);
struct option_row option_choice(const char *name, const char *help, const char *fallback,
                                const char *(*choice)(size_t place), size_t *target);

struct command {
    const char *name;        /* "train" */
    const char *summary;     /* one line, for the list of commands */
    const char *description; /* what --help says between the usage line and the options; ends in a newline */
};

/* What stands on the command line beside the options. */
struct operands {
    const char *words;    /* for the usage line: "A B" */
    int minimum, maximum; /* how many there may be */
    char *const *list;    /* set by the parser, as is the count */
    int count;
};

/*
 * Writes the defaults, then reads argv[1] on. Returns true if the command is to run. Otherwise it is to exit
 * with *exit_code: --help and --version have been answered, or an error has been reported.
 */
bool options_parse(const struct command *command, const struct option_row *rows, size_t row_count, int argc,
                   char **argv, int *exit_code);

/* The same for a command that takes operands. */
bool options_parse_operands(const struct command *command, const struct option_row *rows, size_t row_count,
                            int argc, char **argv, struct operands *operands, int *exit_code);

#endif
