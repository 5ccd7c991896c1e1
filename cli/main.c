/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `glissade` command: finds the subcommand and hands over. Must not do anything that a subcommand could.
 *
 * The locale stays "C" (nobody calls setlocale), so numbers are read and written with a point everywhere.
 */
#include "commands.h"
#include "report.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const struct command *command;
    int (*run)(int argc, char **argv);
} commands[] = {
    {&info_command, info_main},   {&train_command, train_main}, {&bench_command, bench_main},
    {&state_command, state_main}, {&study_command, study_main},
};

static const size_t command_count = sizeof commands / sizeof commands[0];

static void print_help(void) {
    printf(
        "Usage: glissade COMMAND [OPTION]...\n\n"
        "The optimizer step of neural-network training on CPUs: what the library makes of this machine, a\n"
        "training run that uses it, how fast it is, and the files in which its state is "
        "kept.\n\nCommands:\n");
    for (size_t i = 0; i < command_count; ++i)
        printf("  %-8s %s\n", commands[i].command->name, commands[i].command->summary);
    printf("\n'glissade COMMAND --help' lists a command's options; 'glissade --version' prints the version.\n"
           "\nExit codes: 0 success; 1 failure while running, such as a target accuracy missed; 2 a command "
           "line,\nan environment variable or a data file that cannot be used, or no gnuplot for a study's "
           "figures.\n");
}

/* Output that could not be written (a full disk) is a failure, even when everything else went well. */
static int finish(int exit_code) {
    if ((fflush(stdout) != 0 || ferror(stdout)) && exit_code == EXIT_CODE_OK) {
        report_error("cannot write to standard output");
        return EXIT_CODE_FAILED;
    }
    return exit_code;
}

int main(int argc, char **argv) {
    if (argc < 2) {
        report_error("no command given; see 'glissade --help'");
        return EXIT_CODE_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help();
        return finish(EXIT_CODE_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("glissade %s\n", glissade_version());
        return finish(EXIT_CODE_OK);
    }
    for (size_t i = 0; i < command_count; ++i)
        if (strcmp(argv[1], commands[i].command->name) == 0)
            return finish(commands[i].run(argc - 1, argv + 1));
    report_error("unknown command '%s'; see 'glissade --help'", argv[1]);
    return EXIT_CODE_USAGE;
}
