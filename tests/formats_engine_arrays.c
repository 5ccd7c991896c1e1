/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors in number formats (see formats_engine.h). */
#include "formats_engine.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- formats ---- */

layout layout_of_form(int form) {
    static const layout forms[FORMS] = {
        {0},
        {.copy = GLISSADE_DTYPE_BF16},
        {.copy = GLISSADE_DTYPE_F16},
        {.parameter = GLISSADE_DTYPE_BF16},
        {.parameter = GLISSADE_DTYPE_F16},
        {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_F32},
        {.parameter = GLISSADE_DTYPE_F16, .master = GLISSADE_MASTER_F32},
        {.parameter = GLISSADE_DTYPE_BF16, .master = GLISSADE_MASTER_SPLIT},
        {.parameter = GLISSADE_DTYPE_F64, .gradient = GLISSADE_DTYPE_F64},
    };
    return forms[form];
}

const char *layout_text(const layout *it) {
    static const char *const dtypes[] = {"f32", "bf16", "f16", "f64"},
                             *const masters[] = {"", " with an f32 master", " split"},
                             *const states[] = {"full", "bf16", "stochastic bf16", "8-bit"};
    static char text[128];
    snprintf(text, sizeof text, "parameter %s%s%s%s, gradient %s, state %s", dtypes[it->parameter],
             masters[it->master], it->copy ? " with a copy in " : "", it->copy ? dtypes[it->copy] : "",
             dtypes[it->gradient], states[it->state]);
    return text;
}

/* Rounded to so many bits of fraction, with exponents down to `least`: exact in double, but for the rounding. */
static double to_grid(double x, int fraction_bits, int least) {
    int exponent;
    frexp(x, &exponent);
    const int unit = (exponent - 1 < least ? least : exponent - 1) - fraction_bits;
    return ldexp(nearbyint(ldexp(x, -unit)), unit);
}

static uint16_t f16_of(float x) {
    const uint32_t bits = value_bits(x);
    const uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
    if (isnan(x))
        return (uint16_t)(sign | 0x7E00 | (bits >> 13 & 0x3FF));
    const double rounded = fabs(to_grid((double)x, 10, -14));
    if (rounded >= 65520)
        return sign | 0x7C00;
    if (rounded < 0x1p-14)
        return (uint16_t)(sign | (uint16_t)(rounded * 0x1p24));
    int exponent;
    const double significand = frexp(rounded, &exponent);
    return (uint16_t)(sign | (exponent + 14) << 10 | (uint16_t)((significand * 2 - 1) * 1024));
}

static uint16_t bf16_of(float x) {
    if (isnan(x))
        return (uint16_t)(value_bits(x) >> 16 | 0x40);
    return (uint16_t)(value_bits((float)to_grid((double)x, 7, -126)) >> 16);
}

uint16_t half_of(glissade_dtype dtype, float x) {
    return dtype == GLISSADE_DTYPE_F16 ? f16_of(x) : bf16_of(x);
}

float float_of_half(glissade_dtype dtype, uint16_t half) {
    if (dtype == GLISSADE_DTYPE_BF16)
        return value_of_bits((uint32_t)half << 16);
    const int exponent = half >> 10 & 31, fraction = half & 0x3FF;
    const float size = exponent == 31 ? (fraction ? NAN : INFINITY)
                       : exponent     ? ldexpf((float)(1024 + fraction), exponent - 25)
                                      : ldexpf((float)fraction, -24);
    return half & 0x8000 ? -size : size;
}

float rounded_to(glissade_dtype dtype, float x) {
    return dtype == GLISSADE_DTYPE_F32 ? x : float_of_half(dtype, half_of(dtype, x));
}

void halves_split(float x, uint16_t *high, int16_t *low) {
    const uint32_t bits = value_bits(x);
    *high = (uint16_t)((bits + 0x8000) >> 16);
    *low = (int16_t)(bits & 0xFFFF); /* as a signed number what is left of the bits */
}

float halves_join(uint16_t high, int16_t low) {
    return value_of_bits(((uint32_t)high << 16) + (uint32_t)(int32_t)low);
}

