/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Training recorded in a safetensors file, as goldens/state/make_torch.py writes it, to be made again from there by the
 * library:
 *
 *     NAME             a parameter as it was before the first of the steps
 *     gradient.NAME    its gradients, one after another: those of the last steps, as many as there are
 *
 * and in the metadata
 *
 *     steps            how many there are
 *     model            lines "group RULE KEY=VALUE ...", each followed by a line "tensor NAME" for each of its tensors
 *
 * Uses the public interface only; knows no test framework.
 */
#ifndef RECORDED_H
#define RECORDED_H

#include "rules_list.h"

enum { RECORDED_GROUPS = 4, RECORDED_TENSORS = 16 };

typedef struct recorded_tensor {
    char name[128];
    glissade_file_tensor parameter, gradient; /* as found; with their data */
    uint64_t gradients;
    size_t length;
    glissade_tensor_ref place;
} recorded_tensor;

typedef struct recorded_group {
    const rule *rule;
    rule_options options;
    size_t first, count; /* of its tensors */
} recorded_group;

typedef struct recorded {
    glissade_file *file;
    recorded_group groups[RECORDED_GROUPS];
    recorded_tensor tensors[RECORDED_TENSORS];
    size_t group_count, tensor_count;
    uint64_t steps;
} recorded;

/* Reads a file. NULL, or what is wrong; close it in any case. */
const char *recorded_open(recorded *it, const char *path);
void recorded_close(recorded *it);

/* Another array of the file's, PREFIX.NAME, of `bytes` bytes; NULL: there is none of that size. Freed by the caller. */
void *recorded_read(const recorded *it, const char *prefix, const char *name, uint64_t bytes);

/* Adds the groups to an optimizer and names their tensors. State is in the number format of the parameter where there is
 * one, as PyTorch's is. NULL, or what is wrong. */
const char *recorded_add(recorded *it, glissade_optimizer *optimizer);

/* Makes all steps. NULL, or what is wrong. */
const char *recorded_train(recorded *it, glissade_optimizer *optimizer);

#endif
