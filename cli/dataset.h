/* SPDX-License-Identifier: Apache-2.0 */
/* Images with labels, in the shape of MNIST: 28 x 28 grey pixels, ten classes. */
#ifndef GLISSADE_CLI_DATASET_H
#define GLISSADE_CLI_DATASET_H

#include "report.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_SIDE = 28, IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE, CLASS_COUNT = 10 };

struct labelled_images {
    uint8_t *pixels; /* count x IMAGE_PIXELS */
    uint8_t *labels; /* count, each below CLASS_COUNT */
    size_t count;
};

struct dataset {
    struct labelled_images train, test;
    bool synthetic;
    char folder[4096]; /* where it was read from; "" if synthetic */
};

/*
 * Reads the four files of an MNIST-like folder. `folder` NULL: datasets/fashion-mnist below each of
 * XDG_DATA_DIRS, where Debian's dataset-fashion-mnist installs it; if none is there, or `synthetic` asks for
 * it, the built-in set. Every failure has been reported when this returns; the data set is then empty.
 */
enum exit_code dataset_load(const char *folder, bool synthetic, struct dataset *dataset);

/* Whether the options --data and --synthetic go together, the former being NULL if it was not given; reports if not. */
bool dataset_options_agree(const char *command, const char *folder, bool synthetic);

/* Tells stderr that nobody asked for the synthetic set, if so; `who` begins what happens instead: "training on". */
void dataset_note_replacement(const struct dataset *dataset, bool synthetic, const char *who);

/* Frees the arrays; a zeroed data set is accepted. */
void dataset_free(struct dataset *dataset);

/* Allocates room for `count` images; returns false if memory is short, leaving nothing allocated. */
bool labelled_images_allocate(struct labelled_images *images, size_t count);

/* idx.c: reads one pair of idx files, plain or compressed by gzip, `part` being "train" or "t10k". */
enum exit_code idx_read(const char *folder, const char *part, struct labelled_images *images);

/* synthetic.c: always the same images; returns false if memory is short. */
bool synthetic_create(struct dataset *dataset);

#endif
