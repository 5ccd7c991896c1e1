/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving averages of data, each made by the library's own SGD: the gradient is the data point, and the
 * averages are where the parameter goes. What averages.c prints and averages_files.c writes is computed here,
 * without printing.
 */
#ifndef GLISSADE_CLI_STUDY_AVERAGES_H
#define GLISSADE_CLI_STUDY_AVERAGES_H

#include "../report.h"

#include <stddef.h>
#include <stdint.h>

enum average {
    AVERAGE_EWMA,       /* a = beta a + (1 - beta) y, from a = 0: drawn towards 0 at first */
    AVERAGE_DEBIASED,   /* that divided by 1 - beta^t */
    AVERAGE_UNDAMPENED, /* a = y at first, then as EWMA: torch.optim.SGD(dampening=momentum) */
    AVERAGE_SIMPLE,     /* mean of all points so far; beta says nothing */
    AVERAGE_COUNT
};

extern const char *const average_names[AVERAGE_COUNT];

/*
 * A tensor of averages, one an element, with an optimizer of its own.
 *
 * SGD ascends with learning rate 1, and all averages but the simple one start every step at parameter 0: then
 * the parameter ends as fma(eta, d, 0), with m kept by the library between steps, and holds d to the bit
 * where eta is 1, and where it debiases what the library's eta makes of d; had the parameter moved on, each
 * difference of two of its values would have lost digits. The simple average is SGD on (p - y)^2 / 2 with
 * learning rate 1 / t: its gradient p - y is weight decay 1 and the ascended y.
 */
struct averager {
    enum average average;
    glissade_optimizer *optimizer;
    uint32_t group;
    float *averages; /* the parameter: after a step the averages of all points so far */
    size_t width;
    uint64_t steps;
};

/* `points` is read at every step: `width` new points. Failures have been reported when these return. */
enum exit_code averager_create(struct averager *averager, glissade_engine *engine, enum average average,
                               double beta, float *points, size_t width);
enum exit_code averager_step(struct averager *averager);
void averager_destroy(struct averager *averager);

/* One average along `count` points. */
enum exit_code averages_follow(glissade_engine *engine, enum average average, double beta,
                               const float *points, size_t count, float *averages);

/* ---- the two data models ---- */

enum { AVERAGES_BETAS = 4, AVERAGES_POINTS = 200 };

extern const double averages_betas[AVERAGES_BETAS];

struct averages_series {
    const char *name, *model; /* "normal", and what it is in words */
    size_t count;
    double x[AVERAGES_POINTS], truth[AVERAGES_POINTS];
    float y[AVERAGES_POINTS], simple[AVERAGES_POINTS];
    float ewma[AVERAGES_BETAS][AVERAGES_POINTS], debiased[AVERAGES_BETAS][AVERAGES_POINTS];
};

/* 200 points of N(0.3, 1) over -4 to 4; 100 of cos x + U(-0.25, 0.25) over -3 to 3. Without averages. */
void averages_normal(uint64_t seed, struct averages_series *series);
void averages_cosine(uint64_t seed, struct averages_series *series);

/* Fills in every average. */
enum exit_code averages_follow_all(glissade_engine *engine, struct averages_series *series);

/* Root mean square distance of an average from the truth, over all points. */
double averages_distance(const struct averages_series *series, const float *averages);

/* ---- variance ---- */

enum {
    VARIANCE_BETAS = 3,
    VARIANCE_AVERAGES = AVERAGE_SIMPLE, /* those before it */
    VARIANCE_STEPS = 200,
    VARIANCE_REPETITIONS = 50000 /* one standard error is 0.63 %: sqrt(2 / (n - 1)) for normal averages */
};

extern const double variance_betas[VARIANCE_BETAS];

struct averages_variances {
    size_t repetitions;
    double measured[VARIANCE_BETAS][VARIANCE_AVERAGES][VARIANCE_STEPS];
};

/* Variance of an average of independent points of variance 1 after step t >= 1; not for AVERAGE_SIMPLE. */
double averages_variance(enum average average, double beta, uint64_t t);

/* Measures the same over `repetitions` (2 or more) rows of normal noise, which all averages share. */
enum exit_code averages_measure(glissade_engine *engine, uint64_t seed, size_t repetitions,
                                struct averages_variances *variances);

/* ---- files, in averages_files.c ---- */

struct averages_study {
    struct averages_series normal, cosine;
    struct averages_variances variances;
    uint64_t seed;
};

/* Writes the tables, then the figures. */
enum exit_code averages_write(const struct averages_study *study, const char *folder, bool force);

#endif
