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
        "CBLAS's; every update of a parameter is the library's: --optimizer says by which rule. The default\n"
        "is SGD with a debiased exponentially weighted moving average of the gradients. Each optimizer has "
        "a\n"
        "learning rate of its own, chosen for these data.\n"
        "\n"
        "Tested are the parameters; of the schedule-free optimizers their point of evaluation, and of asgd "
        "the\n"
        "mean over the second half of the run. rprop wants whole batches: it takes all images at once, and "
        "100\n"
        "epochs.\n"
        "\n"
        "With --bf16 parameters and gradients are bf16, and the parameters keep what they lack of a float\n"
        "apart. Matrix products stay float, on exact copies. --state is about the optimizer's own arrays, "
        "those\n"
        "that may have other formats than float; q8 leaves alone what has less than 256 elements.\n"
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
    size_t optimizer, schedule, state; /* places in their lists */
    const char *folder;
    double target;
    bool synthetic, json, quiet;
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

/* In the order of glissade_state_format. */
static const char *state_name(size_t place) {
    static const char *const names[] = {"full", "bf16", "bf16-stochastic", "q8", NULL};
    return names[place < 4 ? place : 4];
}

static void print_rule(FILE *out, const struct trainer *trainer) {
    const struct train_settings *settings = &trainer->settings;
    const struct hyperparameters *numbers = &settings->hyperparameters;
    char course[128];
    course_describe(&trainer->course, course, sizeof course);
    fprintf(out, "rule: %s, %s, ", settings->optimizer->title, course);
    if (!isnan(numbers->momentum))
        fprintf(out, "momentum %g, ", numbers->momentum);
    if (!isnan(numbers->beta2))
        fprintf(out, "beta2 %g, ", numbers->beta2);
    if (!isnan(numbers->dampening))
        fprintf(out, "dampening %g, %sdebiased%s, ", numbers->dampening, numbers->debias ? "" : "not ",
                numbers->nesterov ? ", Nesterov" : "");
    fprintf(out, "weight decay %g; batch of %" PRIu64 ", seed %" PRIu64, numbers->weight_decay,
            settings->batch_size, settings->seed);
    if (settings->clip_norm > 0.0)
        fprintf(out, "; clipped to the norm %g", settings->clip_norm);
    if (settings->bf16)
        fprintf(out, "; bf16 parameters with a split master, bf16 gradients");
    if (settings->states != GLISSADE_STATE_FULL)
        fprintf(out, "; state %s", state_name(settings->states));
    fputc('\n', out);
}

