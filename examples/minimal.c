/* SPDX-License-Identifier: Apache-2.0 */
#include <glissade/glissade.h> /* cc minimal.c $(pkg-config --cflags --libs glissade) */
#include <stdio.h>
int main(void) {
    static float weight[4096], weight_gradient[4096] = {1}, bias[64], bias_gradient[64];
    const glissade_tensor tensors[] = {{sizeof *tensors, weight, weight_gradient, 4096, NULL},
                                       {sizeof *tensors, bias, bias_gradient, 64, NULL}};
    glissade_engine *engine;
    glissade_optimizer *sgd;
    glissade_error error;
    if (glissade_engine_create(NULL, &engine, &error) || glissade_optimizer_create(engine, &sgd, &error))
        return fprintf(stderr, "%s\n", error.message), 1;
    glissade_sgd_options rule; /* a debiased moving average a of the gradients: p -= 0.1 a / (1 - 0.9^t) */
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 0.1, rule.momentum = rule.dampening = 0.9, rule.debias = true;
    uint32_t group;
    glissade_step_report report = {.size = sizeof report};
    glissade_status status = glissade_optimizer_add_sgd(sgd, tensors, 2, &rule, &group);
    for (int step = 0; step < 100 && !status; ++step) /* your backward pass writes the gradients, then: */
        status = glissade_optimizer_step(sgd, NULL, &report);
    printf("%s: weight[0] is %g, %d threads\n", glissade_status_text(status), weight[0], (int)report.threads);
    glissade_optimizer_destroy(&sgd);
    glissade_engine_destroy(&engine);
    return status != GLISSADE_STATUS_OK;
}
