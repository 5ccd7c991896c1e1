/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a step does besides its rule: clipping by norms and by value, sums over batches, scaled gradients, steps that are
 * skipped, reports. Beside each rule runs a twin whose gradients the test has scaled and clipped itself, and whose steps
 * do nothing besides; both must come to the same bits. fused_norm.c holds the norms themselves.
 */
#include "formats_engine.h"

#include <criterion/criterion.h>

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const size_t lengths[] = {1, 300, 0, 1500, 5000};

enum { TENSORS = sizeof lengths / sizeof *lengths, MATRIX = 3, ABSENT = 1, STEPS = 3 };

static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
}

TestSuite(fused, .init = setup, .fini = teardown, .timeout = 120);

#define OK(call, optimizer)                                                                                  \
    cr_assert_eq(call, GLISSADE_STATUS_OK, "%s: %s", #call, glissade_optimizer_message(optimizer))

static glissade_step_options defaults(void) {
    glissade_step_options options;
    glissade_step_options_init(&options, sizeof options);
    return options;
}

static glissade_step_report step(const fleet *tensors, const glissade_step_options *options) {
    glissade_step_report report = {.size = sizeof report};
    OK(glissade_optimizer_step(tensors->optimizer, options, &report), tensors->optimizer);
    return report;
}

static void create(fleet *tensors, const variant *by, const layout *formats) {
    const rule_options options = variant_options(by);
    fleet_create(tensors, formats, lengths, TENSORS, 0, false);
    tensors->tensors[MATRIX].columns = 50;
    fleet_fill_parameters(tensors, 1);
    cr_assert(fleet_add(tensors, engine, by->rule, &options), "%s refuses %s", by->name,
              layout_text(formats));
}

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

static void set_presence(const fleet *tensors, size_t tensor, bool present) {
    OK(glissade_optimizer_set_gradient(tensors->optimizer,
                                       (glissade_tensor_ref){tensors->group, (uint32_t)tensor},
                                       present ? tensors->tensors[tensor].gradient : NULL),
       tensors->optimizer);
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

/* Values of the steps' options; c by the norm over all is below 1 in the first two steps, 1 in the third. */
static const struct way {
    const char *name;
    double gradient_scale, clip_norm, clip_tensor_norm, clip_value, norm;
    uint32_t accumulated;
    uint32_t passes; /* besides the rule's */
} ways[] = {
    {"scaled", 3, 0, 0, 0, -1, 1, 0},
    {"scaled, ascending", -0.7, 0, 0, 0, -1, 1, 0},
    {"sums of batches", 1, 0, 0, 0, -1, 7, 0},
    {"clipped", 1, 2.5, 0, 0, -1, 1, 1},
    {"clipped, norm known", 1, 2.5, 0, 0, 13, 1, 0},
    {"clipped, norm known to be little", 1, 2.5, 0, 0, 0.5, 1, 0},
    {"clipped, sums of scaled batches", 1024, 0.01, 0, 0, -1, 3, 1},
    {"not clipped", 1, 1e6, 0, 0, -1, 1, 1},
    {"clipped by tensor", 1, 0, 1.5, 0, -1, 1, 1},
    {"clipped by tensor and over all", -2, 3, 0.5, 0, -1, 2, 1},
    {"clipped by value", 1, 0, 0, 0.125, -1, 1, 0},
    {"clipped by value, sums of scaled batches", 5, 0, 0, 0.0625, -1, 3, 0},
    {"clipped in every way", 5, 2, 1, 0.03125, -1, 3, 1},
};

enum { WAYS = sizeof ways / sizeof *ways };

static glissade_step_options options_of(const struct way *way) {
    glissade_step_options options = defaults();
    options.gradient_scale = way->gradient_scale;
    options.clip_norm = way->clip_norm;
    options.clip_tensor_norm = way->clip_tensor_norm;
    options.clip_value = way->clip_value;
    options.norm = way->norm;
    options.accumulated = way->accumulated;
    return options;
}

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

/* One gradient is absent in the second step; those of the third are small. */
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

/* ---- what is not finite ---- */

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

Test(fused, steps_that_are_skipped) {
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

Test(fused, steps_that_are_skipped_in_double) {
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
Test(fused, what_is_not_stepped_is_not_looked_at) {
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
Test(fused, norms_that_are_not_finite) {
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
Test(fused, norms_that_are_not_finite_and_known) {
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
Test(fused, elements_that_are_only_counted) {
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
