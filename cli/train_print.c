/* SPDX-License-Identifier: Apache-2.0 */
/* What `glissade train` says, as text and as JSON. Must not change anything. */
#include "train.h"

#include "blas.h"
#include "text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { CORES_SIZE = 320 };

static const char *data_name(const struct dataset *dataset) {
    return dataset->synthetic ? "synthetic" : "idx";
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
        fprintf(out, "; state %s", trainer_state_name(settings->states));
    fputc('\n', out);
}

/* How the cores are shared, in a line. */
static void describe_cores(const struct trainer *trainer, char *text, size_t size) {
    uint32_t threads = trainer->learner.info.threads, products = trainer->product_threads;
    blas_describe(threads, text, size);
    size_t length = strlen(text);
    if (products != blas_threads(threads))
        snprintf(text + length, size - length,
                 "; products stay cut for the %u threads that the run began with", products);
}

void train_print_heading(FILE *out, const struct trainer *trainer, const struct checkpoint *checkpoint) {
    const struct dataset *dataset = trainer->dataset;
    char cores[CORES_SIZE];
    describe_cores(trainer, cores, sizeof cores);
    if (dataset->synthetic)
        fprintf(out, "data: synthetic (built in)");
    else
        fprintf(out, "data: %s", dataset->folder);
    fprintf(out, "; %zu training and %zu test images\n", dataset->train.count, dataset->test.count);
    fprintf(out, "cores: %s\n", cores);
    print_rule(out, trainer);
    if (checkpoint->resumed_at != UINT64_MAX) {
        fprintf(out, "resumed from ");
        text_print(out, checkpoint->settings.resume, 0);
        fprintf(out, " after step %" PRIu64 " of %" PRIu64 "\n", trainer->step, trainer->course.steps);
    }
    fprintf(out, "\nepoch    loss  test accuracy  seconds  in the step\n");
}

/* Of its time that an epoch, or a run, spent in the step. */
static double share(double step_seconds, double seconds) {
    return seconds > 0.0 ? step_seconds / seconds : 0.0;
}

void train_print_epoch(FILE *out, uint64_t epoch, const struct epoch_result *result) {
    fprintf(out, "%5" PRIu64 "  %6.4f  %11.2f %%  %7.2f  %9.1f %%\n", epoch, result->loss,
            100.0 * result->accuracy, result->seconds, 100.0 * share(result->step_seconds, result->seconds));
    fflush(out);
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
                             trainer_state_name(settings->states), "seed", (json_int_t)settings->seed,
                             "epochs", (json_int_t)settings->epochs);
    bool complete = document != NULL && more != NULL && json_object_update(document, more) == 0;
    json_decref(more);
    if (complete)
        return document;
    json_decref(document);
    return NULL;
}

/* ---- what it came to ---- */

struct summary {
    double accuracy, best_accuracy; /* of the last epoch, and of the best */
    uint64_t best_epoch;
    double seconds, step_seconds; /* sums over the epochs */
};

static struct summary summarise(const struct trainer *trainer) {
    struct summary summary = {.best_epoch = 0};
    for (uint64_t epoch = 1; epoch < trainer->epoch; ++epoch) {
        const struct epoch_result *result = &trainer->results[epoch - 1];
        summary.accuracy = result->accuracy;
        if (result->accuracy > summary.best_accuracy) {
            summary.best_accuracy = result->accuracy;
            summary.best_epoch = epoch;
        }
        summary.seconds += result->seconds;
        summary.step_seconds += result->step_seconds;
    }
    return summary;
}

double train_best_accuracy(const struct trainer *trainer) {
    return summarise(trainer).best_accuracy;
}

static json_t *epochs_json(const struct trainer *trainer) {
    json_t *epochs = json_array();
    for (uint64_t epoch = 1; epoch < trainer->epoch; ++epoch) {
        const struct epoch_result *result = &trainer->results[epoch - 1];
        report_json_append(&epochs, json_pack("{s:I, s:f, s:f, s:f, s:f}", "epoch", (json_int_t)epoch,
                                              "train_loss", result->loss, "test_accuracy", result->accuracy,
                                              "seconds", result->seconds, "step_share",
                                              share(result->step_seconds, result->seconds)));
    }
    return epochs;
}

enum exit_code train_print_json(const struct trainer *trainer, const struct checkpoint *checkpoint,
                                double target) {
    const struct dataset *dataset = trainer->dataset;
    const struct summary summary = summarise(trainer);
    char cores[CORES_SIZE];
    describe_cores(trainer, cores, sizeof cores);
    json_t *folder = dataset->synthetic ? json_null() : report_json_text(dataset->folder);
    json_t *goal =
        target > 0.0 ? json_pack("{s:f, s:b}", "accuracy", target, "reached", summary.best_accuracy >= target)
                     : json_null();
    json_t *resumed =
        checkpoint->resumed_at != UINT64_MAX ? report_json_count(checkpoint->resumed_at) : json_null();
    return report_json(json_pack(
        "{s:s, s:s, s:o, s:I, s:I, s:i, s:s, s:s, s:o, s:o, s:f, s:f, s:I, s:f, s:f, s:o, s:o, s:o}",
        "version", glissade_version(), "data", data_name(dataset), "folder", folder, "train_images",
        (json_int_t)dataset->train.count, "test_images", (json_int_t)dataset->test.count, "threads",
        (int)trainer->learner.info.threads, "isa", glissade_isa_name(trainer->learner.info.isa), "cores",
        cores, "settings", settings_json(&trainer->settings), "epochs", epochs_json(trainer), "test_accuracy",
        summary.accuracy, "best_accuracy", summary.best_accuracy, "best_epoch",
        (json_int_t)summary.best_epoch, "seconds", summary.seconds, "step_share",
        share(summary.step_seconds, summary.seconds), "target", goal, "resumed_at", resumed, "saves",
        checkpoint_json(checkpoint)));
}

void train_print_summary(FILE *out, const struct trainer *trainer) {
    const struct summary summary = summarise(trainer);
    fprintf(out,
            "test accuracy %.2f %% after %" PRIu64 " epochs (best %.2f %% in epoch %" PRIu64
            "), %.1f s of training, %.1f %% of it in the optimizer step; data: %s\n",
            100.0 * summary.accuracy, trainer->settings.epochs, 100.0 * summary.best_accuracy,
            summary.best_epoch, summary.seconds, 100.0 * share(summary.step_seconds, summary.seconds),
            trainer->dataset->synthetic ? "synthetic" : trainer->dataset->folder);
}
