/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trajectories of a hundred steps against goldens/sgd.*, which goldens/make_sgd.py made: torch.optim.SGD in
 * float32 for every combination of hyperparameters that PyTorch has, and float64 for the rules that it lacks.
 * Each golden is a test of its own. Uses the public interface only; the file format is described in that
 * script.
 *
 * Errors are measured in ulps of the scale of their element: the largest parameter or update so far, since a
 * rounding error made while the parameter was large outlives its return to zero. The two bound functions say
 * how many are allowed and why; run with --verbose=1 and without --tap to see what each golden measures.
 */
#include "glissade/glissade.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifndef GOLDENS_DIR
#error "GOLDENS_DIR must name the folder that holds sgd.cases and sgd.f32"
#endif

enum { TENSORS = 2, LONGEST = 203, TOTAL = 37 + 203, STEPS = 100, SNAPSHOTS = 4 };
enum { MAX_SETTINGS = 32, MAX_ABSENCES = 4, MAX_NAME = 64 };

static const size_t lengths[TENSORS] = {37, 203};
static const size_t offsets[TENSORS] = {0, 37};
static const unsigned snapshot_steps[SNAPSHOTS] = {1, 2, 10, 100};

typedef struct setting {
    unsigned step, group;
    glissade_sgd_options options;
} setting;

typedef struct absence {
    unsigned tensor, period, phase;
} absence;

typedef struct golden {
    char name[MAX_NAME], source[16];
    unsigned groups;
    double gradient_scale;
    setting settings[MAX_SETTINGS];
    size_t setting_count;
    absence absences[MAX_ABSENCES];
    size_t absence_count;
    float parameters[SNAPSHOTS][TOTAL];
    float momentum[TOTAL];
} golden;

/* ---- reading the goldens ---- */

static bool parse_setting(const char *line, setting *out) {
    glissade_sgd_options *o = &out->options;
    unsigned decoupled, undampened, nesterov, debias, maximize;

    glissade_sgd_options_init(o, sizeof *o);
    if (sscanf(line, "set %u %u %lf %lf %lf %lf %u %u %u %u %u", &out->step, &out->group, &o->learning_rate,
               &o->momentum, &o->dampening, &o->weight_decay, &decoupled, &undampened, &nesterov, &debias,
               &maximize) != 11)
        return false;
    o->decay = decoupled ? GLISSADE_DECAY_DECOUPLED : GLISSADE_DECAY_COUPLED;
    o->first_step = undampened ? GLISSADE_FIRST_STEP_UNDAMPENED : GLISSADE_FIRST_STEP_DAMPENED;
    o->nesterov = nesterov;
    o->debias = debias;
    o->maximize = maximize;
    return true;
}

static bool parse_line(const char *line, golden *g) {
    if (strncmp(line, "set ", 4) == 0)
        return g->setting_count < MAX_SETTINGS && parse_setting(line, &g->settings[g->setting_count++]);
    if (strncmp(line, "absent ", 7) == 0) {
        if (g->absence_count == MAX_ABSENCES)
            return false;
        absence *a = &g->absences[g->absence_count++];
        return sscanf(line, "absent %u %u %u", &a->tensor, &a->period, &a->phase) == 3;
    }
    return line[0] == '#';
}

/* Reads the text of golden `index` (g may be NULL) and returns how many there are; -1 for a bad file. */
static int read_cases(int index, golden *g) {
    char line[256];
    int count = 0;
    FILE *file = fopen(GOLDENS_DIR "/sgd.cases", "r");

    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        bool good = true;
        if (strncmp(line, "case ", 5) == 0) {
            count++;
            if (g && count - 1 == index)
                good = sscanf(line, "case %63s %15s %u %lf", g->name, g->source, &g->groups,
                              &g->gradient_scale) == 4;
        } else if (g && count - 1 == index) {
            good = parse_line(line, g);
        }
        if (!good) {
            count = -1;
            break;
        }
    }
    fclose(file);
    return count;
}

