/* SPDX-License-Identifier: Apache-2.0 */
/* The files of a trace. Must not name a path of this machine in any of them, since they are made to be handed on. */
#include "trace.h"

#include "figure.h"

#include <inttypes.h>
#include <math.h>

static const char *const names[TRACE_FILE_COUNT] = {
    [TRACE_JSON] = "trace.json",
    [TRACE_LOSSES] = "losses.csv",
    [TRACE_BATCHES] = "batches.bin",
    [TRACE_WEIGHTS] = "weights.bin",
    [TRACE_WEIGHTS_AFTER] = "weights-after.bin",
};

enum exit_code trace_files_open(struct trace_files *files, const char *folder, bool force) {
    *files = (struct trace_files){.folder = folder};
    enum exit_code exit_code = EXIT_CODE_OK;
    if (!force)
        exit_code = figure_absent(folder, names, TRACE_FILE_COUNT);
    for (size_t i = 0; i < TRACE_FILE_COUNT && exit_code == EXIT_CODE_OK; ++i)
        files->open[i] = figure_open(folder, names[i], force, &exit_code);
    return exit_code;
}

enum exit_code trace_files_close(struct trace_files *files) {
    enum exit_code first = EXIT_CODE_OK;
    for (size_t i = 0; i < TRACE_FILE_COUNT; ++i) {
        if (files->open[i] == NULL)
            continue;
        enum exit_code exit_code = figure_close(files->open[i], files->folder, names[i]);
        files->open[i] = NULL;
        if (first == EXIT_CODE_OK)
            first = exit_code;
    }
    return first;
}

void trace_write_heading(const struct trace_files *files) {
    fprintf(files->open[TRACE_LOSSES],
            "# glissade study trace\n# version: %s\n"
            "# mean loss of the batch before the step's update; %s says of what\nstep,loss\n",
            glissade_version(), names[TRACE_JSON]);
}

void trace_write_step(const struct trace_files *files, uint64_t step, double loss, const uint32_t *images,
                      uint64_t count) {
    /* Seventeen digits bring back every double. A loss has no sign; that of a NaN would be the processor's. */
    fprintf(files->open[TRACE_LOSSES], "%" PRIu64 ",%.17g\n", step, fabs(loss));
    fwrite(images, sizeof *images, count, files->open[TRACE_BATCHES]);
}

void trace_write_parameters(const struct trace_files *files, enum trace_file file,
                            const struct network *network) {
    for (size_t i = 0; i < network->tensor_count; ++i)
        fwrite(network->parameters[i], sizeof(float), network->lengths[i], files->open[file]);
}

/* ---- trace.json ---- */

/*
 * A dense layer is told as a convolution whose kernel covers the whole input, which it is: so one order of the
 * weights' dimensions holds for both, and says how a dense layer reads the convolution below it.
 */
static json_t *layer_json(const struct layer *layer) {
    bool dense = layer->plan.kind == LAYER_DENSE;
    size_t kernel = dense ? layer->input_side : layer->plan.kernel;
    return json_pack("{s:s, s:[III], s:[III], s:[IIII], s:[I], s:I, s:b}", "kind",
                     dense ? "dense" : "convolution", "input", (json_int_t)layer->input_side,
                     (json_int_t)layer->input_side, (json_int_t)layer->input_channels, "output",
                     (json_int_t)layer->output_side, (json_int_t)layer->output_side,
                     (json_int_t)layer->plan.outputs, "weight", (json_int_t)kernel, (json_int_t)kernel,
                     (json_int_t)layer->input_channels, (json_int_t)layer->plan.outputs, "bias",
                     (json_int_t)layer->plan.outputs, "stride", (json_int_t)(dense ? 1 : layer->plan.stride),
                     "relu", layer->plan.relu);
}

static json_t *network_json(const struct network *network) {
    json_t *layers = json_array(), *tensors = json_array();
    for (size_t i = 0; i < network->plan->layer_count && layers != NULL; ++i)
        report_json_append(&layers, layer_json(&network->layers[i]));
    for (size_t i = 0; i < network->tensor_count && tensors != NULL; ++i)
        report_json_append(&tensors, json_pack("{s:s, s:I}", "name", network_tensor_name(i), "length",
                                               (json_int_t)network->lengths[i]));
    return json_pack("{s:s, s:[sss], s:[ssss], s:s, s:o, s:o}", "name", network->plan->name,
                     "activation_layout", "row", "column", "channel", "weight_layout", "kernel row",
                     "kernel column", "input channel", "output channel", "loss", "mean softmax cross-entropy",
                     "layers", layers, "tensors", tensors);
}

static json_t *optimizer_json(const struct run_settings *settings) {
    glissade_sgd_options options = arm_options(settings->arm, settings->momentum, settings->rate);
    return json_pack("{s:s, s:f, s:f, s:f, s:f, s:b, s:b, s:s}", "arm", arm_name(settings->arm),
                     "effective_rate", settings->rate, "learning_rate", options.learning_rate, "momentum",
                     options.momentum, "dampening", options.dampening, "nesterov", options.nesterov, "debias",
                     options.debias, "first_step",
                     options.first_step == GLISSADE_FIRST_STEP_UNDAMPENED ? "undampened" : "dampened");
}

enum exit_code trace_write_description(const struct trace_files *files, const struct runner *runner) {
    const struct run_settings *settings = runner->settings;
    const struct network *network = &runner->learner.network;
    json_t *document = json_pack(
        "{s:s, s:s, s:I, s:I, s:I, s:I, s:{s:f, s:f}, s:o, s:o}", "version", glissade_version(), "data",
        runner->dataset->synthetic ? "synthetic" : "idx", "images", (json_int_t)settings->images,
        "batch_size", (json_int_t)settings->batch, "steps", (json_int_t)settings->steps, "seed",
        (json_int_t)settings->seed, "pixel", "scale", (double)network->scale, "shift", (double)network->shift,
        "network", network_json(network), "optimizer", optimizer_json(settings));
    if (document == NULL) {
        report_error("study: out of memory for '%s'", names[TRACE_JSON]);
        return EXIT_CODE_FAILED;
    }
    /* Unlike report_json's nine digits, these bring back every double. */
    json_dumpf(document, files->open[TRACE_JSON], JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    fputc('\n', files->open[TRACE_JSON]);
    json_decref(document);
    return EXIT_CODE_OK;
}
