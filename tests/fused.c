/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a step does besides its rule: clipping by norms and by value, sums over batches, scaled gradients, steps that are
 * skipped, reports. Beside each rule runs a twin whose gradients the test has scaled and clipped itself, and whose steps
 * do nothing besides; both must come to the same bits. fused_norm.c holds the norms themselves,
 * fused_finite.c what is not finite.
 */
#include "fused.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

FUSED_SUITE(fused);

/* ---- the twin ---- */

/* What the step should make of the gradients: c by norms, for each tensor; as the header has it. */
typedef struct prepared {
    double norm, clip;            /* over all */
    double tensor_clips[TENSORS]; /* beside that over all */
} prepared;

static double clip_of(double limit, double norm) {
    const double c = limit / (norm + 1e-6);
    return limit == 0 || c >= 1 ? 1 : c;
}

/* The norm over one tensor, or over all. */
static double norm_of(const fleet *tensors, const glissade_step_options *step_options, uint32_t tensor) {
    const glissade_tensor_ref one = {tensors->group, tensor};
    glissade_step_options options = defaults();
    double norm;
    options.gradient_scale = step_options->gradient_scale;
    options.accumulated = step_options->accumulated;
    options.tensors = tensor < TENSORS ? &one : NULL;
    options.tensor_count = tensor < TENSORS;
    OK(glissade_optimizer_grad_norm(tensors->optimizer, &options, &norm, NULL), tensors->optimizer);
    return norm;
}

static prepared prepare(const fleet *tensors, const glissade_step_options *options) {
    prepared it = {.norm = options->norm >= 0 ? options->norm : norm_of(tensors, options, TENSORS)};
    it.clip = clip_of(options->clip_norm, it.norm);
    for (uint32_t i = 0; i < TENSORS; i++)
        it.tensor_clips[i] = clip_of(options->clip_tensor_norm, it.clip * norm_of(tensors, options, i));
    return it;
}

static float clamped(float x, double limit) {
    return limit != 0 && fabsf(x) > (float)limit ? copysignf((float)limit, x) : x;
}

static void give_gradients(const fleet *from, fleet *to, const glissade_step_options *options,
                           const prepared *it) {
    for (size_t i = 0; i < TENSORS; i++) {
        const double scale = options->gradient_scale * options->accumulated;
        const float s = (float)(it->clip * it->tensor_clips[i] / scale);
        for (size_t j = 0; j < lengths[i]; j++) {
            const held *tensor = &from->tensors[i];
            const float g = (float)array_read(tensor->layout.gradient, tensor->gradient, j);
            ((float *)to->tensors[i].gradient)[j] = clamped(s * g, options->clip_value);
        }
    }
}

/* Of n floats; to a few units in the last place, of themselves or of an update, only if `nearly`. */
static bool differ(const float *a, const float *b, size_t n, bool nearly) {
    if (!nearly)
        return values_first_difference(a, b, n, 1) < n;
    for (size_t i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 4 * FLT_EPSILON * (fabsf(a[i]) + 0x1p-7f)))
            return true;
    return false;
}

/* LARS scales the norm that it finds, as steps do, where that of scaled gradients is rounded otherwise. */
static const char *first_difference(const fleet *a, const fleet *b) {
    const bool nearly = strcmp(a->rule->name, "lars") == 0;
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info x = fleet_info(a, i), y = fleet_info(b, i);
        const size_t n = x.length, states = fleet_state_length(a, &x);
        if (differ(x.parameter, y.parameter, n, nearly))
            return "a parameter";
        for (int s = 0; n && s < GLISSADE_STATES; s++)
            if (x.state[s] && differ(x.state[s], y.state[s], states, nearly))
                return "a state";
        if (n && x.residual && differ(x.residual, y.residual, n, nearly))
            return "a residual";
        if (x.acted != y.acted || memcmp(&x.gradient_rms, &y.gradient_rms, sizeof x.gradient_rms) != 0 ||
            x.steps != y.steps || memcmp(x.numbers, y.numbers, sizeof x.numbers) != 0)
            return "a number";
    }
    return NULL;
}

