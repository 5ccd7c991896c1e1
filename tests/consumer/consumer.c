/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program as a user would write it, compiled as C17 and (through consumer.cc) as C++17 against an installed
 * copy. It touches every header once and checks one debiased step by hand: with momentum = dampening the
 * average after one step is the gradient itself, whatever the momentum.
 */
#include <glissade/glissade.h>
#include <stdio.h>
#include <string.h>

static int step_once(glissade_engine *engine) {
    float parameters[3] = {1.0f, 2.0f, 3.0f};
    float gradients[3] = {0.5f, -0.5f, 0.0f};
    glissade_optimizer *optimizer = NULL;
    glissade_sgd_options options;
    glissade_step_report report;
    glissade_tensor tensor;
    uint32_t group = 0;
    int failed;

    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = parameters;
    tensor.gradient = gradients;
    tensor.length = 3;
    glissade_sgd_options_init(&options, sizeof options);
    options.learning_rate = 0.25;
    options.momentum = 0.5;
    options.dampening = 0.5;
    options.debias = true;
    memset(&report, 0, sizeof report);
    report.size = sizeof report;

    failed = glissade_optimizer_create(engine, &optimizer, NULL) != GLISSADE_STATUS_OK ||
             glissade_optimizer_add_sgd(optimizer, &tensor, 1, &options, &group) != GLISSADE_STATUS_OK ||
             glissade_optimizer_step(optimizer, NULL, &report) != GLISSADE_STATUS_OK;
    if (failed)
        fprintf(stderr, "consumer: %s\n", glissade_optimizer_message(optimizer));
    glissade_optimizer_destroy(&optimizer);
    return !failed && report.elements == 3 && parameters[0] == 0.875f && parameters[1] == 2.125f &&
           parameters[2] == 3.0f;
}

int main(void) {
    glissade_engine *engine = NULL;
    glissade_error error;
    int right;

    if (glissade_engine_create(NULL, &engine, &error) != GLISSADE_STATUS_OK) {
        fprintf(stderr, "consumer: %s: %s\n", glissade_status_name(error.status), error.message);
        return 1;
    }
    right = step_once(engine);
    glissade_engine_destroy(&engine);
    printf("%s\n", glissade_version());
    return right && engine == NULL ? 0 : 1;
}
