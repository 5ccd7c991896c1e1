/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters and gradients in number formats, under every rule, beside twins of floats that the same library steps:
 * a parameter that is kept in full follows its twin to the bit, one that is not is its twin rounded after each step,
 * gradients count as what they are as floats, and averages are those of the formula. Part of the formats_engine program.
 */
#include "formats_engine.h"

#include <criterion/criterion.h>

#include <math.h>
#include <string.h>

static const size_t lengths[] = {1, 300, 1500, 5000};

enum { TENSORS = sizeof lengths / sizeof *lengths, STEPS = 3 };

static glissade_engine *engine;

static void setup(void) {
    scenario_clear_environment();
    engine = scenario_engine(2);
}

static void teardown(void) {
    glissade_engine_destroy(&engine);
}

TestSuite(formats_models, .init = setup, .fini = teardown, .timeout = 120);

/* What a check is about, for messages. */
typedef struct subject {
    variant variant;
    layout layout;
    int step;
} subject;

#define SAME(it, condition, ...)                                                                             \
    cr_assert(condition, "%s, %s, step %d: %s %zu of tensor %zu", (it)->variant.name,                        \
              layout_text(&(it)->layout), (it)->step, __VA_ARGS__)

static void create(const subject *it, fleet *tensors, const layout *formats, bool own) {
    const rule_options options = variant_options(&it->variant);
    fleet_create(tensors, formats, lengths, TENSORS, 3, own);
    tensors->tensors[2].columns = 50;
    fleet_fill_parameters(tensors, 1);
    cr_assert(fleet_add(tensors, engine, it->variant.rule, &options), "%s refuses %s", it->variant.name,
              layout_text(formats));
}

/* The twin's gradients are the others' as floats. */
static void give_gradients(const fleet *from, fleet *to) {
    for (size_t i = 0; i < TENSORS; i++)
        for (size_t j = 0; j < lengths[i]; j++)
            ((float *)to->tensors[i].gradient)[j] =
                (float)array_read(from->tensors[i].layout.gradient, from->tensors[i].gradient, j);
}

static void step_both(subject *it, fleet *tensors, fleet *twin) {
    fleet_fill_gradients(tensors, (uint64_t)it->step + 10);
    give_gradients(tensors, twin);
    fleet_step(tensors, NULL);
    fleet_step(twin, NULL);
}

static bool same_float(float a, float b) {
    return value_bits(a) == value_bits(b);
}

static void check_states(const subject *it, const fleet *tensors, const fleet *twin, size_t i) {
    const glissade_tensor_info info = fleet_info(tensors, i), expected = fleet_info(twin, i);
    const size_t n = fleet_state_length(twin, &expected);
    for (int s = 0; s < GLISSADE_STATES; s++)
        for (size_t j = 0; expected.state[s] && j < n; j++)
            SAME(it, same_float(((float *)info.state[s])[j], ((float *)expected.state[s])[j]), "state", j, i);
}

/* ---- kept in full ---- */

static void check_full(const subject *it, const fleet *tensors, const fleet *twin) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(tensors, i);
        for (size_t j = 0; j < lengths[i]; j++) {
            const float full = (float)fleet_parameter(&info, j),
                        wanted = ((float *)twin->tensors[i].parameter)[j];
            SAME(it, same_float(full, wanted), "parameter", j, i);
            if (info.master == GLISSADE_MASTER_F32)
                SAME(it, ((uint16_t *)info.parameter)[j] == half_of(info.parameter_dtype, wanted),
                     "rounded parameter", j, i);
            if (info.copy)
                SAME(it, ((uint16_t *)info.copy)[j] == half_of(info.copy_dtype, wanted), "copy", j, i);
            uint16_t high;
            int16_t low;
            halves_split(wanted, &high, &low);
            if (info.master == GLISSADE_MASTER_SPLIT)
                SAME(it, ((uint16_t *)info.parameter)[j] == high && ((int16_t *)info.master_state)[j] == low,
                     "halves of parameter", j, i);
        }
        check_states(it, tensors, twin, i);
    }
}

/* Masters of the caller's hold what no half could, from the start. */
Test(formats_models, what_is_kept_in_full_follows_floats) {
    static const int forms[] = {0, 1, 2, 5, 6, 7};
    for (size_t v = 0; v < variants_count(); v++)
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++)
            for (glissade_dtype gradient = 0; gradient <= GLISSADE_DTYPE_F16; gradient++) {
                subject it = {.variant = variant_at(v), .layout = layout_of_form(forms[f])};
                const layout floats = {0};
                fleet tensors, twin;
                it.layout.gradient = gradient;
                create(&it, &tensors, &it.layout, true);
                create(&it, &twin, &floats, false);
                for (it.step = 0; it.step < STEPS; it.step++) {
                    step_both(&it, &tensors, &twin);
                    check_full(&it, &tensors, &twin);
                }
                fleet_destroy(&tensors);
                fleet_destroy(&twin);
            }
}

