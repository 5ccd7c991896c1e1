/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade state convert` in two parts: convert_plan.c decides what the new file holds, convert.c reads, converts and
 * writes it.
 */
#ifndef GLISSADE_CLI_STATE_CONVERT_H
#define GLISSADE_CLI_STATE_CONVERT_H

#include "state.h"

struct convert_options {
    const char *input, *output;
    struct option_list only, without, renames; /* prefixes; FROM=TO */
    struct option_list dtype_for;              /* prefixes */
    size_t dtype;                              /* place in convert_dtype_name's list; SIZE_MAX: none */
    uint64_t threads;
    bool omit_checksums, force, json;
};

/* A tensor of the new file. */
struct convert_tensor {
    size_t index; /* in the old one */
    glissade_file_tensor tensor;
    glissade_file_dtype former; /* type that it had */
};

struct convert_plan {
    struct convert_tensor *tensors;
    size_t tensor_count;
    glissade_file_text *lines;
    size_t line_count;
    char **texts; /* new names and keys */
    size_t text_count;
    uint64_t converted, renamed; /* tensors */
};

/* "f32", ... in the order of glissade_file_dtype; NULL after the last. */
const char *convert_dtype_name(size_t place);

/* Plans the new file; failures have been reported. convert_plan_free is due in any case. */
enum exit_code convert_plan_make(struct convert_plan *plan, const struct convert_options *options,
                                 const glissade_file *file);
void convert_plan_free(struct convert_plan *plan);

#endif
