/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A run as a line of text. Columns of checkpoints hold lists, separated by spaces. Numbers that nothing is computed
 * from beyond three digits are written short: a study has a thousand lines.
 */
#include "record.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char columns[] = "network,arm,momentum,rate,batch,seed,handling,threshold,noise,step_limit,"
                              "images,loss_target,accuracy_target,"
                              "stop_at_targets,steps,steps_to_loss,steps_to_accuracy,final_loss,final_"
                              "accuracy,acted,diverged,at_steps,losses,"
                              "accuracies,acted_shares,gradient_squares,noise_traces,check\n";

void record_write_columns(char *text, size_t size) {
    snprintf(text, size, "%s", columns);
}

/* ---- writing ---- */

/* Of a checkpoint: six numbers with what separates them, a step below 2^53 and five of at most five digits; of the
 * rest: 25 numbers and names, each of at most as many bytes. */
_Static_assert((17 + 5 * 13) * CHECKPOINTS_MAXIMUM + 25 * 32 < RECORD_SIZE, "a line has room");

struct writer {
    char *text;
    size_t length;
};

static __attribute__((format(printf, 2, 3))) void put(struct writer *writer, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(writer->text + writer->length, RECORD_SIZE - writer->length, format, arguments);
    va_end(arguments);
    writer->length += (size_t)length;
}

