/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade train`: the command around trainer.c. Reads options, prints epochs. Must not compute.
 */
#include "blas.h"
#include "commands.h"
#include "trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

const struct command train_command = {
    .name = "train",
    .summary = "train a small network on Fashion-MNIST with the library's updates",
    .description =
        "Trains a 784-256-10 ReLU network with softmax cross-entropy on Fashion-MNIST. Matrix products are\n"
        "CBLAS's; every update of a parameter is the library's SGD, by default with a debiased "
        "exponentially\n"
        "weighted moving average of the gradients.\n"
        "\n"
        "Data: --data, or else datasets/fashion-mnist below each folder of XDG_DATA_DIRS (Debian's package\n"
        "dataset-fashion-mnist installs it there). If that folder does not exist, a small built-in "
        "synthetic\n"
        "set takes its place, which stderr, the last line and the JSON document say.\n"
        "\n"
        "Cores: matrix products and the optimizer step never run at the same time. The OpenMP flavour of\n"
        "OpenBLAS (Debian's libopenblas-openmp-dev) works on the same threads as the step, by turns; "
        "another\n"
        "flavour gets one thread, since two pools would fight for the cores. A line of the output says "
        "which\n"
        "it is.\n"
        "\n"
        "The same seed on the same machine with the same number of threads gives the same numbers.\n",
};

struct train_options {
    struct train_settings settings;
    const char *folder;
    double target;
    bool no_debias, synthetic, json, quiet;
};

struct train_summary {
    double accuracy, best_accuracy; /* of the last epoch, and of the best */
    uint64_t best_epoch;
    double seconds, step_seconds; /* sums over the epochs */
    json_t *epochs;
};

static const char *data_name(const struct dataset *dataset) {
    return dataset->synthetic ? "synthetic" : "idx";
}

static void print_heading(FILE *out, const struct trainer *trainer) {
    const struct train_settings *settings = &trainer->settings;
    const struct dataset *dataset = trainer->dataset;
    char cores[256];
    blas_describe(trainer->info.threads, cores, sizeof cores);
    if (dataset->synthetic)
        fprintf(out, "data: synthetic (built in)");
    else
        fprintf(out, "data: %s", dataset->folder);
    fprintf(out, "; %zu training and %zu test images\n", dataset->train.count, dataset->test.count);
    fprintf(out, "cores: %s\n", cores);
    fprintf(out, "rule: SGD, learning rate %g falling to %g, momentum %g, dampening %g, %sdebiased%s, ",
            settings->learning_rate, settings->learning_rate * settings->final_rate, settings->momentum,
            settings->dampening, settings->debias ? "" : "not ", settings->nesterov ? ", Nesterov" : "");
    fprintf(out, "weight decay %g; batch of %" PRIu64 ", seed %" PRIu64 "\n", settings->weight_decay,
            settings->batch_size, settings->seed);
    fprintf(out, "\nepoch    loss  test accuracy  seconds  in the step\n");
}

static void print_epoch(FILE *out, uint64_t epoch, const struct epoch_result *result) {
    fprintf(out, "%5" PRIu64 "  %6.4f  %11.2f %%  %7.2f  %9.1f %%\n", epoch, result->loss,
            100.0 * result->accuracy, result->seconds, 100.0 * result->step_seconds / result->seconds);
    fflush(out);
}

static void add_epoch(struct train_summary *summary, uint64_t epoch, const struct epoch_result *result) {
    summary->accuracy = result->accuracy;
    if (result->accuracy > summary->best_accuracy) {
        summary->best_accuracy = result->accuracy;
        summary->best_epoch = epoch;
    }
    summary->seconds += result->seconds;
    summary->step_seconds += result->step_seconds;
    report_json_append(&summary->epochs,
                       json_pack("{s:I, s:f, s:f, s:f, s:f}", "epoch", (json_int_t)epoch, "train_loss",
                                 result->loss, "test_accuracy", result->accuracy, "seconds", result->seconds,
                                 "step_share", result->step_seconds / result->seconds));
}

static json_t *settings_json(const struct train_settings *settings) {
    return json_pack("{s:I, s:f, s:f, s:f, s:f, s:b, s:b, s:f, s:I, s:I}", "batch_size",
                     (json_int_t)settings->batch_size, "learning_rate", settings->learning_rate, "final_rate",
                     settings->final_rate, "momentum", settings->momentum, "dampening", settings->dampening,
                     "debias", settings->debias, "nesterov", settings->nesterov, "weight_decay",
                     settings->weight_decay, "seed", (json_int_t)settings->seed, "epochs",
                     (json_int_t)settings->epochs);
}

/* Prints the document; the summary's list of epochs becomes part of it. */
static enum exit_code print_json(const struct trainer *trainer, const struct train_summary *summary,
                                 double target) {
    const struct dataset *dataset = trainer->dataset;
    char cores[256];
    blas_describe(trainer->info.threads, cores, sizeof cores);
    json_t *folder = dataset->synthetic ? json_null() : report_json_text(dataset->folder);
    json_t *goal = target > 0.0 ? json_pack("{s:f, s:b}", "accuracy", target, "reached",
                                            summary->best_accuracy >= target)
                                : json_null();
    return report_json(json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:i, s:s, s:s, s:o, s:o, s:f, s:f, s:I, s:f, s:f, s:o}", "version",
        glissade_version(), "data", data_name(dataset), "folder", folder, "train_images",
        (json_int_t)dataset->train.count, "test_images", (json_int_t)dataset->test.count, "threads",
        (int)trainer->info.threads, "isa", glissade_isa_name(trainer->info.isa), "cores", cores, "settings",
        settings_json(&trainer->settings), "epochs", summary->epochs, "test_accuracy", summary->accuracy,
        "best_accuracy", summary->best_accuracy, "best_epoch", (json_int_t)summary->best_epoch, "seconds",
        summary->seconds, "step_share", summary->step_seconds / summary->seconds, "target", goal));
}

static void print_summary(FILE *out, const struct trainer *trainer, const struct train_summary *summary) {
    fprintf(out,
            "test accuracy %.2f %% after %" PRIu64 " epochs (best %.2f %% in epoch %" PRIu64
            "), %.1f s of training, %.1f %% of it in the optimizer step; data: %s\n",
            100.0 * summary->accuracy, trainer->settings.epochs, 100.0 * summary->best_accuracy,
            summary->best_epoch, summary->seconds, 100.0 * summary->step_seconds / summary->seconds,
            trainer->dataset->synthetic ? "synthetic" : trainer->dataset->folder);
}

static enum exit_code run_epochs(struct trainer *trainer, const struct train_options *options) {
    /* With --json the document has stdout for itself. */
    FILE *out = options->json ? stderr : stdout;
    struct progress progress;
    progress_start(&progress, options->quiet);
    struct train_summary summary = {.epochs = json_array()};
    if (!options->quiet)
        print_heading(out, trainer);
    for (uint64_t epoch = 1; epoch <= trainer->settings.epochs; ++epoch) {
        struct epoch_result result;
        enum exit_code exit_code = trainer_run_epoch(trainer, epoch, &progress, &result);
        if (exit_code != EXIT_CODE_OK) {
            json_decref(summary.epochs);
            return exit_code;
        }
        add_epoch(&summary, epoch, &result);
        if (!options->quiet)
            print_epoch(out, epoch, &result);
    }
    enum exit_code exit_code = EXIT_CODE_OK;
    if (options->json) {
        exit_code = print_json(trainer, &summary, options->target);
    } else {
        print_summary(out, trainer, &summary);
        json_decref(summary.epochs);
    }
    if (exit_code == EXIT_CODE_OK && summary.best_accuracy < options->target) {
        report_error("train: no epoch reached the target: test accuracy %.4f at best, below %g",
                     summary.best_accuracy, options->target);
        return EXIT_CODE_FAILED;
    }
    return exit_code;
}

static int train(const struct train_options *options) {
    struct dataset dataset;
    enum exit_code exit_code = dataset_load(options->folder, options->synthetic, &dataset);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    if (dataset.synthetic && !options->synthetic)
        fprintf(stderr, "glissade: note: Fashion-MNIST is not installed (Debian package "
                        "dataset-fashion-mnist); training on the built-in synthetic set instead\n");
    struct trainer trainer;
    exit_code = trainer_create(&trainer, &options->settings, &dataset);
    if (exit_code == EXIT_CODE_OK)
        exit_code = run_epochs(&trainer, options);
    trainer_destroy(&trainer);
    dataset_free(&dataset);
    return exit_code;
}

/* Fills in what depends on other options, and refuses options that exclude one another. */
static bool settle(struct train_options *options) {
    struct train_settings *settings = &options->settings;
    if (settings->debias && options->no_debias) {
        report_error("train: options '--debias' and '--no-debias' exclude each other");
        return false;
    }
    if (options->synthetic && options->folder != NULL) {
        report_error("train: options '--synthetic' and '--data' exclude each other");
        return false;
    }
    /* Without momentum there is no average whose bias could be removed. An explicit --debias stays, for the
     * library to refuse with its own words. */
    if (settings->momentum > 0.0 && !options->no_debias)
        settings->debias = true;
    if (isnan(settings->dampening))
        settings->dampening = settings->momentum;
    return true;
}

int train_main(int argc, char **argv) {
    struct train_options options = {.settings = {.threads = GLISSADE_UNSET, .dampening = NAN}};
    struct train_settings *settings = &options.settings;
    const struct option_row rows[] = {
        option_count("batch-size", "images per step", "128", 1, 1000000, &settings->batch_size),
        option_at_least_0("learning-rate", "of the first step", "0.3", &settings->learning_rate),
        option_up_to_1("final-rate", "share of it left at the end, to which it falls linearly", "0",
                       &settings->final_rate),
        option_below_1("momentum", "weight of the past in the moving average of the gradients", "0.9",
                       &settings->momentum),
        option_below_1("dampening", "the gradient's weight in the moving average is 1 - X", "the momentum",
                       &settings->dampening),
        option_flag("debias", "divide by 1 - momentum^t (the default where there is momentum)",
                    &settings->debias),
        option_flag("no-debias", "do not", &options.no_debias),
        option_flag("nesterov", "look ahead along the momentum", &settings->nesterov),
        option_at_least_0("weight-decay", "times the parameter, added to the gradient", "0",
                          &settings->weight_decay),
        option_count("epochs", "passes over the training images", "10", 1, 100000, &settings->epochs),
        option_count("seed", "of the initial weights and the images' order", "1", 0, UINT32_MAX,
                     &settings->seed),
        option_count("threads", "of the step and of CBLAS", "as 'glissade info' says", 1, 65535,
                     &settings->threads),
        option_text("data", "DIR", "folder of the four idx files, plain or .gz", &options.folder),
        option_flag("synthetic", "use the built-in set even where Fashion-MNIST is installed",
                    &options.synthetic),
        option_up_to_1("target", "exit with 1 unless an epoch's test accuracy reaches it", "0",
                       &options.target),
        option_flag("json", "print one JSON document on stdout, all else on stderr", &options.json),
        option_flag("quiet", "print the summary only", &options.quiet),
    };
    int exit_code;
    if (!options_parse(&train_command, rows, sizeof rows / sizeof rows[0], argc, argv, &exit_code))
        return exit_code;
    if (!settle(&options))
        return EXIT_CODE_USAGE;
    return train(&options);
}
