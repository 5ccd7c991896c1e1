/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tensors that cannot be: too long, misaligned, overlapping in every way, given twice, unknown. Each gets its
 * status and a message that names the tensor, and changes nothing. Addresses of the model are used as they
 * are, so that an overlap that is not found would be an update of the wrong array.
 */
#include "misuse.h"

#include <stdio.h>
#include <string.h>

static float room[4096];

MISUSE_SUITE(misuse_tensors);

#define OK(call) cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, message())

static const char *message(void) {
    return glissade_optimizer_message(it.optimizer);
}

static glissade_tensor tensor(void *parameter, void *gradient, void *momentum, size_t length) {
    return (glissade_tensor){.size = sizeof(glissade_tensor),
                             .parameter = parameter,
                             .gradient = gradient,
                             .length = length,
                             .momentum = momentum};
}

static glissade_status add(const glissade_tensor *tensors, size_t count) {
    uint32_t group = 4711;
    const glissade_status status =
        glissade_optimizer_add_sgd(it.optimizer, tensors, count, &it.first_rule, &group);
    cr_assert(status == GLISSADE_STATUS_OK || group == 4711, "a refused group was numbered");
    return status;
}

static glissade_status add_one(void *parameter, void *gradient, void *momentum, size_t length) {
    const glissade_tensor one = tensor(parameter, gradient, momentum, length);
    return add(&one, 1);
}

static glissade_status add_two(glissade_tensor first, glissade_tensor second) {
    const glissade_tensor both[] = {first, second};
    return add(both, 2);
}

static void *shifted(const void *array, ptrdiff_t bytes) {
    return (void *)((uintptr_t)array + (uintptr_t)bytes);
}

Test(misuse_tensors, none_or_too_many) {
    const glissade_tensor one = tensor(room, NULL, NULL, 4);
    const size_t length = 4;
    glissade_arrays *arrays;
    REFUSED(add(&one, 0), NO_TENSORS, "count is 0");
    REFUSED(add(&one, UINT32_MAX), TOO_LARGE, "count is 4294967295");
    REFUSED(add(&one, SIZE_MAX), TOO_LARGE, "count is ");
    REFUSED(glissade_arrays_create(it.optimizer, &length, 0, &arrays, NULL), NO_TENSORS, "count is 0");
    REFUSED(glissade_arrays_create(it.optimizer, &length, SIZE_MAX, &arrays, NULL), TOO_LARGE, "count is ");
    cr_assert_null(arrays);
}

Test(misuse_tensors, descriptors_of_unfit_size) {
    struct longer {
        glissade_tensor known;
        uint64_t tail[2];
    } longer[2] = {{tensor(room, NULL, NULL, 4), {0, 0}}, {tensor(room + 8, NULL, NULL, 4), {0, 0}}};
    glissade_tensor mixed[] = {tensor(room, NULL, NULL, 4), tensor(room + 8, NULL, NULL, 4)};
    mixed[1].size = 0;
    REFUSED(add(mixed, 2), INVALID_SIZE, "tensors[1].size is 0");
    mixed[1].size = sizeof *mixed + 8;
    REFUSED(add(mixed, 2), INVALID_SIZE, "tensors[1].size");
    mixed[0].size = sizeof *mixed - 1;
    REFUSED(add(mixed, 2), INVALID_SIZE, "tensors[0].size");
    mixed[0].size = 0;
    REFUSED(add(mixed, 1), INVALID_SIZE, "tensors[0].size is 0");
    longer[0].known.size = longer[1].known.size = sizeof *longer;
    longer[1].tail[1] = 1;
    REFUSED(add(&longer[0].known, 2), INVALID_SIZE, "tensors[1]");
    longer[1].tail[1] = 0;
    OK(add(&longer[0].known, 2));
    glissade_tensor_info info = {.size = sizeof info};
    OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){2, 1}, &info));
    cr_assert_eq(info.parameter, room + 8);
}

