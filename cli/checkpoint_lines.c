/* SPDX-License-Identifier: Apache-2.0 */
/* What a saved run says of itself beside parameters and state, written and read. Must not touch a file. */
#include "checkpoint.h"

#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { LINES_A_PIECE = 64, KEY_SIZE = 48 };

/* ---- lines ---- */

__attribute__((format(printf, 3, 4))) static void add(struct checkpoint_lines *lines, const char *key,
                                                      const char *format, ...) {
    if (lines->failed)
        return;
    if (lines->count % LINES_A_PIECE == 0) {
        glissade_file_text *list = realloc(lines->list, (lines->count + LINES_A_PIECE) * sizeof *list);
        if (list == NULL) {
            lines->failed = true;
            return;
        }
        lines->list = list;
    }
    va_list arguments;
    va_start(arguments, format);
    char *value, *copy = strdup(key);
    if (vasprintf(&value, format, arguments) < 0)
        value = NULL;
    va_end(arguments);
    glissade_file_text *line = &lines->list[lines->count++];
    line->key = copy;
    line->value = value;
    lines->failed = copy == NULL || value == NULL;
}

void checkpoint_lines_free(struct checkpoint_lines *lines) {
    for (size_t i = 0; i < lines->count; ++i) {
        free((void *)(uintptr_t)lines->list[i].key);
        free((void *)(uintptr_t)lines->list[i].value);
    }
    free(lines->list);
    *lines = (struct checkpoint_lines){.count = 0};
}

static void add_count(struct checkpoint_lines *lines, const char *key, uint64_t count) {
    add(lines, key, "%" PRIu64, count);
}

/* Decimal, for messages to be readable, but the same double when it is read; "none" for one that there is not. */
static void add_number(struct checkpoint_lines *lines, const char *key, double number) {
    char text[32] = "none";
    if (!isnan(number))
        text_shortest(number, text, sizeof text);
    add(lines, key, "%s", text);
}

/* ---- configuration ---- */

/* zlib takes lengths of 32 bits. */
static uLong add_to_checksum(uLong checksum, const uint8_t *bytes, size_t count) {
    const size_t most = 1u << 30;
    for (size_t done = 0; done < count;) {
        size_t piece = count - done < most ? count - done : most;
        checksum = crc32(checksum, bytes + done, (uInt)piece);
        done += piece;
    }
    return checksum;
}

uint32_t checkpoint_data_checksum(const struct dataset *dataset) {
    const struct labelled_images *parts[] = {&dataset->train, &dataset->test};
    uLong checksum = crc32(0, NULL, 0);
    for (size_t i = 0; i < 2; ++i) {
        checksum = add_to_checksum(checksum, parts[i]->pixels, parts[i]->count * IMAGE_PIXELS);
        checksum = add_to_checksum(checksum, parts[i]->labels, parts[i]->count);
    }
    return (uint32_t)checksum;
}

void checkpoint_add_configuration(struct checkpoint_lines *lines, const struct checkpoint *checkpoint) {
    const struct trainer *trainer = checkpoint->trainer;
    const struct train_settings *settings = &trainer->settings;
    const struct hyperparameters *numbers = &settings->hyperparameters;
    add(lines, "train.version", "1");
    add(lines, "train.network", "%s", trainer->learner.network.plan->name);
    add(lines, "train.data", "%zu training and %zu test images, CRC-32 %08" PRIx32,
        trainer->dataset->train.count, trainer->dataset->test.count, checkpoint->data_checksum);
    add(lines, "train.optimizer", "%s", settings->optimizer->name);
    add_count(lines, "train.seed", settings->seed);
    add_count(lines, "train.batch_size", settings->batch_size);
    add_count(lines, "train.epochs", settings->epochs);
    add(lines, "train.schedule", "%s", schedule_name(settings->schedule));
    add_number(lines, "train.final_rate", settings->final_rate);
    add_count(lines, "train.warm_up", settings->warm_up);
    add_number(lines, "train.learning_rate", numbers->learning_rate);
    add_number(lines, "train.weight_decay", numbers->weight_decay);
    add_number(lines, "train.momentum", numbers->momentum);
    add_number(lines, "train.beta2", numbers->beta2);
    add_number(lines, "train.eps", numbers->eps);
    add_number(lines, "train.dampening", numbers->dampening);
    add(lines, "train.debias", "%s", numbers->debias ? "yes" : "no");
    add(lines, "train.nesterov", "%s", numbers->nesterov ? "yes" : "no");
    add_number(lines, "train.clip", settings->clip_norm);
    add(lines, "train.bf16", "%s", settings->bf16 ? "yes" : "no");
    add(lines, "train.state", "%s", trainer_state_name(settings->states));
}

