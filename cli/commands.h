/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that main.c dispatches to. Each takes its own argv (argv[0] is its name) and returns the exit
 * code. */
#ifndef GLISSADE_CLI_COMMANDS_H
#define GLISSADE_CLI_COMMANDS_H

#include "options.h"

extern const struct command info_command, train_command, bench_command, state_command, study_command;

int info_main(int argc, char **argv);
int train_main(int argc, char **argv);
int bench_main(int argc, char **argv);
int state_main(int argc, char **argv);
int study_main(int argc, char **argv);

#endif
