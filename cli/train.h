/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade train` in two parts: train.c reads options and goes through the epochs, train_print.c says what happens. */
#ifndef GLISSADE_CLI_TRAIN_H
#define GLISSADE_CLI_TRAIN_H

#include "checkpoint.h"

#include <stdio.h>

void train_print_heading(FILE *out, const struct trainer *trainer, const struct checkpoint *checkpoint);
void train_print_epoch(FILE *out, uint64_t epoch, const struct epoch_result *result);
void train_print_summary(FILE *out, const struct trainer *trainer);

/* Prints the whole run as one document; a target of 0 is none. */
enum exit_code train_print_json(const struct trainer *trainer, const struct checkpoint *checkpoint,
                                double target);

/* Test accuracy of the best epoch so far. */
double train_best_accuracy(const struct trainer *trainer);

#endif