Test(misuse_tensors, lengths_that_cannot_be) {
    static const size_t lengths[] = {PTRDIFF_MAX / 4 + 1, SIZE_MAX / 4 + 2, SIZE_MAX / 2, SIZE_MAX};
    glissade_arrays *arrays;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        REFUSED(add_one(room, NULL, NULL, lengths[i]), TOO_LARGE, "length of tensor 0");
        REFUSED(glissade_arrays_create(it.optimizer, &lengths[i], 1, &arrays, NULL), TOO_LARGE, "arrays");
    }
    const size_t together[] = {PTRDIFF_MAX / 4, PTRDIFF_MAX / 4, PTRDIFF_MAX / 4};
    REFUSED(glissade_arrays_create(it.optimizer, together, 3, &arrays, NULL), TOO_LARGE, "bytes");
    REFUSED(add_two(tensor(room, NULL, NULL, 4), tensor((void *)(UINTPTR_MAX - 15), NULL, NULL, 1000)),
            TOO_LARGE, "tensor 1");
    void *const beyond = (void *)(uintptr_t)(1ull << 60);
    REFUSED(add_one(beyond, NULL, NULL, (size_t)1 << 46), OUT_OF_MEMORY, "memory");
    REFUSED(add_one(beyond, NULL, NULL, PTRDIFF_MAX / 4), TOO_LARGE, "");
}

Test(misuse_tensors, misaligned) {
    for (ptrdiff_t off = 1; off < 4; off++) {
        void *const odd = shifted(room, off);
        REFUSED(add_one(odd, NULL, NULL, 4), MISALIGNED, "parameter of tensor 0");
        REFUSED(add_one(room, shifted(room, 400 + off), NULL, 4), MISALIGNED, "gradient of tensor 0");
        REFUSED(add_one(room, NULL, shifted(room, 400 + off), 4), MISALIGNED, "momentum of tensor 0");
        REFUSED(add_two(tensor(room, NULL, NULL, 4), tensor(shifted(room, 400 + off), NULL, NULL, 4)),
                MISALIGNED, "parameter of tensor 1");
        REFUSED(glissade_optimizer_set_gradient(it.optimizer, (glissade_tensor_ref){0, 3}, odd), MISALIGNED,
                "gradient of tensor 3");
        REFUSED(glissade_optimizer_set_parameter(it.optimizer, (glissade_tensor_ref){0, 1}, odd), MISALIGNED,
                "parameter");
        void *gradients[7];
        memcpy(gradients, it.second.g, sizeof gradients);
        gradients[0] = NULL;
        gradients[6] = odd;
        REFUSED(glissade_optimizer_set_gradients(it.optimizer, 1, gradients, 7), MISALIGNED,
                "gradient of tensor 6");
    }
}

/* ---- overlaps ---- */

/* Group 0's tensor 1 has 300 elements; the caller owns group 1's momentum. */
Test(misuse_tensors, overlaps_with_other_groups) {
    float *const p = it.first.p[1], *const m = it.second.m[1];
    REFUSED(add_one(p, NULL, NULL, 300), DUPLICATE_TENSOR, "tensor 1 of group 0");
    REFUSED(add_one(p, NULL, NULL, 1), DUPLICATE_TENSOR, "tensor 1 of group 0");
    REFUSED(add_one(p + 299, NULL, NULL, 1), OVERLAP, "parameter of tensor 1, group 0");
    REFUSED(add_one(p - 1, NULL, NULL, 2), OVERLAP, "parameter of tensor 1, group 0");
    REFUSED(add_one(p - 1, NULL, NULL, 302), OVERLAP, "parameter of tensor 1, group 0");
    REFUSED(add_one(p + 10, NULL, NULL, 5), OVERLAP, "parameter of tensor 1, group 0");
    REFUSED(add_one(room, NULL, p + 299, 5), OVERLAP, "momentum of tensor 0, group 2");
    REFUSED(add_one(m, NULL, NULL, 300), OVERLAP, "momentum of tensor 1, group 1");
    REFUSED(add_one(m + 299, NULL, NULL, 3), OVERLAP, "momentum of tensor 1, group 1");
    REFUSED(add_one(room, NULL, m - 2, 3), OVERLAP, "momentum of tensor 1, group 1");
    REFUSED(add_two(tensor(room, NULL, NULL, 9), tensor(p - 4, NULL, NULL, 5)), OVERLAP,
            "parameter of tensor 1, group 2");
    /* Neighbours share no byte. */
    OK(add_one(p + 300, NULL, p - 7, 7));
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
}