/* Writes what `of` tells of every checkpoint; nothing where the run has nothing to tell. */
static void put_list(struct writer *writer, const struct run_outcome *outcome, const char *format,
                     double (*of)(const struct checkpoint *)) {
    for (size_t i = 0; of != NULL && i < outcome->checkpoint_count; ++i) {
        put(writer, "%s", i > 0 ? " " : "");
/* The formats are the constants below. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        put(writer, format, of(&outcome->checkpoints[i]));
#pragma GCC diagnostic pop
    }
    put(writer, ",");
}

static double step_of(const struct checkpoint *checkpoint) {
    return (double)checkpoint->step;
}

static double loss_of(const struct checkpoint *checkpoint) {
    return checkpoint->loss;
}

static double accuracy_of(const struct checkpoint *checkpoint) {
    return checkpoint->accuracy;
}

static double acted_of(const struct checkpoint *checkpoint) {
    return checkpoint->acted;
}

static double gradient_square_of(const struct checkpoint *checkpoint) {
    return checkpoint->gradient_square;
}

static double noise_trace_of(const struct checkpoint *checkpoint) {
    return checkpoint->noise_trace;
}

static unsigned long checksum(const char *text, size_t length) {
    return crc32(0, (const unsigned char *)text, (unsigned)length);
}

size_t record_write(char *line, const struct result *result) {
    const struct run_settings *settings = &result->settings;
    const struct run_outcome *outcome = &result->outcome;
    struct writer writer = {.text = line};
    put(&writer, "%s,%s,%.9g,%.9g,%llu,%llu,%s,%.9g,%d,%llu,%llu,%.9g,%.9g,%d,", settings->network->name,
        arm_name(settings->arm), settings->momentum, settings->rate, (unsigned long long)settings->batch,
        (unsigned long long)settings->seed, handling_name(settings->handling), settings->threshold,
        settings->noise, (unsigned long long)settings->steps, (unsigned long long)settings->images,
        settings->loss_target, settings->accuracy_target, settings->stop_at_targets);
    put(&writer, "%llu,%.6g,%.6g,%.6g,%.6g,%.6g,%d,", (unsigned long long)outcome->steps,
        outcome->steps_to_loss, outcome->steps_to_accuracy, outcome->final_loss, outcome->final_accuracy,
        outcome->acted, outcome->diverged);
    put_list(&writer, outcome, "%.0f", step_of);
    put_list(&writer, outcome, "%.5g", loss_of);
    put_list(&writer, outcome, "%.4g", accuracy_of);
    put_list(&writer, outcome, "%.4g", settings->handling == HANDLING_ACT ? NULL : acted_of);
    put_list(&writer, outcome, "%.5g", settings->noise ? gradient_square_of : NULL);
    put_list(&writer, outcome, "%.5g", settings->noise ? noise_trace_of : NULL);
    put(&writer, "%08lx\n", checksum(line, writer.length));
    return writer.length;
}

/* ---- reading ---- */

struct reader {
    const char *text;
    bool good;
};

/* The next field, of at most size - 1 bytes. */
static void take(struct reader *reader, char *field, size_t size) {
    size_t length = strcspn(reader->text, ",");
    field[0] = '\0';
    if (reader->text[length] == '\0' || length >= size) {
        reader->good = false;
        return;
    }
    memcpy(field, reader->text, length);
    field[length] = '\0';
    reader->text += length + 1;
}

/* Counts in these files stay far below 2^53, where doubles are exact. */
static bool is_count(double number) {
    return number >= 0.0 && number < 0x1p53 && number == floor(number);
}

static double take_number(struct reader *reader) {
    char field[64], *end;
    take(reader, field, sizeof field);
    double number = strtod(field, &end);
    reader->good = reader->good && end != field && *end == '\0';
    return number;
}

static uint64_t take_count(struct reader *reader) {
    double number = take_number(reader);
    reader->good = reader->good && is_count(number);
    return reader->good ? (uint64_t)number : 0;
}

static bool take_flag(struct reader *reader) {
    uint64_t number = take_count(reader);
    reader->good = reader->good && number <= 1;
    return number == 1;
}

/* A list of as many numbers as there are checkpoints, or none. */
static size_t take_list(struct reader *reader, double *numbers) {
    size_t count = 0;
    while (reader->good && *reader->text != ',') {
        char *end;
        if (count == CHECKPOINTS_MAXIMUM) {
            reader->good = false;
            break;
        }
        numbers[count++] = strtod(reader->text, &end);
        reader->good = end != reader->text && *reader->text != ' ' && (*end == ' ' || *end == ',');
        reader->text = *end == ' ' ? end + 1 : end;
    }
    reader->text += reader->good;
    return count;
}

static void take_checkpoints(struct reader *reader, struct run_outcome *outcome) {
    double lists[6][CHECKPOINTS_MAXIMUM];
    size_t counts[6];
    for (int i = 0; i < 6; ++i) {
        counts[i] = take_list(reader, lists[i]);
        reader->good = reader->good && (counts[i] == counts[0] || (i > 2 && counts[i] == 0));
    }
    for (size_t i = 0; reader->good && i < counts[0]; ++i)
        reader->good = is_count(lists[0][i]);
    outcome->checkpoint_count = reader->good ? counts[0] : 0;
    for (size_t i = 0; i < outcome->checkpoint_count; ++i)
        outcome->checkpoints[i] = (struct checkpoint){
            .step = (uint64_t)lists[0][i],
            .loss = lists[1][i],
            .accuracy = lists[2][i],
            .acted = counts[3] > 0 ? lists[3][i] : 1.0,
            .gradient_square = counts[4] > 0 ? lists[4][i] : 0.0,
            .noise_trace = counts[5] > 0 ? lists[5][i] : 0.0,
        };
}

static void take_settings(struct reader *reader, struct run_settings *settings) {
    char name[64];
    take(reader, name, sizeof name);
    settings->network = network_find(name);
    take(reader, name, sizeof name);
    settings->arm = arm_find(name);
    settings->momentum = take_number(reader);
    settings->rate = take_number(reader);
    settings->batch = take_count(reader);
    settings->seed = take_count(reader);
    take(reader, name, sizeof name);
    settings->handling = handling_find(name);
    settings->threshold = take_number(reader);
    settings->noise = take_flag(reader);
    settings->steps = take_count(reader);
    settings->images = take_count(reader);
    settings->loss_target = take_number(reader);
    settings->accuracy_target = take_number(reader);
    settings->stop_at_targets = take_flag(reader);
    reader->good = reader->good && settings->network != NULL && settings->arm < ARM_COUNT &&
                   settings->handling < HANDLING_COUNT;
}

bool record_read(const char *line, struct result *result) {
    const char *last = strrchr(line, ',');
    if (last == NULL)
        return false;
    /* Compared as text: strtoul would take capital letters, which are one flipped bit away. */
    char check[16];
    snprintf(check, sizeof check, "%08lx", checksum(line, (size_t)(last + 1 - line)));
    if (strcmp(last + 1, check) != 0)
        return false;
    struct reader reader = {.text = line, .good = true};
    *result = (struct result){.outcome = {.steps = 0}};
    take_settings(&reader, &result->settings);
    struct run_outcome *outcome = &result->outcome;
    outcome->steps = take_count(&reader);
    outcome->steps_to_loss = take_number(&reader);
    outcome->steps_to_accuracy = take_number(&reader);
    outcome->final_loss = take_number(&reader);
    outcome->final_accuracy = take_number(&reader);
    outcome->acted = take_number(&reader);
    outcome->diverged = take_flag(&reader);
    if (reader.good)
        take_checkpoints(&reader, outcome);
    return reader.good && reader.text == last + 1;
}
