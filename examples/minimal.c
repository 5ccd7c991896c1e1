/* SPDX-License-Identifier: Apache-2.0 */
#include <glissade/glissade.h> /* cc minimal.c $(pkg-config --cflags --libs glissade) */
#include <stdio.h>
int main(void) {
    static float weight[4096], weight_gradient[4096] = {1}, bias[64], bias_gradient[64];
    const glissade_tensor tensors[] = {
        {.size = sizeof *tensors, .parameter = weight, .gradient = weight_gradient, .length = 4096},
        {.size = sizeof *tensors, .parameter = bias, .gradient = bias_gradient, .length = 64}};
    glissade_engine *engine;
    glissade_optimizer *sgd;
    glissade_error error;
    if (glissade_engine_create(NULL, &engine, &error) || glissade_optimizer_create(engine, &sgd, &error))
        return fprintf(stderr, "%s\n", error.message), 1;
    glissade_sgd_options rule; /* a debiased moving average a of the gradients: p -= 0.1 a / (1 - 0.9^t) */
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 0.1, rule.momentum = rule.dampening = 0.9, rule.debias = true;
    uint32_t group;
    glissade_status status = glissade_optimizer_add_sgd(sgd, tensors, 2, &rule, &group);
    for (int step = 0; step < 100 && !status; ++step) /* your backward pass writes the gradients, then: */
        status = glissade_optimizer_step(sgd, NULL, NULL);
    printf("%s: weight[0] is %g\n", glissade_status_text(status), weight[0]);
    glissade_optimizer_destroy(&sgd);
    glissade_engine_destroy(&engine);
    return status != GLISSADE_STATUS_OK;
}