Test(misuse_tensors, overlaps_within_a_group) {
    float *const a = room, *const b = room + 100;
    REFUSED(add_two(tensor(a, NULL, NULL, 50), tensor(a, NULL, NULL, 50)), DUPLICATE_TENSOR, "tensor 1");
    REFUSED(add_two(tensor(b, NULL, NULL, 50), tensor(a, NULL, NULL, 101)), OVERLAP, "parameter");
    REFUSED(add_two(tensor(a, NULL, NULL, 101), tensor(b, NULL, NULL, 50)), OVERLAP, "parameter");
    REFUSED(add_two(tensor(a, NULL, NULL, 150), tensor(b, NULL, NULL, 10)), OVERLAP, "parameter");
    REFUSED(add_one(a, NULL, a, 50), OVERLAP, "momentum");
    REFUSED(add_one(a, NULL, a + 49, 50), OVERLAP, "momentum");
    REFUSED(add_two(tensor(a, NULL, b, 50), tensor(a + 50, NULL, b + 49, 50)), OVERLAP, "momentum");
    REFUSED(add_two(tensor(a, NULL, b, 50), tensor(b + 49, NULL, NULL, 50)), OVERLAP, "momentum");
    REFUSED(add_one(a, a, NULL, 50), OVERLAP, "gradient of tensor 0");
    REFUSED(add_one(a, a + 49, NULL, 50), OVERLAP, "gradient of tensor 0");
    REFUSED(add_one(a + 49, a, NULL, 50), OVERLAP, "gradient of tensor 0");
    REFUSED(add_one(a, b + 49, b, 50), OVERLAP, "momentum");
    /* Many tensors in falling order of addresses, the first two of which are the same. */
    glissade_tensor many[100];
    for (size_t i = 0; i < 100; i++)
        many[i] = tensor(room + 4000 - 10 * i, NULL, NULL, 10);
    many[0] = many[99];
    REFUSED(add(many, 100), DUPLICATE_TENSOR, "tensor 99");
    many[0] = tensor(room + 4001 - 10 * 50, NULL, NULL, 5);
    REFUSED(add(many, 100), OVERLAP, "tensor 50");
    many[0] = tensor(room + 4000, NULL, NULL, 10);
    OK(add(many, 100));
}

Test(misuse_tensors, gradients_on_their_own_tensor) {
    const glissade_tensor_ref ref = {1, 1};
    float *const p = it.second.p[1], *const m = it.second.m[1];
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, p), OVERLAP, "gradient of tensor 1");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, p - 299), OVERLAP, "parameter");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, p + 299), OVERLAP, "parameter");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, m), OVERLAP, "momentum");
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, m + 299), OVERLAP, "momentum");
    glissade_tensor_info info = {.size = sizeof info};
    OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){0, 1}, &info));
    REFUSED(glissade_optimizer_set_gradient(it.optimizer, (glissade_tensor_ref){0, 1}, info.momentum),
            OVERLAP, "momentum");
    void *gradients[7] = {NULL};
    gradients[1] = p;
    REFUSED(glissade_optimizer_set_gradients(it.optimizer, 1, gradients, 7), OVERLAP, "gradient of tensor 1");
    gradients[1] = NULL;
    for (size_t count = 0; count < 12; count++)
        if (count != 7)
            REFUSED(glissade_optimizer_set_gradients(it.optimizer, 1, gradients, count), INVALID_OPTION,
                    "count is");
    /* Next to it is not on it. */
    OK(glissade_optimizer_set_gradient(it.optimizer, ref, p + 300));
    OK(glissade_optimizer_set_gradient(it.optimizer, ref, p - 300));
    OK(glissade_optimizer_set_gradient(it.optimizer, ref, it.second.g[1]));
}

Test(misuse_tensors, moved_onto_something) {
    const glissade_tensor_ref ref = {0, 1};
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.first.p[0]), DUPLICATE_TENSOR,
            "tensor 0 of group 0");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.second.p[6]), DUPLICATE_TENSOR,
            "tensor 6 of group 1");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.second.p[6] + 5), OVERLAP,
            "tensor 6, group 1");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.second.p[6] + 16383), OVERLAP,
            "tensor 6, group 1");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.second.m[0] + 9), OVERLAP, "momentum");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.first.g[1] + 299), OVERLAP, "gradient");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, it.first.g[1]), OVERLAP, "gradient");
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, (void *)(UINTPTR_MAX - 3)), TOO_LARGE,
            "parameter");
    glissade_tensor_info info = {.size = sizeof info};
    OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){0, 3}, &info));
    REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, info.momentum), OVERLAP,
            "momentum of tensor 3, group 0");
    REFUSED(add_one(info.momentum, NULL, NULL, 5), OVERLAP, "momentum of tensor 3, group 0");
    /* Where it is stays taken after all these refusals. After a move that is not refused its old place is
     * free and the new one taken. */
    REFUSED(add_one(it.first.p[1], NULL, NULL, 5), DUPLICATE_TENSOR, "tensor 1 of group 0");
    OK(glissade_optimizer_set_parameter(it.optimizer, ref, room));
    OK(add_one(it.first.p[1], NULL, NULL, 300));
    const glissade_tensor taken = tensor(room + 299, NULL, NULL, 5);
    cr_assert_eq(add(&taken, 1), GLISSADE_STATUS_OVERLAP);
    OK(glissade_optimizer_remove_group(it.optimizer, 2));
    OK(glissade_optimizer_set_parameter(it.optimizer, ref, it.first.p[1]));
}

