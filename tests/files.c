/* SPDX-License-Identifier: Apache-2.0 */
/* Folders and samples (see files.h). */
#include "files.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- folders ---- */

void folder_create(folder *it, int where) {
    const char *disk = getenv("TMPDIR");
    const char *base = where == FOLDER_MEMORY && access("/dev/shm", W_OK) == 0 ? "/dev/shm"
                       : disk                                                  ? disk
                                                                               : "/tmp";
    snprintf(it->path, sizeof it->path, "%s/glissade-files-XXXXXX", base);
    REQUIRE(mkdtemp(it->path), "no folder in %s", base);
    it->descriptors = descriptors_open();
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)place;
    return kind == FTW_DP ? rmdir(path) : unlink(path);
}

void folder_destroy(folder *it) {
    nftw(it->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *folder_at(const folder *it, const char *name) {
    static _Thread_local char paths[5][512];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 5];
    snprintf(path, sizeof *paths, "%s/%s", it->path, name);
    return path;
}

const char *folder_names(const folder *it) {
    static char names[65536];
    struct dirent **entries;
    const int count = scandir(it->path, &entries, NULL, alphasort);
    size_t at = 0;
    names[0] = '\0';
    REQUIRE(count >= 0, "%s cannot be listed", it->path);
    for (int i = 0; i < count; i++) {
        const char *name = entries[i]->d_name;
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0)
            at += (size_t)snprintf(names + at, sizeof names - at, "%s ", name);
        free(entries[i]);
    }
    free(entries);
    return names;
}

size_t folder_temporaries(const folder *it) {
    size_t count = 0;
    for (const char *at = folder_names(it); (at = strstr(at, ".glissade-")); at++)
        count++;
    return count;
}

size_t descriptors_open(void) {
    size_t count = 0;
    DIR *stream = opendir("/proc/self/fd");
    REQUIRE(stream, "no /proc/self/fd");
    while (readdir(stream))
        count++;
    closedir(stream);
    return count;
}

void *bytes_load(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    struct stat status;
    if (!file)
        return NULL;
    REQUIRE(fstat(fileno(file), &status) == 0, "%s has no size", path);
    *count = (size_t)status.st_size;
    void *bytes = malloc(*count + 1);
    REQUIRE(bytes && fread(bytes, 1, *count, file) == *count, "%s cannot be read", path);
    fclose(file);
    return bytes;
}

void bytes_store(const char *path, const void *bytes, size_t count) {
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0, "%s cannot be written",
            path);
}

/* ---- samples ---- */

static uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

void sample_fill(sample *it, uint64_t seed) {
    for (size_t i = 0; i < it->count; i++) {
        unsigned char *data = it->memory + ((const unsigned char *)it->tensors[i].data - it->memory);
        for (size_t at = 0; at < it->bytes[i]; at += sizeof(uint64_t)) {
            const uint64_t word = mix((seed + 1) * 0x9E3779B97F4A7C15u + (i << 40) + at);
            memcpy(data + at, &word, it->bytes[i] - at < sizeof word ? it->bytes[i] - at : sizeof word);
        }
    }
    snprintf(it->seed, sizeof it->seed, "%llu", (unsigned long long)seed);
}

void sample_create(sample *it, const sample_shape *shapes, size_t count, uint64_t seed) {
    size_t total = 0;
    REQUIRE(count <= SAMPLE_TENSORS, "a sample of %zu tensors", count);
    *it = (sample){.count = count};
    for (size_t i = 0; i < count; i++) {
        size_t bits = glissade_file_dtype_bits(shapes[i].dtype);
        for (uint32_t j = 0; j < shapes[i].rank; j++)
            bits *= shapes[i].shape[j];
        it->bytes[i] = bits / 8;
        total += it->bytes[i];
    }
    it->memory = malloc(total + 1);
    REQUIRE(it->memory, "no memory for a sample");
    for (size_t i = 0, at = 0; i < count; at += it->bytes[i++]) {
        snprintf(it->names[i], sizeof *it->names, "tensor.%zu", i);
        memcpy(it->shapes[i], shapes[i].shape, sizeof *it->shapes);
        it->tensors[i] = (glissade_file_tensor){.size = sizeof *it->tensors,
                                                .name = it->names[i],
                                                .dtype = shapes[i].dtype,
                                                .rank = shapes[i].rank,
                                                .shape = it->shapes[i],
                                                .data = it->memory + at};
    }
    sample_fill(it, seed);
}

