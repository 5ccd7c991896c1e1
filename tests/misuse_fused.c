/* SPDX-License-Identifier: Apache-2.0 */
/* What a step can do besides its rule, misused: clipping, sums over batches and norms that cannot be. Each gets its
 * status and a message that names the argument, its value and what is accepted, and changes nothing. */
#include "misuse.h"

#include <float.h>
#include <math.h>
#include <string.h>

MISUSE_SUITE(misuse_fused);

#define OK(call)                                                                                             \
    cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_optimizer_message(it.optimizer))

static glissade_status step(const glissade_step_options *options) {
    return glissade_optimizer_step(it.optimizer, options, NULL);
}

static glissade_status measure(const glissade_step_options *options) {
    double norm = -4711;
    const glissade_status status = glissade_optimizer_grad_norm(it.optimizer, options, &norm, NULL);
    cr_assert(status == GLISSADE_STATUS_OK || norm == -4711, "a refused norm was written");
    return status;
}

static glissade_step_options defaults(void) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    return options;
}

Test(misuse_fused, limits_that_cannot_be) {
    static const double limits[] = {-1, -DBL_TRUE_MIN, NAN, -NAN, -INFINITY};
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        glissade_step_options options = defaults();
        options.clip_norm = limits[i];
        REFUSED(step(&options), INVALID_OPTION, "clip_norm is ");
        REFUSED(step(&options), INVALID_OPTION, "accepted: above 0, or 0 for none");
        REFUSED(measure(&options), INVALID_OPTION, "clip_norm is ");
        options = defaults();
        options.clip_tensor_norm = limits[i];
        REFUSED(step(&options), INVALID_OPTION, "clip_tensor_norm is ");
        REFUSED(step(&options), INVALID_OPTION, "accepted: above 0, or 0 for none");
        options = defaults();
        options.clip_value = limits[i];
        REFUSED(step(&options), INVALID_OPTION, "clip_value is ");
        REFUSED(step(&options), INVALID_OPTION, "accepted: above 0, or 0 for none");
    }
    glissade_step_options options = defaults();
    options.clip_value = 1e-46; /* of which a float makes 0 */
    REFUSED(step(&options), INVALID_OPTION, "clip_value is 1");
    REFUSED(step(&options), INVALID_OPTION, "accepted: 0, or what is above 0 as a float, too");
}

Test(misuse_fused, sums_of_nothing) {
    glissade_step_options options = defaults();
    options.accumulated = 0;
    REFUSED(step(&options), INVALID_OPTION, "accumulated is 0; accepted: at least 1");
    REFUSED(measure(&options), INVALID_OPTION, "accumulated is 0; accepted: at least 1");
    /* Each for itself would do. */
    options.gradient_scale = 1e38;
    options.accumulated = UINT32_MAX;
    REFUSED(step(&options), INVALID_OPTION, "accumulated 4294967295");
    REFUSED(measure(&options), INVALID_OPTION, "gradient_scale is 9.9999");
}

/* A step of some needs the norm over all. */
Test(misuse_fused, clipping_by_the_norm_of_some) {
    static const glissade_tensor_ref some[] = {{0, 1}, {1, 0}}, empty = {0, 2};
    glissade_step_options options = defaults();
    options.tensors = some;
    options.tensor_count = 2;
    options.clip_norm = 0.25;
    REFUSED(step(&options), INVALID_COMBINATION, "clip_norm is 0.25 with a list of tensors and no norm");
    REFUSED(step(&options), INVALID_COMBINATION, "needs `norm`");
    options.norm = -0.5;
    REFUSED(step(&options), INVALID_COMBINATION, "clip_norm is 0.25");
    options.norm = 0;
    options.tensors = &empty;
    options.tensor_count = 1;
    OK(step(&options));
    it.first_twin.t[2]++;
    it.first_twin.k[2]++;
}

Test(misuse_fused, norms_of_what_is_not_there) {
    static const glissade_tensor_ref twice[] = {{0, 1}, {0, 1}}, unknown[] = {{0, 0}, {0, 7}};
    glissade_step_options options = defaults();
    double norm = 3;
    glissade_step_report report = {.size = 1};
    cr_assert_eq(glissade_optimizer_grad_norm(NULL, NULL, &norm, NULL), GLISSADE_STATUS_NULL_ARGUMENT);
    REFUSED(glissade_optimizer_grad_norm(it.optimizer, NULL, NULL, NULL), NULL_ARGUMENT, "norm is NULL");
    REFUSED(glissade_optimizer_grad_norm(it.optimizer, NULL, &norm, &report), INVALID_SIZE,
            "glissade_step_report.size is 1");
    options.tensors = twice;
    options.tensor_count = 2;
    REFUSED(measure(&options), DUPLICATE_TENSOR, "tensors[1] is tensor 1 of group 0");
    options.tensors = unknown;
    REFUSED(measure(&options), NOT_FOUND, "tensor 7");
    options.tensors = NULL;
    REFUSED(measure(&options), NULL_ARGUMENT, "tensors is NULL with tensor_count 2");
    options = defaults();
    options.size = 3;
    REFUSED(measure(&options), INVALID_SIZE, "glissade_step_options.size is 3");
    cr_assert_eq(norm, 3);
}
