/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade study averages`: the library's moving averages against their formulas, their variance against the
 * closed forms, and the files of the command.
 *
 * Run it with --verbose=1 and without --tap to see how far from its formula each was found.
 */
#include "study/averages.h"
#include "study/study.h"
#include "normal.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include <float.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static glissade_engine *engine;
static char folder[64];

static void set_up(void) {
    cr_assert_eq(report_engine_create(1, 1, &engine), EXIT_CODE_OK);
    strcpy(folder, "/tmp/glissade-averages-XXXXXX");
    cr_assert(mkdtemp(folder) != NULL);
}

static void tear_down(void) {
    char command[128];
    glissade_engine_destroy(&engine);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_assert(system(command) == 0);
}

TestSuite(averages, .init = set_up, .fini = tear_down);

/* ---- a constant ---- */

/*
 * The average of a constant c is c (1 - beta^t), debiased c. In floats, with u = 2^-24: beta and each sum are
 * rounded by at most u / 2 and u of the average, which the recurrence adds up to 1.5 u (1 - beta^t) / (1 -
 * beta) of it; that holds the stall, where (1 - beta)(c - a) has fallen below half an ulp of a. Dampening's
 * factor, its product with c, eta and the last product are rounded once each, u, and have four more together.
 */
static double bound(double beta, uint64_t t) {
    const double u = 0x1p-24;
    return 1.5 * u * (1.0 - pow(beta, (double)t)) / (1.0 - beta) + 4.0 * u;
}

static void follow_constant(double beta, float constant, size_t steps, bool debiased) {
    float *points = malloc(steps * sizeof *points), *found = malloc(steps * sizeof *found);
    cr_assert(points != NULL && found != NULL);
    for (size_t i = 0; i < steps; ++i)
        points[i] = constant;
    cr_assert_eq(
        averages_follow(engine, debiased ? AVERAGE_DEBIASED : AVERAGE_EWMA, beta, points, steps, found),
        EXIT_CODE_OK);
    double worst = 0.0;
    for (size_t i = 0; i < steps; ++i) {
        double expected = debiased ? constant : constant * (1.0 - pow(beta, (double)(i + 1)));
        double error = fabs(found[i] / expected - 1.0);
        cr_assert(error <= bound(beta, i + 1),
                  "beta %g, c %g, step %zu: %.9g, not %.9g; off by %.3g, bound %.3g", beta, constant, i + 1,
                  found[i], expected, error, bound(beta, i + 1));
        worst = fmax(worst, error);
    }
    cr_log_info("beta %g, c %g%s: off by %.3g, which is %.2f times 2^-25 / (1 - beta)", beta, constant,
                debiased ? ", debiased" : "", worst, worst * 0x1p25 * (1.0 - beta));
    free(points);
    free(found);
}

static void follow_constants(bool debiased) {
    static const double betas[] = {0.01, 0.5, 0.9, 0.99, 0.999, 0.9999};
    static const float constants[] = {1.0f, -0.3f, 1.9999f, 3e-20f, 7e30f};
    for (size_t i = 0; i < sizeof betas / sizeof betas[0]; ++i)
        for (size_t j = 0; j < sizeof constants / sizeof constants[0]; ++j)
            follow_constant(betas[i], constants[j], 20000, debiased);
}

Test(averages, ewma_of_a_constant) {
    follow_constants(false);
}

Test(averages, debiased_of_a_constant) {
    follow_constants(true);
}

/* ---- any points ---- */

/* The averages by their definitions, in double; each is `count` weights on the points so far. */
static double defined(enum average average, double beta, const float *points, size_t count) {
    double sum = 0.0;
    for (size_t i = 0; i < count; ++i) {
        double weight = 1.0 / (double)count;
        if (average != AVERAGE_SIMPLE) {
            weight = (1.0 - beta) * pow(beta, (double)(count - 1 - i));
            if (average == AVERAGE_UNDAMPENED && i == 0)
                weight = pow(beta, (double)(count - 1));
            if (average == AVERAGE_DEBIASED)
                weight /= 1.0 - pow(beta, (double)count);
        }
        sum += weight * points[i];
    }
    return sum;
}

/*
 * Of a simple average of t points up to 1: step s rounds p - y and the rate, 2 u / s each, and the parameter,
 * u / 2. The averaging that follows leaves s / t of these; their sum is 4 u + u (t + 1) / 4.
 */
static double simple_bound(size_t t) {
    return 0x1p-24 * (4.25 + 0.25 * (double)t);
}

/* No point is beyond 1 and so no average: `bound`, relative to an average, is one of the difference here. */
Test(averages, definitions) {
    enum { COUNT = 600 };
    float points[COUNT], found[COUNT];
    struct random_source random;
    random_seed(&random, 3, 0);
    for (size_t i = 0; i < COUNT; ++i)
        points[i] = random_uniform(&random, -1.0f, 1.0f);
    for (int average = 0; average < AVERAGE_COUNT; ++average) {
        for (size_t b = 0; b < AVERAGES_BETAS; ++b) {
            double beta = averages_betas[b];
            cr_assert_eq(averages_follow(engine, (enum average)average, beta, points, COUNT, found),
                         EXIT_CODE_OK);
            for (size_t i = 0; i < COUNT; ++i) {
                double expected = defined((enum average)average, beta, points, i + 1);
                double tolerance = average == AVERAGE_SIMPLE ? simple_bound(i + 1) : bound(beta, i + 1);
                if (average == AVERAGE_DEBIASED)
                    tolerance = 1.5 * 0x1p-24 / (1.0 - beta) + 4.0 * 0x1p-24;
                cr_assert(fabs(found[i] - expected) <= tolerance, "%s, beta %g, step %zu: %.9g, not %.9g",
                          average_names[average], beta, i + 1, found[i], expected);
            }
        }
    }
}

/* One element of a wide tensor and a tensor of one element: the same bits. */
Test(averages, width_changes_nothing) {
    enum { WIDTH = 1000, STEPS = 50 };
    static float noise[STEPS][WIDTH], points[WIDTH], column[STEPS], found[STEPS];
    static struct averager averager;
    struct random_source random;
    random_seed(&random, 5, 0);
    for (int average = 0; average < AVERAGE_COUNT; ++average) {
        static float averages[STEPS];
        cr_assert_eq(averager_create(&averager, engine, (enum average)average, 0.9, points, WIDTH),
                     EXIT_CODE_OK);
        for (size_t t = 0; t < STEPS; ++t) {
            normal_fill(&random, noise[t], WIDTH);
            memcpy(points, noise[t], sizeof points);
            cr_assert_eq(averager_step(&averager), EXIT_CODE_OK);
            averages[t] = averager.averages[777];
            column[t] = noise[t][777];
        }
        averager_destroy(&averager);
        cr_assert_eq(averages_follow(engine, (enum average)average, 0.9, column, STEPS, found), EXIT_CODE_OK);
        cr_assert(memcmp(found, averages, sizeof found) == 0, "%s", average_names[average]);
    }
}

/* ---- variance ---- */

/*
 * The closed forms without any chance: element j is fed 1 at step j and 0 else, so that after step t the
 * elements are the weights of an average, and the sum of their squares is its variance.
 */
Test(averages, variance_is_the_sum_of_squared_weights) {
    static float points[VARIANCE_STEPS];
    for (int average = 0; average < VARIANCE_AVERAGES; ++average) {
        for (size_t b = 0; b < VARIANCE_BETAS; ++b) {
            struct averager averager;
            cr_assert_eq(averager_create(&averager, engine, (enum average)average, variance_betas[b], points,
                                         VARIANCE_STEPS),
                         EXIT_CODE_OK);
            for (size_t t = 1; t <= VARIANCE_STEPS; ++t) {
                memset(points, 0, sizeof points);
                points[t - 1] = 1.0f;
                cr_assert_eq(averager_step(&averager), EXIT_CODE_OK);
                double sum = 0.0;
                for (size_t i = 0; i < VARIANCE_STEPS; ++i)
                    sum += (double)averager.averages[i] * averager.averages[i];
                double closed = averages_variance((enum average)average, variance_betas[b], t);
                /* A weight has t roundings and t times beta's own, its square twice their error. */
                double tolerance = 2.0 * 0x1p-24 * ((double)t * 1.5 + 4.0);
                cr_assert(fabs(sum / closed - 1.0) <= tolerance,
                          "%s, beta %g, step %zu: %.9g, closed form %.9g", average_names[average],
                          variance_betas[b], t, sum, closed);
            }
            averager_destroy(&averager);
        }
    }
}

/*
 * The sample variance of n normal deviates of variance v has the standard error v sqrt(2 / (n - 1)). Five of
 * them: each of the 1,800 comparisons fails by chance once in 1.7 million, any of them less than once in 900
 * seeds; and the seed is fixed. Near v, the errors of floats are nothing beside it.
 */
Test(averages, variance_is_measured) {
    enum { REPETITIONS = 20000 };
    static struct averages_variances variances;
    cr_assert_eq(averages_measure(engine, 1, REPETITIONS, &variances), EXIT_CODE_OK);
    const double standard_error = sqrt(2.0 / (REPETITIONS - 1));
    double worst = 0.0;
    for (size_t b = 0; b < VARIANCE_BETAS; ++b) {
        for (int average = 0; average < VARIANCE_AVERAGES; ++average) {
            for (size_t t = 1; t <= VARIANCE_STEPS; ++t) {
                double closed = averages_variance((enum average)average, variance_betas[b], t);
                double off = (variances.measured[b][average][t - 1] / closed - 1.0) / standard_error;
                cr_assert(fabs(off) < 5.0, "%s, beta %g, step %zu: off by %.2f standard errors",
                          average_names[average], variance_betas[b], t, off);
                worst = fmax(worst, fabs(off));
            }
        }
    }
    cr_log_info("variances: at most %.2f standard errors off", worst);

    /* Of a ratio both relative errors count; as if they were independent, which errs to the safe side. */
    double measured = variances.measured[VARIANCE_BETAS - 1][AVERAGE_UNDAMPENED][49] /
                      variances.measured[VARIANCE_BETAS - 1][AVERAGE_DEBIASED][49];
    double closed =
        averages_variance(AVERAGE_UNDAMPENED, 0.99, 50) / averages_variance(AVERAGE_DEBIASED, 0.99, 50);
    cr_assert(closed > 18.0 && closed < 19.0, "closed form: %.3f times", closed);
    cr_assert(fabs(measured / closed - 1.0) < 5.0 * sqrt(2.0) * standard_error,
              "measured: %.3f times, not %.3f", measured, closed);
}

/* After the first step nothing is averaged yet; in the end all three agree. */
Test(averages, variance_at_both_ends) {
    for (size_t b = 0; b < VARIANCE_BETAS; ++b) {
        double beta = variance_betas[b], limit = (1.0 - beta) / (1.0 + beta);
        cr_assert_float_eq(averages_variance(AVERAGE_EWMA, beta, 1), (1.0 - beta) * (1.0 - beta), 1e-12);
        cr_assert_float_eq(averages_variance(AVERAGE_DEBIASED, beta, 1), 1.0, 1e-12);
        cr_assert_float_eq(averages_variance(AVERAGE_UNDAMPENED, beta, 1), 1.0, 1e-12);
        for (int average = 0; average < VARIANCE_AVERAGES; ++average)
            cr_assert_float_eq(averages_variance((enum average)average, beta, 100000), limit, 1e-12);
    }
}

/* ---- deviates ---- */

/* Sample moments of n deviates within five standard errors: 1, 2, 15 and 96 over n, square roots of. */
Test(averages, deviates_are_normal) {
    enum { COUNT = 1000001 };
    float *values = malloc(COUNT * sizeof *values);
    cr_assert(values != NULL);
    struct random_source random;
    random_seed(&random, 1, 99);
    normal_fill(&random, values, COUNT);
    static const double expected[] = {0.0, 1.0, 0.0, 3.0}, variances[] = {1.0, 2.0, 15.0, 96.0};
    double sums[4] = {0};
    size_t beyond = 0; /* 2 */
    for (size_t i = 0; i < COUNT; ++i) {
        double power = 1.0;
        for (int moment = 0; moment < 4; ++moment)
            sums[moment] += power *= values[i];
        beyond += fabsf(values[i]) > 2.0f;
    }
    for (int moment = 0; moment < 4; ++moment)
        cr_assert(fabs(sums[moment] / COUNT - expected[moment]) < 5.0 * sqrt(variances[moment] / COUNT),
                  "moment %d: %g", moment + 1, sums[moment] / COUNT);
    const double share = erfc(sqrt(2.0));
    cr_assert(fabs((double)beyond / COUNT - share) < 5.0 * sqrt(share * (1.0 - share) / COUNT));
    free(values);
}

/* ---- files ---- */

enum { COLUMNS_MAXIMUM = 24, ROWS_MAXIMUM = 400 };

struct table {
    char names[COLUMNS_MAXIMUM][32];
    size_t columns, rows, comments;
    double values[ROWS_MAXIMUM][COLUMNS_MAXIMUM];
};

static size_t split(char *line, char *fields[COLUMNS_MAXIMUM]) {
    size_t count = 0;
    line[strcspn(line, "\n")] = '\0';
    for (char *rest = line, *field; (field = strsep(&rest, ",")) != NULL;) {
        cr_assert(count < COLUMNS_MAXIMUM);
        fields[count++] = field;
    }
    return count;
}

/* Strict: comments, then names, then rows of as many finite numbers. */
static void read_table(const char *name, struct table *table) {
    char path[256], line[4096], *fields[COLUMNS_MAXIMUM];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    cr_assert(file != NULL, "no %s", name);
    memset(table, 0, sizeof *table);
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#') {
            cr_assert(table->columns == 0);
            ++table->comments;
            continue;
        }
        size_t count = split(line, fields);
        if (table->columns == 0) {
            table->columns = count;
            for (size_t i = 0; i < count; ++i)
                snprintf(table->names[i], sizeof table->names[i], "%s", fields[i]);
            continue;
        }
        cr_assert(count == table->columns && table->rows < ROWS_MAXIMUM);
        for (size_t i = 0; i < count; ++i) {
            char *end;
            table->values[table->rows][i] = strtod(fields[i], &end);
            cr_assert(end != fields[i] && *end == '\0' && isfinite(table->values[table->rows][i]));
        }
        ++table->rows;
    }
    fclose(file);
}

static size_t column(const struct table *table, const char *name) {
    for (size_t i = 0; i < table->columns; ++i)
        if (strcmp(table->names[i], name) == 0)
            return i;
    cr_assert_fail("no column %s", name);
    return 0;
}

/* As the shell would start it, again and again: getopt has to be told. */
static int run(const char *first, const char *second, const char *third) {
    char name[] = "averages", quiet[] = "--quiet", output[] = "--output", copies[3][128] = {{0}};
    const char *const given[] = {first, second, third};
    char *arguments[8] = {name, quiet, output, folder};
    int count = 4;
    for (int i = 0; i < 3 && given[i] != NULL; ++i) {
        snprintf(copies[i], sizeof copies[i], "%s", given[i]);
        arguments[count++] = copies[i];
    }
    optind = 0;
    return averages_main(count, arguments);
}

static void expect_series(const char *name, size_t rows, double low, double high) {
    static struct table table;
    read_table(name, &table);
    cr_assert(table.comments >= 3 && table.columns == 4 + 2 * AVERAGES_BETAS && table.rows == rows);
    const size_t x = column(&table, "x"), y = column(&table, "y"), simple = column(&table, "sma");
    const size_t ewma = column(&table, "ewma_0.9"), debiased = column(&table, "debiased_0.9");
    cr_assert(table.values[0][x] == low && table.values[rows - 1][x] == high);
    double sum = 0.0, scale = 0.0;
    for (size_t i = 0; i < rows; ++i) {
        /* The scale is no power of two: an ulp may be twice as large as simple_bound has it. */
        sum += table.values[i][y];
        scale = fmax(scale, fabs(table.values[i][y]));
        cr_assert(fabs(table.values[i][simple] - sum / (double)(i + 1)) <= 2.0 * scale * simple_bound(i + 1),
                  "%s, row %zu", name, i);
        double bias = 1.0 - pow(0.9, (double)(i + 1));
        cr_assert(fabs(table.values[i][debiased] * bias - table.values[i][ewma]) <= 4.0 * 0x1p-24 * scale);
    }
}

Test(averages, tables) {
    static struct table table;
    cr_assert_eq(run(NULL, NULL, NULL), EXIT_CODE_OK);
    expect_series("averages-normal.csv", 200, -4.0, 4.0);
    expect_series("averages-cosine.csv", 100, -3.0, 3.0);
    read_table("averages-cosine.csv", &table);
    for (size_t i = 0; i < table.rows; ++i) {
        cr_assert(fabs(table.values[i][2] - cos(table.values[i][0])) < 1e-8);
        cr_assert(fabs(table.values[i][1] - table.values[i][2]) <= 0.25 + 1e-6);
    }
    read_table("averages-variance.csv", &table);
    cr_assert(table.rows == VARIANCE_STEPS && table.columns == 1 + 2 * VARIANCE_BETAS * VARIANCE_AVERAGES);
    const size_t measured = column(&table, "undampened_0.99"),
                 closed = column(&table, "undampened_0.99_closed");
    for (size_t i = 0; i < table.rows; ++i) {
        cr_assert_eq(table.values[i][0], (double)(i + 1));
        cr_assert(fabs(table.values[i][measured] / table.values[i][closed] - 1.0) <
                  5.0 * sqrt(2.0 / (VARIANCE_REPETITIONS - 1)));
    }
}

/* Tables of one seed are the same, of another not. */
Test(averages, seeds) {
    static struct table first, second;
    cr_assert_eq(run(NULL, NULL, NULL), EXIT_CODE_OK);
    read_table("averages-normal.csv", &first);
    cr_assert_eq(run("--force", "--seed", "1"), EXIT_CODE_OK);
    read_table("averages-normal.csv", &second);
    cr_assert(memcmp(&first, &second, sizeof first) == 0);
    cr_assert_eq(run("--force", "--seed", "2"), EXIT_CODE_OK);
    read_table("averages-normal.csv", &second);
    cr_assert(memcmp(&first, &second, sizeof first) != 0);
}

/* One file in the way, and nothing is written; with --force all is. */
Test(averages, nothing_is_replaced_unasked) {
    char path[128];
    snprintf(path, sizeof path, "%s/averages-variance.svg", folder);
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    fclose(file);
    cr_redirect_stderr();
    cr_assert_eq(run(NULL, NULL, NULL), EXIT_CODE_USAGE);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(folder), 0, "something was written");
    cr_assert_eq(run("--force", NULL, NULL), EXIT_CODE_OK);
    cr_assert_eq(run("--force", NULL, NULL), EXIT_CODE_OK);
}

Test(averages, bad_command_lines) {
    cr_redirect_stderr();
    cr_assert_eq(run("--unknown", NULL, NULL), EXIT_CODE_USAGE);
    cr_assert_eq(run("--seed", "-1", NULL), EXIT_CODE_USAGE);
    cr_assert_eq(run("--output", "/dev/null/folder", NULL), EXIT_CODE_USAGE);
    cr_assert_eq(run("--output", "", NULL), EXIT_CODE_USAGE);
    cr_assert_eq(rmdir(folder), 0, "something was written");
}
