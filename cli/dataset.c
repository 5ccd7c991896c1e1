/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decides which data set to use. Must not replace a damaged one by another: only a folder that does not exist
 * at all, and that nobody asked for, makes room for the synthetic set.
 */
#include "dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

bool labelled_images_allocate(struct labelled_images *images, size_t count) {
    images->pixels = malloc(count * IMAGE_PIXELS);
    images->labels = malloc(count);
    images->count = count;
    if (images->pixels != NULL && images->labels != NULL)
        return true;
    free(images->pixels);
    free(images->labels);
    memset(images, 0, sizeof *images);
    return false;
}

void dataset_free(struct dataset *dataset) {
    free(dataset->train.pixels);
    free(dataset->train.labels);
    free(dataset->test.pixels);
    free(dataset->test.labels);
    memset(dataset, 0, sizeof *dataset);
}

static bool is_folder(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Looks where the XDG base directory specification says that shared data lie. */
static bool find_installed(char *folder, size_t size) {
    const char *roots = getenv("XDG_DATA_DIRS");
    if (roots == NULL || roots[0] == '\0')
        roots = "/usr/local/share:/usr/share";
    while (*roots != '\0') {
        size_t length = strcspn(roots, ":");
        int written = snprintf(folder, size, "%.*s/datasets/fashion-mnist", (int)length, roots);
        if (length > 0 && written > 0 && (size_t)written < size && is_folder(folder))
            return true;
        roots += length + (roots[length] == ':');
    }
    folder[0] = '\0';
    return false;
}

static enum exit_code load_folder(struct dataset *dataset) {
    enum exit_code exit_code = idx_read(dataset->folder, "train", &dataset->train);
    if (exit_code == EXIT_CODE_OK)
        exit_code = idx_read(dataset->folder, "t10k", &dataset->test);
    return exit_code;
}

static enum exit_code load_synthetic(struct dataset *dataset) {
    dataset->synthetic = true;
    if (synthetic_create(dataset))
        return EXIT_CODE_OK;
    report_error("out of memory for the synthetic data set");
    return EXIT_CODE_FAILED;
}

enum exit_code dataset_load(const char *folder, bool synthetic, struct dataset *dataset) {
    memset(dataset, 0, sizeof *dataset);
    enum exit_code exit_code;
    if (folder != NULL && (folder[0] == '\0' || strlen(folder) >= sizeof dataset->folder)) {
        report_error("option '--data' cannot be '%.64s'; it accepts a folder's path of 1 to %zu bytes",
                     folder, sizeof dataset->folder - 1);
        exit_code = EXIT_CODE_USAGE;
    } else if (folder != NULL) {
        strcpy(dataset->folder, folder);
        exit_code = load_folder(dataset);
    } else if (!synthetic && find_installed(dataset->folder, sizeof dataset->folder)) {
        exit_code = load_folder(dataset);
    } else {
        exit_code = load_synthetic(dataset);
    }
    if (exit_code != EXIT_CODE_OK)
        dataset_free(dataset);
    return exit_code;
}

bool dataset_options_agree(const char *command, const char *folder, bool synthetic) {
    if (!synthetic || folder == NULL)
        return true;
    report_error("%s: options '--synthetic' and '--data' exclude each other", command);
    return false;
}

void dataset_note_replacement(const struct dataset *dataset, bool synthetic, const char *who) {
    if (dataset->synthetic && !synthetic)
        fprintf(
            stderr,
            "glissade: note: Fashion-MNIST is not installed (Debian package dataset-fashion-mnist); %s the "
            "built-in synthetic set instead\n",
            who);
}
