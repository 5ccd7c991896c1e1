/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving averages by the library's own update; averages.h says how. Must not average anything itself.
 */
#include "averages.h"

#include "../normal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *const average_names[AVERAGE_COUNT] = {"ewma", "debiased", "undampened", "sma"};
const double averages_betas[AVERAGES_BETAS] = {0.01, 0.5, 0.9, 0.99};
const double variance_betas[VARIANCE_BETAS] = {0.5, 0.9, 0.99};

/* Streams of the seed, see random.h. */
enum { STREAM_NORMAL, STREAM_COSINE, STREAM_NOISE };

/* ---- averages ---- */

static glissade_sgd_options options_of(enum average average, double beta) {
    glissade_sgd_options options;
    glissade_sgd_options_init(&options, sizeof options);
    options.learning_rate = 1.0;
    options.maximize = true;
    if (average == AVERAGE_SIMPLE) {
        options.weight_decay = 1.0;
    } else {
        options.momentum = beta;
        options.dampening = beta;
        options.debias = average == AVERAGE_DEBIASED;
        if (average == AVERAGE_UNDAMPENED)
            options.first_step = GLISSADE_FIRST_STEP_UNDAMPENED;
    }
    return options;
}

static enum exit_code out_of_memory(void) {
    report_error("averages: out of memory");
    return EXIT_CODE_FAILED;
}

enum exit_code averager_create(struct averager *averager, glissade_engine *engine, enum average average,
                               double beta, float *points, size_t width) {
    *averager =
        (struct averager){.average = average, .width = width, .averages = calloc(width, sizeof(float))};
    if (averager->averages == NULL)
        return out_of_memory();
    glissade_error error;
    glissade_status status = glissade_optimizer_create(engine, &averager->optimizer, &error);
    if (status != GLISSADE_STATUS_OK) {
        report_error("averages: %s", error.message);
        averager_destroy(averager);
        return report_exit_code(status);
    }
    glissade_tensor tensor;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = averager->averages;
    tensor.gradient = points;
    tensor.length = width;
    const glissade_sgd_options options = options_of(average, beta);
    status = glissade_optimizer_add_sgd(averager->optimizer, &tensor, 1, &options, &averager->group);
    if (status == GLISSADE_STATUS_OK)
        return EXIT_CODE_OK;
    enum exit_code exit_code = report_optimizer("averages", averager->optimizer, status);
    averager_destroy(averager);
    return exit_code;
}

enum exit_code averager_step(struct averager *averager) {
    glissade_status status = GLISSADE_STATUS_OK;
    ++averager->steps;
    if (averager->average == AVERAGE_SIMPLE)
        status = glissade_optimizer_set_learning_rate(averager->optimizer, averager->group,
                                                      1.0 / (double)averager->steps);
    else
        memset(averager->averages, 0, averager->width * sizeof(float));
    if (status == GLISSADE_STATUS_OK)
        status = glissade_optimizer_step(averager->optimizer, NULL, NULL);
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK
                                        : report_optimizer("averages", averager->optimizer, status);
}

void averager_destroy(struct averager *averager) {
    glissade_optimizer_destroy(&averager->optimizer);
    free(averager->averages);
    *averager = (struct averager){0};
}

enum exit_code averages_follow(glissade_engine *engine, enum average average, double beta,
                               const float *points, size_t count, float *averages) {
    float point = 0.0f;
    struct averager averager;
    enum exit_code exit_code = averager_create(&averager, engine, average, beta, &point, 1);
    for (size_t i = 0; i < count && exit_code == EXIT_CODE_OK; ++i) {
        point = points[i];
        exit_code = averager_step(&averager);
        if (exit_code == EXIT_CODE_OK)
            averages[i] = averager.averages[0];
    }
    averager_destroy(&averager);
    return exit_code;
}

/* ---- the two data models ---- */

/* As torch.linspace: both ends included. */
static void spread(struct averages_series *series, double low, double high) {
    for (size_t i = 0; i < series->count; ++i)
        series->x[i] = low + (high - low) * (double)i / (double)(series->count - 1);
}

void averages_normal(uint64_t seed, struct averages_series *series) {
    *series = (struct averages_series){.name = "normal", .model = "N(0.3, 1)", .count = 200};
    spread(series, -4.0, 4.0);
    struct random_source random;
    random_seed(&random, seed, STREAM_NORMAL);
    normal_fill(&random, series->y, series->count);
    for (size_t i = 0; i < series->count; ++i) {
        series->truth[i] = 0.3;
        series->y[i] = (float)(0.3 + series->y[i]);
    }
}