static bool read_golden(int index, golden *g) {
    const long record = (long)(sizeof g->parameters + sizeof g->momentum);
    bool good;

    memset(g, 0, sizeof *g);
    if (read_cases(index, g) <= index)
        return false;
    FILE *file = fopen(GOLDENS_DIR "/sgd.f32", "rb");
    if (!file)
        return false;
    good = fseek(file, index * record, SEEK_SET) == 0 &&
           fread(g->parameters, sizeof g->parameters, 1, file) == 1 &&
           fread(g->momentum, sizeof g->momentum, 1, file) == 1;
    fclose(file);
    return good;
}

/* The hash that make_sgd.py calls `values`: step 0 gives the initial parameters. */
static void fill_values(float *out, unsigned step, unsigned tensor) {
    for (size_t i = 0; i < lengths[tensor]; i++) {
        uint64_t z = (((uint64_t)step * TENSORS + tensor) << 20) + i;
        z = (z + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        int32_t fraction = (int32_t)(z >> 40) - (1 << 23);
        out[i] = ((z >> 3) & 63) == 0 ? 0.0f : ldexpf((float)fraction, -23 - (int)(z & 7));
    }
}

/* ---- replaying ---- */

typedef struct run {
    const golden *golden;
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    uint32_t groups[TENSORS];
    glissade_sgd_options current[TENSORS];
    float parameters[TOTAL];
    float gradients[2][TOTAL]; /* used by turns, so that every step's gradients live elsewhere */
    double reach[TOTAL];       /* largest parameter or update so far */
    double momentum_reach[TOTAL];
    unsigned present_steps[TENSORS];
} run;

static glissade_tensor_ref ref_of(const run *r, unsigned tensor) {
    if (r->golden->groups == 1)
        return (glissade_tensor_ref){r->groups[0], tensor};
    return (glissade_tensor_ref){r->groups[tensor], 0};
}

static glissade_status add_group(run *r, unsigned group, const glissade_sgd_options *options) {
    unsigned first = r->golden->groups == 1 ? 0 : group;
    unsigned count = r->golden->groups == 1 ? TENSORS : 1;
    glissade_tensor tensors[TENSORS];

    for (unsigned i = 0; i < count; i++) {
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = r->parameters + offsets[first + i];
        tensors[i].length = lengths[first + i];
    }
    return glissade_optimizer_add_sgd(r->optimizer, tensors, count, options, &r->groups[group]);
}

static bool same_but_rate(const glissade_sgd_options *a, const glissade_sgd_options *b) {
    return a->momentum == b->momentum && a->dampening == b->dampening && a->weight_decay == b->weight_decay &&
           a->decay == b->decay && a->first_step == b->first_step && a->nesterov == b->nesterov &&
           a->debias == b->debias && a->maximize == b->maximize;
}

static glissade_status apply_setting(run *r, const setting *s) {
    const glissade_sgd_options before = r->current[s->group];

    r->current[s->group] = s->options;
    if (s->step == 1)
        return add_group(r, s->group, &s->options);
    /* Schedules change the rate alone, and have a call of their own. */
    if (same_but_rate(&before, &s->options))
        return glissade_optimizer_set_learning_rate(r->optimizer, r->groups[s->group],
                                                    s->options.learning_rate);
    return glissade_optimizer_set_sgd(r->optimizer, r->groups[s->group], &s->options);
}

static bool is_present(const golden *g, unsigned tensor, unsigned step) {
    for (size_t i = 0; i < g->absence_count; i++)
        if (g->absences[i].tensor == tensor && step % g->absences[i].period == g->absences[i].phase)
            return false;
    return true;
}

/* Hands in the gradients of `step`; returns how many elements will be updated. */
static uint64_t give_gradients(run *r, unsigned step) {
    float *fresh = r->gradients[step % 2], *stale = r->gradients[(step + 1) % 2];
    uint64_t elements = 0;

    for (size_t i = 0; i < TOTAL; i++)
        stale[i] = NAN; /* a step that still reads last step's address shows */
    for (unsigned i = 0; i < TENSORS; i++) {
        bool present = is_present(r->golden, i, step);
        fill_values(fresh + offsets[i], step, i);
        cr_assert_eq(
            glissade_optimizer_set_gradient(r->optimizer, ref_of(r, i), present ? fresh + offsets[i] : NULL),
            GLISSADE_STATUS_OK, "%s", glissade_optimizer_message(r->optimizer));
        r->present_steps[i] += present;
        elements += present ? lengths[i] : 0;
    }
    return elements;
}

/* Raises reach to what the step has just done; `before` holds the parameters as they were. */
static void track(run *r, const float *before) {
    for (unsigned i = 0; i < TENSORS; i++) {
        glissade_tensor_info info = {.size = sizeof info};
        cr_assert_eq(glissade_optimizer_get_tensor(r->optimizer, ref_of(r, i), &info), GLISSADE_STATUS_OK);
        for (size_t j = 0; j < lengths[i]; j++) {
            size_t at = offsets[i] + j;
            double p = r->parameters[at];
            r->reach[at] = fmax(r->reach[at], fmax(fabs(p), fabs(p - (double)before[at])));
            if (info.momentum && info.momentum_updates > 0)
                r->momentum_reach[at] =
                    fmax(r->momentum_reach[at], fabs((double)((float *)info.momentum)[j]));
        }
    }
}

static void step_once(run *r, unsigned step) {
    const golden *g = r->golden;
    float before[TOTAL];
    glissade_step_options options;
    glissade_step_report report = {.size = sizeof report};

    for (size_t i = 0; i < g->setting_count; i++)
        if (g->settings[i].step == step)
            cr_assert_eq(apply_setting(r, &g->settings[i]), GLISSADE_STATUS_OK, "%s: %s", g->name,
                         glissade_optimizer_message(r->optimizer));
    uint64_t elements = give_gradients(r, step);
    memcpy(before, r->parameters, sizeof before);
    glissade_step_options_init(&options, sizeof options);
    options.gradient_scale = g->gradient_scale;
    cr_assert_eq(glissade_optimizer_step(r->optimizer, &options, &report), GLISSADE_STATUS_OK, "%s: %s",
                 g->name, glissade_optimizer_message(r->optimizer));
    cr_assert_eq(report.elements, elements, "%s: step %u updated %llu elements, expected %llu", g->name, step,
                 (unsigned long long)report.elements, (unsigned long long)elements);
    track(r, before);
}

/* ---- comparing ---- */

static double ulp_of(double scale) {
    int exponent;

    frexp(fmax(scale, 0x1p-126), &exponent);
    return ldexp(1.0, exponent - 24);
}

static uint32_t bits_of(float x) {
    uint32_t bits;

    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Largest error in ulps of `reach`; fails the test at the first element beyond `bound`. */
static double compare(const golden *g, const char *what, unsigned step, const float *expected,
                      const float *got, const double *reach, size_t count, double allowed) {
    double worst = 0.0;

    for (size_t i = 0; i < count; i++) {
        double error = fabs((double)got[i] - (double)expected[i]) / ulp_of(reach[i]);
        cr_assert(
            error <= allowed,
            "%s: %s %zu after step %u is %a (0x%08x), the golden has %a (0x%08x): %.2f ulp of %a, allowed %g",
            g->name, what, i, step, (double)got[i], bits_of(got[i]), (double)expected[i],
            bits_of(expected[i]), error, reach[i], allowed);
        worst = fmax(worst, error);
    }
    return worst;
}

/*
 * Allowed error of a parameter. Where PyTorch rounds as this library does (without momentum, and in a first
 * step) there is none. Else the two runs differ in roundings only, which drift apart as a random walk: with
 * at most 10 roundings a step on either side (oracle.c counts them), of a standard deviation of 0.29 ulp, one
 * step adds 0.29 sqrt(20) = 1.3 ulp, and the worst of 240 elements lies 3 of these out: 4 sqrt(step).
 * Measured over all goldens: 4.2 sqrt(step) at most. Allowed is twice that.
 */
static double parameter_bound(const golden *g, const run *r, unsigned step) {
    if (strcmp(g->source, "torch") == 0 && (step == 1 || (r->current[0].momentum == 0 && g->groups == 1)))
        return 0.0;
    return 8.0 * sqrt((double)step);
}

/*
 * Allowed error of a momentum: a rounding is forgotten by the factor beta a step, so the walk ends at
 * sqrt(1 / (1 - beta^2)) times what one step adds: 3 roundings on either side, 0.7 ulp, and three times that
 * for the worst element. Measured: 1.3 sqrt(1 / (1 - beta^2)) at most; allowed is three times that.
 */
static double momentum_bound(double beta) {
    return 4.0 / sqrt(1.0 - beta * beta);
}

static void compare_state(run *r) {
    const golden *g = r->golden;
    double worst = 0.0;

    for (unsigned i = 0; i < TENSORS; i++) {
        glissade_tensor_info info = {.size = sizeof info};
        const double beta = r->current[g->groups == 1 ? 0 : i].momentum;
        const bool has_momentum = beta != 0;
        cr_assert_eq(glissade_optimizer_get_tensor(r->optimizer, ref_of(r, i), &info), GLISSADE_STATUS_OK);
        cr_assert_eq(info.steps, r->present_steps[i]);
        cr_assert_eq(info.momentum_updates, has_momentum ? r->present_steps[i] : 0);
        cr_assert_eq(info.momentum != NULL, has_momentum);
        if (has_momentum)
            worst = fmax(worst, compare(g, i ? "momentum of tensor 1," : "momentum of tensor 0,", STEPS,
                                        g->momentum + offsets[i], info.momentum,
                                        r->momentum_reach + offsets[i], lengths[i], momentum_bound(beta)));
    }
    cr_log_info("%s %s momentum %.2f ulp", g->source, g->name, worst);
}

static struct criterion_test_params golden_parameters(void) {
    int count = read_cases(-1, NULL);

    /* Without readable goldens one test runs and fails: none at all would pass. */
    count = count < 1 ? 1 : count;
    int *indices = cr_malloc(sizeof(int) * (size_t)count);
    for (int i = 0; i < count; i++)
        indices[i] = i;
    return cr_make_param_array(int, indices, (size_t)count, NULL);
}

ParameterizedTestParameters(trajectory, golden) {
    return golden_parameters();
}

ParameterizedTest(int *index, trajectory, golden) {
    static golden g;
    static run r;
    size_t next = 0;

    cr_assert(read_golden(*index, &g), "golden %d cannot be read from %s", *index, GOLDENS_DIR);
    r.golden = &g;
    cr_assert_eq(glissade_engine_create(NULL, &r.engine, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(glissade_optimizer_create(r.engine, &r.optimizer, NULL), GLISSADE_STATUS_OK);
    for (unsigned i = 0; i < TENSORS; i++)
        fill_values(r.parameters + offsets[i], 0, i);
    for (size_t i = 0; i < TOTAL; i++)
        r.reach[i] = fabs((double)r.parameters[i]);
    for (unsigned step = 1; step <= STEPS; step++) {
        step_once(&r, step);
        if (step == snapshot_steps[next]) {
            double worst = compare(&g, "parameter", step, g.parameters[next], r.parameters, r.reach, TOTAL,
                                   parameter_bound(&g, &r, step));
            cr_log_info("%s %s step %u %.2f ulp", g.source, g.name, step, worst);
            next++;
        }
    }
    compare_state(&r);
    glissade_optimizer_destroy(&r.optimizer);
    glissade_engine_destroy(&r.engine);
}