void sample_flat(sample *it, size_t bytes, uint64_t seed) {
    sample_create(it, &(sample_shape){GLISSADE_FILE_U8, 1, {bytes}}, 1, seed);
}

void sample_mixed(sample *it, size_t bytes, uint64_t seed) {
    const sample_shape shapes[] = {{GLISSADE_FILE_F32, 2, {bytes / 16 + 1, 2}},
                                   {GLISSADE_FILE_BF16, 1, {bytes / 8 + 1}},
                                   {GLISSADE_FILE_U8, 1, {bytes / 8 + 1}},
                                   {GLISSADE_FILE_F64, 0, {0}},
                                   {GLISSADE_FILE_F32, 1, {0}},
                                   {GLISSADE_FILE_I8, 1, {bytes / 8 + 1}}};
    sample_create(it, shapes, sizeof shapes / sizeof *shapes, seed);
}

void sample_destroy(sample *it) {
    free(it->memory);
    *it = (sample){0};
}

glissade_file_options sample_options(void) {
    glissade_file_options options;
    glissade_file_options_init(&options, sizeof options);
    return options;
}

glissade_status sample_write(const sample *it, glissade_engine *engine, const char *path,
                             const glissade_file_options *options, glissade_error *error) {
    const glissade_file_text text = {"seed", it->seed};
    return glissade_file_write(engine, path, it->tensors, it->count, &text, 1, options, NULL, error);
}

/* What is not as it should be of an open file, whose chunks and header are right already. */
static const char *compare(const sample *it, glissade_engine *engine, glissade_file *file,
                           unsigned char *room, glissade_error *error) {
    glissade_file_target targets[SAMPLE_TENSORS];
    size_t at = 0;
    const char *seed = glissade_file_text_find(file, "seed");
    if (!seed || strcmp(seed, it->seed) != 0)
        return "it has another seed";
    if (glissade_file_count(file) != it->count)
        return "it has another number of tensors";
    for (size_t i = 0; i < it->count; at += it->bytes[i++]) {
        glissade_file_tensor found = {.size = sizeof found};
        targets[i] = (glissade_file_target){glissade_file_find(file, it->names[i]), room + at};
        if (glissade_file_get(file, targets[i].index, &found))
            return "a tensor is missing";
        if (found.dtype != it->tensors[i].dtype || found.rank != it->tensors[i].rank ||
            memcmp(found.shape, it->shapes[i], found.rank * sizeof *found.shape) != 0 ||
            found.bytes != it->bytes[i])
            return "a tensor has another type or shape";
    }
    glissade_file_report report = {.size = sizeof report};
    if (glissade_file_read(engine, file, targets, it->count, &report, error))
        return error->message;
    if (report.verified != glissade_file_has_checksums(file))
        return "it was not verified";
    return memcmp(room, it->memory, at) == 0 ? NULL : "its values are others";
}

const char *sample_difference(const sample *it, glissade_engine *engine, const char *path) {
    static glissade_error error;
    static char text[300];
    glissade_file *file;
    if (glissade_file_open(path, &file, &error)) {
        snprintf(text, sizeof text, "not opened: %s", error.message);
        return text;
    }
    const char *difference = glissade_file_verify(engine, file, NULL, &error) ? error.message : NULL;
    size_t total = 1;
    for (size_t i = 0; i < it->count; i++)
        total += it->bytes[i];
    unsigned char *room = malloc(total);
    REQUIRE(room, "no memory to compare by");
    if (!difference)
        difference = compare(it, engine, file, room, &error);
    free(room);
    glissade_file_close(&file);
    return difference;
}

uint64_t sample_find(sample *like, const char *path) {
    glissade_file *file;
    if (glissade_file_open(path, &file, NULL))
        return UINT64_MAX;
    const char *text = glissade_file_text_find(file, "seed");
    const uint64_t seed = text ? strtoull(text, NULL, 10) : UINT64_MAX;
    glissade_file_close(&file);
    sample_fill(like, seed);
    return sample_difference(like, NULL, path) ? UINT64_MAX : seed;
}
