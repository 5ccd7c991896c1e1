/* SPDX-License-Identifier: Apache-2.0 */
/* Runs as lines of text: what is written is read back, and nothing else is. */
#include "study/record.h"

#include <criterion/criterion.h>

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

/* A run of every kind of value: such as comes back to the digits that the file keeps. */
static struct result example(size_t checkpoints) {
    struct result result = {
        .settings = {.network = &network_small_mlp,
                     .arm = ARM_DEBIASED_NESTEROV,
                     .momentum = 0.9,
                     .rate = 1.0 / 128,
                     .batch = 64,
                     .seed = 4294967295,
                     .handling = HANDLING_DEFER,
                     .threshold = 0.25,
                     .noise = true,
                     .steps = 1500,
                     .images = 20000,
                     .loss_target = 0.45,
                     .accuracy_target = 0.82,
                     .stop_at_targets = true},
        .outcome = {.steps = 1500,
                    .steps_to_loss = 676.693,
                    .steps_to_accuracy = INFINITY,
                    .final_loss = 0.377371,
                    .final_accuracy = 0.8386,
                    .acted = 0.125,
                    .diverged = true,
                    .checkpoint_count = checkpoints},
    };
    for (size_t i = 0; i < checkpoints; ++i)
        result.outcome.checkpoints[i] = (struct checkpoint){.step = i * 1000003,
                                                            .loss = i == 1 ? INFINITY : 0.5 * (double)i,
                                                            .accuracy = 0.5,
                                                            .acted = 0.25,
                                                            .gradient_square = i == 2 ? -1.25e-7 : 3.0,
                                                            .noise_trace = i == 3 ? -INFINITY : 1e9};
    return result;
}

static void expect_same(const struct result *read, const struct result *written) {
    const struct run_outcome *a = &read->outcome, *b = &written->outcome;
    cr_assert(run_settings_equal(&read->settings, &written->settings));
    cr_assert_eq(a->steps, b->steps);
    cr_assert_eq(a->steps_to_loss, b->steps_to_loss);
    cr_assert_eq(a->steps_to_accuracy, b->steps_to_accuracy);
    cr_assert_eq(a->final_loss, b->final_loss);
    cr_assert_eq(a->final_accuracy, b->final_accuracy);
    cr_assert_eq(a->acted, b->acted);
    cr_assert_eq(a->diverged, b->diverged);
    cr_assert_eq(a->checkpoint_count, b->checkpoint_count);
    for (size_t i = 0; i < a->checkpoint_count; ++i) {
        cr_assert_eq(a->checkpoints[i].step, b->checkpoints[i].step);
        cr_assert_eq(a->checkpoints[i].loss, b->checkpoints[i].loss);
        cr_assert_eq(a->checkpoints[i].accuracy, b->checkpoints[i].accuracy);
        cr_assert_eq(a->checkpoints[i].acted, b->checkpoints[i].acted);
        cr_assert_eq(a->checkpoints[i].gradient_square, b->checkpoints[i].gradient_square);
        cr_assert_eq(a->checkpoints[i].noise_trace, b->checkpoints[i].noise_trace);
    }
}

/* The line of a run, without its end. */
static size_t line_of(const struct result *result, char line[RECORD_SIZE]) {
    size_t length = record_write(line, result);
    cr_assert_eq(strlen(line), length);
    cr_assert_eq(line[length - 1], '\n');
    line[--length] = '\0';
    return length;
}

static void expect_round_trip(const struct result *written) {
    char line[RECORD_SIZE];
    struct result read;
    line_of(written, line);
    cr_assert(record_read(line, &read), "%s", line);
    expect_same(&read, written);
}

Test(record, round_trip) {
    for (size_t checkpoints = 0; checkpoints <= CHECKPOINTS_MAXIMUM; checkpoints += 4) {
        struct result result = example(checkpoints);
        expect_round_trip(&result);
    }
}

Test(record, round_trip_of_every_rule) {
    for (int arm = 0; arm < ARM_COUNT; ++arm) {
        struct result result = example(5);
        result.settings.arm = (enum arm)arm;
        result.settings.network = &network_convolutional;
        expect_round_trip(&result);
    }
}

Test(record, lists_that_have_nothing_to_tell_are_empty) {
    struct result result = example(5);
    result.settings.noise = false;
    result.settings.handling = HANDLING_ACT;
    result.settings.threshold = 0.0;
    char line[RECORD_SIZE];
    struct result read;
    line_of(&result, line);
    cr_assert(strstr(line, ",,,,") != NULL, "%s", line);
    cr_assert(record_read(line, &read));
    cr_assert_eq(read.outcome.checkpoint_count, 5);
    cr_assert_eq(read.outcome.checkpoints[4].acted, 1.0);
    cr_assert_eq(read.outcome.checkpoints[4].gradient_square, 0.0);
}