/* ---- rounded each time ---- */

/* The twin goes on from what the other was rounded to. */
static void check_rounded(const subject *it, const fleet *tensors, fleet *twin) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(tensors, i);
        float *p = twin->tensors[i].parameter;
        for (size_t j = 0; j < lengths[i]; j++) {
            SAME(it, ((uint16_t *)info.parameter)[j] == half_of(info.parameter_dtype, p[j]), "parameter", j,
                 i);
            p[j] = rounded_to(info.parameter_dtype, p[j]);
        }
        check_states(it, tensors, twin, i);
    }
}

Test(formats_models, halves_without_a_master_are_rounded_each_step) {
    for (size_t v = 0; v < variants_count(); v++)
        for (glissade_dtype dtype = GLISSADE_DTYPE_BF16; dtype <= GLISSADE_DTYPE_F16; dtype++) {
            subject it = {.variant = variant_at(v), .layout = {.parameter = dtype, .gradient = dtype}};
            const layout floats = {0};
            fleet tensors, twin;
            create(&it, &tensors, &it.layout, false);
            create(&it, &twin, &floats, false);
            for (size_t i = 0; i < TENSORS; i++)
                for (size_t j = 0; j < lengths[i]; j++)
                    ((float *)twin.tensors[i].parameter)[j] =
                        (float)array_read(dtype, tensors.tensors[i].parameter, j);
            for (it.step = 0; it.step < STEPS; it.step++) {
                step_both(&it, &tensors, &twin);
                check_rounded(&it, &tensors, &twin);
            }
            fleet_destroy(&tensors);
            fleet_destroy(&twin);
        }
}

/* ---- different tensors in one group ---- */

/* Every form of a parameter, with gradients and states in formats of their own; one has elements too few for blocks. */
enum { MIXED = 8 };

static const size_t mixed_lengths[MIXED] = {300, 100, 4000, 1, 1500, 700, 0, 9000};

static layout mixed_layout(size_t i, bool doubles) {
    static const glissade_state_format states[] = {GLISSADE_STATE_FULL, GLISSADE_STATE_Q8,
                                                   GLISSADE_STATE_BF16};
    layout formats = layout_of_form((int)i);
    if (i == 5 && doubles)
        return layout_of_form(FORM_F64);
    formats.gradient = (glissade_dtype)(i % 3);
    formats.state = states[i / 2 % 3];
    return formats;
}

static void add_mixed(const variant *by, fleet *tensors) {
    const rule_options options = variant_options(by);
    cr_assert(fleet_add(tensors, engine, by->rule, &options), "%s: %s", by->name,
              glissade_optimizer_message(tensors->optimizer));
}

static void copy_tensor(const held *from, held *to, bool parameter) {
    if (parameter)
        memcpy(to->parameter, from->parameter, from->length * dtype_bytes(from->layout.parameter));
    memcpy(to->gradient, from->gradient, from->length * dtype_bytes(from->layout.gradient));
}

static bool same_array(const void *a, const void *b, size_t bytes) {
    return a == b || memcmp(a, b, bytes) == 0; /* both NULL */
}

static void check_alone(const subject *it, const fleet *mixed, const fleet *alone, size_t i) {
    const glissade_tensor_info a = fleet_info(mixed, i), b = fleet_info(alone, 0);
    const bool wide = a.parameter_dtype == GLISSADE_DTYPE_F64;
    SAME(it, same_array(a.parameter, b.parameter, a.length * dtype_bytes(a.parameter_dtype)), "parameter", i,
         i);
    SAME(it, same_array(a.copy, b.copy, a.length * dtype_bytes(a.copy_dtype)), "copy", i, i);
    SAME(it,
         same_array(a.master_state, b.master_state, a.length * (a.master == GLISSADE_MASTER_SPLIT ? 2 : 4)),
         "master", i, i);
    for (int s = 0; s < GLISSADE_STATES; s++)
        SAME(it,
             same_array(a.state[s], b.state[s],
                        glissade_state_bytes(a.state_format[s], fleet_state_length(mixed, &a), wide)),
             "state", (size_t)s, i);
    SAME(it, a.steps == b.steps && a.acted == b.acted, "counts", i, i);
}

