/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade train`: the command around trainer.c. Reads options, prints epochs. Must not compute.
 */
#include "commands.h"
#include "interruption.h"
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

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
        "Saving: --save writes a file that 'glissade state' shows, verifies and compares. It is written\n"
        "while training goes on, and is whole or not there at all: a run that is killed leaves the last\n"
        "one. At SIGINT, SIGTERM or SIGHUP the step under way is finished and saved before the run\n"
        "ends. --resume goes on from a file and comes to the same bits as a run that was never\n"
        "interrupted, on any number of threads and any instruction set (products stay cut for the\n"
        "threads that the run began with). It must be given the same options, data and seed; what\n"
        "differs is said and refused. '--save FILE --resume FILE --resume-if-exists' can be repeated\n"
        "until the run is done.\n"
        "\n"
        "The same seed on the same machine with the same number of threads gives the same numbers.\n",
};

struct train_options {
    struct train_settings settings;
    struct checkpoint_settings checkpoint;
    size_t optimizer, schedule, state; /* places in their lists */
    const char *folder;
    double target;
    bool synthetic, json, quiet;
};

/* With --json the document has stdout for itself. */
static FILE *text_output(const struct train_options *options) {
    return options->json ? stderr : stdout;
}

/* The epochs that are left, until a signal stops them. */
static enum exit_code run_epochs(struct trainer *trainer, struct checkpoint *checkpoint,
                                 const struct train_options *options) {
    struct progress progress;
    progress_start(&progress, options->quiet);
    if (!options->quiet)
        train_print_heading(text_output(options), trainer, checkpoint);
    while (trainer->epoch <= trainer->settings.epochs && interruption_signal() == 0) {
        uint64_t epoch = trainer->epoch;
        enum exit_code exit_code = trainer_run_epoch(trainer, &progress, checkpoint_after_step, checkpoint);
        if (exit_code != EXIT_CODE_OK)
            return exit_code;
        if (trainer->epoch == epoch)
            continue; /* interrupted */
        if (!options->quiet)
            train_print_epoch(text_output(options), epoch, &trainer->results[epoch - 1]);
        checkpoint_after_epoch(checkpoint);
    }
    return EXIT_CODE_OK;
}

static enum exit_code conclude(const struct trainer *trainer, const struct checkpoint *checkpoint,
                               const struct train_options *options) {
    enum exit_code exit_code = EXIT_CODE_OK;
    if (options->json) {
        exit_code = train_print_json(trainer, checkpoint, options->target);
    } else {
        train_print_summary(stdout, trainer);
        checkpoint_print(stdout, checkpoint);
    }
    double best = train_best_accuracy(trainer);
    if (exit_code == EXIT_CODE_OK && best < options->target) {
        report_error("train: no epoch reached the target: test accuracy %.4f at best, below %g", best,
                     options->target);
        return EXIT_CODE_FAILED;
    }
    return exit_code;
}

static enum exit_code run(struct trainer *trainer, struct checkpoint *checkpoint,
                          const struct train_options *options) {
    enum exit_code exit_code = run_epochs(trainer, checkpoint, options);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    enum exit_code saved = checkpoint_finish(checkpoint);
    if (trainer->epoch > trainer->settings.epochs)
        exit_code = conclude(trainer, checkpoint, options);
    else if (saved == EXIT_CODE_OK)
        report_error("train: interrupted after step %" PRIu64 " of %" PRIu64
                     "; all is saved, and '--resume %s' goes on",
                     trainer->step, trainer->course.steps, options->checkpoint.save);
    return saved != EXIT_CODE_OK ? saved : exit_code;
}

static int train(const struct train_options *options) {
    struct dataset dataset;
    enum exit_code exit_code = dataset_load(options->folder, options->synthetic, &dataset);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    dataset_note_replacement(&dataset, options->synthetic, "training on");
    struct trainer trainer;
    struct checkpoint checkpoint = {.saving = NULL};
    exit_code = trainer_create(&trainer, &options->settings, &dataset);
    if (exit_code == EXIT_CODE_OK)
        exit_code = checkpoint_begin(&checkpoint, &options->checkpoint, &trainer);
    if (exit_code == EXIT_CODE_OK)
        exit_code = run(&trainer, &checkpoint, options);
    checkpoint_end(&checkpoint);
    trainer_destroy(&trainer);
    dataset_free(&dataset);
    /* A signal after the last epoch came too late to interrupt anything. */
    if (trainer.epoch <= options->settings.epochs)
        interruption_raise();
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
           dataset_options_agree("train", options->folder, options->synthetic) &&
           checkpoint_settings_agree(&options->checkpoint);
}

enum { ROWS_MAXIMUM = 32 };

static size_t add_rows(struct option_row *rows, size_t count, const struct option_row *more,
                       size_t more_count) {
    memcpy(rows + count, more, more_count * sizeof *more);
    return count + more_count;
}

static size_t add_rule_rows(struct option_row *rows, size_t count, struct train_options *options) {
    struct train_settings *settings = &options->settings;
    struct hyperparameters *numbers = &settings->hyperparameters;
    const struct option_row more[] = {
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
        option_choice("state", "format of the optimizer's arrays", "full", trainer_state_name,
                      &options->state),
    };
    return add_rows(rows, count, more, sizeof more / sizeof more[0]);
}

static size_t add_run_rows(struct option_row *rows, size_t count, struct train_options *options) {
    struct train_settings *settings = &options->settings;
    struct checkpoint_settings *checkpoint = &options->checkpoint;
    const struct option_row more[] = {
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
        option_text("save", "FILE", "save parameters and state there, while training goes on, and at the end",
                    &checkpoint->save),
        option_count("save-every", "steps between saves", "at the end of each epoch", 1, UINT32_MAX,
                     &checkpoint->every),
        option_count("keep", "files, numbered by their steps, of which FILE is the latest", "FILE alone", 1,
                     1000000, &checkpoint->keep),
        option_text("resume", "FILE", "go on from what was saved there, to the same bits",
                    &checkpoint->resume),
        option_flag("resume-if-exists", "begin anew if there is no such file", &checkpoint->resume_if_exists),
        option_flag("force", "save over a file that is there", &checkpoint->force),
        option_flag("json", "print one JSON document on stdout, all else on stderr", &options->json),
        option_flag("quiet", "print the summary only", &options->quiet),
    };
    return add_rows(rows, count, more, sizeof more / sizeof more[0]);
}

static bool parse(int argc, char **argv, struct train_options *options, int *exit_code) {
    struct option_row rows[ROWS_MAXIMUM];
    size_t count = add_run_rows(rows, add_rule_rows(rows, 0, options), options);
    return options_parse(&train_command, rows, count, argc, argv, exit_code);
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
