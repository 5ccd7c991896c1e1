/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade study`: finds the study, has its runs carried out, then its tables and figures made. */
#include "study.h"

#include "../commands.h"
#include "figure.h"
#include "results.h"
#include "workers.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

const struct command study_command = {
    .name = "study",
    .summary = "measure what momentum, batch size and deferred gradients do to training",
    .description = "",
};

static const struct study *const studies[] = {&convergence_study, &batch_study, &deferral_study};
enum { STUDY_COUNT = sizeof studies / sizeof studies[0] };

static void print_help(void) {
    printf(
        "Usage: glissade study NAME [OPTION]...\n\n"
        "Measurements of how the library's updates train, each with its tables (CSV) and figures (SVG).\n\n"
        "Studies:\n  %-12s %s\n",
        averages_command.name, averages_command.summary);
    for (size_t i = 0; i < STUDY_COUNT; ++i)
        printf("  %-12s %s\n", studies[i]->name, studies[i]->command.summary);
    printf("  %-12s %s\n", trace_command.name, trace_command.summary);
    printf(
        "\n'glissade study NAME --help' lists a study's options.\n"
        "\nExit codes are those of 'glissade --help'; where gnuplot is missing, tables are written, figures "
        "are\nnot, and the exit code is 2.\n");
}

static enum exit_code report_memory(const struct study *study) {
    report_error("%s: out of memory", study->command.name);
    return EXIT_CODE_FAILED;
}

/* Runs of the last plan are done; asks for more until there are none. */
static enum exit_code carry_out(const struct study *study, const struct study_settings *settings,
                                const struct dataset *dataset, struct results *results) {
    for (unsigned round = 1;; ++round) {
        struct run_plan plan = {.count = 0};
        size_t before = results->count;
        enum exit_code exit_code =
            study->plan(settings, results, &plan)
                ? workers_execute(study->name, settings, round, &plan, dataset, results)
                : report_memory(study);
        run_plan_free(&plan);
        if (exit_code != EXIT_CODE_OK || results->count == before)
            return exit_code;
    }
}

/* Runs on fewer images than the design says would be another study, and those on more do not exist. */
static enum exit_code check_images(const struct study *study, const struct study_settings *settings,
                                   const struct dataset *dataset) {
    const struct results none = {.file = -1};
    struct run_plan plan = {.count = 0};
    if (!study->plan(settings, &none, &plan)) {
        run_plan_free(&plan);
        return report_memory(study);
    }
    uint64_t needed = 0;
    for (size_t i = 0; i < plan.count; ++i)
        needed = plan.runs[i].images > needed ? plan.runs[i].images : needed;
    run_plan_free(&plan);
    if (needed <= dataset->train.count)
        return EXIT_CODE_OK;
    report_error("%s: %s has %zu training images, and the study needs %" PRIu64 "%s", study->command.name,
                 dataset->synthetic ? "the synthetic set" : "the data set", dataset->train.count, needed,
                 settings->quick ? "" : "; --quick needs fewer");
    return EXIT_CODE_USAGE;
}

/* Loads the data, unless tables are made of runs that are there: then only if somebody named the data, to see
 * whether they are those of the runs. */
static enum exit_code load_data(const struct study *study, const struct study_settings *settings,
                                struct dataset *dataset) {
    *dataset = (struct dataset){.synthetic = false};
    if (settings->tables && !settings->synthetic && settings->folder == NULL)
        return EXIT_CODE_OK;
    enum exit_code exit_code = dataset_load(settings->folder, settings->synthetic, dataset);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    if (!settings->tables)
        exit_code = check_images(study, settings, dataset);
    if (exit_code != EXIT_CODE_OK)
        dataset_free(dataset);
    else
        dataset_note_replacement(dataset, settings->synthetic, "the study uses");
    return exit_code;
}

static enum exit_code conduct(const struct study *study, const struct study_settings *settings) {
    struct dataset dataset;
    enum exit_code exit_code = load_data(study, settings, &dataset);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    struct results results;
    exit_code = results_open(&results, study, settings, dataset.train.count > 0 ? &dataset : NULL);
    if (exit_code == EXIT_CODE_OK && !settings->tables)
        exit_code = carry_out(study, settings, &dataset, &results);
    /* What the runs were made of, however that came to be known: the tables name it, and are to be the same. */
    struct study_settings known = *settings;
    known.synthetic = results.synthetic;
    if (exit_code == EXIT_CODE_OK)
        exit_code = study->report(&known, &results);
    if (exit_code == EXIT_CODE_OK && !settings->quiet)
        printf("%zu runs; tables %sare in '%s'\n", results.count, figure_missing() ? "" : "and figures ",
               settings->output);
    if (exit_code == EXIT_CODE_OK && figure_missing())
        exit_code = EXIT_CODE_USAGE;
    results_close(&results);
    dataset_free(&dataset);
    /* So that whoever started the study, such as a shell in a loop, sees that it was interrupted. */
    if (workers_interrupted() != 0)
        raise(workers_interrupted());
    return exit_code;
}

static const char common_description[] =
    "\n"
    "On a terminal a bar shows progress; the time left is that of the present round of runs only, as later\n"
    "rounds, such as the judging runs after tuning, are planned by what it finds.\n"
    "\n"
    "Figures need gnuplot (Debian package gnuplot-nox): without it the tables are written all the same, and\n"
    "the exit code is 2.\n";

/* As many runs at a time as the library would use threads. */
static enum exit_code default_workers(uint64_t *workers) {
    glissade_engine *engine = NULL;
    glissade_engine_info info = {.size = sizeof info};
    enum exit_code exit_code = report_engine_create(GLISSADE_UNSET, GLISSADE_UNSET, &engine);
    if (exit_code == EXIT_CODE_OK && glissade_engine_get_info(engine, &info) == GLISSADE_STATUS_OK)
        *workers = info.threads;
    glissade_engine_destroy(&engine);
    return exit_code;
}

static int run_study(const struct study *study, int argc, char **argv) {
    char output[64];
    snprintf(output, sizeof output, "study-%s", study->name);
    struct study_settings settings = {.output = output};
    const struct option_row rows[] = {
        option_text("output", "DIR",
                    "folder of the runs, tables and figures, made if need be (default: study-NAME)",
                    &settings.output),
        option_count("seed", "of the first repetition; the others count up from it", "1", 0, UINT32_MAX / 2,
                     &settings.seed),
        option_count("workers", "runs at a time", "the threads of 'glissade info'", 1, 256,
                     &settings.workers),
        option_text("data", "DIR", "folder of the four idx files, plain or .gz", &settings.folder),
        option_flag("synthetic", "use the built-in set even where Fashion-MNIST is installed",
                    &settings.synthetic),
        option_flag("quick", "a small version that shows that everything works", &settings.quick),
        option_flag("tables",
                    "make tables and figures of the runs that are there, and run none; needs no data",
                    &settings.tables),
        option_flag("force", "start anew, overwriting what the folder holds", &settings.force),
        option_flag("quiet", "show no progress", &settings.quiet),
    };
    /* What all studies have in common stands below what each says of itself. */
    char description[2048];
    snprintf(description, sizeof description, "%s%s", study->command.description, common_description);
    struct command command = study->command;
    command.description = description;
    int exit_code;
    if (!options_parse(&command, rows, sizeof rows / sizeof rows[0], argc, argv, &exit_code))
        return exit_code;
    if (!dataset_options_agree(study->command.name, settings.folder, settings.synthetic))
        return EXIT_CODE_USAGE;
    if (settings.force && settings.tables) {
        report_error("%s: options '--force' and '--tables' exclude each other", study->command.name);
        return EXIT_CODE_USAGE;
    }
    if (settings.workers == 0 && (exit_code = default_workers(&settings.workers)) != EXIT_CODE_OK)
        return exit_code;
    return conduct(study, &settings);
}

int study_main(int argc, char **argv) {
    if (argc < 2) {
        report_error("study: no study named; see 'glissade study --help'");
        return EXIT_CODE_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
        print_help();
        return EXIT_CODE_OK;
    }
    if (strcmp(name, "--version") == 0) {
        printf("glissade %s\n", glissade_version());
        return EXIT_CODE_OK;
    }
    if (strcmp(name, "averages") == 0)
        return averages_main(argc - 1, argv + 1);
    if (strcmp(name, "trace") == 0)
        return trace_main(argc - 1, argv + 1);
    for (size_t i = 0; i < STUDY_COUNT; ++i)
        if (strcmp(name, studies[i]->name) == 0)
            return run_study(studies[i], argc - 1, argv + 1);
    report_error("study: there is no study '%s'; see 'glissade study --help'", name);
    return EXIT_CODE_USAGE;
}