/* A tensor is stepped among others as it is alone; one has no gradient in the second step. */
static void check_mixed(subject *it) {
    const bool doubles = !strstr(it->variant.name, "deferring");
    fleet mixed = {.count = MIXED}, alone[MIXED];
    for (size_t i = 0; i < MIXED; i++) {
        const layout formats = mixed_layout(i, doubles);
        held_create(&mixed.tensors[i], &formats, mixed_lengths[i], i, false);
        fleet_create(&alone[i], &formats, &mixed_lengths[i], 1, 0, false);
    }
    fleet_fill_parameters(&mixed, 3);
    for (size_t i = 0; i < MIXED; i++)
        copy_tensor(&mixed.tensors[i], &alone[i].tensors[0], true);
    add_mixed(&it->variant, &mixed);
    for (size_t i = 0; i < MIXED; i++)
        add_mixed(&it->variant, &alone[i]);
    for (it->step = 0; it->step < STEPS; it->step++) {
        fleet_fill_gradients(&mixed, (uint64_t)it->step + 30);
        cr_assert_eq(glissade_optimizer_set_gradient(mixed.optimizer, (glissade_tensor_ref){0, 4},
                                                     it->step == 1 ? NULL : mixed.tensors[4].gradient),
                     GLISSADE_STATUS_OK);
        fleet_step(&mixed, NULL);
        for (size_t i = 0; i < MIXED; i++) {
            copy_tensor(&mixed.tensors[i], &alone[i].tensors[0], false);
            if (!(i == 4 && it->step == 1))
                fleet_step(&alone[i], NULL);
            it->layout = mixed.tensors[i].layout;
            check_alone(it, &mixed, &alone[i], i);
        }
    }
    fleet_destroy(&mixed);
    for (size_t i = 0; i < MIXED; i++)
        fleet_destroy(&alone[i]);
}

Test(formats_models, tensors_of_many_formats_in_one_group) {
    for (size_t v = 0; v < variants_count(); v++) {
        subject it = {.variant = variant_at(v)};
        check_mixed(&it);
    }
}

/* ---- averages ---- */

/* Tensors whose weights are averaged, their twin of floats, and what the averages should be. */
typedef struct averaged {
    subject about;
    fleet tensors, twin;
    float expected[TENSORS][5000];
} averaged;

static void create_averaged(averaged *it, bool own) {
    const layout floats = {0};
    create(&it->about, &it->tensors, &it->about.layout, own);
    create(&it->about, &it->twin, &floats, false);
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(&it->tensors, i);
        for (size_t j = 0; j < lengths[i]; j++)
            ((float *)it->twin.tensors[i].parameter)[j] = (float)fleet_parameter(&info, j);
    }
}

static void destroy_averaged(averaged *it) {
    fleet_destroy(&it->tensors);
    fleet_destroy(&it->twin);
}

static void start_averages(averaged *it) {
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(&it->tensors, i);
        for (size_t j = 0; j < lengths[i]; j++)
            it->expected[i][j] = (float)fleet_parameter(&info, j);
    }
}

/* The parameter in full counts, which without a master is what is rounded afterwards. */
static void check_averages(averaged *it, double decay) {
    const float weight = (float)(1 - decay);
    const bool rounds = it->about.layout.parameter && !it->about.layout.master;
    for (size_t i = 0; i < TENSORS; i++) {
        const glissade_tensor_info info = fleet_info(&it->tensors, i);
        float *p = it->twin.tensors[i].parameter;
        for (size_t j = 0; j < lengths[i]; j++) {
            float *average = &it->expected[i][j];
            if (weight != 0)
                *average = fmaf(weight, p[j] - *average, *average);
            if (rounds)
                p[j] = rounded_to(it->about.layout.parameter, p[j]);
            if (info.average)
                SAME(&it->about, same_float(info.average[j], *average), "average", j, i);
        }
    }
}

static void set_average(const fleet *tensors, double decay) {
    cr_assert_eq(glissade_optimizer_set_average(tensors->optimizer, tensors->group, decay),
                 GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(tensors->optimizer));
}

static void step_averaged(averaged *it, double decay) {
    it->about.step++;
    step_both(&it->about, &it->tensors, &it->twin);
    check_averages(it, decay);
}