/* ---- beside twins ---- */

static void check_report(const glissade_step_report *got, const glissade_step_report *twin,
                         const struct way *way, const prepared *it, const char *name) {
    const bool knows_norm = way->passes || way->norm >= 0;
    cr_assert_eq(got->passes, twin->passes + way->passes, "%s, %s: %u passes", name, way->name, got->passes);
    cr_assert(got->norm == (knows_norm ? it->norm : -1), "%s, %s: norm %a, not %a", name, way->name,
              got->norm, it->norm);
    cr_assert(got->clip == it->clip, "%s, %s: clip %a, not %a", name, way->name, got->clip, it->clip);
    cr_assert(!got->skipped && got->nonfinite == 0);
    cr_assert_eq(got->tensors, twin->tensors);
    cr_assert_eq(got->elements, twin->elements);
    cr_assert_eq(got->acted, twin->acted, "%s, %s", name, way->name);
}

/* One gradient is absent in the second step. */
static void run_beside_twin(const variant *by, const struct way *way, glissade_dtype dtype) {
    const layout formats = {.gradient = dtype}, floats = {0};
    glissade_step_options options = options_of(way);
    fleet tensors, twin;
    create(&tensors, by, &formats);
    create(&twin, by, &floats);
    for (int i = 0; i < STEPS; i++) {
        set_presence(&tensors, ABSENT, i != 1);
        set_presence(&twin, ABSENT, i != 1);
        fleet_fill_gradients(&tensors, (uint64_t)i + 10);
        const prepared it = prepare(&tensors, &options);
        give_gradients(&tensors, &twin, &options, &it);
        const glissade_step_report got = step(&tensors, &options), expected = step(&twin, NULL);
        const char *different = first_difference(&tensors, &twin);
        cr_assert_null(different, "%s, %s, %s, step %d: %s", by->name, way->name, layout_text(&formats), i,
                       different);
        check_report(&got, &expected, way, &it, by->name);
    }
    fleet_destroy(&tensors);
    fleet_destroy(&twin);
}

Test(fused, every_rule_in_every_way) {
    for (size_t v = 0; v < variants_count(); v++)
        for (int way = 0; way < WAYS; way++) {
            const variant by = variant_at(v);
            run_beside_twin(&by, &ways[way], (glissade_dtype)((v + (size_t)way) % 3));
        }
}

/* Each way is used: of the factors some are below 1 and some are 1. */
Test(fused, clipping_clips) {
    const variant by = variant_at(0);
    const layout formats = {0};
    for (int way = 0; way < WAYS; way++) {
        const glissade_step_options options = options_of(&ways[way]);
        fleet tensors;
        create(&tensors, &by, &formats);
        fleet_fill_gradients(&tensors, 10);
        const prepared it = prepare(&tensors, &options);
        const bool clipped = options.clip_norm != 0 && options.clip_norm < 1e6 && options.norm != 0.5;
        cr_assert_eq(it.clip < 1, clipped, "%s: %g of %g", ways[way].name, it.clip, it.norm);
        cr_assert_eq(it.tensor_clips[TENSORS - 1] < 1, options.clip_tensor_norm != 0, "%s", ways[way].name);
        fleet_destroy(&tensors);
    }
}

/* ---- double ---- */

