/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reader of the idx files of MNIST and its descendants, plain or compressed by gzip: big-endian magic number,
 * one big-endian 32-bit length per dimension, then one byte per element. Must not believe a file: every
 * length is checked before it is used, and a message names the file, what was found and what was expected.
 */
#include "dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum {
    MAGIC_LABELS = 0x0801, /* unsigned bytes, one dimension */
    MAGIC_IMAGES = 0x0803, /* unsigned bytes, three dimensions */
    /* Keeps a damaged length from asking for terabytes; MNIST has 60,000, its largest descendant 814,255. */
    COUNT_MAXIMUM = 1000000
};

struct idx_file {
    char path[4352];
    gzFile stream;
};

/* Opens folder/part-suffix.gz, or the same without .gz. */
static enum exit_code open_file(struct idx_file *file, const char *folder, const char *part,
                                const char *suffix) {
    snprintf(file->path, sizeof file->path, "%s/%s-%s.gz", folder, part, suffix);
    errno = 0; /* zlib leaves it alone when memory runs out */
    file->stream = gzopen(file->path, "rbe");
    if (file->stream == NULL && errno == ENOENT) {
        file->path[strlen(file->path) - strlen(".gz")] = '\0';
        file->stream = gzopen(file->path, "rbe");
        if (file->stream == NULL && errno == ENOENT)
            strcat(file->path, ".gz");
    }
    if (file->stream == NULL) {
        report_error("%s: cannot be opened: %s", file->path, errno != 0 ? strerror(errno) : "out of memory");
        return EXIT_CODE_USAGE;
    }
    gzbuffer(file->stream, 1U << 17);
    return EXIT_CODE_OK;
}

/* Reads `size` bytes, of which `before` have come already; the message counts from the file's beginning. */
static enum exit_code read_bytes(const struct idx_file *file, void *bytes, size_t size, size_t before) {
    size_t done = 0;
    while (done < size) {
        size_t rest = size - done;
        int got = gzread(file->stream, (uint8_t *)bytes + done, rest < 1U << 30 ? (unsigned)rest : 1U << 30);
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    if (done == size)
        return EXIT_CODE_OK;
    int code;
    const char *message = gzerror(file->stream, &code);
    if (code == Z_ERRNO)
        report_error("%s: cannot be read: %s", file->path, strerror(errno));
    else if (code != Z_OK && code != Z_BUF_ERROR)
        report_error("%s: damaged gzip data after %zu bytes (%s)", file->path, before + done, message);
    else
        report_error("%s: truncated: %zu bytes%s, expected %zu", file->path, before + done,
                     gzdirect(file->stream) ? "" : " when decompressed", before + size);
    return EXIT_CODE_USAGE;
}

/* Makes sure that the file ends here, which also makes zlib compare its checksum. */
static enum exit_code expect_end(const struct idx_file *file, size_t expected) {
    uint8_t buffer[4096];
    size_t surplus = 0;
    int got;
    while ((got = gzread(file->stream, buffer, sizeof buffer)) > 0)
        surplus += (size_t)got;
    int code;
    const char *message = gzerror(file->stream, &code);
    if (surplus == 0 && code == Z_OK)
        return EXIT_CODE_OK;
    if (surplus > 0)
        report_error("%s: %zu trailing bytes after the %zu expected", file->path, surplus, expected);
    else if (code == Z_BUF_ERROR)
        report_error("%s: truncated: the gzip data end without a checksum", file->path);
    else
        report_error("%s: damaged gzip data (%s)", file->path, message);
    return EXIT_CODE_USAGE;
}

static uint32_t big_endian(const uint8_t *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Reads magic number and lengths, and checks all but the relation between the two files. */
static enum exit_code read_header(const struct idx_file *file, uint32_t magic, size_t *count) {
    uint8_t header[16];
    size_t size = magic == MAGIC_IMAGES ? 16 : 8;
    enum exit_code exit_code = read_bytes(file, header, 4, 0);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    if (big_endian(header) != magic) {
        report_error("%s: not an idx file of %s: magic number 0x%08x, expected 0x%08x%s", file->path,
                     magic == MAGIC_IMAGES ? "images" : "labels", (unsigned)big_endian(header),
                     (unsigned)magic, gzdirect(file->stream) ? " (the file is not compressed by gzip)" : "");
        return EXIT_CODE_USAGE;
    }
    exit_code = read_bytes(file, header + 4, size - 4, 4);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    *count = big_endian(header + 4);
    if (*count < 1 || *count > COUNT_MAXIMUM) {
        report_error("%s: %zu items, expected 1 to %d", file->path, *count, COUNT_MAXIMUM);
        return EXIT_CODE_USAGE;
    }
    if (magic == MAGIC_IMAGES &&
        (big_endian(header + 8) != IMAGE_SIDE || big_endian(header + 12) != IMAGE_SIDE)) {
        report_error("%s: images of %u x %u pixels, expected %d x %d", file->path,
                     (unsigned)big_endian(header + 8), (unsigned)big_endian(header + 12), IMAGE_SIDE,
                     IMAGE_SIDE);
        return EXIT_CODE_USAGE;
    }
    return EXIT_CODE_OK;
}

static enum exit_code check_labels(const struct idx_file *file, const struct labelled_images *images) {
    for (size_t i = 0; i < images->count; ++i) {
        if (images->labels[i] >= CLASS_COUNT) {
            report_error("%s: label %d at index %zu, expected 0 to %d", file->path, images->labels[i], i,
                         CLASS_COUNT - 1);
            return EXIT_CODE_USAGE;
        }
    }
    return EXIT_CODE_OK;
}

/* Reads both open files; what it allocates stays with `images` on failure too. */
static enum exit_code read_pair(const struct idx_file *image_file, const struct idx_file *label_file,
                                struct labelled_images *images) {
    size_t image_count, label_count;
    enum exit_code exit_code = read_header(image_file, MAGIC_IMAGES, &image_count);
    if (exit_code == EXIT_CODE_OK)
        exit_code = read_header(label_file, MAGIC_LABELS, &label_count);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    if (image_count != label_count) {
        report_error("%s: %zu labels, expected %zu as there are images in %s", label_file->path, label_count,
                     image_count, image_file->path);
        return EXIT_CODE_USAGE;
    }
    if (!labelled_images_allocate(images, image_count)) {
        report_error("%s: out of memory for %zu images", image_file->path, image_count);
        return EXIT_CODE_FAILED;
    }
    exit_code = read_bytes(image_file, images->pixels, image_count * IMAGE_PIXELS, 16);
    if (exit_code == EXIT_CODE_OK)
        exit_code = expect_end(image_file, 16 + image_count * IMAGE_PIXELS);
    if (exit_code == EXIT_CODE_OK)
        exit_code = read_bytes(label_file, images->labels, label_count, 8);
    if (exit_code == EXIT_CODE_OK)
        exit_code = expect_end(label_file, 8 + label_count);
    if (exit_code == EXIT_CODE_OK)
        exit_code = check_labels(label_file, images);
    return exit_code;
}

enum exit_code idx_read(const char *folder, const char *part, struct labelled_images *images) {
    struct idx_file image_file = {.stream = NULL}, label_file = {.stream = NULL};
    enum exit_code exit_code = open_file(&image_file, folder, part, "images-idx3-ubyte");
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    exit_code = open_file(&label_file, folder, part, "labels-idx1-ubyte");
    if (exit_code == EXIT_CODE_OK) {
        exit_code = read_pair(&image_file, &label_file, images);
        gzclose(label_file.stream);
    }
    gzclose(image_file.stream);
    return exit_code;
}
