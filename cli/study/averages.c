/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade study averages`: the command around averages_compute.c and averages_files.c. Must not compute
 * averages.
 */
#include "averages.h"
#include "figure.h"
#include "study.h"

#include <inttypes.h>
#include <stdio.h>

#define DEFAULT_FOLDER "study-averages"

const struct command averages_command = {
    .name = "averages",
    .summary = "moving averages of noisy data, debiased or not, and their variance",
    .description =
        "Feeds two noisy data models to the library's SGD as if the points were gradients: 200 points of\n"
        "N(0.3, 1), and 100 points of cos x + U(-0.25, 0.25). The moving averages that its momentum makes, "
        "with\n"
        "and without debiasing, and the mean of all points so far become tables (CSV) and figures (SVG).\n"
        "\n"
        "A third table and figure hold the variance of such averages of white noise: measured, and in "
        "closed\n"
        "form; with torch.optim.SGD's undampened first step as well.\n"
        "\n"
        "The same seed gives the same tables. Figures need gnuplot (Debian package gnuplot-nox): without it\n"
        "the tables are written all the same, and the exit code is 2.\n",
};

/* A step at which at beta 0.99 the bias is far from forgotten. */
enum { SUMMARY_STEP = 50 };

static void print_distance_row(const struct averages_series *series, const char *model, enum average average,
                               const float averages[AVERAGES_BETAS][AVERAGES_POINTS]) {
    printf("  %-23s %-9s", model, average_names[average]);
    for (size_t i = 0; i < AVERAGES_BETAS; ++i)
        printf("  %9.3f", averages_distance(series, averages[i]));
    printf("\n");
}

static void print_distances(const struct averages_study *study) {
    const struct averages_series *const all[] = {&study->normal, &study->cosine};
    printf("Root mean square distance from the truth\n  %-23s %-9s", "points", "average");
    for (size_t i = 0; i < AVERAGES_BETAS; ++i)
        printf("  beta %-4g", averages_betas[i]);
    printf("\n");
    for (size_t i = 0; i < sizeof all / sizeof all[0]; ++i) {
        print_distance_row(all[i], all[i]->model, AVERAGE_EWMA, all[i]->ewma);
        print_distance_row(all[i], "", AVERAGE_DEBIASED, all[i]->debiased);
        printf("  %-23s %-9s  %9.3f whatever beta\n", "", average_names[AVERAGE_SIMPLE],
               averages_distance(all[i], all[i]->simple));
    }
}

static void print_variances(const struct averages_variances *variances) {
    printf("\nVariance of averages of white noise at step %d, over %zu repetitions\n", SUMMARY_STEP,
           variances->repetitions);
    printf("  %-5s %-12s %10s %12s %10s %14s\n", "beta", "average", "measured", "closed form", "ratio",
           "of debiased");
    for (size_t i = 0; i < VARIANCE_BETAS; ++i) {
        double debiased = averages_variance(AVERAGE_DEBIASED, variance_betas[i], SUMMARY_STEP);
        for (size_t j = 0; j < VARIANCE_AVERAGES; ++j) {
            double measured = variances->measured[i][j][SUMMARY_STEP - 1];
            double closed = averages_variance((enum average)j, variance_betas[i], SUMMARY_STEP);
            printf("  %-5g %-12s %10.6f %12.6f %10.4f %14.3f\n", variance_betas[i], average_names[j],
                   measured, closed, measured / closed, closed / debiased);
        }
    }
}

static enum exit_code compute(uint64_t seed, struct averages_study *study) {
    study->seed = seed;
    averages_normal(seed, &study->normal);
    averages_cosine(seed, &study->cosine);
    /* One thread: a step of 50,000 elements is too small for more to repay, and the bits are the same. */
    glissade_engine *engine = NULL;
    enum exit_code exit_code = report_engine_create(1, 1, &engine);
    if (exit_code == EXIT_CODE_OK)
        exit_code = averages_follow_all(engine, &study->normal);
    if (exit_code == EXIT_CODE_OK)
        exit_code = averages_follow_all(engine, &study->cosine);
    if (exit_code == EXIT_CODE_OK)
        exit_code = averages_measure(engine, seed, VARIANCE_REPETITIONS, &study->variances);
    glissade_engine_destroy(&engine);
    return exit_code;
}

int averages_main(int argc, char **argv) {
    const char *folder = DEFAULT_FOLDER;
    uint64_t seed;
    bool force = false, quiet = false;
    const struct option_row rows[] = {
        option_text("output", "DIR",
                    "folder of tables and figures, made if need be (default " DEFAULT_FOLDER ")", &folder),
        option_count("seed", "of all points and noise", "1", 0, UINT32_MAX, &seed),
        option_flag("force", "replace tables and figures that are there", &force),
        option_flag("quiet", "print no summary", &quiet),
    };
    /* Its own name is what usage and errors are to show, its name in the list of studies is shorter. */
    struct command command = averages_command;
    command.name = "study averages";
    int exit_code;
    if (!options_parse(&command, rows, sizeof rows / sizeof rows[0], argc, argv, &exit_code))
        return exit_code;
    static struct averages_study study;
    exit_code = compute(seed, &study);
    if (exit_code == EXIT_CODE_OK)
        exit_code = averages_write(&study, folder, force);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    if (!quiet) {
        print_distances(&study);
        print_variances(&study.variances);
        printf("\nWritten to %s\n", folder);
    }
    return figure_missing() ? EXIT_CODE_USAGE : EXIT_CODE_OK;
}