/* Clipping works on doubles as they are. */
Test(fused, double_precision) {
    enum { N = 3000 };
    static double p[N], g[N], expected[N];
    const layout formats = layout_of_form(FORM_F64);
    for (int way = 0; way < WAYS; way++) {
        const variant by = {&rule_sgd, "sgd", "learning_rate=0.0625"};
        const rule_options plain = variant_options(&by);
        const glissade_step_options options = options_of(&ways[way]);
        static const size_t one[] = {N};
        fleet tensors;
        fleet_create(&tensors, &formats, one, 1, 0, false);
        fleet_fill_parameters(&tensors, 1);
        fleet_fill_gradients(&tensors, 2);
        cr_assert(fleet_add(&tensors, engine, by.rule, &plain));
        memcpy(p, tensors.tensors[0].parameter, sizeof p);
        memcpy(g, tensors.tensors[0].gradient, sizeof g);
        const double norm = options.norm >= 0 ? options.norm : norm_of(&tensors, &options, 0);
        const double clip = clip_of(options.clip_norm, norm);
        const double own = clip_of(options.clip_tensor_norm, clip * norm_of(&tensors, &options, 0));
        const double s = clip * own / (options.gradient_scale * options.accumulated);
        for (size_t i = 0; i < N; i++) {
            const double x = s * g[i], limit = options.clip_value;
            expected[i] = fma(-0.0625, limit != 0 && fabs(x) > limit ? copysign(limit, x) : x, p[i]);
        }
        (void)step(&tensors, &options);
        cr_assert_arr_eq(tensors.tensors[0].parameter, expected, sizeof expected, "%s", ways[way].name);
        cr_assert_arr_eq(tensors.tensors[0].gradient, g, sizeof g, "%s", ways[way].name);
        fleet_destroy(&tensors);
    }
}

/* ---- steps over some of the tensors ---- */

/* A step in parts, each told the norm over all, is the step as a whole. */
Test(fused, parts_that_know_the_norm) {
    for (size_t v = 0; v < variants_count(); v++) {
        const variant by = variant_at(v);
        const layout formats = {.gradient = (glissade_dtype)(v % 3)};
        fleet whole, parts;
        create(&whole, &by, &formats);
        create(&parts, &by, &formats);
        for (uint64_t i = 0; i < STEPS; i++) {
            glissade_step_options options = options_of(&ways[WAYS - 1]);
            fleet_fill_gradients(&whole, i + 10);
            fleet_fill_gradients(&parts, i + 10);
            options.norm = norm_of(&parts, &options, TENSORS);
            const glissade_tensor_ref first[] = {{0, 4}, {0, 0}}, second[] = {{0, 2}, {0, 3}, {0, 1}};
            options.tensors = first;
            options.tensor_count = 2;
            (void)step(&parts, &options);
            options.tensors = second;
            options.tensor_count = 3;
            const glissade_step_report report = step(&parts, &options);
            cr_assert(report.norm == options.norm);
            options.tensors = NULL;
            options.tensor_count = 0;
            options.norm = -1;
            (void)step(&whole, &options);
            const char *different = first_difference(&whole, &parts);
            cr_assert_null(different, "%s, step %d: %s", by.name, (int)i, different);
        }
        fleet_destroy(&whole);
        fleet_destroy(&parts);
    }
}

/* ---- reports ---- */

/* Bytes an element: what is read plus what is written, of adam (two states) and of SGD with momentum. */
Test(fused, bytes_are_those_of_the_formats) {
    static const struct {
        const char *rule;
        layout layout;
        double average;
        bool zero;
        uint64_t bytes;
    } cases[] = {
        {"adam", {0}, 1, false, 28},
        {"adam", {0}, 1, true, 32},
        {"adam", {.gradient = GLISSADE_DTYPE_BF16}, 1, false, 26},
        {"adam", {.gradient = GLISSADE_DTYPE_BF16}, 1, true, 28},
        {"adam", {.parameter = GLISSADE_DTYPE_F16, .gradient = GLISSADE_DTYPE_F16}, 1, false, 22},
        {"adam", {.copy = GLISSADE_DTYPE_BF16}, 1, false, 30},
        {"adam", {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_F32}, 1, false, 30},
        {"adam", {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_SPLIT}, 1, false, 28},
        {"adam", {.state = GLISSADE_STATE_BF16}, 1, false, 20},
        {"adam", {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64}, 1, false, 56},
        {"adam", {0}, 0.5, false, 36},
    };
    enum { N = 2560 };
    static const size_t one[] = {N};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const variant by = {rule_find(cases[i].rule), cases[i].rule, ""};
        const rule_options plain = variant_options(&by);
        glissade_step_options options = defaults();
        fleet tensors;
        fleet_create(&tensors, &cases[i].layout, one, 1, 0, false);
        fleet_fill_gradients(&tensors, 2);
        cr_assert(fleet_add(&tensors, engine, by.rule, &plain));
        if (cases[i].average != 1)
            OK(glissade_optimizer_set_average(tensors.optimizer, 0, cases[i].average), tensors.optimizer);
        options.zero_gradients = cases[i].zero;
        const glissade_step_report report = step(&tensors, &options);
        cr_assert_eq(report.bytes, N * cases[i].bytes, "%s: %.2f bytes an element, not %llu",
                     layout_text(&cases[i].layout), (double)report.bytes / N,
                     (unsigned long long)cases[i].bytes);
        cr_assert_eq(report.elements, N);
        fleet_destroy(&tensors);
    }
}

