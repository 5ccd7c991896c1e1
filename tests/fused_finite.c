/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gradients that are not finite: steps that are skipped and change nothing, steps that only count, norms that are NaN or
 * infinite. Part of the fused program.
 */
#include "fused.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

FUSED_SUITE(fused_finite);

/* Everything a step can change, as it was. */
typedef struct image {
    char *bytes;
    size_t size;
} image;

static void take(image *it, const void *bytes, size_t n) {
    it->bytes = realloc(it->bytes, it->size + n + 1);
    cr_assert_not_null(it->bytes);
    if (n)
        memcpy(it->bytes + it->size, bytes, n);
    it->size += n;
}

static image take_image(const fleet *tensors, bool gradients) {
    image it = {NULL, 0};
    for (size_t i = 0; i < tensors->count; i++) {
        const glissade_tensor_info info = fleet_info(tensors, i);
        const size_t n = info.length;
        const bool wide = info.parameter_dtype == GLISSADE_DTYPE_F64;
        take(&it, info.parameter, n * dtype_bytes(info.parameter_dtype));
        take(&it, info.gradient, gradients ? n * dtype_bytes(info.gradient_dtype) : 0);
        take(&it, info.copy, info.copy ? n * dtype_bytes(info.copy_dtype) : 0);
        take(&it, info.average, info.average ? n * sizeof(float) : 0);
        take(&it, info.residual, info.residual ? n * sizeof(float) : 0);
        take(&it, info.master_state,
             info.master_state ? n * (info.master == GLISSADE_MASTER_SPLIT ? 2 : 4) : 0);
        for (int s = 0; n && s < GLISSADE_STATES; s++)
            if (info.state[s])
                take(&it, info.state[s],
                     glissade_state_bytes(info.state_format[s], fleet_state_length(tensors, &info), wide));
        const double numbers[] = {(double)info.steps, (double)info.momentum_updates,
                                  (double)info.acted, info.gradient_rms,
                                  info.numbers[0],    info.numbers[1]};
        take(&it, numbers, sizeof numbers);
    }
    return it;
}

