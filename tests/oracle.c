/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One step of every rule against the same formula in long double, with the exact hyperparameters: what an
 * update may lose to rounding, and no more. Uses the public interface only, on every instruction set that the
 * machine can run.
 *
 * The bound. Written out, an updated value is a sum of products: for the parameter p, lambda p, eta n1 beta m
 * and so on. Each of these terms passes at most R roundings, those of its scalars to float included (the
 * double arithmetic behind a scalar is off by 1e-15; check() allows 2^-20 of the bound for it and for R u).
 * So the result is off by at most R u / (1 - R u) times the sum of the terms' magnitudes, u = 2^-24 (Higham,
 * Accuracy and Stability of Numerical Algorithms, lemma 3.1): R half-ulps of that sum. R, along the longest
 * path:
 *
 *     g = s gradient        2: s and the product
 *       + r                 1: the sum, with deferral
 *       + weight_decay p    1: the fma, with coupled decay
 *     m = beta m + kappa g  3: kappa, the product, the fma; none when an undampened first step copies g
 *     d = n1 m + n2 g       2: n1 and the fma, with Nesterov
 *     p = q - eta d         2: eta and the fma
 *
 * From 4 for the plain rule to 11 for Nesterov with momentum, coupled decay and deferral. Nothing is added for
 * underflow and flushing: `fill` keeps all products far above FLT_MIN. Whether an element acts is decided exactly,
 * too; the few whose sum is within its error of the threshold may go either way and are left out. Measured: 2.4 of 4 (plain) to 4.0 of
 * 10; run with --verbose=1 and without --tap to see each.
 */
#include "glissade/glissade.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <string.h>

enum { LENGTH = 1003, TRIALS = 24 };

typedef enum rule {
    RULE_PLAIN,
    RULE_MOMENTUM,
    RULE_FIRST_UPDATE,
    RULE_UNDAMPENED,
    RULE_NESTEROV,
    RULE_DEBIASED,
    RULE_DEBIASED_NESTEROV,
    RULES
} rule;

typedef enum decaying { DECAYING_NOT, DECAYING_COUPLED, DECAYING_DECOUPLED, DECAYINGS } decaying;

typedef struct combination {
    rule rule;
    decaying decaying;
    bool deferring;
} combination;

static const char *const rule_names[RULES] = {"plain",    "momentum", "first update",     "undampened",
                                              "nesterov", "debiased", "debiased nesterov"};
static const char *const decaying_names[DECAYINGS] = {"without decay", "with coupled decay",
                                                      "with decoupled decay"};

/* One random experiment: hyperparameters, which update of the momentum this is, and arrays. */
typedef struct trial {
    glissade_sgd_options options;
    double gradient_scale;
    uint64_t k;
    float parameters[LENGTH], gradients[LENGTH], momentum[LENGTH], residual[LENGTH];
} trial;

/* A value and the sum of the magnitudes of the terms it was made of. */
typedef struct sum {
    long double value, size;
} sum;

/* ---- random experiments ---- */

