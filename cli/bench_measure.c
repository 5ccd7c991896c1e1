/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sets up the arrays of a model and times steps over them. Must not compare figures of different moments:
 * what is compared runs in turn, pair by pair, since a shared machine's speed drifts by more than the
 * differences of interest.
 */
#include "bench.h"

#include "random.h"

#include <stdlib.h>
#include <string.h>

static const uint32_t reader_streams[READER_COUNT] = {1, 2, 4, 8};

enum {
    SETTLING_STEPS = 16, /* in its first large steps an optimizer tries several walks (GLISSADE_STREAMS) */
    WARM_UPS = 2,
    FLOOR_TRIALS = 7
};

static enum exit_code report_memory(void) {
    report_error("bench: out of memory");
    return EXIT_CODE_FAILED;
}

/* Values of a training run's size. The step's speed does not depend on them, but it would on subnormals. */
static void fill(glissade_arrays *arrays, const struct model *model, float bound, uint64_t stream) {
    struct random_source random;
    random_seed(&random, 1, stream);
    for (size_t tensor = 0; tensor < model->tensor_count; ++tensor) {
        float *array = glissade_arrays_get(arrays, tensor);
        for (size_t i = 0; i < model->lengths[tensor]; ++i)
            array[i] = random_uniform(&random, -bound, bound);
    }
}

static glissade_sgd_options sgd_options(const struct bench_step *step) {
    glissade_sgd_options options;
    glissade_sgd_options_init(&options, sizeof options);
    options.momentum = step->momentum;
    options.dampening = step->dampening;
    options.debias = step->debias;
    options.nesterov = step->nesterov;
    return options;
}

/* Registers the arrays with an optimizer; `momenta`, if not NULL, are state that the caller owns. */
static enum exit_code add_group(struct bench *bench, glissade_optimizer *optimizer,
                                const struct bench_step *step, void *const *momenta, uint32_t *group) {
    glissade_tensor tensors[MODEL_TENSORS_MAXIMUM];
    for (size_t i = 0; i < bench->model.tensor_count; ++i) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = glissade_arrays_get(bench->parameters, i);
        tensors[i].gradient = glissade_arrays_get(bench->gradients, i);
        tensors[i].length = bench->model.lengths[i];
        tensors[i].momentum = momenta != NULL ? momenta[i] : NULL;
    }
    glissade_sgd_options options = sgd_options(step);
    glissade_status status =
        glissade_optimizer_add_sgd(optimizer, tensors, bench->model.tensor_count, &options, group);
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK : report_optimizer("bench", optimizer, status);
}

static enum exit_code create_optimizer(glissade_engine *engine, glissade_optimizer **optimizer) {
    glissade_error error;
    glissade_status status = glissade_optimizer_create(engine, optimizer, &error);
    if (status != GLISSADE_STATUS_OK)
        report_error("bench: %s", error.message);
    return report_exit_code(status);
}

static enum exit_code create_arrays(struct bench *bench) {
    glissade_error error;
    glissade_status status = glissade_arrays_create(bench->optimizer, bench->model.lengths,
                                                    bench->model.tensor_count, &bench->parameters, &error);
    if (status == GLISSADE_STATUS_OK)
        status = glissade_arrays_create(bench->optimizer, bench->model.lengths, bench->model.tensor_count,
                                        &bench->gradients, &error);
    if (status != GLISSADE_STATUS_OK) {
        report_error("bench: %s", error.message);
        return report_exit_code(status);
    }
    fill(bench->parameters, &bench->model, 0.05f, 1);
    fill(bench->gradients, &bench->model, 0.001f, 2);
    return EXIT_CODE_OK;
}

enum exit_code bench_create(struct bench *bench, uint32_t threads) {
    enum exit_code exit_code = report_engine_create(threads, GLISSADE_UNSET, &bench->engine);
    for (int i = 0; i < READER_COUNT && exit_code == EXIT_CODE_OK; ++i)
        exit_code = report_engine_create(threads, reader_streams[i], &bench->reader_engines[i]);
    if (exit_code == EXIT_CODE_OK)
        exit_code = create_optimizer(bench->engine, &bench->optimizer);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    bench->info.size = sizeof bench->info;
    glissade_status status = glissade_engine_get_info(bench->engine, &bench->info);
    if (status != GLISSADE_STATUS_OK) {
        report_error("bench: the engine cannot be inspected: %s", glissade_status_text(status));
        return report_exit_code(status);
    }
    bench->first_seconds = malloc(bench->repetitions * sizeof(double));
    bench->second_seconds = malloc(bench->repetitions * sizeof(double));
    bench->scratch = malloc(bench->repetitions * sizeof(double));
    if (bench->first_seconds == NULL || bench->second_seconds == NULL || bench->scratch == NULL)
        return report_memory();
    return create_arrays(bench);
}

void bench_destroy(struct bench *bench) {
    for (int i = 0; i < READER_COUNT; ++i) {
        glissade_optimizer_destroy(&bench->readers[i]);
        glissade_engine_destroy(&bench->reader_engines[i]);
    }
    glissade_optimizer_destroy(&bench->optimizer);
    glissade_arrays_destroy(&bench->parameters);
    glissade_arrays_destroy(&bench->gradients);
    glissade_engine_destroy(&bench->engine);
    free(bench->first_seconds);
    free(bench->second_seconds);
    free(bench->scratch);
}

