/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and stepping the goldens of the rules (see rules_replay.h). */
#include "rules_replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#ifndef GOLDENS_DIR
#error "GOLDENS_DIR must name the folder that holds rules.cases, rules.f32 and rules.f64"
#endif

static const size_t lengths[RULES_TENSORS] = {37, 203}, offsets[RULES_TENSORS] = {0, 37};
static const size_t columns[RULES_TENSORS] = {0, 29};

const unsigned rules_snapshot_steps[RULES_RECORDS] = {1, 2, 10, 100, 100};

double rules_ulp(double scale) {
    int exponent;
    frexp(fmax(scale, 0x1p-126), &exponent);
    return ldexp(1.0, exponent - 24);
}

/*
 * A step rounds an element at most 16 times on its way from one parameter to the next (ademamix: the gradient scaled and
 * decayed, three averages in seven, their sum in two, root, denominator, quotient, the decay, the parameter), and once
 * each the two scalars that debiasing changes with the step. A rounding is off by 0.29 units in the last place, in the
 * root of the mean square, of the parameter or of an update, so of the reach at most, in either direction: a random
 * walk. Up to 10 other scalars are rounded the same way in every step; what that does to updates adds up as updates do,
 * to a unit of the reach or so, however many steps. So the error's standard deviation is at most
 *     0.29 sqrt(18 step + 10) ulp,
 * and of 150,000 comparisons none is expected to lie five of these out.
 *
 * Two things are left out. A rounding of state is felt in later steps, too, ten times in all where beta is 0.9; but it
 * is in units of an update, which is some 20 times smaller than the reach. And where updates are alike, step after step
 * (lion, far from zero), so are the roundings of the parameter, which then walk straight on: by step / 2 ulp at most,
 * which is less than what is allowed until the 150th step.
 */
double rules_bound(unsigned step) {
    return 5 * 0.29 * sqrt(18.0 * step + 10);
}

/* ---- reading ---- */

static bool read_setting(const char *line, rules_case *to) {
    if (to->setting_count == sizeof to->settings / sizeof *to->settings)
        return false;
    rules_setting *setting = &to->settings[to->setting_count++];
    return sscanf(line, "set %u %319[^\n]", &setting->step, setting->values) == 2;
}

static bool read_absence(const char *line, rules_case *to) {
    if (to->absence_count == sizeof to->absences / sizeof *to->absences)
        return false;
    rules_absence *absence = &to->absences[to->absence_count++];
    return sscanf(line, "absent %u %u %u", &absence->tensor, &absence->period, &absence->phase) == 3;
}

static bool read_line(const char *line, rules_case *to) {
    if (strncmp(line, "set ", 4) == 0)
        return read_setting(line, to);
    if (strncmp(line, "absent ", 7) == 0)
        return read_absence(line, to);
    return line[0] == '#';
}

/* The text of the case; *place is its place among those from torch. */
static int read_text(int index, rules_case *to, int *place) {
    FILE *file = fopen(GOLDENS_DIR "/rules.cases", "r");
    char line[512], source[16];
    int count = 0, from_torch = 0;
    bool good = file;
    while (good && fgets(line, sizeof line, file)) {
        rules_case head;
        if (strncmp(line, "case ", 5) == 0) {
            good = sscanf(line, "case %63s %31s %15s", head.name, head.rule, source) == 3;
            head.from_torch = strcmp(source, "torch") == 0;
            if (to && count == index) {
                memcpy(to->name, head.name, sizeof head.name);
                memcpy(to->rule, head.rule, sizeof head.rule);
                to->from_torch = head.from_torch;
                *place = from_torch;
            }
            from_torch += head.from_torch;
            count++;
        } else if (to && count == index + 1) {
            good = read_line(line, to);
        }
    }
    if (file)
        fclose(file);
    return good ? count : -1;
}

static bool read_record(const char *path, long offset, size_t size, void *to) {
    FILE *file = fopen(path, "rb");
    if (!file)
        return false;
    const bool good = fseek(file, offset, SEEK_SET) == 0 && fread(to, size, 1, file) == 1;
    fclose(file);
    return good;
}

int rules_read(int index, rules_case *to) {
    int place = 0;
    if (to)
        memset(to, 0, sizeof *to);
    const int count = read_text(index, to, &place);
    if (!to || count <= index)
        return to && count > 0 ? -1 : count;
    const size_t doubles = sizeof to->reference, floats = doubles / 2;
    if (!read_record(GOLDENS_DIR "/rules.f64", index * (long)doubles, doubles, to->reference))
        return -1;
    if (!to->from_torch)
        return count;
    float singles[RULES_RECORDS][RULES_TOTAL];
    if (!read_record(GOLDENS_DIR "/rules.f32", place * (long)floats, floats, singles))
        return -1;
    for (size_t i = 0; i < RULES_RECORDS; i++)
        for (size_t j = 0; j < RULES_TOTAL; j++)
            to->torch[i][j] = (double)singles[i][j];
    return count;
}