size_t dtype_bytes(glissade_dtype dtype) {
    return dtype == GLISSADE_DTYPE_F64   ? sizeof(double)
           : dtype == GLISSADE_DTYPE_F32 ? sizeof(float)
                                         : sizeof(uint16_t);
}

double array_read(glissade_dtype dtype, const void *array, size_t i) {
    const char *at = (const char *)array + i * dtype_bytes(dtype);
    uint16_t half;
    double wide;
    float single;
    if (dtype == GLISSADE_DTYPE_F64) {
        memcpy(&wide, at, sizeof wide);
        return wide;
    }
    if (dtype == GLISSADE_DTYPE_F32) {
        memcpy(&single, at, sizeof single);
        return (double)single;
    }
    memcpy(&half, at, sizeof half);
    return (double)float_of_half(dtype, half);
}

void array_write(glissade_dtype dtype, void *array, const float *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char *at = (char *)array + i * dtype_bytes(dtype);
        const double wide = (double)from[i];
        const uint16_t half =
            dtype == GLISSADE_DTYPE_BF16 || dtype == GLISSADE_DTYPE_F16 ? half_of(dtype, from[i]) : 0;
        memcpy(at,
               dtype == GLISSADE_DTYPE_F64   ? (const void *)&wide
               : dtype == GLISSADE_DTYPE_F32 ? (const void *)&from[i]
                                             : (const void *)&half,
               dtype_bytes(dtype));
    }
}

/* ---- tensors ---- */

enum { ARRAYS = 5 + GLISSADE_STATES, MARK = 0xA5, MARGIN = 64 };

static void **slot_of(held *it, size_t array) {
    void **const slots[] = {&it->parameter, &it->gradient, &it->copy, &it->master};
    return array < 4 ? slots[array] : &it->state[array - 4];
}

/* Bytes of elements, and of all; a master of either kind has room for floats. */
static size_t element_of(const held *it, size_t array) {
    const layout *formats = &it->layout;
    const glissade_dtype dtypes[] = {formats->parameter, formats->gradient, formats->copy,
                                     formats->master == GLISSADE_MASTER_SPLIT ? GLISSADE_DTYPE_BF16
                                                                              : GLISSADE_DTYPE_F32};
    if (array < 4)
        return dtype_bytes(dtypes[array]);
    const glissade_state_format format = it->state_format[array - 4];
    return format == GLISSADE_STATE_BF16 || format == GLISSADE_STATE_BF16_STOCHASTIC ? 2
           : formats->parameter == GLISSADE_DTYPE_F64                                ? 8
                                                                                     : 4;
}

static size_t bytes_of(const held *it, size_t array) {
    if (array < 4)
        return it->length * element_of(it, array);
    return glissade_state_bytes(it->state_format[array - 4], it->length,
                                it->layout.parameter == GLISSADE_DTYPE_F64);
}

/* Room for an array of any format that it may get, its marks and its offset. */
static size_t room_of(const held *it) {
    const size_t element = it->layout.parameter == GLISSADE_DTYPE_F64 ? sizeof(double) : sizeof(float);
    return (it->length * element + 4 * MARGIN + 16 * sizeof(double)) / MARGIN * MARGIN;
}

/* Parameter, gradient and copy are the test's, the others only if it owns them. */
static bool is_used(const held *it, size_t array) {
    return it->own || array < 3;
}

static size_t length_of(const held *it, size_t array) {
    return array == ARRAYS - 1 ? it->length * sizeof(float) : bytes_of(it, array);
}

/* Where an array of the present format starts; zeros in it, marks before and after it. */
static void place(held *it, size_t array) {
    const size_t element = array == ARRAYS - 1 ? sizeof(float) : element_of(it, array);
    char *const room = it->memory + array * room_of(it), *const start = room + MARGIN + it->offset * element;
    memset(room, MARK, (size_t)(start - room));
    memset(start, 0, length_of(it, array));
    memset(start + length_of(it, array), MARK, MARGIN);
    if (array == ARRAYS - 1)
        it->average = (float *)(void *)start;
    else
        *slot_of(it, array) = start;
}