static bool same_image(const image *a, const image *b) {
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static bool is_zero(const held *tensor) {
    const unsigned char *bytes = tensor->gradient;
    for (size_t i = 0; i < tensor->length * dtype_bytes(tensor->layout.gradient); i++)
        if (bytes[i])
            return false;
    return true;
}

/* Elements that are not finite: in which tensors, how many of them. */
typedef struct spoiled {
    size_t tensor, first, stride;
    float value;
} spoiled;

static size_t spoil(fleet *tensors, const spoiled *how) {
    const held *tensor = &tensors->tensors[how->tensor];
    const size_t bytes = dtype_bytes(tensor->layout.gradient);
    size_t count = 0;
    for (size_t j = how->first; j < tensor->length; j += how->stride, count++)
        array_write(tensor->layout.gradient, (char *)tensor->gradient + j * bytes, &how->value, 1);
    return count;
}

static void check_skipped(fleet *tensors, const glissade_step_options *options, uint64_t nonfinite,
                          uint32_t first, const char *name) {
    image before = take_image(tensors, !options->zero_gradients);
    const glissade_step_report report = step(tensors, options);
    image after = take_image(tensors, !options->zero_gradients);
    cr_assert(same_image(&before, &after), "%s: a skipped step changed something", name);
    cr_assert(report.skipped);
    cr_assert_eq(report.nonfinite, nonfinite, "%s: %llu are not finite, not %llu", name,
                 (unsigned long long)report.nonfinite, (unsigned long long)nonfinite);
    cr_assert_eq(report.first_nonfinite.group, tensors->group);
    cr_assert_eq(report.first_nonfinite.index, first, "%s", name);
    cr_assert_eq(report.tensors, 0);
    cr_assert_eq(report.elements, 0);
    cr_assert_eq(report.acted, 0);
    cr_assert_eq(report.passes, 1);
    for (size_t i = 0; i < TENSORS && options->zero_gradients; i++)
        cr_assert(is_zero(&tensors->tensors[i]), "%s: gradient %zu is not zero", name, i);
    free(before.bytes);
    free(after.bytes);
}

Test(fused_finite, steps_that_are_skipped) {
    static const spoiled ways_to_spoil[] = {
        {0, 0, 1, INFINITY},       {1, 0, 1000, NAN},  {1, 299, 1000, -INFINITY}, {3, 1499, 5000, NAN},
        {4, 4999, 5000, INFINITY}, {4, 256, 256, NAN}, {4, 17, 3, -INFINITY},
    };
    for (size_t v = 0; v < variants_count(); v++)
        for (size_t i = 0; i < sizeof ways_to_spoil / sizeof *ways_to_spoil; i++) {
            const variant by = variant_at(v);
            layout formats = layout_of_form((int)(v + i) % FORM_F64);
            formats.gradient = (glissade_dtype)((v + i) % 3);
            formats.state = (glissade_state_format)(i % 3);
            glissade_step_options options = options_of(&ways[(v + i) % WAYS]);
            options.skip_nonfinite = true;
            options.zero_gradients = (v + i) % 2;
            fleet tensors;
            create(&tensors, &by, &formats);
            fleet_fill_gradients(&tensors, 10);
            cr_assert(!step(&tensors, &options).skipped);
            fleet_fill_gradients(&tensors, 11);
            size_t count = spoil(&tensors, &ways_to_spoil[i]);
            check_skipped(&tensors, &options, count, (uint32_t)ways_to_spoil[i].tensor, by.name);
            /* Another one, further down. */
            fleet_fill_gradients(&tensors, 12);
            count = spoil(&tensors, &ways_to_spoil[i]) + spoil(&tensors, &(spoiled){4, 1000, 4000, NAN});
            check_skipped(&tensors, &options, count, (uint32_t)ways_to_spoil[i].tensor, by.name);
            fleet_fill_gradients(&tensors, 13);
            cr_assert(!step(&tensors, &options).skipped);
            fleet_destroy(&tensors);
        }
}

Test(fused_finite, steps_that_are_skipped_in_double) {
    const layout formats = layout_of_form(FORM_F64);
    for (size_t v = 0; v < variants_count(); v++) {
        const variant by = variant_at(v);
        if (strstr(by.name, "deferring"))
            continue;
        glissade_step_options options = defaults();
        options.skip_nonfinite = true;
        fleet tensors;
        create(&tensors, &by, &formats);
        fleet_fill_gradients(&tensors, 10);
        cr_assert(!step(&tensors, &options).skipped);
        const size_t count = spoil(&tensors, &(spoiled){3, 7, 100, NAN});
        check_skipped(&tensors, &options, count, 3, by.name);
        fleet_destroy(&tensors);
    }
}

/* What an absent tensor, or one that is not listed, holds does not matter. */
Test(fused_finite, what_is_not_stepped_is_not_looked_at) {
    const variant by = variant_at(0);
    const layout formats = {0};
    const glissade_tensor_ref others[] = {{0, 4}, {0, 3}};
    glissade_step_options options = defaults();
    fleet tensors;
    create(&tensors, &by, &formats);
    fleet_fill_gradients(&tensors, 10);
    spoil(&tensors, &(spoiled){1, 5, 7, NAN});
    options.skip_nonfinite = true;
    options.tensors = others;
    options.tensor_count = 2;
    cr_assert(!step(&tensors, &options).skipped);
    options.tensors = NULL;
    options.tensor_count = 0;
    set_presence(&tensors, 1, false);
    cr_assert(!step(&tensors, &options).skipped);
    set_presence(&tensors, 1, true);
    cr_assert(step(&tensors, &options).skipped);
    fleet_destroy(&tensors);
}

/* Without skip_nonfinite a norm that is NaN makes every parameter NaN; an infinite one makes the factor 0. */
Test(fused_finite, norms_that_are_not_finite) {
    static const float values[] = {NAN, INFINITY};
    const variant by = {&rule_sgd, "sgd", "learning_rate=0.5"};
    const layout formats = {0};
    for (int i = 0; i < 2; i++) {
        glissade_step_options options = defaults();
        options.clip_norm = 1;
        fleet tensors, before;
        create(&tensors, &by, &formats);
        create(&before, &by, &formats);
        fleet_fill_gradients(&tensors, 10);
        spoil(&tensors, &(spoiled){3, 3, 5000, values[i]});
        const glissade_step_report report = step(&tensors, &options);
        cr_assert_eq(report.nonfinite, 1);
        cr_assert_eq(report.first_nonfinite.index, 3);
        cr_assert(!report.skipped);
        cr_assert(i == 0 ? isnan(report.norm) && isnan(report.clip) : isinf(report.norm) && report.clip == 0);
        for (size_t t = 0; t < TENSORS; t++)
            for (size_t j = 0; j < lengths[t]; j++) {
                const float p = ((float *)tensors.tensors[t].parameter)[j];
                const bool lost = i == 0 || (t == 3 && j == 3); /* 0 times infinity */
                cr_assert(lost ? isnan(p) : p == ((float *)before.tensors[t].parameter)[j]);
            }
        fleet_destroy(&tensors);
        fleet_destroy(&before);
    }
}

/* A caller who has found the norm to be NaN, or infinite, gets what a step that finds it gives. */
Test(fused_finite, norms_that_are_not_finite_and_known) {
    static const double norms[] = {NAN, INFINITY};
    const variant by = {&rule_sgd, "sgd", "learning_rate=0.5"};
    const layout formats = {0};
    for (int i = 0; i < 2; i++) {
        glissade_step_options options = defaults();
        options.clip_norm = 1;
        options.norm = norms[i];
        fleet tensors;
        create(&tensors, &by, &formats);
        fleet_fill_gradients(&tensors, 10);
        const float before = *(float *)tensors.tensors[0].parameter;
        const glissade_step_report report = step(&tensors, &options);
        const float after = *(float *)tensors.tensors[0].parameter;
        cr_assert_eq(report.passes, 1);
        cr_assert(i == 0 ? isnan(report.clip) && isnan(after) : report.clip == 0 && after == before,
                  "norm %g: clip %g", norms[i], report.clip);
        fleet_destroy(&tensors);
    }
}

/* Counted, but nothing is skipped. */
Test(fused_finite, elements_that_are_only_counted) {
    const variant by = {&rule_sgd, "sgd", "learning_rate=0.5"};
    const layout formats = {.gradient = GLISSADE_DTYPE_BF16};
    glissade_step_options options = defaults();
    options.count_nonfinite = true;
    fleet tensors;
    create(&tensors, &by, &formats);
    fleet_fill_gradients(&tensors, 10);
    glissade_step_report report = step(&tensors, &options);
    cr_assert(report.nonfinite == 0 && report.passes == 2 && !report.skipped && report.norm > 0);
    const size_t count = spoil(&tensors, &(spoiled){4, 17, 1000, INFINITY});
    report = step(&tensors, &options);
    cr_assert(report.nonfinite == count && !report.skipped && isinf(report.norm));
    cr_assert_eq(report.first_nonfinite.index, 4);
    cr_assert_eq(report.tensors, TENSORS);
    cr_assert(isinf(((float *)tensors.tensors[4].parameter)[17]));
    fleet_destroy(&tensors);
}