/* ---- stepping ---- */

/* Arrays of float or of double. */
typedef union numbers {
    float f32[RULES_TOTAL];
    double f64[RULES_TOTAL];
} numbers;

typedef struct run {
    const rules_case *golden;
    const rule *rule;
    bool wide;
    glissade_engine *engine;
    glissade_optimizer *optimizer;
    uint32_t group;
    rule_options options;
    numbers parameters, gradients[2]; /* by turns, so that each step's gradients lie elsewhere */
    double reach[RULES_TOTAL];
    unsigned present[RULES_TENSORS];
} run;

static double number_at(const numbers *x, bool wide, size_t i) {
    return wide ? x->f64[i] : (double)x->f32[i];
}

static void *address_of(numbers *x, bool wide, unsigned tensor) {
    return wide ? (void *)(x->f64 + offsets[tensor]) : (void *)(x->f32 + offsets[tensor]);
}

/* The hash that make_sgd.py calls `values`, exact in float: step 0 gives the initial parameters. */
static void fill(numbers *x, bool wide, unsigned step, unsigned tensor) {
    for (size_t i = 0; i < lengths[tensor]; i++) {
        uint64_t z = (((uint64_t)step * RULES_TENSORS + tensor) << 20) + i;
        z = (z + 1) * 0x9E3779B97F4A7C15u;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
        z ^= z >> 31;
        const double fraction = (double)((int32_t)(z >> 40) - (1 << 23));
        const double value = ((z >> 3) & 63) == 0 ? 0 : ldexp(fraction, -23 - (int)(z & 7));
        if (wide)
            x->f64[offsets[tensor] + i] = value;
        else
            x->f32[offsets[tensor] + i] = (float)value;
    }
}

static const char *failed(const run *r, const char *what) {
    static char text[320];
    snprintf(text, sizeof text, "%s: %s", what, glissade_optimizer_message(r->optimizer));
    return text;
}

static const char *add_group(run *r) {
    glissade_tensor tensors[RULES_TENSORS];
    for (unsigned i = 0; i < RULES_TENSORS; i++) {
        fill(&r->parameters, r->wide, 0, i);
        glissade_tensor_init(&tensors[i], sizeof tensors[i]);
        tensors[i].parameter = address_of(&r->parameters, r->wide, i);
        tensors[i].length = lengths[i];
        tensors[i].columns = columns[i];
        tensors[i].parameter_dtype = tensors[i].gradient_dtype =
            r->wide ? GLISSADE_DTYPE_F64 : GLISSADE_DTYPE_F32;
    }
    for (size_t i = 0; i < RULES_TOTAL; i++)
        r->reach[i] = fabs(number_at(&r->parameters, r->wide, i));
    return r->rule->add(r->optimizer, tensors, RULES_TENSORS, &r->options, &r->group) ? failed(r, "add")
                                                                                      : NULL;
}

/* A schedule changes the rate alone, for which there is a call of its own. */
static bool same_but_rate(const run *r, rule_options before) {
    const rule_field *rate = rule_find_field(r->rule, "learning_rate");
    rule_write(rate, &before, rule_read(rate, &r->options));
    for (const rule_field *field = r->rule->fields(); field->name; field++)
        if (rule_read(field, &before) != rule_read(field, &r->options))
            return false;
    return true;
}

static const char *apply_setting(run *r, const rules_setting *setting) {
    const rule_options before = r->options;
    rule_defaults(r->rule, &r->options);
    const char *unknown = rule_assign(r->rule, &r->options, setting->values);
    if (unknown)
        return unknown;
    if (setting->step == 1)
        return add_group(r);
    const glissade_status status =
        same_but_rate(r, before)
            ? glissade_optimizer_set_learning_rate(
                  r->optimizer, r->group, rule_read(rule_find_field(r->rule, "learning_rate"), &r->options))
            : r->rule->set(r->optimizer, r->group, &r->options);
    return status ? failed(r, "set") : NULL;
}

static bool is_present(const rules_case *golden, unsigned tensor, unsigned step) {
    for (size_t i = 0; i < golden->absence_count; i++)
        if (golden->absences[i].tensor == tensor &&
            step % golden->absences[i].period == golden->absences[i].phase)
            return false;
    return true;
}