/* Rules of one pass and of two in one optimizer: the passes are those of the rules that are stepped. */
Test(fused, passes_are_those_of_the_rules_that_step) {
    static const char *const names[] = {"lars", "adam", "lamb"};
    static const uint32_t passes[] = {2, 1, 2};
    static float parameters[3][4], gradients[3][4] = {{1, 2, 3, 4}, {1, 2, 3, 4}, {1, 2, 3, 4}};
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    glissade_step_options options = defaults();
    for (uint32_t i = 0; i < 3; i++) {
        glissade_tensor tensor;
        rule_options plain;
        uint32_t group;
        glissade_tensor_init(&tensor, sizeof tensor);
        tensor.parameter = parameters[i];
        tensor.gradient = gradients[i];
        tensor.length = 4;
        rule_defaults(rule_find(names[i]), &plain);
        OK(rule_find(names[i])->add(optimizer, &tensor, 1, &plain, &group), optimizer);
    }
    for (uint32_t i = 0; i < 3; i++) {
        const glissade_tensor_ref one = {i, 0};
        glissade_step_report report = {.size = sizeof report};
        options.tensors = &one;
        options.tensor_count = 1;
        OK(glissade_optimizer_step(optimizer, &options, &report), optimizer);
        cr_assert_eq(report.passes, passes[i], "%s: %u passes", names[i], report.passes);
    }
    glissade_optimizer_destroy(&optimizer);
}

/* Gradients of every format become zero, and nothing else changes. */
Test(fused, gradients_are_zeroed_by_themselves) {
    for (int form = 0; form < FORMS; form++)
        for (int dtype = GLISSADE_DTYPE_F32; dtype <= GLISSADE_DTYPE_F16; dtype++) {
            const variant by = variant_at(0);
            layout formats = layout_of_form(form);
            fleet tensors;
            if (form != FORM_F64)
                formats.gradient = (glissade_dtype)dtype;
            create(&tensors, &by, &formats);
            fleet_fill_gradients(&tensors, 10);
            set_presence(&tensors, ABSENT, false);
            OK(glissade_optimizer_zero_gradients(tensors.optimizer), tensors.optimizer);
            for (size_t i = 0; i < TENSORS; i++) {
                const held *tensor = &tensors.tensors[i];
                for (size_t j = 0; j < lengths[i]; j++)
                    cr_assert(array_read(formats.gradient, tensor->gradient, j) == 0 ||
                                  (i == ABSENT && scenario_value(10, i, j) != 0),
                              "%s: gradient %zu", layout_text(&formats), i);
                cr_assert(held_intact(tensor));
                cr_assert_eq(fleet_info(&tensors, i).steps, 0);
            }
            cr_assert(array_read(formats.gradient, tensors.tensors[ABSENT].gradient, 5) != 0);
            fleet_destroy(&tensors);
        }
}

/* Nothing to do: nothing is passed over, but for the gradients that are looked at. */
Test(fused, steps_of_nothing) {
    const variant by = variant_at(0);
    const layout formats = {0};
    const glissade_tensor_ref none = {0, 0};
    glissade_step_options options = defaults();
    fleet tensors;
    create(&tensors, &by, &formats);
    options.tensors = &none;
    options.skip_nonfinite = true;
    const glissade_step_report report = step(&tensors, &options);
    cr_assert_eq(report.tensors, 0);
    cr_assert_eq(report.passes, 0);
    cr_assert(report.norm == 0 && report.clip == 1 && !report.skipped);
    fleet_destroy(&tensors);
}
