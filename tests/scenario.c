/* SPDX-License-Identifier: Apache-2.0 */
/* Models, the reference step and small helpers of the engine-level tests (see scenario.h). */
#include "scenario.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void scenario_die(const char *file, int line, const char *format, ...) {
    va_list arguments;
    fprintf(stderr, "%s:%d: ", file, line);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    abort();
}

unsigned scenario_runs(void) {
    const char *text = getenv("TEST_RUNS");
    const unsigned long value = text ? strtoul(text, NULL, 10) : 0;
    return value ? (unsigned)value : 20;
}

void scenario_clear_environment(void) {
    static const char prefix[] = "GLISSADE_";
    for (size_t i = 0; environ && environ[i];) {
        if (strncmp(environ[i], prefix, sizeof prefix - 1) != 0) {
            i++;
            continue;
        }
        char name[128];
        snprintf(name, sizeof name, "%.*s", (int)strcspn(environ[i], "="), environ[i]);
        unsetenv(name);
    }
}

/* ---- models ---- */

static uint64_t mix(uint64_t z) {
    z += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

float scenario_value(uint64_t seed, uint64_t array, size_t i) {
    const uint64_t random = mix(mix(seed * 1000003 + array) + i);
    uint32_t bits = (uint32_t)random; /* sign and mantissa from here */
    const uint32_t exponent = 127 - 18 + (uint32_t)(random >> 32) % 22, rare = (uint32_t)(random >> 40) % 64;
    if (rare == 0)
        bits &= 0x80000000u;
    else
        bits = (bits & 0x807FFFFFu) | (rare == 1 ? 0 : exponent << 23);
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Room between arrays, so that each starts at the offset asked for and none touches the next. */
static size_t padded(size_t length) {
    return (length + 63) / 16 * 16;
}

void model_create(model *it, const size_t *lengths, size_t count, bool own_momentum, size_t offset) {
    REQUIRE(count <= MODEL_TENSORS, "a model of %zu tensors", count);
    *it = (model){.count = count, .own_momentum = own_momentum};
    for (size_t i = 0; i < count; i++)
        it->floats += 4 * padded(lengths[i]);
    it->memory = aligned_alloc(64, (it->floats + 16) * sizeof(float) / 64 * 64 + 64);
    REQUIRE(it->memory, "no memory for a model");
    memset(it->memory, 0, it->floats * sizeof(float));
    float *at = it->memory;
    for (size_t i = 0; i < count; i++) {
        const size_t room = padded(lengths[i]);
        it->length[i] = lengths[i];
        it->p[i] = at + offset;
        it->g[i] = at + room + offset;
        it->m[i] = at + 2 * room + offset;
        it->r[i] = at + 3 * room + offset;
        at += 4 * room;
        for (size_t j = 0; j < lengths[i]; j++)
            it->p[i][j] = scenario_value(0, i, j);
    }
}

void model_own_residual(model *it) {
    it->own_residual = it->has_residual = true;
    for (size_t i = 0; i < it->count; i++)
        it->holds[i] = it->length[i] > 0;
}

void model_create_usual(model *it, bool own_momentum) {
    static const size_t lengths[] = {40001, 300, 0, 33000, 1, 999, 16384};
    model_create(it, lengths, sizeof lengths / sizeof *lengths, own_momentum, 0);
}

void model_copy(model *to, const model *from) {
    model_create(to, from->length, from->count, from->own_momentum, 0);
    for (size_t i = 0; i < from->count; i++) {
        const size_t bytes = from->length[i] * sizeof(float);
        memcpy(to->p[i], from->p[i], bytes);
        memcpy(to->g[i], from->g[i], bytes);
        memcpy(to->m[i], from->m[i], bytes);
        memcpy(to->r[i], from->r[i], bytes);
        to->t[i] = from->t[i];
        to->k[i] = from->k[i];
        to->acted[i] = from->acted[i];
        to->rms[i] = from->rms[i];
        to->holds[i] = from->holds[i];
    }
    to->has_residual = from->has_residual;
    to->own_residual = from->own_residual;
}

void model_destroy(model *it) {
    free(it->memory);
    *it = (model){0};
}

void model_fill_gradients(model *it, uint64_t step) {
    for (size_t i = 0; i < it->count; i++)
        for (size_t j = 0; j < it->length[i]; j++)
            it->g[i][j] = scenario_value(step + 1, i, j);
}

static uint64_t hash_array(uint64_t hash, const float *values, size_t length) {
    for (size_t i = 0; i < length; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        hash = (hash ^ bits) * 0x100000001B3u;
    }
    return hash;
}

uint64_t model_hash(const model *it) {
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < it->count; i++)
        hash = hash_array(hash, it->p[i], it->length[i]);
    return hash;
}

static bool describe(char *text, size_t room, const char *array, size_t tensor, const float *a,
                     const float *b, size_t length) {
    for (size_t i = 0; i < length; i++) {
        uint32_t bits_a, bits_b;
        memcpy(&bits_a, &a[i], sizeof bits_a);
        memcpy(&bits_b, &b[i], sizeof bits_b);
        if (bits_a != bits_b) {
            snprintf(text, room, "%s of tensor %zu, element %zu: %08x and %08x", array, tensor, i, bits_a,
                     bits_b);
            return true;
        }
    }
    return false;
}

const char *model_difference(const model *a, const model *b) {
    static char text[128];
    for (size_t i = 0; i < a->count; i++)
        if (describe(text, sizeof text, "parameter", i, a->p[i], b->p[i], a->length[i]) ||
            describe(text, sizeof text, "gradient", i, a->g[i], b->g[i], a->length[i]))
            return text;
    return NULL;
}

/* ---- the reference ---- */

typedef struct scalars {
    float s, decay, beta, kappa, n1, n2, lambda, eta;
} scalars;

static double correction(double beta, uint64_t k) {
    return (double)(1 - powl(beta, (long double)k));
}

/* k: number of the update to make, from 1 on. */
static scalars round_scalars(const glissade_sgd_options *rule, double scale, uint64_t k) {
    const double beta = rule->momentum, kappa = 1 - rule->dampening;
    const bool both = rule->debias && rule->nesterov;
    return (scalars){
        .s = (float)((rule->maximize ? -1 : 1) / scale),
        .decay = (float)rule->weight_decay,
        .beta = (float)beta,
        .kappa = (float)kappa,
        .n1 = (float)(both ? beta / correction(beta, k + 1) : beta),
        .n2 = (float)(both ? kappa / correction(beta, k) : kappa),
        .lambda = (float)(rule->learning_rate * rule->weight_decay),
        .eta =
            (float)(rule->debias && !both ? rule->learning_rate / correction(beta, k) : rule->learning_rate),
    };
}

/* What of g is taken; counts what acts. */
static float defer(float g, float tau, float *r, uint64_t *acted) {
    const float u = *r + g;
    const bool waits = fabsf(u) < tau;
    *acted += !waits;
    *r = waits && fabsf(u) >= FLT_MIN ? u : 0;
    return waits ? 0 : u;
}

static void update_element(const glissade_sgd_options *rule, const scalars *c, uint64_t k, float *p, float g,
                           float *m) {
    if (rule->weight_decay != 0 && rule->decay == GLISSADE_DECAY_COUPLED)
        g = fmaf(c->decay, *p, g);
    float d = g;
    if (rule->momentum != 0) {
        if (k == 1 && rule->first_step == GLISSADE_FIRST_STEP_UNDAMPENED)
            *m = g;
        else
            *m = fmaf(c->beta, k == 1 ? 0.0f : *m, c->kappa * g);
        if (fabsf(*m) < FLT_MIN)
            *m = 0;
        d = rule->nesterov ? fmaf(c->n1, *m, c->n2 * g) : *m;
    }
    const float q =
        rule->weight_decay != 0 && rule->decay == GLISSADE_DECAY_DECOUPLED ? fmaf(-c->lambda, *p, *p) : *p;
    *p = fmaf(-c->eta, d, q);
}

/* Squares of a run of up to 256 elements, in 16 lanes. */
static double sum_run(const float *g, float s, size_t length) {
    double lanes[16] = {0};
    for (size_t i = 0; i < length; i++) {
        const float x = s * g[i];
        lanes[i % 16] = fma(x, x, lanes[i % 16]);
    }
    for (int half = 8; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* Runs paired up a tree: what stands left of the top is the largest power of two of them that leaves one. */
static double sum_tree(const float *g, float s, size_t length) {
    size_t left = 256;
    if (length <= left)
        return sum_run(g, s, length);
    while (2 * left < length)
        left *= 2;
    return sum_tree(g, s, left) + sum_tree(g + left, s, length - left);
}

static float threshold(const glissade_sgd_options *rule, double rms) {
    const double tau = rule->defer_unit == GLISSADE_DEFER_UNIT_GRADIENT_RMS ? rule->defer_threshold * rms
                                                                            : rule->defer_threshold;
    if (!(tau >= (double)FLT_MIN) || isinf(tau))
        return 0;
    return (float)fmin(tau, (double)FLT_MAX);
}

/* Threshold and mean square of a tensor's step, as far as it has them; and what they are afterwards. */
static float begin_deferral(model *it, size_t i, const glissade_sgd_options *rule, float s) {
    const bool defers = rule->defer_threshold != 0;
    const float tau = it->holds[i] ? threshold(rule, it->rms[i]) : 0;
    it->rms[i] =
        defers && it->length[i] ? sqrt(sum_tree(it->g[i], s, it->length[i]) / (double)it->length[i]) : 0;
    it->acted[i] = 0;
    return tau;
}

void model_reference_step(model *it, const glissade_sgd_options *rule, double gradient_scale,
                          bool zero_gradients, uint32_t present) {
    for (size_t i = 0; i < it->count && rule->defer_threshold != 0; i++) {
        it->has_residual = true;
        it->holds[i] = it->length[i] > 0;
    }
    for (size_t i = 0; i < it->count; i++) {
        if (!(present >> i & 1))
            continue;
        it->t[i]++;
        it->k[i] += rule->momentum != 0;
        const scalars c = round_scalars(rule, gradient_scale, it->k[i]);
        const float tau = begin_deferral(it, i, rule, c.s);
        for (size_t j = 0; j < it->length[i]; j++) {
            float g = c.s * it->g[i][j];
            if (it->holds[i])
                g = defer(g, tau, &it->r[i][j], &it->acted[i]);
            update_element(rule, &c, it->k[i], &it->p[i][j], g, &it->m[i][j]);
            if (zero_gradients)
                it->g[i][j] = 0;
        }
        if (!it->holds[i])
            it->acted[i] = it->length[i];
        it->holds[i] &= rule->defer_threshold != 0;
    }
}

/* ---- the library ---- */

glissade_engine *scenario_engine(uint32_t threads) {
    glissade_engine_options options;
    glissade_engine *engine;
    glissade_error error;
    glissade_engine_options_init(&options, sizeof options);
    options.threads = threads;
    options.oversubscribe = true;
    REQUIRE(!glissade_engine_create(&options, &engine, &error), "engine: %s", error.message);
    return engine;
}

glissade_optimizer *scenario_optimizer(glissade_engine *engine) {
    glissade_optimizer *optimizer;
    glissade_error error;
    REQUIRE(!glissade_optimizer_create(engine, &optimizer, &error), "optimizer: %s", error.message);
    return optimizer;
}

uint32_t scenario_add(glissade_optimizer *optimizer, model *it, const glissade_sgd_options *rule) {
    glissade_tensor tensors[MODEL_TENSORS];
    uint32_t group;
    for (size_t i = 0; i < it->count; i++) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = it->p[i];
        tensors[i].gradient = it->g[i];
        tensors[i].length = it->length[i];
        tensors[i].momentum = it->own_momentum ? it->m[i] : NULL;
        tensors[i].residual = it->own_residual ? it->r[i] : NULL;
    }
    const glissade_status status = glissade_optimizer_add_sgd(optimizer, tensors, it->count, rule, &group);
    REQUIRE(!status, "add_sgd: %s", glissade_optimizer_message(optimizer));
    return group;
}

glissade_sgd_options scenario_rule(double momentum) {
    glissade_sgd_options rule;
    glissade_sgd_options_init(&rule, sizeof rule);
    rule.learning_rate = 0.05;
    rule.momentum = momentum;
    rule.dampening = momentum / 2;
    rule.weight_decay = 0.01;
    return rule;
}

void scenario_step(glissade_optimizer *optimizer) {
    const glissade_status status = glissade_optimizer_step(optimizer, NULL, NULL);
    REQUIRE(!status, "step: %s (%s)", glissade_status_name(status), glissade_optimizer_message(optimizer));
}

glissade_tensor_info scenario_info(glissade_optimizer *optimizer, uint32_t group, uint32_t tensor) {
    glissade_tensor_info info = {.size = sizeof info};
    REQUIRE(!glissade_optimizer_get_tensor(optimizer, (glissade_tensor_ref){group, tensor}, &info),
            "get_tensor: %s", glissade_optimizer_message(optimizer));
    return info;
}

const char *scenario_state_difference(glissade_optimizer *optimizer, uint32_t group, const model *it) {
    static char text[160];
    for (uint32_t i = 0; i < it->count; i++) {
        const glissade_tensor_info info = scenario_info(optimizer, group, i);
        if (info.steps != it->t[i] || info.momentum_updates != it->k[i]) {
            snprintf(text, sizeof text, "tensor %u has t %llu, k %llu, not %llu, %llu", i,
                     (unsigned long long)info.steps, (unsigned long long)info.momentum_updates,
                     (unsigned long long)it->t[i], (unsigned long long)it->k[i]);
            return text;
        }
        if (info.acted != it->acted[i] || memcmp(&info.gradient_rms, &it->rms[i], sizeof it->rms[i]) != 0) {
            snprintf(text, sizeof text, "tensor %u: %llu acted, RMS %a, not %llu, %a", i,
                     (unsigned long long)info.acted, info.gradient_rms, (unsigned long long)it->acted[i],
                     it->rms[i]);
            return text;
        }
        if (it->k[i] && it->length[i] &&
            describe(text, sizeof text, "momentum", i, info.momentum, it->m[i], it->length[i]))
            return text;
        if (it->length[i] && it->has_residual != (info.residual != NULL)) {
            snprintf(text, sizeof text, "tensor %u has %s residual", i, info.residual ? "a" : "no");
            return text;
        }
        if (info.residual &&
            describe(text, sizeof text, "residual", i, info.residual, it->r[i], it->length[i]))
            return text;
    }
    return NULL;
}

/* Momentum, and gradients of ordinary size deferred: state of every kind. */
static glissade_sgd_options training_rule(void) {
    glissade_sgd_options rule = scenario_rule(0.75);
    rule.defer_threshold = 0.5;
    rule.defer_unit = GLISSADE_DEFER_UNIT_GRADIENT_RMS;
    return rule;
}

uint64_t scenario_train(glissade_engine *engine, uint64_t steps) {
    model made;
    model_create_usual(&made, false);
    const glissade_sgd_options rule = training_rule();
    glissade_optimizer *optimizer = scenario_optimizer(engine);
    scenario_add(optimizer, &made, &rule);
    for (uint64_t step = 0; step < steps; step++) {
        model_fill_gradients(&made, step);
        scenario_step(optimizer);
    }
    const uint64_t hash = model_hash(&made);
    glissade_optimizer_destroy(&optimizer);
    model_destroy(&made);
    return hash;
}

uint64_t scenario_expected(uint64_t steps) {
    model made;
    model_create_usual(&made, false);
    const glissade_sgd_options rule = training_rule();
    for (uint64_t step = 0; step < steps; step++) {
        model_fill_gradients(&made, step);
        model_reference_step(&made, &rule, 1, false, UINT32_MAX);
    }
    const uint64_t hash = model_hash(&made);
    model_destroy(&made);
    return hash;
}