/* Times one step, or with step NULL one pass of the reader. */
static enum exit_code time_once(struct bench *bench, const struct bench_step *step,
                                glissade_optimizer *reader, double *seconds, glissade_step_report *report) {
    glissade_optimizer *optimizer = step != NULL ? bench->optimizer : reader;
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    glissade_status status = GLISSADE_STATUS_OK;
    if (step != NULL) {
        glissade_sgd_options rule = sgd_options(step);
        options.zero_gradients = step->zero_gradients;
        status = glissade_optimizer_set_sgd(optimizer, bench->group, &rule);
    }
    uint32_t digest;
    report->size = sizeof *report;
    double before = clock_seconds();
    if (status == GLISSADE_STATUS_OK)
        status = step != NULL ? glissade_optimizer_step(optimizer, &options, report)
                              : glissade_optimizer_read(optimizer, &digest, report);
    *seconds = clock_seconds() - before;
    if (status == GLISSADE_STATUS_OK)
        return EXIT_CODE_OK;
    progress_clear(&bench->progress);
    return report_optimizer("bench", optimizer, status);
}

/* Makes the readers anew, over the arrays that `step` reads. */
static enum exit_code create_readers(struct bench *bench, const struct bench_step *step) {
    void *momenta[MODEL_TENSORS_MAXIMUM] = {NULL};
    for (size_t i = 0; step->momentum > 0.0 && i < bench->model.tensor_count; ++i) {
        glissade_tensor_info info = {.size = sizeof info};
        glissade_status status = glissade_optimizer_get_tensor(
            bench->optimizer, (glissade_tensor_ref){bench->group, (uint32_t)i}, &info);
        if (status != GLISSADE_STATUS_OK)
            return report_optimizer("bench", bench->optimizer, status);
        momenta[i] = info.momentum;
    }
    for (int i = 0; i < READER_COUNT; ++i) {
        glissade_optimizer_destroy(&bench->readers[i]);
        uint32_t group;
        enum exit_code exit_code = create_optimizer(bench->reader_engines[i], &bench->readers[i]);
        if (exit_code == EXIT_CODE_OK)
            exit_code = add_group(bench, bench->readers[i], step, momenta, &group);
        if (exit_code != EXIT_CODE_OK)
            return exit_code;
    }
    return EXIT_CODE_OK;
}

/* Makes the optimizer anew, under this rule, and steps it until it has found its walk. */
static enum exit_code settle_optimizer(struct bench *bench, const struct bench_step *step) {
    glissade_optimizer_destroy(&bench->optimizer);
    enum exit_code exit_code = create_optimizer(bench->engine, &bench->optimizer);
    if (exit_code == EXIT_CODE_OK)
        exit_code = add_group(bench, bench->optimizer, step, NULL, &bench->group);
    double seconds;
    glissade_step_report report;
    for (int i = 0; i < SETTLING_STEPS && exit_code == EXIT_CODE_OK; ++i)
        exit_code = time_once(bench, step, NULL, &seconds, &report);
    return exit_code;
}

/* Keeps the fastest reader as the floor. */
static enum exit_code choose_floor(struct bench *bench) {
    double seconds[READER_COUNT][FLOOR_TRIALS];
    glissade_step_report report;
    for (int trial = 0; trial < FLOOR_TRIALS; ++trial) {
        for (int i = 0; i < READER_COUNT; ++i) {
            enum exit_code exit_code = time_once(bench, NULL, bench->readers[i], &seconds[i][trial], &report);
            if (exit_code != EXIT_CODE_OK)
                return exit_code;
        }
    }
    int best = 0;
    double best_seconds = statistics_median(seconds[0], FLOOR_TRIALS).value;
    for (int i = 1; i < READER_COUNT; ++i) {
        double median = statistics_median(seconds[i], FLOOR_TRIALS).value;
        if (median < best_seconds) {
            best = i;
            best_seconds = median;
        }
    }
    bench->floor = bench->readers[best];
    return EXIT_CODE_OK;
}

enum exit_code bench_prepare(struct bench *bench, const struct bench_step *step) {
    enum exit_code exit_code = settle_optimizer(bench, step);
    if (exit_code == EXIT_CODE_OK)
        exit_code = create_readers(bench, step);
    if (exit_code == EXIT_CODE_OK)
        exit_code = choose_floor(bench);
    return exit_code;
}

enum exit_code bench_measure_pair(struct bench *bench, const struct bench_step *first,
                                  const struct bench_step *second, struct bench_pair *pair) {
    glissade_step_report first_report = {0}, second_report = {0};
    for (size_t round = 0; round < WARM_UPS + bench->repetitions; ++round) {
        size_t slot = round < WARM_UPS ? 0 : round - WARM_UPS;
        /* Which goes first alternates, so that what one leaves in the caches favours neither. */
        bool swapped = round % 2 != 0;
        for (int turn = 0; turn < 2; ++turn) {
            bool is_first = (turn == 0) != swapped;
            enum exit_code exit_code =
                is_first
                    ? time_once(bench, first, bench->floor, &bench->first_seconds[slot], &first_report)
                    : time_once(bench, second, bench->floor, &bench->second_seconds[slot], &second_report);
            if (exit_code != EXIT_CODE_OK)
                return exit_code;
        }
        progress_update(&bench->progress, "bench", ++bench->pairs_done, bench->pairs_total);
    }
    pair->ratio = statistics_median_ratio(bench->first_seconds, bench->second_seconds, bench->scratch,
                                          bench->repetitions);
    pair->first.seconds = statistics_median(bench->first_seconds, bench->repetitions);
    pair->first.bytes = first_report.bytes;
    pair->first.streams = first_report.streams;
    pair->second.seconds = statistics_median(bench->second_seconds, bench->repetitions);
    pair->second.bytes = second_report.bytes;
    pair->second.streams = second_report.streams;
    return EXIT_CODE_OK;
}

size_t bench_rounds(const struct bench *bench) {
    return WARM_UPS + bench->repetitions;
}
