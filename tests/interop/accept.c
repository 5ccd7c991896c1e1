/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this library makes of tensor files: reads paths from standard input, one a line, and answers each with a line,
 *
 *     refuse MESSAGE
 *     accept [TENSOR DTYPE OFFSET BYTES DIMENSIONS]... | [KEY VALUE]...
 *
 * texts as "x" and hexadecimal digits, dimensions as "[2,3]". For safetensors_acceptance.py.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "glissade/file.h"

static void print_text(const char *text) {
    printf(" x");
    for (const char *c = text; *c; c++)
        printf("%02x", (unsigned char)*c);
}

static void print_tensor(const glissade_file_tensor *tensor) {
    print_text(tensor->name);
    printf(" %s %" PRIu64 " %" PRIu64 " [", glissade_file_dtype_name(tensor->dtype), tensor->offset,
           tensor->bytes);
    for (uint32_t i = 0; i < tensor->rank; i++)
        printf("%s%" PRIu64, i ? "," : "", tensor->shape[i]);
    printf("]");
}

static int answer(const char *path) {
    glissade_file *file;
    glissade_error error;
    if (glissade_file_open(path, &file, &error) != GLISSADE_STATUS_OK) {
        printf("refuse %s\n", error.message);
        return 0;
    }
    printf("accept");
    for (size_t i = 0; i < glissade_file_count(file); i++) {
        glissade_file_tensor tensor = {.size = sizeof tensor};
        if (glissade_file_get(file, i, &tensor) != GLISSADE_STATUS_OK)
            return 1;
        print_tensor(&tensor);
    }
    printf(" |");
    for (size_t i = 0; i < glissade_file_text_count(file); i++) {
        print_text(glissade_file_text_at(file, i).key);
        print_text(glissade_file_text_at(file, i).value);
    }
    printf("\n");
    glissade_file_close(&file);
    return 0;
}

int main(void) {
    char path[4096];
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = '\0';
        if (answer(path) != 0)
            return 1;
        fflush(stdout);
    }
    return 0;
}