Test(record, no_value_is_too_long_for_a_line) {
    struct result result = example(CHECKPOINTS_MAXIMUM);
    for (size_t i = 0; i < CHECKPOINTS_MAXIMUM; ++i)
        result.outcome.checkpoints[i] = (struct checkpoint){.step = (UINT64_C(1) << 53) - 1,
                                                            .loss = -1.2345e-300,
                                                            .accuracy = -1.234e-300,
                                                            .acted = -1.234e-300,
                                                            .gradient_square = -1.2345e-300,
                                                            .noise_trace = -1.2345e-300};
    expect_round_trip(&result);
}

Test(record, columns_match_the_fields) {
    char columns[1024], line[RECORD_SIZE];
    struct result result = example(5);
    record_write_columns(columns, sizeof columns);
    line_of(&result, line);
    int in_columns = 0, in_line = 0;
    for (const char *at = columns; (at = strchr(at, ',')) != NULL; ++at)
        ++in_columns;
    for (const char *at = line; (at = strchr(at, ',')) != NULL; ++at)
        ++in_line;
    cr_assert_eq(in_columns, in_line);
    cr_assert_eq(columns[strlen(columns) - 1], '\n');
}

Test(record, damage_of_every_byte_is_noticed) {
    char line[RECORD_SIZE];
    struct result result = example(5), read;
    size_t length = line_of(&result, line);
    for (size_t i = 0; i < length; ++i) {
        const char good = line[i];
        for (int other = 0; other < 256; ++other) {
            line[i] = (char)other;
            cr_assert_eq(record_read(line, &read), line[i] == good, "byte %zu: %d", i, other);
        }
        line[i] = good;
    }
}

Test(record, a_part_is_not_read) {
    char line[RECORD_SIZE], part[RECORD_SIZE + 1];
    struct result result = example(5), read;
    size_t length = line_of(&result, line);
    for (size_t i = 0; i < length; ++i) {
        snprintf(part, sizeof part, "%.*s", (int)i, line);
        cr_assert_not(record_read(part, &read), "%zu bytes", i);
        cr_assert_not(record_read(line + length - i, &read), "all but the first %zu bytes", length - i);
    }
    snprintf(part, sizeof part, "%s ", line);
    cr_assert_not(record_read(part, &read));
    snprintf(part, sizeof part, "%s\r", line);
    cr_assert_not(record_read(part, &read));
}

/* Replaces the first `from` by `to` and corrects the sum: what a program could have written, not a disk. */
static bool read_replaced(const char *from, const char *to) {
    char line[RECORD_SIZE], forged[2 * RECORD_SIZE];
    struct result result = example(3), read;
    line_of(&result, line);
    const char *at = strstr(line, from);
    cr_assert(at != NULL, "'%s' is in the line", from);
    int length = snprintf(forged, sizeof forged, "%.*s%s%s", (int)(at - line), line, to, at + strlen(from));
    char *sum = strrchr(forged, ',') + 1;
    cr_assert(length > 8);
    snprintf(sum, 9, "%08lx", crc32(0, (const unsigned char *)forged, (unsigned)(sum - forged)));
    return record_read(forged, &read);
}

Test(record, contents_are_checked_behind_the_sum) {
    cr_assert(read_replaced("small-mlp", "conv"));
    cr_assert_not(read_replaced("small-mlp", "large-mlp"));
    cr_assert_not(read_replaced("small-mlp", ""));
    cr_assert_not(read_replaced("debiased-nesterov", "heavy-balls"));
    cr_assert_not(read_replaced("defer", "hold"));
    cr_assert(read_replaced(",64,", ",65,"));
    cr_assert_not(read_replaced(",64,", ",64.5,"));
    cr_assert_not(read_replaced(",64,", ",-64,"));
    cr_assert_not(read_replaced(",64,", ",64x,"));
    cr_assert_not(read_replaced(",64,", ",,"));
    cr_assert_not(read_replaced(",64,", ",nan,"));
    cr_assert_not(read_replaced(",64,", ",9007199254740992,"));
    cr_assert_not(read_replaced(",1,1500,", ",2,1500,"));
    cr_assert(read_replaced("0 1000003 2000006", "0 1 2"));
    cr_assert_not(read_replaced("0 1000003 2000006", "0 1"));
    cr_assert_not(read_replaced("0 1000003 2000006", "0 1 2 3"));
    cr_assert_not(read_replaced("0 1000003 2000006", "0 1 -2"));
    cr_assert_not(read_replaced("0 1000003 2000006", "0 1 inf"));
    cr_assert_not(read_replaced("0 1000003 2000006", "0  1 2"));
    cr_assert_not(read_replaced("0 1000003 2000006", "0;1 2"));
    char many[4 * CHECKPOINTS_MAXIMUM] = "0";
    for (int i = 0; i < CHECKPOINTS_MAXIMUM; ++i)
        strcat(many, " 1");
    cr_assert_not(read_replaced("0 1000003 2000006", many));
}