/* An array of the library's starts where the parameters are, in full; stopped it stays, and goes on from there. */
Test(formats_models, averages) {
    static averaged it;
    for (size_t v = 0; v < variants_count(); v++)
        for (int form = 0; form < FORM_F64; form++) {
            it.about = (subject){.variant = variant_at(v), .layout = layout_of_form(form)};
            create_averaged(&it, false);
            if (v % 2)
                step_averaged(&it, 1);
            set_average(&it.tensors, 0.9);
            start_averages(&it);
            step_averaged(&it, 0.9);
            step_averaged(&it, 0.9);
            set_average(&it.tensors, 1);
            step_averaged(&it, 1);
            set_average(&it.tensors, 0.375);
            step_averaged(&it, 0.375);
            destroy_averaged(&it);
        }
}

Test(formats_models, averages_of_the_callers) {
    static averaged it;
    for (int form = 0; form < FORM_F64; form++) {
        it.about = (subject){.variant = variant_at(0), .layout = layout_of_form(form)};
        create_averaged(&it, true);
        for (size_t i = 0; i < TENSORS; i++)
            for (size_t j = 0; j < lengths[i]; j++)
                it.tensors.tensors[i].average[j] = it.expected[i][j] = scenario_value(77, i, j);
        step_averaged(&it, 1);
        set_average(&it.tensors, 0);
        step_averaged(&it, 0);
        set_average(&it.tensors, 0.99);
        step_averaged(&it, 0.99);
        for (size_t i = 0; i < TENSORS; i++)
            cr_assert_eq(fleet_info(&it.tensors, i).average, it.tensors.tensors[i].average);
        destroy_averaged(&it);
    }
}

/* ---- parameters that the caller writes ---- */

static void check_written(const subject *it, const glissade_tensor_info *info, const float *average_before,
                          bool with_average, size_t i) {
    for (size_t j = 0; j < info->length; j++) {
        const float p = (float)array_read(info->parameter_dtype, info->parameter, j);
        SAME(it, same_float((float)fleet_parameter(info, j), p), "parameter in full", j, i);
        if (info->master == GLISSADE_MASTER_SPLIT)
            SAME(it, ((int16_t *)info->master_state)[j] == 0, "lower half", j, i);
        SAME(it, same_float(info->average[j], with_average ? p : average_before[j]), "average", j, i);
    }
}

Test(formats_models, parameters_that_the_caller_writes) {
    static float before[5000];
    for (int form = 0; form < FORM_F64; form++)
        for (int round = 0; round < 4; round++) {
            subject it = {.variant = variant_at(0), .layout = layout_of_form(form), .step = round};
            const bool with_average = round % 2;
            fleet tensors;
            create(&it, &tensors, &it.layout, round / 2);
            set_average(&tensors, 0.9);
            fleet_fill_gradients(&tensors, 5);
            fleet_step(&tensors, NULL);
            for (size_t i = 0; i < TENSORS; i++) {
                held *tensor = &tensors.tensors[i];
                float fresh[5000];
                for (size_t j = 0; j < lengths[i]; j++)
                    fresh[j] = scenario_value(99, i, j);
                memcpy(before, fleet_info(&tensors, i).average, lengths[i] * sizeof *before);
                array_write(it.layout.parameter, tensor->parameter, fresh, lengths[i]);
                cr_assert_eq(
                    glissade_optimizer_parameter_written(
                        tensors.optimizer, (glissade_tensor_ref){tensors.group, (uint32_t)i}, with_average),
                    GLISSADE_STATUS_OK);
                const glissade_tensor_info info = fleet_info(&tensors, i);
                check_written(&it, &info, before, with_average, i);
                cr_assert_eq(info.steps, 1);
            }
            fleet_destroy(&tensors);
        }
}

/* Where there is nothing to tell it is accepted. */
Test(formats_models, parameters_that_nothing_follows) {
    subject it = {.variant = variant_at(0)};
    const layout wide = layout_of_form(FORM_F64);
    const layout *formats[] = {&it.layout, &wide};
    for (size_t i = 0; i < 2; i++) {
        fleet tensors;
        create(&it, &tensors, formats[i], false);
        for (uint32_t average = 0; average < 2; average++)
            cr_assert_eq(glissade_optimizer_parameter_written(
                             tensors.optimizer, (glissade_tensor_ref){tensors.group, 1}, average),
                         GLISSADE_STATUS_OK);
        cr_assert_eq(glissade_optimizer_parameter_written(tensors.optimizer,
                                                          (glissade_tensor_ref){tensors.group, 4}, true),
                     GLISSADE_STATUS_NOT_FOUND);
        fleet_destroy(&tensors);
    }
}