static void print_heading(FILE *out, const struct trainer *trainer) {
    const struct dataset *dataset = trainer->dataset;
    char cores[256];
    blas_describe(trainer->learner.info.threads, cores, sizeof cores);
    if (dataset->synthetic)
        fprintf(out, "data: synthetic (built in)");
    else
        fprintf(out, "data: %s", dataset->folder);
    fprintf(out, "; %zu training and %zu test images\n", dataset->train.count, dataset->test.count);
    fprintf(out, "cores: %s\n", cores);
    print_rule(out, trainer);
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

/* A number, or null for one that the optimizer does not have. */
static json_t *number_json(double number) {
    return isnan(number) ? json_null() : json_real(number);
}

static json_t *settings_json(const struct train_settings *settings) {
    const struct hyperparameters *numbers = &settings->hyperparameters;
    json_t *document = json_pack(
        "{s:s, s:I, s:f, s:f, s:s, s:I, s:o, s:o, s:o, s:o, s:f}", "optimizer", settings->optimizer->name,
        "batch_size", (json_int_t)settings->batch_size, "learning_rate", numbers->learning_rate, "final_rate",
        settings->final_rate, "schedule", schedule_name(settings->schedule), "warm_up",
        (json_int_t)settings->warm_up, "momentum", number_json(numbers->momentum), "beta2",
        number_json(numbers->beta2), "eps", number_json(numbers->eps), "dampening",
        number_json(numbers->dampening), "weight_decay", numbers->weight_decay);
    json_t *more = json_pack("{s:b, s:b, s:f, s:b, s:s, s:I, s:I}", "debias", numbers->debias, "nesterov",
                             numbers->nesterov, "clip", settings->clip_norm, "bf16", settings->bf16, "state",
                             state_name(settings->states), "seed", (json_int_t)settings->seed, "epochs",
                             (json_int_t)settings->epochs);
    bool complete = document != NULL && more != NULL && json_object_update(document, more) == 0;
    json_decref(more);
    if (complete)
        return document;
    json_decref(document);
    return NULL;
}

/* Prints the document; the summary's list of epochs becomes part of it. */
static enum exit_code print_json(const struct trainer *trainer, const struct train_summary *summary,
                                 double target) {
    const struct dataset *dataset = trainer->dataset;
    char cores[256];
    blas_describe(trainer->learner.info.threads, cores, sizeof cores);
    json_t *folder = dataset->synthetic ? json_null() : report_json_text(dataset->folder);
    json_t *goal = target > 0.0 ? json_pack("{s:f, s:b}", "accuracy", target, "reached",
                                            summary->best_accuracy >= target)
                                : json_null();
    return report_json(
        json_pack("{s:s, s:s, s:o, s:I, s:I, s:i, s:s, s:s, s:o, s:o, s:f, s:f, s:I, s:f, s:f, s:o}",
                  "version", glissade_version(), "data", data_name(dataset), "folder", folder, "train_images",
                  (json_int_t)dataset->train.count, "test_images", (json_int_t)dataset->test.count, "threads",
                  (int)trainer->learner.info.threads, "isa", glissade_isa_name(trainer->learner.info.isa),
                  "cores", cores, "settings", settings_json(&trainer->settings), "epochs", summary->epochs,
                  "test_accuracy", summary->accuracy, "best_accuracy", summary->best_accuracy, "best_epoch",
                  (json_int_t)summary->best_epoch, "seconds", summary->seconds, "step_share",
                  summary->step_seconds / summary->seconds, "target", goal));
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
    dataset_note_replacement(&dataset, options->synthetic, "training on");
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
    const struct optimizer *optimizer = optimizer_at(options->optimizer);
    settings->optimizer = optimizer;
    settings->states = (glissade_state_format)options->state;
    settings->schedule =
        options->schedule == SCHEDULE_COUNT ? optimizer->schedule : (enum schedule)options->schedule;
    if (settings->batch_size == 0)
        settings->batch_size = optimizer->batch_size > 0 ? optimizer->batch_size : 128;
    if (settings->epochs == 0)
        settings->epochs = optimizer->epochs > 0 ? optimizer->epochs : 10;
    return optimizer_settle(optimizer, "train", &settings->hyperparameters) &&
           dataset_options_agree("train", options->folder, options->synthetic);
}

static bool parse(int argc, char **argv, struct train_options *options, int *exit_code) {
    struct train_settings *settings = &options->settings;
    struct hyperparameters *numbers = &settings->hyperparameters;
    const struct option_row rows[] = {
        option_choice("optimizer", "rule of the updates", "sgd", optimizer_name, &options->optimizer),
        option_count("batch-size", "images per step", "128; of rprop all", 1, 1000000, &settings->batch_size),
        option_at_least_0("learning-rate", "that the schedule begins with or rises to", "the optimizer's own",
                          &numbers->learning_rate),
        option_choice("schedule", "of the learning rate", "linear; constant where the optimizer needs none",
                      schedule_name, &options->schedule),
        option_up_to_1("final-rate", "share of it left at the end, to which linear, cosine and wsd fall", "0",
                       &settings->final_rate),
        option_count("warm-up", "steps in which the rate rises to what the schedule says", "0", 0, UINT32_MAX,
                     &settings->warm_up),
        option_below_1("momentum", "weight of the past in the moving average of the gradients (beta1)",
                       "the optimizer's own; of sgd 0.9", &numbers->momentum),
        option_below_1("beta2", "weight of the past in that of their squares; of lion, in its momentum",
                       "the optimizer's own", &numbers->beta2),
        option_at_least_0("eps", "what keeps a division from 0", "the optimizer's own", &numbers->eps),
        option_below_1("dampening", "the gradient's weight in sgd's moving average is 1 - X", "the momentum",
                       &numbers->dampening),
        option_flag("debias", "divide sgd's by 1 - momentum^t (the default where there is momentum)",
                    &numbers->debias),
        option_flag("no-debias", "do not", &numbers->no_debias),
        option_flag("nesterov", "look ahead along sgd's momentum", &numbers->nesterov),
        option_at_least_0("weight-decay", "times the parameter; each optimizer has its way",
                          "0; of adamw and lamb 0.01, of lars 0.0001", &numbers->weight_decay),
        option_at_least_0("clip", "scale gradients down to this norm, of all together; 0: do not", "0",
                          &settings->clip_norm),
        option_flag("bf16", "parameters with a split master, and gradients, in bf16", &settings->bf16),
        option_choice("state", "format of the optimizer's arrays", "full", state_name, &options->state),
        option_count("epochs", "passes over the training images", "10; of rprop 100", 1, 100000,
                     &settings->epochs),
        option_count("seed", "of the initial weights and the images' order", "1", 0, UINT32_MAX,
                     &settings->seed),
        option_count("threads", "of the step and of CBLAS", "as 'glissade info' says", 1, 65535,
                     &settings->threads),
        option_text("data", "DIR", "folder of the four idx files, plain or .gz", &options->folder),
        option_flag("synthetic", "use the built-in set even where Fashion-MNIST is installed",
                    &options->synthetic),
        option_up_to_1("target", "exit with 1 unless an epoch's test accuracy reaches it", "0",
                       &options->target),
        option_flag("json", "print one JSON document on stdout, all else on stderr", &options->json),
        option_flag("quiet", "print the summary only", &options->quiet),
    };
    return options_parse(&train_command, rows, sizeof rows / sizeof rows[0], argc, argv, exit_code);
}

int train_main(int argc, char **argv) {
    struct train_options options = {.schedule = SCHEDULE_COUNT,
                                    .settings = {.threads = GLISSADE_UNSET,
                                                 .hyperparameters = {.learning_rate = NAN,
                                                                     .weight_decay = NAN,
                                                                     .momentum = NAN,
                                                                     .beta2 = NAN,
                                                                     .eps = NAN,
                                                                     .dampening = NAN}}};
    int exit_code;
    if (!parse(argc, argv, &options, &exit_code))
        return exit_code;
    return settle(&options) ? train(&options) : EXIT_CODE_USAGE;
}
