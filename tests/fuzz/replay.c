/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds each file of a folder to a fuzz target: what fuzzing has found once stays found. One TAP line for each. */
#include "check.h"

#include <dirent.h>
#include <string.h>

enum { MOST_FILES = 4096 };

/* Runs the target over a file; the bytes have no neighbours, for sanitizers. */
static void feed(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file, "%s", path);
    fseek(file, 0, SEEK_END);
    const long size = ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    CHECK(bytes && size >= 0 && fread(bytes, 1, (size_t)size, file) == (size_t)size, "%s", path);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, (size_t)size);
    free(bytes);
}

int main(int count, char **arguments) {
    struct dirent **names;
    CHECK(count == 2, "usage: %s FOLDER", arguments[0]);
    const int found = scandir(arguments[1], &names, NULL, alphasort);
    CHECK(found >= 0 && found <= MOST_FILES, "%s", arguments[1]);
    int fed = 0;
    for (int i = 0; i < found; i++) {
        char path[4096];
        if (names[i]->d_name[0] != '.') {
            snprintf(path, sizeof path, "%s/%s", arguments[1], names[i]->d_name);
            feed(path);
            printf("ok %d - %s\n", ++fed, names[i]->d_name);
            fflush(stdout); /* so that a crash is known by the file behind the last line */
        }
        free(names[i]);
    }
    free(names);
    printf("1..%d\n", fed);
    return fed > 0 ? 0 : 1;
}
