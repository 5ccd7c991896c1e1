/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every kernel on every instruction set that this machine can run, against the scalar kernel by its bits:
 * lengths, misalignments, walks, values that are hard, guard pages around every array. And the scalar kernel
 * against the formula of glissade/sgd.h, written down a second time here. The list of kernels is
 * simd/sgd_kernels.def; a kernel added there is tested with no line changed here.
 *
 * Which NaN a result is differs between machines and is not compared; everything else is, to the bit.
 */
#include "dispatch.h"
#include "emulated.h"
#include "guarded.h"
#include "values.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>

typedef struct kernel {
    const char *name;
    gls_momentum momentum;
    bool nesterov;
    gls_decay decay;
    bool zero, deferred;
} kernel;

static const kernel kernels[] = {
#define GLS_SGD_KERNEL(name, momentum, nesterov, decay, zero, deferred)                                      \
    {#name, GLS_MOMENTUM_##momentum, nesterov, GLS_DECAY_##decay, zero, deferred},
#include "sgd_kernels.def"
#undef GLS_SGD_KERNEL
};

enum {
    KERNELS = sizeof kernels / sizeof *kernels,
    WIDEST = 16, /* lanes */
    SHORT = 4 * WIDEST + 3,
    LONGEST = 2 * GLS_STREAMS_MAX * GLS_WALK_BLOCK + 3 * GLS_WALK_BLOCK + 5,
};

/* Below, at and above what one turn of a walk visits, and with every kind of remainder. */
static const size_t long_lengths[] = {1023, 4096 + 5, 5 * 1024 + 7, 13 * 1024 + 25, 16384 + 3, LONGEST};

static const gls_walk walks[] = {{1, 0}, {1, 512}, {2, 0}, {2, 512}, {3, 0},  {3, 512},
                                 {4, 0}, {4, 512}, {6, 0}, {6, 512}, {16, 0}, {16, 512}};

/* No constant is a power of two where a rounding is to be seen. */
static const struct scalar_set {
    const char *name;
    gls_sgd_scalars values;
    float tau;
} scalar_sets[] = {
    {"ordinary",
     {.s = 1.0f,
      .weight_decay = 0.01f,
      .momentum = 0.9f,
      .kappa = 0.1f,
      .flush = FLT_MIN,
      .n1 = 0.93f,
      .n2 = 0.12f,
      .minus_lambda = -1e-4f,
      .minus_eta = -0.01f},
     1.3f},
    {"keeping subnormals",
     {.s = 0.77f,
      .weight_decay = 0.3f,
      .momentum = 0.57f,
      .kappa = 0.43f,
      .flush = 0.0f,
      .n1 = 0.61f,
      .n2 = 0.39f,
      .minus_lambda = -0.11f,
      .minus_eta = -0.7f},
     FLT_MIN},
    {"ascending",
     {.s = -1.0f / 3.0f,
      .weight_decay = 1.3f,
      .momentum = 0.999f,
      .kappa = 1.0f,
      .flush = FLT_MIN,
      .n1 = 1.7f,
      .n2 = 1.1f,
      .minus_lambda = -0.9f,
      .minus_eta = -1.1f},
     0.0f},
    {"extreme",
     {.s = -1.7e30f,
      .weight_decay = 1e-30f,
      .momentum = 1.0f - FLT_EPSILON / 2,
      .kappa = 1e-38f,
      .flush = 0.0f,
      .n1 = 1e-39f,
      .n2 = 3e37f,
      .minus_lambda = -3e38f,
      .minus_eta = -3e-36f},
     FLT_MAX},
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { P, G, M, R, ARRAYS };
static const char *const array_names[ARRAYS + 1] = {"p", "g", "m", "r", "sums"};

/* One run of a kernel. */
typedef struct trial {
    const kernel *kernel;
    glissade_isa isa;
    size_t n;
    const gls_walk *walk;
    value_fill fill;
    const struct scalar_set *scalars;
    int places[ARRAYS];
} trial;

enum {
    SUMS = ARRAYS,
    UNITS = LONGEST / GLS_SUM_UNIT + 1
}; /* the sums' memory lies behind that of the arrays */

static float inputs[ARRAYS][LONGEST], expected[ARRAYS][LONGEST];
static double expected_sums[UNITS];
static size_t expected_acted;
static guarded memory[ARRAYS + 1];

static void open_memory(void) {
    for (int a = 0; a < ARRAYS; a++)
        cr_assert(guarded_open(&memory[a], LONGEST));
    cr_assert(guarded_open(&memory[SUMS], 2 * UNITS));
}

static gls_sgd_kernel *find_kernel(const kernel *k, glissade_isa isa) {
    return (*gls_dispatch_kernels(isa)->sgd)[k->deferred][k->momentum][k->nesterov][k->decay][k->zero];
}

static size_t units_of(size_t n) {
    return (n + GLS_SUM_UNIT - 1) / GLS_SUM_UNIT;
}

/* ---- reports ---- */

static void fail(const trial *t, const char *array, size_t i, uint32_t got, uint32_t wanted) {
    cr_assert(false,
              "%s on %s, n %zu, streams %zu, lead %zu, values %s, scalars %s, p %s, g %s, m %s: "
              "%s[%zu] is 0x%08x (%a), should be 0x%08x (%a)",
              t->kernel->name, glissade_isa_name(t->isa), t->n, t->walk->streams, t->walk->lead,
              value_fill_name(t->fill), t->scalars->name, guarded_place_text(t->places[P]),
              guarded_place_text(t->places[G]), guarded_place_text(t->places[M]), array, i, got,
              (double)value_of_bits(got), wanted, (double)value_of_bits(wanted));
}

static void fail_gathered(const trial *t, const char *what, size_t i, double got, double wanted) {
    cr_assert(false,
              "%s on %s, n %zu, streams %zu, lead %zu, values %s, scalars %s: %s %zu is %a, should be %a",
              t->kernel->name, glissade_isa_name(t->isa), t->n, t->walk->streams, t->walk->lead,
              value_fill_name(t->fill), t->scalars->name, what, i, got, wanted);
}

static void fail_outside(const trial *t, int array, const float *x, const void *fault) {
    const ptrdiff_t bytes = fault ? (const char *)fault - (const char *)x : 0;
    cr_assert(
        false,
        "%s on %s, n %zu, streams %zu, lead %zu, p %s, g %s, m %s: touched %s outside: %s %td bytes from "
        "its start",
        t->kernel->name, glissade_isa_name(t->isa), t->n, t->walk->streams, t->walk->lead,
        guarded_place_text(t->places[P]), guarded_place_text(t->places[G]), guarded_place_text(t->places[M]),
        array_names[array], fault ? "fault at" : "marks overwritten", bytes);
}

/* ---- one run ---- */

typedef struct call {
    gls_sgd_kernel *run;
    const gls_sgd_scalars *scalars;
    float *x[ARRAYS + 1];
    gls_residual residual;
    size_t n;
    const gls_walk *walk;
    size_t acted;
} call;

static void run_call(void *context) {
    call *c = context;
    c->acted = c->run(c->scalars, c->x[P], c->x[G], c->x[M], c->x[R] ? &c->residual : NULL, c->n, c->walk);
}

/* The array whose guard lies nearest to the fault. */
static int blame(const call *c, const void *fault) {
    int nearest = P;
    size_t least = SIZE_MAX;
    for (int a = P; a <= SUMS; a++) {
        const uintptr_t begin = (uintptr_t)memory[a].begin, end = (uintptr_t)memory[a].end;
        const uintptr_t at = (uintptr_t)fault;
        const size_t distance = at < begin ? begin - at : at - end;
        if (c->x[a] && distance < least) {
            least = distance;
            nearest = a;
        }
    }
    return nearest;
}

/* Sums end at the guard, or start there, and are NaN until they are written. */
static void place_residual(const trial *t, call *c) {
    const size_t floats = units_of(t->n) * sizeof(double) / sizeof(float);
    const int place = t->places[R] % 2 ? GUARDED_AT_START : GUARDED_AT_END;
    c->x[SUMS] = guarded_place(&memory[SUMS], place, floats);
    memset(c->x[SUMS], 0xFF, floats * sizeof(float));
    guarded_mark(&memory[SUMS], c->x[SUMS], floats);
    c->residual = (gls_residual){.r = c->x[R], .sums = (double *)(void *)c->x[SUMS], .tau = t->scalars->tau};
}

/* Copies the inputs into place. A kernel that uses no m or r gets none; one that does not read m, NaN. */
static void place_arrays(const trial *t, call *c) {
    for (int a = P; a < ARRAYS; a++) {
        if ((a == M && t->kernel->momentum == GLS_MOMENTUM_NONE) || (a == R && !t->kernel->deferred))
            continue;
        c->x[a] = guarded_place(&memory[a], emulated_place(t->isa, t->places[a]), t->n);
        if (a == M && t->kernel->momentum != GLS_MOMENTUM_KEPT)
            memset(c->x[a], 0xFF, t->n * sizeof(float));
        else
            memcpy(c->x[a], inputs[a], t->n * sizeof(float));
        guarded_mark(&memory[a], c->x[a], t->n);
    }
    if (t->kernel->deferred)
        place_residual(t, c);
}

static uint64_t sum_bits(double sum) {
    uint64_t bits;
    memcpy(&bits, &sum, sizeof bits);
    return isnan(sum) ? UINT64_MAX : bits;
}

/* The number of elements that acted, and the sums of squares. */
static void check_gathered(const trial *t, const call *c) {
    if (c->acted != expected_acted)
        fail_gathered(t, "elements acted, of", t->n, (double)c->acted, (double)expected_acted);
    if (!t->kernel->deferred)
        return;
    for (size_t i = 0; i < units_of(t->n); i++)
        if (sum_bits(c->residual.sums[i]) != sum_bits(expected_sums[i]))
            fail_gathered(t, "sum of squares of unit", i, c->residual.sums[i], expected_sums[i]);
    if (!guarded_marks_intact(&memory[SUMS], c->x[SUMS], units_of(t->n) * 2))
        fail_outside(t, SUMS, c->x[SUMS], NULL);
}

/* What the kernel only reads must be there to the bit; what it computes, up to a NaN's payload. */
static void run_trial(const trial *t) {
    call c = {
        .run = find_kernel(t->kernel, t->isa), .scalars = &t->scalars->values, .n = t->n, .walk = t->walk};
    const void *fault = NULL;
    place_arrays(t, &c);
    if (!guarded_run(run_call, &c, &fault)) {
        const int array = blame(&c, fault);
        fail_outside(t, array, c.x[array], fault);
    }
    for (int a = P; a < ARRAYS; a++) {
        if (!c.x[a])
            continue;
        const size_t i = values_first_difference(c.x[a], expected[a], t->n, a != G);
        if (i < t->n)
            fail(t, array_names[a], i, value_bits(c.x[a][i]), value_bits(expected[a][i]));
        if (!guarded_marks_intact(&memory[a], c.x[a], t->n))
            fail_outside(t, a, c.x[a], NULL);
    }
    check_gathered(t, &c);
}

/* Makes the inputs, and what must become of them: by the scalar kernel, walking straight. */
static void prepare(const trial *t, uint64_t seed) {
    static const gls_walk straight = {.streams = 1};
    for (int a = P; a < ARRAYS; a++) {
        values_fill(inputs[a], t->n, t->fill, seed * ARRAYS + (uint64_t)a, 0);
        memcpy(expected[a], inputs[a], t->n * sizeof(float));
    }
    const gls_residual residual = {.r = expected[R], .sums = expected_sums, .tau = t->scalars->tau};
    expected_acted = find_kernel(t->kernel, GLISSADE_ISA_SCALAR)(
        &t->scalars->values, expected[P], expected[G], expected[M], &residual, t->n, &straight);
}

/* ---- every kernel on every instruction set ---- */

typedef struct kernel_on_isa {
    int kernel;
    glissade_isa isa;
} kernel_on_isa;

static struct criterion_test_params kernels_on_isas(void) {
    kernel_on_isa *all = cr_malloc(KERNELS * GLISSADE_ISA_NEON * sizeof *all);
    size_t count = 0;
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++)
        for (int k = 0; k < KERNELS && glissade_isa_available(isa); k++)
            all[count++] = (kernel_on_isa){k, isa};
    return cr_make_param_array(kernel_on_isa, all, count, NULL);
}

/* Every place for p, with the other arrays at the same and at different places in turn. Under an emulator
 * the guards and one offset in eight, another one each time. */
static void run_at_all_places(trial *t, uint64_t round) {
    for (int place = 0; place < GUARDED_PLACES; place++) {
        if (emulated() && place < GUARDED_OFFSETS && ((uint64_t)place + round + t->n) % 8)
            continue;
        const int apart = (int)((round + (uint64_t)place) % 2);
        t->places[P] = place;
        t->places[G] = (place + apart * 7) % GUARDED_PLACES;
        t->places[M] = (place + apart * 11) % GUARDED_PLACES;
        t->places[R] = (place + apart * 5) % GUARDED_PLACES;
        run_trial(t);
    }
}

ParameterizedTestParameters(kernels, short_arrays) {
    return kernels_on_isas();
}

/* The full product, but for the walk, which goes round: below one vector it could only differ by its lead. */
ParameterizedTest(kernel_on_isa *which, kernels, short_arrays) {
    trial t = {.kernel = &kernels[which->kernel], .isa = which->isa};
    uint64_t round = 0;
    open_memory();
    for (t.n = 0; t.n <= SHORT; t.n++)
        for (t.fill = 0; t.fill < FILL_COUNT; t.fill++)
            for (size_t set = 0; set < COUNT(scalar_sets); set++, round++) {
                t.scalars = &scalar_sets[set];
                t.walk = &walks[round % COUNT(walks)];
                prepare(&t, round);
                run_at_all_places(&t, round);
            }
}

ParameterizedTestParameters(kernels, long_arrays) {
    return kernels_on_isas();
}

/* Every walk at every length; fills, scalars and places go round. */
ParameterizedTest(kernel_on_isa *which, kernels, long_arrays) {
    static const int places[][ARRAYS] = {
        {GUARDED_AT_END, GUARDED_AT_END, GUARDED_AT_END, GUARDED_AT_END},
        {GUARDED_AT_START, GUARDED_AT_START, GUARDED_AT_START, GUARDED_AT_START},
        {1, 5, 11, 3},
        {GUARDED_AT_END, 15, GUARDED_AT_START, GUARDED_AT_START},
        {7, GUARDED_AT_END, 2, GUARDED_AT_END}};
    static const value_fill fills[] = {FILL_ORDINARY, FILL_SPRINKLED, FILL_BITS};
    trial t = {.kernel = &kernels[which->kernel], .isa = which->isa};
    uint64_t round = 0;
    open_memory();
    for (size_t length = 0; length < COUNT(long_lengths); length++)
        for (size_t fill = emulated() ? COUNT(fills) - 1 : 0; fill < COUNT(fills); fill++) {
            t.n = long_lengths[length];
            t.fill = fills[fill];
            t.scalars = &scalar_sets[(length + fill) % COUNT(scalar_sets)];
            prepare(&t, length * COUNT(fills) + fill);
            for (size_t walk = 0; walk < COUNT(walks); walk++, round++) {
                t.walk = &walks[walk];
                memcpy(t.places, places[round % COUNT(places)], sizeof t.places);
                run_trial(&t);
            }
        }
}

/* ---- the formula ---- */

/* One rounding: what is stored in a volatile float has been rounded to float, and nothing is fused. */
static float product(float a, float b) {
    volatile float rounded = a * b;
    return rounded;
}

/* "|m| < FLT_MIN ? +0 : m": zeros of both signs and subnormals. */
static float stored(float m, bool keeping) {
    const int class = fpclassify(m);
    return !keeping && (class == FP_ZERO || class == FP_SUBNORMAL) ? 0.0f : m;
}

static float new_momentum(const kernel *k, const gls_sgd_scalars *c, float g, float m) {
    const bool keeping = c->flush == 0;
    switch (k->momentum) {
    case GLS_MOMENTUM_KEPT:
        return stored(fmaf(c->momentum, m, product(c->kappa, g)), keeping);
    case GLS_MOMENTUM_NEW:
        return stored(fmaf(c->momentum, 0.0f, product(c->kappa, g)), keeping);
    case GLS_MOMENTUM_UNDAMPENED:
        return stored(g, keeping);
    default:
        return m;
    }
}

/* What of g is taken, and what becomes of r; whether it acted. */
static bool defer_by_formula(const gls_sgd_scalars *c, float tau, float *g, float *r) {
    const float u = *r + *g;
    const bool waits = fabsf(u) < tau;
    *g = waits ? 0.0f : u;
    *r = waits ? stored(u, c->flush == 0) : 0.0f;
    return !waits;
}

/* Lanes of a unit, element by element, then folded. */
static double sum_by_formula(const float *g, float s, size_t n) {
    double lanes[16] = {0};
    for (size_t i = 0; i < n; i++) {
        const double x = product(s, g[i]);
        lanes[i % 16] = fma(x, x, lanes[i % 16]);
    }
    for (int half = 8; half; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* The sequence of roundings of glissade/sgd.h for one element; whether it acted. */
static bool update_by_formula(const kernel *k, const struct scalar_set *set, float *p, float *gradient,
                              float *m, float *r) {
    const gls_sgd_scalars *c = &set->values;
    float g = product(c->s, *gradient), q = *p, d;
    const bool acts = !k->deferred || defer_by_formula(c, set->tau, &g, r);
    if (k->decay == GLS_DECAY_COUPLED)
        g = fmaf(c->weight_decay, *p, g);
    *m = new_momentum(k, c, g, *m);
    if (k->momentum == GLS_MOMENTUM_NONE)
        d = g;
    else if (k->nesterov)
        d = fmaf(c->n1, *m, product(c->n2, g));
    else
        d = *m;
    if (k->decay == GLS_DECAY_DECOUPLED)
        q = fmaf(c->minus_lambda, *p, *p);
    *p = fmaf(c->minus_eta, d, q);
    if (k->zero)
        *gradient = 0.0f;
    return acts;
}

ParameterizedTestParameters(kernels, formula) {
    int *all = cr_malloc(KERNELS * sizeof *all);
    for (int k = 0; k < KERNELS; k++)
        all[k] = k;
    return cr_make_param_array(int, all, KERNELS, NULL);
}

ParameterizedTest(int *which, kernels, formula) {
    trial t = {.kernel = &kernels[*which], .isa = GLISSADE_ISA_SCALAR, .n = 4099, .walk = walks};
    for (t.fill = 0; t.fill < FILL_COUNT; t.fill++)
        for (size_t set = 0; set < COUNT(scalar_sets); set++) {
            t.scalars = &scalar_sets[set];
            prepare(&t, 1000 + set);
            for (size_t i = 0; i < units_of(t.n) && t.kernel->deferred; i++) {
                const size_t begin = i * GLS_SUM_UNIT, left = t.n - begin;
                const double sum = sum_by_formula(inputs[G] + begin, t.scalars->values.s,
                                                  left < GLS_SUM_UNIT ? left : GLS_SUM_UNIT);
                if (sum_bits(sum) != sum_bits(expected_sums[i]))
                    fail_gathered(&t, "sum of squares of unit", i, expected_sums[i], sum);
            }
            size_t acted = 0;
            for (size_t i = 0; i < t.n; i++)
                acted += update_by_formula(t.kernel, t.scalars, &inputs[P][i], &inputs[G][i], &inputs[M][i],
                                           &inputs[R][i]);
            cr_assert_eq(acted, expected_acted, "%s: %zu acted, should be %zu", t.kernel->name,
                         expected_acted, acted);
            for (int a = P; a < ARRAYS; a++) {
                const size_t i = values_first_difference(expected[a], inputs[a], t.n, a != G);
                if (i < t.n)
                    fail(&t, array_names[a], i, value_bits(expected[a][i]), value_bits(inputs[a][i]));
            }
        }
}

/* ---- the table ---- */

/* Says which instruction sets were tested, by passing or being skipped: under --tap Criterion shows nothing
 * that a program prints. */
static void show(glissade_isa isa) {
    if (!glissade_isa_available(isa))
        cr_skip_test("this machine cannot run %s: its kernels were not tested", glissade_isa_name(isa));
}

#define GLS_ISA(name, enumerator)                                                                            \
    Test(kernels, tested_on_##name) {                                                                        \
        show(enumerator);                                                                                    \
    }
#include "isas.def"
#undef GLS_ISA

/* Whatever the library may ask for is there, and no entry stands in for another. */
Test(kernels, table_is_complete) {
    for (glissade_isa isa = GLISSADE_ISA_SCALAR; isa <= GLISSADE_ISA_NEON; isa++) {
        if (!glissade_isa_built(isa))
            continue;
        const gls_kernels *table = gls_dispatch_kernels(isa);
        cr_assert(table->zero && table->read);
        for (int deferred = 0; deferred < 2; deferred++)
            for (int momentum = 0; momentum < GLS_MOMENTUM_COUNT - deferred; momentum++)
                for (int nesterov = 0; nesterov < (momentum == GLS_MOMENTUM_NONE ? 1 : 2); nesterov++)
                    for (int decay = 0; decay < GLS_DECAY_COUNT; decay++)
                        for (int zero = 0; zero < 2; zero++)
                            cr_assert((*table->sgd)[deferred][momentum][nesterov][decay][zero],
                                      "%s has no kernel for deferral %d, momentum %d, nesterov %d, decay %d, "
                                      "zero %d",
                                      glissade_isa_name(isa), deferred, momentum, nesterov, decay, zero);
        for (int i = 0; i < KERNELS; i++)
            for (int j = 0; j < i; j++)
                cr_assert_neq(find_kernel(&kernels[i], isa), find_kernel(&kernels[j], isa), "%s: %s is %s",
                              glissade_isa_name(isa), kernels[i].name, kernels[j].name);
    }
}
