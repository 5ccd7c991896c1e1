/* SPDX-License-Identifier: Apache-2.0 */
/* Engine, optimizer, arrays and network, made in the same way for every training. Must not train. */
#include "learner.h"

#include "bfloat.h"
#include "blas.h"

#include <stdlib.h>

enum {
    STREAM_WEIGHTS = 1, /* streams of the seed */
    STREAM_ORDER = 2,
    BLOCK_8_BIT = 256 /* elements that an array of 8-bit state has at least */
};

static enum exit_code report_memory(const struct learner *learner) {
    report_error("%s: out of memory", learner->command);
    return EXIT_CODE_FAILED;
}

static enum exit_code report_status(const struct learner *learner, glissade_status status,
                                    const char *message) {
    report_error("%s: %s", learner->command, message);
    return report_exit_code(status);
}

enum exit_code learner_failure(const struct learner *learner, glissade_status status) {
    return report_optimizer(learner->command, learner->optimizer, status);
}

/* ---- arrays ---- */

static bool is_bf16(const struct learner *learner) {
    return learner->half_parameters != NULL;
}

static enum exit_code create_arrays(struct learner *learner, bool bf16) {
    struct network *network = &learner->network;
    size_t count = network->tensor_count, halves[TENSORS_MAXIMUM];
    for (size_t i = 0; i < count; ++i)
        halves[i] = (network->lengths[i] + 1) / 2;
    const struct {
        glissade_arrays **arrays;
        const size_t *lengths;
    } wanted[] = {{&learner->parameters, network->lengths},
                  {&learner->gradients, network->lengths},
                  {&learner->half_parameters, halves},
                  {&learner->half_gradients, halves}};
    glissade_error error;
    for (size_t i = 0; i < (bf16 ? 4 : 2); ++i) {
        glissade_status status =
            glissade_arrays_create(learner->optimizer, wanted[i].lengths, count, wanted[i].arrays, &error);
        if (status != GLISSADE_STATUS_OK)
            return report_status(learner, status, error.message);
    }
    for (size_t i = 0; i < count; ++i) {
        network->parameters[i] = glissade_arrays_get(learner->parameters, i);
        network->gradients[i] = glissade_arrays_get(learner->gradients, i);
    }
    return EXIT_CODE_OK;
}

void learner_begin_order(struct learner *learner, uint64_t seed, uint64_t images) {
    random_seed(&learner->shuffle, seed, STREAM_ORDER);
    for (size_t i = 0; i < images; ++i)
        learner->order[i] = (uint32_t)i;
}

static void fill_network(struct learner *learner, const struct learner_settings *settings,
                         const struct dataset *dataset) {
    struct network *network = &learner->network;
    struct random_source weights;
    random_seed(&weights, settings->seed, STREAM_WEIGHTS);
    network_initialise(network, &weights);
    network_normalise(network, &dataset->train);
    learner_begin_order(learner, settings->seed, settings->images);
    if (!is_bf16(learner))
        return;
    for (size_t i = 0; i < network->tensor_count; ++i)
        bfloat_round((uint16_t *)glissade_arrays_get(learner->half_parameters, i), network->parameters[i],
                     network->lengths[i]);
    learner_take_parameters(learner);
}

void learner_give_gradients(struct learner *learner) {
    const struct network *network = &learner->network;
    for (size_t i = 0; is_bf16(learner) && i < network->tensor_count; ++i)
        bfloat_round((uint16_t *)glissade_arrays_get(learner->half_gradients, i), network->gradients[i],
                     network->lengths[i]);
}

void learner_take_parameters(struct learner *learner) {
    const struct network *network = &learner->network;
    for (size_t i = 0; is_bf16(learner) && i < network->tensor_count; ++i)
        bfloat_widen(network->parameters[i],
                     (const uint16_t *)glissade_arrays_get(learner->half_parameters, i), network->lengths[i]);
}

/* ---- optimizer ---- */

static glissade_tensor describe_tensor(const struct learner *learner, const struct learner_settings *settings,
                                       size_t i) {
    const struct network *network = &learner->network;
    glissade_tensor tensor;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = network->parameters[i];
    tensor.gradient = network->gradients[i];
    tensor.length = network->lengths[i];
    tensor.columns = i % 2 == 0 ? network->layers[i / 2].plan.outputs : 0; /* weights, bias, weights, ... */
    if (is_bf16(learner)) {
        tensor.parameter = glissade_arrays_get(learner->half_parameters, i);
        tensor.gradient = glissade_arrays_get(learner->half_gradients, i);
        tensor.parameter_dtype = tensor.gradient_dtype = GLISSADE_DTYPE_BF16;
        tensor.master = GLISSADE_MASTER_SPLIT;
    }
    for (unsigned state = 0; state < GLISSADE_STATES; ++state)
        if ((settings->full_states >> state & 1) == 0 &&
            (settings->states != GLISSADE_STATE_Q8 || tensor.length >= BLOCK_8_BIT))
            tensor.state_format[state] = settings->states;
    return tensor;
}

static enum exit_code add_group(struct learner *learner, const struct learner_settings *settings) {
    size_t count = learner->network.tensor_count;
    glissade_tensor tensors[TENSORS_MAXIMUM];
    for (size_t i = 0; i < count; ++i)
        tensors[i] = describe_tensor(learner, settings, i);
    glissade_status status =
        settings->add(learner->optimizer, tensors, count, settings->options, &learner->group);
    if (status == GLISSADE_STATUS_OK)
        status = glissade_optimizer_set_seed(learner->optimizer, settings->seed);
    return status == GLISSADE_STATUS_OK ? EXIT_CODE_OK : learner_failure(learner, status);
}

static enum exit_code create_optimizer(struct learner *learner, uint32_t threads) {
    enum exit_code exit_code = report_engine_create(threads, GLISSADE_UNSET, &learner->engine);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    glissade_error error;
    glissade_status status = glissade_optimizer_create(learner->engine, &learner->optimizer, &error);
    if (status != GLISSADE_STATUS_OK)
        return report_status(learner, status, error.message);
    learner->info.size = sizeof learner->info;
    status = glissade_engine_get_info(learner->engine, &learner->info);
    if (status != GLISSADE_STATUS_OK) {
        report_error("%s: the engine cannot be inspected: %s", learner->command,
                     glissade_status_text(status));
        return report_exit_code(status);
    }
    return EXIT_CODE_OK;
}

enum exit_code learner_create(struct learner *learner, const struct learner_settings *settings,
                              const struct dataset *dataset) {
    *learner = (struct learner){.command = settings->command};
    learner->order = malloc(settings->images * sizeof *learner->order);
    if (!network_create(&learner->network, settings->plan, settings->capacity) || learner->order == NULL)
        return report_memory(learner);
    enum exit_code exit_code = create_optimizer(learner, settings->threads);
    if (exit_code == EXIT_CODE_OK)
        exit_code = create_arrays(learner, settings->bf16);
    if (exit_code != EXIT_CODE_OK)
        return exit_code;
    blas_set_threads(learner->info.threads);
    /* Before the group is added: masters start at what the parameters hold then. */
    fill_network(learner, settings, dataset);
    return add_group(learner, settings);
}

void learner_destroy(struct learner *learner) {
    glissade_optimizer_destroy(&learner->optimizer);
    glissade_arrays_destroy(&learner->parameters);
    glissade_arrays_destroy(&learner->gradients);
    glissade_arrays_destroy(&learner->half_parameters);
    glissade_arrays_destroy(&learner->half_gradients);
    glissade_engine_destroy(&learner->engine);
    network_destroy(&learner->network);
    free(learner->order);
    learner->order = NULL;
}