/* ---- progress ---- */

static void add_result(struct checkpoint_lines *lines, const char *key, const struct epoch_result *result) {
    add(lines, key, "%a %a %a %a", result->loss, result->accuracy, result->seconds, result->step_seconds);
}

void checkpoint_add_progress(struct checkpoint_lines *lines, const struct trainer *trainer) {
    const uint64_t *random = trainer->learner.shuffle.state;
    add_count(lines, "train.step", trainer->step);
    add_count(lines, "train.epoch", trainer->epoch);
    add_count(lines, "train.image", trainer->image);
    add(lines, "train.random", "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64, random[0],
        random[1], random[2], random[3]);
    add_count(lines, "train.product_threads", trainer->product_threads);
    add_result(lines, "train.sums", &trainer->sums);
    for (uint64_t epoch = 1; epoch < trainer->epoch; ++epoch) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "train.result.%" PRIu64, epoch);
        add_result(lines, key, &trainer->results[epoch - 1]);
    }
}

static bool read_count(const glissade_file *file, const char *key, uint64_t most, uint64_t *count) {
    const char *text = glissade_file_text_find(file, key);
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
    if (digits == 0 || digits > 18 || text[digits] != '\0')
        return false;
    *count = strtoull(text, NULL, 10);
    return *count <= most;
}

static bool read_result(const glissade_file *file, const char *key, struct epoch_result *result) {
    const char *text = glissade_file_text_find(file, key);
    double *const numbers[] = {&result->loss, &result->accuracy, &result->seconds, &result->step_seconds};
    for (size_t i = 0; i < 4; ++i) {
        char *end;
        if (text == NULL || *text == '\0')
            return false;
        *numbers[i] = strtod(text, &end);
        if (end == text || !isfinite(*numbers[i]) || *end != (i < 3 ? ' ' : '\0'))
            return false;
        text = end + 1;
    }
    return true;
}

static bool read_results(const glissade_file *file, struct trainer *trainer) {
    for (uint64_t epoch = 1; epoch < trainer->epoch; ++epoch) {
        char key[KEY_SIZE];
        snprintf(key, sizeof key, "train.result.%" PRIu64, epoch);
        if (!read_result(file, key, &trainer->results[epoch - 1]))
            return false;
    }
    return read_result(file, "train.sums", &trainer->sums);
}

/* Step, epoch and image say the same in three ways. */
static bool is_consistent(const struct trainer *trainer) {
    uint64_t batch_size = trainer->settings.batch_size, images = trainer->dataset->train.count;
    uint64_t batches = (trainer->image + batch_size - 1) / batch_size;
    bool whole = trainer->image % batch_size == 0 || trainer->image == images;
    return whole && trainer->step == (trainer->epoch - 1) * trainer_epoch_steps(trainer) + batches &&
           (trainer->epoch <= trainer->settings.epochs || trainer->image == 0);
}

/* The random source must come out as it was saved: the order of the images then did, too. */
static bool restore_order(const glissade_file *file, struct trainer *trainer) {
    trainer_shuffle_to(trainer, trainer->epoch - 1 + (trainer->image > 0));
    const uint64_t *random = trainer->learner.shuffle.state;
    char text[80];
    snprintf(text, sizeof text, "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %016" PRIx64, random[0],
             random[1], random[2], random[3]);
    const char *saved = glissade_file_text_find(file, "train.random");
    return saved != NULL && strcmp(saved, text) == 0;
}

bool checkpoint_read_progress(const glissade_file *file, struct trainer *trainer, const char **reason) {
    const struct train_settings *settings = &trainer->settings;
    uint64_t threads;
    *reason = NULL;
    if (!read_count(file, "train.step", UINT64_MAX, &trainer->step) ||
        !read_count(file, "train.epoch", settings->epochs + 1, &trainer->epoch) || trainer->epoch == 0 ||
        !read_count(file, "train.image", trainer->dataset->train.count, &trainer->image) ||
        !is_consistent(trainer))
        *reason = "its train.step, train.epoch and train.image do not fit the run or one another";
    else if (!read_count(file, "train.product_threads", UINT16_MAX, &threads))
        *reason = "its train.product_threads is no number of threads";
    else if (!read_results(file, trainer))
        *reason = "its train.sums and train.result lines are not those of its epochs";
    else if (!restore_order(file, trainer))
        *reason = "its train.random is not what the seed leads to";
    else
        trainer->product_threads = (uint32_t)threads;
    return *reason == NULL;
}