/* What only a step with check_overlap looks for. */
static glissade_status checked_step(void) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    options.check_overlap = true;
    return glissade_optimizer_step(it.optimizer, &options, NULL);
}

/* Puts the gradient of tensor 1 of group 0 somewhere and takes it back after the step was refused. */
static void refuse_gradient_at(void *address, const char *names) {
    const glissade_tensor_ref ref = {0, 1};
    OK(glissade_optimizer_set_gradient(it.optimizer, ref, address));
    const glissade_status status = checked_step();
    char text[256];
    strncpy(text, message(), sizeof text - 1);
    text[sizeof text - 1] = '\0';
    OK(glissade_optimizer_set_gradient(it.optimizer, ref, it.first.g[1]));
    cr_assert_eq(status, GLISSADE_STATUS_OVERLAP, "a gradient on %s: %s", names,
                 glissade_status_name(status));
    cr_assert(strstr(text, "gradient of tensor 1, group 0"), "\"%s\"", text);
    cr_assert(strstr(text, names), "\"%s\" does not name the %s", text, names);
    const char *change = subject_change(&it);
    cr_assert_null(change, "%s", change);
}

Test(misuse_tensors, gradients_on_others_when_checked) {
    refuse_gradient_at(it.first.p[0], "parameter of tensor 0, group 0");
    refuse_gradient_at(it.second.p[6] + 16383, "parameter of tensor 6, group 1");
    refuse_gradient_at(it.second.m[3] + 5, "momentum of tensor 3, group 1");
    refuse_gradient_at(it.first.g[3], "gradient of tensor 3, group 0");
    refuse_gradient_at(it.second.g[6] + 16383, "gradient of tensor 6, group 1");
}

/* "all present gradients against all parameters, states and one another": states of the library's, too. */
Test(misuse_tensors, gradients_on_state_of_the_library_when_checked) {
    glissade_tensor_info info = {.size = sizeof info};
    OK(glissade_optimizer_get_tensor(it.optimizer, (glissade_tensor_ref){0, 3}, &info));
    refuse_gradient_at(info.momentum, "momentum of tensor 3, group 0");
}

/* ---- unknown ---- */

Test(misuse_tensors, groups_and_tensors_that_are_not) {
    static const uint32_t groups[] = {2, 3, UINT32_MAX};
    glissade_tensor_info info = {.size = sizeof info};
    glissade_sgd_options rule = scenario_rule(0);
    void *gradients[7] = {NULL};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        const uint32_t group = groups[i];
        const glissade_tensor_ref ref = {group, 0};
        char name[32];
        snprintf(name, sizeof name, "group %u", group);
        REFUSED(glissade_optimizer_remove_group(it.optimizer, group), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, room), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_gradients(it.optimizer, group, gradients, 7), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, room), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_learning_rate(it.optimizer, group, 1), NOT_FOUND, name);
        REFUSED(glissade_optimizer_get_tensor(it.optimizer, ref, &info), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, 1, 1), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_sgd(it.optimizer, group, &rule), NOT_FOUND, name);
        REFUSED(glissade_optimizer_get_sgd(it.optimizer, group, &rule), NOT_FOUND, name);
    }
    static const uint32_t indices[] = {7, UINT32_MAX};
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++) {
        const glissade_tensor_ref ref = {1, indices[i]};
        char name[32];
        snprintf(name, sizeof name, "tensor %u", indices[i]);
        REFUSED(glissade_optimizer_set_gradient(it.optimizer, ref, room), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_parameter(it.optimizer, ref, room), NOT_FOUND, name);
        REFUSED(glissade_optimizer_get_tensor(it.optimizer, ref, &info), NOT_FOUND, name);
        REFUSED(glissade_optimizer_set_counts(it.optimizer, ref, 1, 1), NOT_FOUND, name);
    }
}
