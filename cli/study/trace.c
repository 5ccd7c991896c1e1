/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade study trace`: the command around runner.c and trace_files.c. Must not train. */
#include "trace.h"

#include "study.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define DEFAULT_FOLDER "study-trace"

const struct command trace_command = {
    .name = "trace",
    .summary = "one run, every step recorded, to compare with another implementation",
    .description =
        "Trains a network and writes down whatever it takes to train the same one elsewhere:\n"
        "losses.csv (the mean loss of every batch), batches.bin (the images of every step,\n"
        "uint32), weights.bin and weights-after.bin (the parameters before the first step and\n"
        "after the last, float32), all little-endian, and trace.json (shapes and layouts of the\n"
        "layers, settings of the optimizer, how pixels enter).\n"
        "\n"
        "Networks: small-mlp, mlp, conv. Arms: plain, heavy-ball, undampened, nesterov (these four are\n"
        "torch.optim.SGD's), ewma, debiased, debiased-nesterov.\n",
};

struct trace_options {
    const char *network, *arm, *folder, *output;
    struct run_settings run; /* but for network and arm */
    bool synthetic, force, quiet;
};

static bool settle(const char *command, struct trace_options *options) {
    options->run.network = network_find(options->network);
    options->run.arm = arm_find(options->arm);
    if (options->run.network == NULL)
        report_error("%s: there is no network '%s'; see 'glissade %s --help'", command, options->network,
                     command);
    else if (options->run.arm == ARM_COUNT)
        report_error("%s: there is no arm '%s'; see 'glissade %s --help'", command, options->arm, command);
    else
        return dataset_options_agree(command, options->folder, options->synthetic);
    return false;
}

/* How many images there are is known only now. */
static bool settle_images(const char *command, const struct dataset *dataset, struct run_settings *run) {
    size_t there = dataset->train.count;
    if (run->images == 0)
        run->images = there;
    if (run->images > there)
        report_error("%s: option '--images' cannot be %" PRIu64 "; the data set has %zu training images",
                     command, run->images, there);
    else if (run->batch > run->images)
        report_error("%s: option '--batch-size' cannot be %" PRIu64 "; of the training images %" PRIu64
                     " are used",
                     command, run->batch, run->images);
    else
        return true;
    return false;
}

static enum exit_code record_steps(struct runner *runner, const struct trace_files *files, bool quiet) {
    double first = NAN, loss = NAN, acted;
    trace_write_heading(files);
    trace_write_parameters(files, TRACE_WEIGHTS, &runner->learner.network);
    for (uint64_t step = 1; step <= runner->settings->steps; ++step) {
        enum exit_code exit_code = runner_train_batch(runner, &loss, &acted);
        if (exit_code != EXIT_CODE_OK)
            return exit_code;
        if (step == 1)
            first = loss;
        trace_write_step(files, step, loss, runner_last_batch(runner), runner->settings->batch);
    }
    trace_write_parameters(files, TRACE_WEIGHTS_AFTER, &runner->learner.network);
    if (!quiet)
        printf("%" PRIu64
               " steps of %s on %s, loss %.4f in the first and %.4f in the last; written to '%s'\n",
               runner->settings->steps, arm_name(runner->settings->arm), runner->settings->network->name,
               first, fabs(loss), files->folder);
    return trace_write_description(files, runner);
}

static enum exit_code record(const struct trace_options *options, const struct dataset *dataset) {
    struct runner runner;
    struct trace_files files = {.folder = NULL};
    /* Settings that the library refuses shall leave no files behind, so they come first. */
    enum exit_code exit_code = runner_create(&runner, &options->run, dataset, 0);
    if (exit_code == EXIT_CODE_OK)
        exit_code = trace_files_open(&files, options->output, options->force);
    if (exit_code == EXIT_CODE_OK)
        exit_code = record_steps(&runner, &files, options->quiet);
    enum exit_code closed = trace_files_close(&files);
    runner_destroy(&runner);
    return exit_code == EXIT_CODE_OK ? closed : exit_code;
}

int trace_main(int argc, char **argv) {
    struct trace_options options = {.network = "small-mlp", .arm = "heavy-ball", .output = DEFAULT_FOLDER};
    struct run_settings *run = &options.run;
    const struct option_row rows[] = {
        option_text("network", "NAME", "which to train (default small-mlp)", &options.network),
        option_text("arm", "NAME", "which rule updates it (default heavy-ball)", &options.arm),
        option_below_1("momentum", "weight of the past; plain has none", "0.9", &run->momentum),
        option_at_least_0("rate", "length of a step under a constant gradient, in gradients", "0.125",
                          &run->rate),
        option_count("batch-size", "images per step", "64", 1, 1000000, &run->batch),
        option_count("images", "of the training set that are used, its first", "all", 1, UINT32_MAX,
                     &run->images),
        option_count("steps", "to make", "100", 1, 10000000, &run->steps),
        option_count("seed", "of the initial weights and the images' order", "1", 0, UINT32_MAX, &run->seed),
        option_text("data", "DIR", "folder of the four idx files, plain or .gz", &options.folder),
        option_flag("synthetic", "use the built-in set even where Fashion-MNIST is installed",
                    &options.synthetic),
        option_text("output", "DIR", "folder of the trace, made if need be (default " DEFAULT_FOLDER ")",
                    &options.output),
        option_flag("force", "replace a trace that is there", &options.force),
        option_flag("quiet", "print no summary", &options.quiet),
    };
    /* Its own name is what usage and errors are to show, its name in the list of studies is shorter. */
    struct command command = trace_command;
    command.name = "study trace";
    int exit_code;
    if (!options_parse(&command, rows, sizeof rows / sizeof rows[0], argc, argv, &exit_code))
        return exit_code;
    if (!settle(command.name, &options))
        return EXIT_CODE_USAGE;
    struct dataset dataset;
    exit_code = dataset_load(options.folder, options.synthetic, &dataset);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    dataset_note_replacement(&dataset, options.synthetic, "the trace uses");
    exit_code = settle_images(command.name, &dataset, run) ? record(&options, &dataset) : EXIT_CODE_USAGE;
    dataset_free(&dataset);
    return exit_code;
}