static uint64_t random_bits(uint64_t *state) {
    uint64_t z = *state += 0x9E3779B97F4A7C15u;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static double uniform(uint64_t *state, double low, double high) {
    return low + (high - low) * (double)(random_bits(state) >> 11) * 0x1p-53;
}

/* Magnitudes over 2^-exponent to 2^exponent of either sign, and a zero now and then. */
static void fill(float *out, int exponent, uint64_t *state) {
    for (size_t i = 0; i < LENGTH; i++) {
        double x = exp2(uniform(state, -exponent, exponent));
        uint64_t bits = random_bits(state);
        out[i] = bits % 64 == 0 ? 0.0f : (float)(bits & 64 ? -x : x);
    }
}

static void make_trial(trial *t, combination c, unsigned number, uint64_t *state) {
    static const uint64_t updates[] = {2, 3, 10, 1000, 123456789, 1};
    glissade_sgd_options *o = &t->options;

    glissade_sgd_options_init(o, sizeof *o);
    o->learning_rate = number == 4 ? 0.0 : pow(10.0, uniform(state, -5.0, 1.0));
    o->weight_decay = c.decaying == DECAYING_NOT ? 0.0 : pow(10.0, uniform(state, -4.0, 0.0));
    o->decay = c.decaying == DECAYING_DECOUPLED ? GLISSADE_DECAY_DECOUPLED : GLISSADE_DECAY_COUPLED;
    o->maximize = number & 1;
    t->gradient_scale = number & 2 ? uniform(state, -1.0, 1.0) * 65536.0 : 1.0;
    t->k = 1;
    if (c.rule != RULE_PLAIN) {
        const double dampenings[] = {0.0, uniform(state, 0.0, 1.0), 0.0};
        o->momentum = 1.0 - pow(10.0, uniform(state, -6.0, -0.05));
        o->dampening = number % 3 == 2 ? o->momentum : dampenings[number % 3];
        if (c.rule == RULE_MOMENTUM)
            t->k = updates[number % 5];
        else if (c.rule >= RULE_NESTEROV)
            t->k = updates[number % 6];
    }
    o->nesterov = c.rule == RULE_NESTEROV || c.rule == RULE_DEBIASED_NESTEROV;
    o->debias = c.rule == RULE_DEBIASED || c.rule == RULE_DEBIASED_NESTEROV;
    if (c.deferring)
        o->defer_threshold = exp2(uniform(state, -4.0, 6.0));
    else if (c.rule == RULE_UNDAMPENED || (c.rule == RULE_NESTEROV && number & 4))
        o->first_step = GLISSADE_FIRST_STEP_UNDAMPENED;
    fill(t->parameters, 8, state);
    fill(t->gradients, 12, state);
    fill(t->momentum, 12, state);
    fill(t->residual, 12, state);
}

/* ---- the oracle ---- */

/* 1 - beta^k without cancellation. */
static long double correction(double beta, uint64_t k) {
    return -expm1l((long double)k * log1pl((long double)beta - 1.0L));
}

static sum combine(long double a, sum x, long double b, sum y) {
    return (sum){a * x.value + b * y.value, fabsl(a) * x.size + fabsl(b) * y.size};
}

static sum term(float x) {
    return (sum){x, fabsl((long double)x)};
}

/* What an exact update makes of an element. */
typedef struct outcome {
    sum p, m, r;
    bool either; /* the decision whether it acts hangs on rounding */
} outcome;

/* What of g is taken; three roundings on the way to the sum that decides. */
static sum exact_deferral(const trial *t, size_t i, sum g, outcome *out) {
    const sum u = combine(1.0L, term(t->residual[i]), 1.0L, g), nothing = {0, 0};
    const long double tau = (float)t->options.defer_threshold, off = fabsl(u.value) - tau;
    out->either = fabsl(off) <= 3 * 0x1p-24L * u.size * (1.0L + 0x1p-20L);
    out->r = off < 0 ? u : nothing;
    return off < 0 ? nothing : u;
}

/* The exact update of element i: its new parameter, and its new state as far as it has any. */
static void exact_update(const trial *t, size_t i, outcome *out) {
    sum *p = &out->p, *m = &out->m;
    const glissade_sgd_options *o = &t->options;
    const bool decoupled = o->decay == GLISSADE_DECAY_DECOUPLED;
    const long double lr = o->learning_rate, beta = o->momentum, kappa = 1.0L - (long double)o->dampening;
    const sum p0 = term(t->parameters[i]);
    long double eta = lr, n1 = beta, n2 = kappa;
    sum d;

    if (o->debias && o->nesterov) {
        n1 /= correction(o->momentum, t->k + 1);
        n2 /= correction(o->momentum, t->k);
    } else if (o->debias) {
        eta /= correction(o->momentum, t->k);
    }
    const sum none = {0, 0};
    sum g = combine((o->maximize ? -1.0L : 1.0L) / t->gradient_scale, term(t->gradients[i]), 0.0L, none);
    if (o->defer_threshold != 0)
        g = exact_deferral(t, i, g, out);
    g = combine(1.0L, g, decoupled ? 0.0L : (long double)o->weight_decay, p0);
    d = g;
    if (beta != 0) {
        const sum m0 = term(t->k == 1 ? 0.0f : t->momentum[i]);
        *m = t->k == 1 && o->first_step == GLISSADE_FIRST_STEP_UNDAMPENED ? g : combine(beta, m0, kappa, g);
        d = o->nesterov ? combine(n1, *m, n2, g) : *m;
    }
    *p = combine(1.0L, p0, decoupled ? -lr * (long double)o->weight_decay : 0.0L, p0);
    *p = combine(1.0L, *p, -eta, d);
}

/* The R of the opening comment, for the momentum or for the parameter. */
static int roundings(const trial *t, bool of_parameter) {
    const glissade_sgd_options *o = &t->options;
    int count = o->defer_threshold != 0 ? 3 : 2;

    if (o->weight_decay != 0 && o->decay == GLISSADE_DECAY_COUPLED)
        count += 1;
    if (o->momentum != 0 && !(t->k == 1 && o->first_step == GLISSADE_FIRST_STEP_UNDAMPENED))
        count += 3;
    if (of_parameter)
        count += (o->nesterov ? 2 : 0) + 2;
    return count;
}

/* ---- the comparison ---- */

/* Steps the library once on copies of the trial's arrays; `p`, `m` and `r` receive the results. */
static void step_library(glissade_engine *engine, const trial *t, bool own_momentum, float *p, float *m,
                         float *r) {
    glissade_optimizer *optimizer;
    glissade_tensor tensor;
    glissade_tensor_info info = {.size = sizeof info};
    glissade_step_options options;
    glissade_tensor_ref ref = {0, 0};
    float gradients[LENGTH];

    memcpy(p, t->parameters, sizeof t->parameters);
    memcpy(gradients, t->gradients, sizeof gradients);
    glissade_tensor_init(&tensor, sizeof tensor);
    tensor.parameter = p;
    tensor.gradient = gradients;
    tensor.length = LENGTH;
    tensor.momentum = own_momentum && t->options.momentum != 0 ? m : NULL;
    memcpy(r, t->residual, sizeof t->residual);
    tensor.residual = t->options.defer_threshold != 0 ? r : NULL;
    cr_assert_eq(glissade_optimizer_create(engine, &optimizer, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_add_sgd(optimizer, &tensor, 1, &t->options, &ref.group),
                 GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(optimizer));
    cr_assert_eq(glissade_optimizer_get_tensor(optimizer, ref, &info), GLISSADE_STATUS_OK);
    if (info.momentum) {
        memcpy(info.momentum, t->momentum, sizeof t->momentum);
        cr_assert_eq(glissade_optimizer_set_counts(optimizer, ref, t->k - 1, t->k - 1), GLISSADE_STATUS_OK,
                     "%s", glissade_optimizer_message(optimizer));
    }
    glissade_step_options_init(&options, sizeof options);
    options.gradient_scale = t->gradient_scale;
    cr_assert_eq(glissade_optimizer_step(optimizer, &options, NULL), GLISSADE_STATUS_OK, "%s",
                 glissade_optimizer_message(optimizer));
    if (info.momentum && info.momentum != m)
        memcpy(m, info.momentum, sizeof t->momentum);
    glissade_optimizer_destroy(&optimizer);
}

/* Error in half-ulps (u times the size); fails the test if there are more than `allowed`. */
static long double check(const char *what, size_t i, float got, float before, sum exact, int allowed) {
    const long double unit = 0x1p-24L * exact.size, error = fabsl((long double)got - exact.value);
    uint32_t got_bits, before_bits;

    memcpy(&got_bits, &got, sizeof got);
    memcpy(&before_bits, &before, sizeof before);
    cr_assert(
        error <= allowed * unit * (1.0L + 0x1p-20L),
        "%s[%zu] became %a (0x%08x) from %a (0x%08x), exactly %.10Lg: %.2Lf half-ulps of %.4Lg, allowed %d",
        what, i, (double)got, got_bits, (double)before, before_bits, exact.value, error / unit, exact.size,
        allowed);
    return error == 0 ? 0.0L : error / unit;
}

static void compare(glissade_engine *engine, const trial *t, bool own_momentum, long double *worst) {
    static float p[LENGTH], m[LENGTH], r[LENGTH];
    size_t left_out = 0;

    step_library(engine, t, own_momentum, p, m, r);
    for (size_t i = 0; i < LENGTH; i++) {
        outcome exact = {.either = false};

        exact_update(t, i, &exact);
        left_out += exact.either;
        if (exact.either)
            continue;
        if (t->options.momentum != 0)
            worst[0] =
                fmaxl(worst[0], check("momentum", i, m[i], t->momentum[i], exact.m, roundings(t, false)));
        if (t->options.defer_threshold != 0)
            check("residual", i, r[i], t->residual[i], exact.r, 3);
        worst[1] =
            fmaxl(worst[1], check("parameter", i, p[i], t->parameters[i], exact.p, roundings(t, true)));
    }
    cr_assert_leq(left_out, LENGTH / 100, "%zu elements left out", left_out);
}

ParameterizedTestParameters(oracle, step) {
    const size_t count = 2 * RULES * DECAYINGS;
    combination *combinations = cr_malloc(count * sizeof *combinations);

    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        const combination c = {(rule)(i / 2 / DECAYINGS), (decaying)(i / 2 % DECAYINGS), i % 2};
        if (!(c.deferring && c.rule == RULE_UNDAMPENED)) /* which is refused */
            combinations[made++] = c;
    }
    return cr_make_param_array(combination, combinations, made, NULL);
}

ParameterizedTest(combination *c, oracle, step) {
    static trial t;

    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        glissade_engine *engine;
        glissade_engine_options options;
        long double worst[2] = {0, 0};
        uint64_t state = ((uint64_t)c->rule * DECAYINGS + c->decaying) * 2 + c->deferring;

        if (!glissade_isa_available(isa))
            continue;
        glissade_engine_options_init(&options, sizeof options);
        options.isa = isa;
        cr_assert_eq(glissade_engine_create(&options, &engine, NULL), GLISSADE_STATUS_OK);
        for (unsigned number = 0; number < TRIALS; number++) {
            make_trial(&t, *c, number, &state);
            compare(engine, &t, number & 8, worst);
        }
        glissade_engine_destroy(&engine);
        cr_log_info("%s %s%s, %s: momentum %.2Lf, parameter %.2Lf half-ulps", rule_names[c->rule],
                    decaying_names[c->decaying], c->deferring ? ", deferring" : "", glissade_isa_name(isa),
                    worst[0], worst[1]);
    }
}