void averages_cosine(uint64_t seed, struct averages_series *series) {
    *series = (struct averages_series){.name = "cosine", .model = "cos x + U(-0.25, 0.25)", .count = 100};
    spread(series, -3.0, 3.0);
    struct random_source random;
    random_seed(&random, seed, STREAM_COSINE);
    for (size_t i = 0; i < series->count; ++i) {
        series->truth[i] = cos(series->x[i]);
        series->y[i] = (float)(series->truth[i] + random_uniform(&random, -0.25f, 0.25f));
    }
}

enum exit_code averages_follow_all(glissade_engine *engine, struct averages_series *series) {
    enum exit_code exit_code =
        averages_follow(engine, AVERAGE_SIMPLE, 0.0, series->y, series->count, series->simple);
    for (size_t i = 0; i < AVERAGES_BETAS && exit_code == EXIT_CODE_OK; ++i) {
        exit_code = averages_follow(engine, AVERAGE_EWMA, averages_betas[i], series->y, series->count,
                                    series->ewma[i]);
        if (exit_code == EXIT_CODE_OK)
            exit_code = averages_follow(engine, AVERAGE_DEBIASED, averages_betas[i], series->y, series->count,
                                        series->debiased[i]);
    }
    return exit_code;
}

double averages_distance(const struct averages_series *series, const float *averages) {
    double sum = 0.0;
    for (size_t i = 0; i < series->count; ++i) {
        double difference = averages[i] - series->truth[i];
        sum += difference * difference;
    }
    return sqrt(sum / (double)series->count);
}

/* ---- variance ---- */

/*
 * The sum of the squared weights of the points. EWMA gives point j the weight (1 - beta) beta^(t - j),
 * debiasing divides all by 1 - beta^t, and an undampened first step leaves the first point the whole beta^(t
 * - 1).
 */
double averages_variance(enum average average, double beta, uint64_t t) {
    double power = pow(beta, (double)t), share = (1.0 - beta) / (1.0 + beta);
    if (average == AVERAGE_EWMA)
        return share * (1.0 - power * power);
    if (average == AVERAGE_DEBIASED)
        return share * (1.0 + power) / (1.0 - power);
    double first = pow(beta, 2.0 * (double)(t - 1));
    return first + share * (1.0 - first);
}

static double variance_of(const float *values, size_t count) {
    double mean = 0.0, sum = 0.0;
    for (size_t i = 0; i < count; ++i)
        mean += values[i];
    mean /= (double)count;
    for (size_t i = 0; i < count; ++i)
        sum += (values[i] - mean) * (values[i] - mean);
    return sum / (double)(count - 1);
}

static enum exit_code measure_with(struct averager averagers[VARIANCE_BETAS][VARIANCE_AVERAGES],
                                   uint64_t seed, float *noise, struct averages_variances *variances) {
    struct random_source random;
    random_seed(&random, seed, STREAM_NOISE);
    for (size_t t = 0; t < VARIANCE_STEPS; ++t) {
        normal_fill(&random, noise, variances->repetitions);
        for (size_t i = 0; i < VARIANCE_BETAS; ++i) {
            for (size_t j = 0; j < VARIANCE_AVERAGES; ++j) {
                enum exit_code exit_code = averager_step(&averagers[i][j]);
                if (exit_code != EXIT_CODE_OK)
                    return exit_code;
                variances->measured[i][j][t] = variance_of(averagers[i][j].averages, variances->repetitions);
            }
        }
    }
    return EXIT_CODE_OK;
}

enum exit_code averages_measure(glissade_engine *engine, uint64_t seed, size_t repetitions,
                                struct averages_variances *variances) {
    float *noise = malloc(repetitions * sizeof *noise);
    if (noise == NULL)
        return out_of_memory();
    struct averager averagers[VARIANCE_BETAS][VARIANCE_AVERAGES] = {0};
    variances->repetitions = repetitions;
    enum exit_code exit_code = EXIT_CODE_OK;
    for (size_t i = 0; i < VARIANCE_BETAS; ++i)
        for (size_t j = 0; j < VARIANCE_AVERAGES && exit_code == EXIT_CODE_OK; ++j)
            exit_code = averager_create(&averagers[i][j], engine, (enum average)j, variance_betas[i], noise,
                                        repetitions);
    if (exit_code == EXIT_CODE_OK)
        exit_code = measure_with(averagers, seed, noise, variances);
    for (size_t i = 0; i < VARIANCE_BETAS; ++i)
        for (size_t j = 0; j < VARIANCE_AVERAGES; ++j)
            averager_destroy(&averagers[i][j]);
    free(noise);
    return exit_code;
}