/* A step that still reads the gradients of the one before shows, because they are NaN by then. */
static const char *give_gradients(run *r, unsigned step) {
    numbers *fresh = &r->gradients[step % 2];
    memset(&r->gradients[(step + 1) % 2], 0xFF, sizeof *fresh);
    for (unsigned i = 0; i < RULES_TENSORS; i++) {
        const bool present = is_present(r->golden, i, step);
        fill(fresh, r->wide, step, i);
        if (glissade_optimizer_set_gradient(r->optimizer, (glissade_tensor_ref){r->group, i},
                                            present ? address_of(fresh, r->wide, i) : NULL))
            return failed(r, "set_gradient");
        r->present[i] += present;
    }
    return NULL;
}

static const char *step_once(run *r, unsigned step) {
    const char *problem = NULL;
    for (size_t i = 0; i < r->golden->setting_count && !problem; i++)
        if (r->golden->settings[i].step == step)
            problem = apply_setting(r, &r->golden->settings[i]);
    if (problem || (problem = give_gradients(r, step)))
        return problem;
    const numbers before = r->parameters;
    if (glissade_optimizer_step(r->optimizer, NULL, NULL))
        return failed(r, "step");
    for (size_t i = 0; i < RULES_TOTAL; i++) {
        const double p = number_at(&r->parameters, r->wide, i), update = p - number_at(&before, r->wide, i);
        r->reach[i] = fmax(r->reach[i], fmax(fabs(p), fabs(update)));
    }
    return NULL;
}

/* asgd's average is its only state; that of the schedule-free rules is what their parameters become for evaluation. */
static const char *take_averages(run *r, rules_replay *out) {
    const bool asgd = strcmp(r->rule->name, "asgd") == 0;
    out->has_average = asgd || strncmp(r->rule->name, "schedule_free_", 14) == 0;
    if (out->has_average && !asgd &&
        glissade_optimizer_set_point(r->optimizer, r->group, GLISSADE_POINT_EVALUATION))
        return failed(r, "set_point");
    for (unsigned i = 0; i < RULES_TENSORS && out->has_average; i++) {
        glissade_tensor_info info = {.size = sizeof info};
        if (glissade_optimizer_get_tensor(r->optimizer, (glissade_tensor_ref){r->group, i}, &info))
            return failed(r, "get_tensor");
        const void *average = asgd ? info.state[0] : info.parameter;
        for (size_t j = 0; j < lengths[i]; j++)
            out->values[RULES_SNAPSHOTS][offsets[i] + j] =
                r->wide ? ((const double *)average)[j] : (double)((const float *)average)[j];
    }
    return NULL;
}

static const char *finish(run *r, rules_replay *out) {
    for (unsigned i = 0; i < RULES_TENSORS; i++) {
        glissade_tensor_info info = {.size = sizeof info};
        if (glissade_optimizer_get_tensor(r->optimizer, (glissade_tensor_ref){r->group, i}, &info))
            return failed(r, "get_tensor");
        if (info.steps != r->present[i] || info.momentum_updates != (info.state[0] ? info.steps : 0))
            return "the counts are not those of the steps that had a gradient";
    }
    memcpy(out->reach[RULES_SNAPSHOTS], r->reach, sizeof r->reach);
    return take_averages(r, out);
}

static const char *run_steps(run *r, rules_replay *out) {
    const char *problem = NULL;
    size_t next = 0;
    for (unsigned step = 1; step <= RULES_STEPS; step++) {
        if ((problem = step_once(r, step)))
            return problem;
        if (step != rules_snapshot_steps[next])
            continue;
        for (size_t i = 0; i < RULES_TOTAL; i++)
            out->values[next][i] = number_at(&r->parameters, r->wide, i);
        memcpy(out->reach[next], r->reach, sizeof r->reach);
        next++;
    }
    return finish(r, out);
}

const char *rules_run(const rules_case *it, bool wide, rules_replay *out) {
    static run r;
    r = (run){.golden = it, .rule = rule_find(it->rule), .wide = wide};
    memset(out, 0, sizeof *out);
    if (!r.rule)
        return "rules.def has no line for its rule";
    if (glissade_engine_create(NULL, &r.engine, NULL) ||
        glissade_optimizer_create(r.engine, &r.optimizer, NULL))
        return "no engine or no optimizer";
    const char *problem = run_steps(&r, out);
    glissade_optimizer_destroy(&r.optimizer);
    glissade_engine_destroy(&r.engine);
    return problem;
}