void held_create(held *it, const layout *formats, size_t length, size_t offset, bool own) {
    *it = (held){.layout = *formats, .length = length, .offset = offset, .own = own};
    for (int s = 0; s < GLISSADE_STATES; s++)
        it->state_format[s] =
            formats->state == GLISSADE_STATE_Q8 && length < 256 ? GLISSADE_STATE_FULL : formats->state;
    it->memory = aligned_alloc(MARGIN, ARRAYS * room_of(it));
    REQUIRE(it->memory, "no memory for a tensor of %zu elements", length);
    for (size_t array = 0; array < ARRAYS; array++)
        if (is_used(it, array))
            place(it, array);
}

void held_destroy(held *it) {
    free(it->memory);
    *it = (held){.length = 0};
}

static bool is_marked(const char *from, const char *to) {
    for (; from < to; from++)
        if ((unsigned char)*from != MARK)
            return false;
    return true;
}

bool held_intact(const held *it) {
    held copy = *it;
    for (size_t array = 0; array < ARRAYS; array++) {
        if (!is_used(it, array))
            continue;
        const char *const room = it->memory + array * room_of(it);
        const char *const start = array == ARRAYS - 1 ? (const void *)it->average : *slot_of(&copy, array);
        const char *const end = start + length_of(it, array);
        if (!is_marked(room, start) || !is_marked(end, end + MARGIN))
            return false;
    }
    return true;
}

glissade_tensor held_descriptor(const held *it) {
    glissade_tensor tensor;
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = it->parameter;
    tensor.gradient = it->gradient;
    tensor.length = it->length;
    tensor.columns = it->columns;
    tensor.parameter_dtype = it->layout.parameter;
    tensor.gradient_dtype = it->layout.gradient;
    tensor.master = it->layout.master;
    tensor.copy_dtype = it->layout.copy;
    tensor.copy = it->layout.copy ? it->copy : NULL;
    for (int s = 0; s < GLISSADE_STATES; s++) {
        tensor.state_format[s] = it->state_format[s];
        tensor.state[s] = it->own ? it->state[s] : NULL;
    }
    tensor.master_state = it->own && it->layout.master ? it->master : NULL;
    tensor.average = it->own && it->layout.parameter != GLISSADE_DTYPE_F64 ? it->average : NULL;
    return tensor;
}

/* ---- groups of them ---- */

void fleet_create(fleet *it, const layout *formats, const size_t *lengths, size_t count, size_t offset,
                  bool own) {
    REQUIRE(count <= FLEET_MOST, "%zu tensors", count);
    *it = (fleet){.count = count};
    for (size_t i = 0; i < count; i++)
        held_create(&it->tensors[i], formats, lengths[i], offset, own);
}

/* Whether the last refusal was of a tensor's state that must be full, which it now is. */
static bool adapt(fleet *it) {
    unsigned state, index;
    if (sscanf(glissade_optimizer_message(it->optimizer), "state_format[%u] of tensor %u", &state, &index) !=
        2)
        return false;
    held *tensor = &it->tensors[index];
    const bool adapted = tensor->state_format[state] != GLISSADE_STATE_FULL;
    tensor->state_format[state] = GLISSADE_STATE_FULL;
    if (tensor->own)
        place(tensor, 4 + state);
    return adapted;
}

bool fleet_add(fleet *it, glissade_engine *engine, const rule *by, const rule_options *options) {
    glissade_tensor tensors[FLEET_MOST];
    glissade_status status;
    it->rule = by;
    it->options = *options;
    it->optimizer = scenario_optimizer(engine);
    do {
        for (size_t i = 0; i < it->count; i++)
            tensors[i] = held_descriptor(&it->tensors[i]);
        status = by->add(it->optimizer, tensors, it->count, options, &it->group);
    } while (status && adapt(it));
    REQUIRE(!status || status == GLISSADE_STATUS_INVALID_COMBINATION, "add %s: %s", by->name,
            glissade_optimizer_message(it->optimizer));
    return !status;
}

