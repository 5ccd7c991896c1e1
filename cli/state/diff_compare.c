/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the arrays of two files side by side and measures how far they are apart. Some at a time: each reading takes
 * whole chunks of 4 MiB, so that one for every small array would read a chunk once for each array in it.
 */
#include "diff.h"

#include "numbers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_BYTES = 64 * 1024 * 1024, /* of one file, read at a time; more only for one array that has more */
    BLOCK_BYTES = 4096,             /* looked at as a whole before its elements are */
    ALIGNMENT = 64                  /* of each array in memory */
};

/* Arrays of one file in memory. */
struct batch {
    char *memory;
    size_t room;
    glissade_file_target *targets;
};

bool diff_is_measured(glissade_file_dtype dtype) {
    return numbers_known(dtype);
}

/* ---- measuring ---- */

static void measure_element(struct distance *distance, const char *a, const char *b,
                            glissade_file_dtype dtype, size_t index) {
    uint64_t ulp = numbers_distance(a, b, dtype, index);
    if (ulp == UINT64_MAX) {
        ++distance->unordered;
        return;
    }
    double apart = fabs(numbers_value(a, dtype, index) - numbers_value(b, dtype, index));
    if (apart > distance->largest) {
        distance->largest = apart;
        distance->largest_at = index;
    }
    if (ulp > distance->ulp) {
        distance->ulp = ulp;
        distance->ulp_at = index;
    }
}

static void measure_block(struct distance *distance, const glissade_file_tensor *tensor, const char *a,
                          const char *b, size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
        if (a[i] == b[i])
            continue;
        if (distance->bytes++ == 0)
            distance->first = i;
    }
    uint32_t bits = glissade_file_dtype_bits(tensor->dtype);
    if (bits % 8 != 0)
        return;
    size_t width = bits / 8;
    for (size_t i = begin / width; i < end / width; ++i) {
        if (memcmp(a + i * width, b + i * width, width) == 0)
            continue;
        ++distance->elements;
        if (numbers_known(tensor->dtype))
            measure_element(distance, a, b, tensor->dtype, i);
    }
}

static struct distance measure(const glissade_file_tensor *tensor, const char *a, const char *b) {
    struct distance distance = {.bytes = 0};
    size_t bytes = (size_t)tensor->bytes;
    for (size_t begin = 0; begin < bytes; begin += BLOCK_BYTES) {
        size_t end = bytes - begin < BLOCK_BYTES ? bytes : begin + BLOCK_BYTES;
        if (memcmp(a + begin, b + begin, end - begin) != 0)
            measure_block(&distance, tensor, a, b, begin, end);
    }
    return distance;
}

/* ---- reading ---- */

static size_t padded(uint64_t bytes) {
    return ((size_t)bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static enum exit_code report_memory(void) {
    report_error("state diff: out of memory");
    return EXIT_CODE_USAGE;
}

static bool make_room(struct batch *batch, size_t bytes) {
    if (bytes <= batch->room)
        return true;
    free(batch->memory);
    batch->room = 0;
    batch->memory = aligned_alloc(ALIGNMENT, bytes);
    if (batch->memory == NULL)
        return false;
    batch->room = bytes;
    return true;
}

/* How many of the pairs are read at a time, and the bytes that they take. */
static size_t batch_length(const struct diff *diff, const struct pair *pairs, size_t count, size_t *bytes) {
    size_t length = 0;
    *bytes = 0;
    while (length < count) {
        size_t more = padded(state_tensor(diff->files[0], pairs[length].a).bytes);
        if (length > 0 && *bytes + more > BATCH_BYTES)
            break;
        *bytes += more;
        ++length;
    }
    return length;
}

static enum exit_code read_batch(struct diff *diff, glissade_engine *engine, struct batch *batches,
                                 const struct pair *pairs, size_t count) {
    size_t place = 0;
    for (size_t i = 0; i < count; ++i) {
        batches[0].targets[i] = (glissade_file_target){pairs[i].a, batches[0].memory + place};
        batches[1].targets[i] = (glissade_file_target){pairs[i].b, batches[1].memory + place};
        place += padded(state_tensor(diff->files[0], pairs[i].a).bytes);
    }
    for (int i = 0; i < 2; ++i) {
        glissade_error error;
        glissade_status status =
            glissade_file_read(engine, diff->files[i], batches[i].targets, count, NULL, &error);
        if (status != GLISSADE_STATUS_OK) {
            report_error("state diff: %s", error.message);
            return EXIT_CODE_USAGE;
        }
    }
    return EXIT_CODE_OK;
}

static void measure_batch(struct diff *diff, const struct batch *batches, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        glissade_file_tensor a = state_tensor(diff->files[0], batches[0].targets[i].index);
        struct distance distance = measure(&a, batches[0].targets[i].data, batches[1].targets[i].data);
        if (distance.bytes > 0)
            diff->tensors[diff->tensor_count++] = (struct tensor_difference){OTHER_BYTES, a, a, distance};
    }
}

enum exit_code diff_compare(struct diff *diff, glissade_engine *engine, const struct pair *pairs,
                            size_t count) {
    struct batch batches[2] = {{.room = 0}, {.room = 0}};
    enum exit_code exit_code = EXIT_CODE_OK;
    for (int i = 0; i < 2; ++i) {
        batches[i].targets = calloc(count + 1, sizeof *batches[i].targets);
        if (batches[i].targets == NULL)
            exit_code = report_memory();
    }
    for (size_t done = 0; exit_code == EXIT_CODE_OK && done < count;) {
        size_t bytes, length = batch_length(diff, pairs + done, count - done, &bytes);
        if (!make_room(&batches[0], bytes + ALIGNMENT) || !make_room(&batches[1], bytes + ALIGNMENT))
            exit_code = report_memory();
        else
            exit_code = read_batch(diff, engine, batches, pairs + done, length);
        if (exit_code == EXIT_CODE_OK)
            measure_batch(diff, batches, length);
        done += length;
    }
    for (int i = 0; i < 2; ++i) {
        free(batches[i].targets);
        free(batches[i].memory);
    }
    return exit_code;
}
