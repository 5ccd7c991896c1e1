/* SPDX-License-Identifier: Apache-2.0 */
/* How `glissade state diff` shows what it has found. */
#include "diff.h"

#include "../text.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NAME_SHOWN = 200, VALUE_SHOWN = 72 };

static const glissade_file_tensor *present(const struct tensor_difference *difference) {
    return difference->kind == ONLY_IN_B ? &difference->b : &difference->a;
}

/* ---- text ---- */

static void print_distance(const struct tensor_difference *difference) {
    const struct distance *distance = &difference->distance;
    const glissade_file_tensor *tensor = &difference->a;
    uint64_t elements = state_elements(tensor);
    if (distance->elements > 0)
        printf("%" PRIu64 " of %" PRIu64 " elements differ, ", distance->elements, elements);
    printf("%" PRIu64 " of %" PRIu64 " bytes%s", distance->bytes, tensor->bytes,
           distance->elements > 0 ? "" : " differ");
    printf(", the first at %" PRIu64, distance->first);
    if (diff_is_measured(tensor->dtype) && distance->elements > distance->unordered) {
        char largest[32];
        text_shortest(distance->largest, largest, sizeof largest);
        printf("; at most by %s (element %" PRIu64 ") and by %" PRIu64 " ulp (element %" PRIu64 ")", largest,
               distance->largest_at, distance->ulp, distance->ulp_at);
    }
    if (distance->unordered > 0)
        printf("; %" PRIu64 " with NaN", distance->unordered);
}

static void print_tensor(const struct tensor_difference *difference) {
    text_print(stdout, present(difference)->name, NAME_SHOWN);
    printf(": ");
    switch (difference->kind) {
    case ONLY_IN_A:
    case ONLY_IN_B:
        printf("only in %s, ", difference->kind == ONLY_IN_A ? "A" : "B");
        state_print_shape(stdout, present(difference));
        break;
    case ANOTHER_TYPE:
        state_print_shape(stdout, &difference->a);
        printf(" in A, ");
        state_print_shape(stdout, &difference->b);
        printf(" in B");
        break;
    case OTHER_BYTES:
        print_distance(difference);
        break;
    }
    putchar('\n');
}

static void print_line(const struct line_difference *line) {
    printf("metadata ");
    text_print(stdout, line->key, NAME_SHOWN);
    printf(line->a == NULL ? ": only in B, " : line->b == NULL ? ": only in A, " : ": ");
    if (line->a != NULL)
        text_print(stdout, line->a, VALUE_SHOWN);
    if (line->a != NULL && line->b != NULL)
        printf(" in A, ");
    if (line->b != NULL)
        text_print(stdout, line->b, VALUE_SHOWN);
    printf(line->a != NULL && line->b != NULL ? " in B\n" : "\n");
}

void diff_print_text(const struct diff *diff) {
    for (size_t i = 0; i < diff->tensor_count; ++i)
        print_tensor(&diff->tensors[i]);
    for (size_t i = 0; i < diff->line_count; ++i)
        print_line(&diff->lines[i]);
    if (diff->tensor_count == 0 && diff->line_count == 0)
        printf("no difference: %" PRIu64 " tensors, %s\n", diff->compared,
               diff->ignored.count > 0 ? "and the metadata that are not ignored" : "and the metadata");
    else
        printf("%zu tensors and %zu lines of metadata differ\n", diff->tensor_count, diff->line_count);
}

/* ---- JSON ---- */

/* A number, or null for what JSON has none: infinity. */
static json_t *real_json(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *bytes_json(const struct tensor_difference *difference) {
    const struct distance *distance = &difference->distance;
    const glissade_file_tensor *tensor = &difference->a;
    json_t *document =
        json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "name", tensor->name, "dtype",
                  glissade_file_dtype_name(tensor->dtype), "shape", state_shape_json(tensor), "bytes",
                  report_json_count(tensor->bytes), "elements", report_json_count(state_elements(tensor)),
                  "differing_elements",
                  glissade_file_dtype_bits(tensor->dtype) % 8 != 0 ? json_null()
                                                                   : report_json_count(distance->elements),
                  "differing_bytes", report_json_count(distance->bytes), "first_differing_byte",
                  report_json_count(distance->first));
    if (document == NULL || !diff_is_measured(tensor->dtype))
        return document;
    json_t *numbers =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "largest_difference", real_json(distance->largest),
                  "largest_difference_at", report_json_count(distance->largest_at), "largest_ulp",
                  report_json_count(distance->ulp), "largest_ulp_at", report_json_count(distance->ulp_at),
                  "with_nan", report_json_count(distance->unordered));
    bool complete = numbers != NULL && json_object_update(document, numbers) == 0;
    json_decref(numbers);
    if (complete)
        return document;
    json_decref(document);
    return NULL;
}

static json_t *another_type_json(const struct tensor_difference *difference) {
    const glissade_file_tensor *a = &difference->a, *b = &difference->b;
    return json_pack("{s:s, s:[s,s], s:[o,o]}", "name", a->name, "dtype", glissade_file_dtype_name(a->dtype),
                     glissade_file_dtype_name(b->dtype), "shape", state_shape_json(a), state_shape_json(b));
}

/* The tensors that differ in one way. */
static json_t *tensors_json(const struct diff *diff, enum difference_kind kind) {
    json_t *list = json_array();
    for (size_t i = 0; i < diff->tensor_count; ++i) {
        const struct tensor_difference *difference = &diff->tensors[i];
        if (difference->kind != kind)
            continue;
        if (kind == OTHER_BYTES)
            report_json_append(&list, bytes_json(difference));
        else if (kind == ANOTHER_TYPE)
            report_json_append(&list, another_type_json(difference));
        else
            report_json_append(&list, json_string(present(difference)->name));
    }
    return list;
}

static json_t *lines_json(const struct diff *diff) {
    json_t *list = json_array();
    for (size_t i = 0; i < diff->line_count; ++i)
        report_json_append(&list, json_pack("{s:s, s:s?, s:s?}", "key", diff->lines[i].key, "a",
                                            diff->lines[i].a, "b", diff->lines[i].b));
    return list;
}

enum exit_code diff_print_json(const struct diff *diff) {
    bool same = diff->tensor_count == 0 && diff->line_count == 0;
    return report_json_digits(
        json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o}", "a", report_json_text(diff->paths[0]), "b",
                  report_json_text(diff->paths[1]), "same", same, "compared",
                  report_json_count(diff->compared), "only_in_a", tensors_json(diff, ONLY_IN_A), "only_in_b",
                  tensors_json(diff, ONLY_IN_B), "another_type", tensors_json(diff, ANOTHER_TYPE),
                  "different", tensors_json(diff, OTHER_BYTES), "metadata", lines_json(diff)),
        17);
}
