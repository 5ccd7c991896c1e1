/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade bench`, in four parts: bench_model.c knows the tensors, bench_measure.c sets up and times,
 * bench.c says what is measured and prints it, bench_json.c writes it as JSON.
 */
#ifndef GLISSADE_CLI_BENCH_H
#define GLISSADE_CLI_BENCH_H

#include "progress.h"
#include "report.h"
#include "statistics.h"

/* ---- model ---- */

enum { MODEL_TENSORS_MAXIMUM = 160 };

struct model {
    const char *name;
    size_t lengths[MODEL_TENSORS_MAXIMUM];
    size_t tensor_count, parameter_count;
};

/* GPT-2 124M's 148 tensors, or with `small` the same list for a narrow, shallow relative. */
void model_describe(struct model *model, bool small);

/* ---- measuring ---- */

/* A step to time. */
struct bench_step {
    const char *name;
    double momentum, dampening;
    bool debias, nesterov, zero_gradients;
};

struct bench_timing {
    struct median seconds;
    uint64_t bytes;
    uint32_t streams;
};

/* One reader for each count of page streams: the floor is the fastest of them. */
enum { READER_COUNT = 4 };

struct bench {
    struct model model;
    size_t repetitions;
    struct progress progress;
    size_t pairs_done, pairs_total;
    glissade_engine *engine, *reader_engines[READER_COUNT];
    glissade_optimizer *optimizer, *readers[READER_COUNT];
    glissade_optimizer *floor; /* the fastest reader of the arrays that the optimizer has now */
    glissade_arrays *parameters, *gradients;
    uint32_t group;
    glissade_engine_info info;
    double *first_seconds, *second_seconds, *scratch; /* `repetitions` each */
};

/* Two actions timed in turn, over the same arrays in the same seconds, and how they compare. */
struct bench_pair {
    struct bench_timing first, second;
    struct median ratio; /* median of first / second, pair by pair */
};

/* Allocates and fills; failures have been reported when it returns, and bench_destroy is still due. */
enum exit_code bench_create(struct bench *bench, uint32_t threads);
void bench_destroy(struct bench *bench);

/*
 * Gets ready for steps that touch the arrays that `step` does: makes the optimizer anew under its rule, lets
 * it settle, and takes the fastest way to read those arrays as the floor from then on.
 */
enum exit_code bench_prepare(struct bench *bench, const struct bench_step *step);

/* Rounds that one bench_measure_pair takes, warming up included; for the progress bar. */
size_t bench_rounds(const struct bench *bench);

/* Times first (NULL: the floor) against second. */
enum exit_code bench_measure_pair(struct bench *bench, const struct bench_step *first,
                                  const struct bench_step *second, struct bench_pair *pair);

/* ---- results ---- */

enum bench_rule { RULE_SGD, RULE_MOMENTUM, RULE_EWMA, RULE_NESTEROV, RULE_COUNT };

extern const struct bench_step bench_rules[RULE_COUNT];

struct bench_results {
    struct bench_pair of_floor[RULE_COUNT]; /* floor against step */
    struct bench_pair zeroing;              /* with gradient zeroing against without */
    struct bench_pair debias;               /* with debiasing against without */
};

enum exit_code bench_print_json(const struct bench *bench, const struct bench_results *results);

#endif