void fleet_destroy(fleet *it) {
    glissade_optimizer_destroy(&it->optimizer);
    for (size_t i = 0; i < it->count; i++)
        held_destroy(&it->tensors[i]);
}

glissade_tensor_info fleet_info(const fleet *it, size_t tensor) {
    return scenario_info(it->optimizer, it->group, (uint32_t)tensor);
}

void fleet_step(fleet *it, const glissade_step_options *options) {
    REQUIRE(!glissade_optimizer_step(it->optimizer, options, NULL), "step: %s",
            glissade_optimizer_message(it->optimizer));
}

static float *values_of(uint64_t seed, size_t tensor, size_t n) {
    float *values = malloc((n + 1) * sizeof *values);
    REQUIRE(values, "no memory for %zu values", n);
    for (size_t i = 0; i < n; i++)
        values[i] = scenario_value(seed, tensor, i);
    return values;
}

void fleet_fill_parameters(fleet *it, uint64_t seed) {
    for (size_t i = 0; i < it->count; i++) {
        held *tensor = &it->tensors[i];
        float *values = values_of(seed, i, tensor->length);
        array_write(tensor->layout.parameter, tensor->parameter, values, tensor->length);
        if (tensor->own && tensor->layout.master == GLISSADE_MASTER_F32)
            memcpy(tensor->master, values, tensor->length * sizeof *values);
        for (size_t j = 0;
             tensor->own && tensor->layout.master == GLISSADE_MASTER_SPLIT && j < tensor->length; j++)
            halves_split(values[j], (uint16_t *)tensor->parameter + j, (int16_t *)tensor->master + j);
        free(values);
    }
}

void fleet_fill_gradients(fleet *it, uint64_t seed) {
    for (size_t i = 0; i < it->count; i++) {
        float *values = values_of(seed, i, it->tensors[i].length);
        array_write(it->tensors[i].layout.gradient, it->tensors[i].gradient, values, it->tensors[i].length);
        free(values);
    }
}

size_t fleet_state_length(const fleet *it, const glissade_tensor_info *info) {
    const bool factored = strcmp(it->rule->name, "adafactor") == 0 && info->columns && info->length;
    return factored ? info->length / info->columns + info->columns : info->length;
}

double fleet_parameter(const glissade_tensor_info *info, size_t i) {
    if (info->master == GLISSADE_MASTER_F32)
        return (double)((const float *)info->master_state)[i];
    if (info->master == GLISSADE_MASTER_SPLIT)
        return (double)halves_join(((const uint16_t *)info->parameter)[i],
                                   ((const int16_t *)info->master_state)[i]);
    return array_read(info->parameter_dtype, info->parameter, i);
}

/* ---- rules ---- */

static const struct {
    const char *name, *values;
} sgd_variants[] = {
    {"sgd plain", "learning_rate=0.05 weight_decay=0.01"},
    {"sgd momentum", "learning_rate=0.05 momentum=0.75 dampening=0.5 weight_decay=0.01"},
    {"sgd undampened", "learning_rate=0.05 momentum=0.9 dampening=0.5 first_step=1"},
    {"sgd nesterov",
     "learning_rate=0.05 momentum=0.9 dampening=0.9 nesterov=1 debias=1 weight_decay=0.02 decay=1"},
    {"sgd deferring", "learning_rate=0.05 momentum=0.5 defer_threshold=0.5 defer_unit=1 maximize=1"},
};

enum { SGD_VARIANTS = sizeof sgd_variants / sizeof *sgd_variants };

size_t variants_count(void) {
    return rules_count() + SGD_VARIANTS;
}

variant variant_at(size_t index) {
    if (index < rules_count())
        return (variant){&rules_list[index], rules_list[index].name, "weight_decay=0.01"};
    const size_t i = index - rules_count();
    return (variant){&rule_sgd, sgd_variants[i].name, sgd_variants[i].values};
}

rule_options variant_options(const variant *it) {
    rule_options options;
    rule_defaults(it->rule, &options);
    const char *unknown = rule_assign(it->rule, &options, it->values);
    REQUIRE(!unknown, "%s has no %s", it->name, unknown);
    return options;
}
