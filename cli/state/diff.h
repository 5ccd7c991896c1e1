/* SPDX-License-Identifier: Apache-2.0 */
/* What `glissade state diff` found, apart from how it is shown: diff.c and diff_compare.c find, diff_print.c shows. */
#ifndef GLISSADE_CLI_STATE_DIFF_H
#define GLISSADE_CLI_STATE_DIFF_H

#include "state.h"

/* Of two arrays of one type and shape. */
struct distance {
    uint64_t elements, bytes; /* that differ; elements 0 where they are less than a byte */
    uint64_t first;           /* the first byte that does, from the array's beginning */
    uint64_t unordered;       /* elements of which one is NaN, which no number is near to */
    double largest;           /* absolute difference of two elements, and which they are */
    uint64_t largest_at;
    uint64_t ulp; /* representable numbers between two elements, and which they are */
    uint64_t ulp_at;
};

enum difference_kind { ONLY_IN_A, ONLY_IN_B, ANOTHER_TYPE, OTHER_BYTES };

struct tensor_difference {
    enum difference_kind kind;
    glissade_file_tensor a, b;
    struct distance distance; /* of OTHER_BYTES */
};

struct line_difference {
    const char *key, *a, *b; /* the values; NULL where there is none */
};

struct diff {
    const char *paths[2];
    glissade_file *files[2];
    struct option_list ignored; /* beginnings of keys */
    uint64_t compared;          /* tensors of one type and shape */
    struct tensor_difference *tensors;
    size_t tensor_count;
    struct line_difference *lines;
    size_t line_count;
};

/* Two tensors, by their places in the files, of one type and shape. */
struct pair {
    size_t a, b;
};

/* Whether the distance of an array of this type is more than bytes: elements, the largest difference and ulp. */
bool diff_is_measured(glissade_file_dtype dtype);

/* Reads the pairs and adds those that differ to diff->tensors, which has room. Failures have been reported. */
enum exit_code diff_compare(struct diff *diff, glissade_engine *engine, const struct pair *pairs,
                            size_t count);

void diff_print_text(const struct diff *diff);
enum exit_code diff_print_json(const struct diff *diff);

#endif
