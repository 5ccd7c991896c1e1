/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning-rate schedules (see glissade/schedule.h): arguments checked, then closed forms. Every rate is a
 * mixture of two with weights that are each exact to their own last digits, so that nothing cancels near an end.
 */
#include "glissade/schedule.h"

#include <float.h>
#include <math.h>

#include "elementary.h"
#include "guest.h"
#include "options.h"

/* ---- as a guest ---- */

/* A call: its arguments, of which each schedule uses some, and what computes it. */
typedef struct request request;
struct request {
    double (*answer)(const request *);
    uint64_t step, steps;
    double from, to, shape;
    const void *more;
    size_t count;
};

/*
 * All arithmetic happens in here, under the default floating-point control. The compiler knows nothing of that word,
 * and could move arithmetic across its change: so the arguments come out of memory that it must take for changed
 * afterwards, and the result goes into memory before it changes back.
 */
static double answer(const request *given) {
    const gls_guest guest = gls_guest_enter();
    const request *r = given;
    __asm__ volatile("" : "+r"(r) : : "memory");
    volatile double result = r->answer(r);
    gls_guest_leave(&guest);
    return result;
}

/* ---- checks ---- */

static const double invalid = NAN;

static bool is_rate(double x) {
    return x >= 0 && x <= (double)FLT_MAX;
}

static bool is_factor(double x) {
    return x >= 0 && x <= DBL_MAX;
}

static bool are_rates(const request *r) {
    return is_rate(r->from) && is_rate(r->to);
}

/* ---- mixtures ---- */

/*
 * Between `from`, where rest = 1, and `to`, where done = 1; the two weights add up to 1. Of positive terms only,
 * so that the result is as exact as the weight used. The sum may pass the higher rate by a rounding.
 */
static double mix(double from, double to, double rest, double done) {
    const double high = from > to ? from : to, low = from > to ? to : from;
    const double weight = from > to ? rest : done;
    const double sum = low + (high - low) * weight;
    return weight == 1 || sum > high ? high : sum;
}

/* (1 + cos(pi x)) / 2 = cos^2(pi x / 2) = sin^2(pi (1 - x) / 2): near its zero the form without a difference. */
static double cosine_rest(double done, double left) {
    const double total = done + left;
    const double root = done < left ? gls_cos_pi(done / total / 2) : gls_sin_pi(left / total / 2);
    return root * root;
}

/* The rate after `done` of done + left steps, which are not both 0. */
static double along(glissade_curve curve, double from, double to, double done, double left) {
    const double total = done + left;
    if (curve == GLISSADE_CURVE_COSINE)
        return mix(from, to, cosine_rest(done, left), cosine_rest(left, done));
    if (curve == GLISSADE_CURVE_LINEAR)
        return mix(from, to, left / total, done / total);
    /* 1 - sqrt(x) without the difference. */
    const double root = sqrt(done / total);
    return mix(from, to, left / total / (1 + root), root);
}

static double course(glissade_curve curve, const request *r) {
    if (!are_rates(r))
        return invalid;
    if (r->step >= r->steps)
        return r->to;
    return along(curve, r->from, r->to, (double)r->step, (double)(r->steps - r->step));
}

/* ---- from one rate to another ---- */

static double constant(const request *r) {
    if (!are_rates(r))
        return invalid;
    return r->step < r->steps ? r->from : r->to;
}

double glissade_schedule_constant(uint64_t step, double from, double to, uint64_t steps) {
    return answer(&(request){.answer = constant, .step = step, .from = from, .to = to, .steps = steps});
}

static double linear(const request *r) {
    return course(GLISSADE_CURVE_LINEAR, r);
}

double glissade_schedule_linear(uint64_t step, double from, double to, uint64_t steps) {
    return answer(&(request){.answer = linear, .step = step, .from = from, .to = to, .steps = steps});
}

static double cosine(const request *r) {
    return course(GLISSADE_CURVE_COSINE, r);
}

double glissade_schedule_cosine(uint64_t step, double from, double to, uint64_t steps) {
    return answer(&(request){.answer = cosine, .step = step, .from = from, .to = to, .steps = steps});
}

static double polynomial(const request *r) {
    const double power = r->shape;
    if (!are_rates(r) || !(is_factor(power) && power > 0))
        return invalid;
    if (r->step >= r->steps)
        return r->to;
    const double done = (double)r->step, left = (double)(r->steps - r->step);
    const double rest = gls_pow(left / (done + left), power);
    return mix(r->from, r->to, rest, 1 - rest);
}

double glissade_schedule_polynomial(uint64_t step, double from, double to, uint64_t steps, double power) {
    return answer(&(request){
        .answer = polynomial, .step = step, .from = from, .to = to, .steps = steps, .shape = power});
}

/* The length of a course may pass 64 bits: that of the one that holds the step, as earlier ones are over by then. */
static double cosine_restarts(const request *r) {
    __extension__ typedef unsigned __int128 length;
    const uint64_t first = r->steps, growth = r->count;
    if (!are_rates(r) || first == 0 || growth == 0)
        return invalid;
    length total = first;
    uint64_t done = r->step;
    if (growth == 1) {
        done %= first;
    } else {
        while (done >= total) {
            done -= (uint64_t)total;
            total *= growth;
        }
    }
    return along(GLISSADE_CURVE_COSINE, r->from, r->to, (double)done, (double)(total - done));
}

double glissade_schedule_cosine_restarts(uint64_t step, double from, double to, uint64_t first_steps,
                                         uint64_t growth) {
    return answer(&(request){.answer = cosine_restarts,
                             .step = step,
                             .from = from,
                             .to = to,
                             .steps = first_steps,
                             .count = growth});
}

/* ---- up to a rate ---- */

static double warmed_up(uint64_t step, double rate, uint64_t steps) {
    return steps == 0 || step >= steps - 1 ? rate : rate * ((double)(step + 1) / (double)steps);
}

static double warm_up(const request *r) {
    return is_rate(r->to) ? warmed_up(r->step, r->to, r->steps) : invalid;
}

double glissade_schedule_warm_up(uint64_t step, double rate, uint64_t steps) {
    return answer(&(request){.answer = warm_up, .step = step, .to = rate, .steps = steps});
}

static double inverse_sqrt(const request *r) {
    if (!is_rate(r->to))
        return invalid;
    const uint64_t peak = r->steps ? r->steps - 1 : 0;
    if (r->step <= peak)
        return warmed_up(r->step, r->to, r->steps);
    return r->to * sqrt(((double)peak + 1) / ((double)r->step + 1));
}

double glissade_schedule_inverse_sqrt(uint64_t step, double rate, uint64_t warm_up_steps) {
    return answer(&(request){.answer = inverse_sqrt, .step = step, .to = rate, .steps = warm_up_steps});
}

/* ---- by factors ---- */

/* A rate of 0 stays 0 also where the power overflows. */
static double scaled(const request *r, uint64_t times) {
    return r->from == 0 ? 0 : r->from * gls_pow(r->shape, (double)times);
}

static bool can_scale(const request *r) {
    return is_rate(r->from) && is_factor(r->shape);
}

static double exponential(const request *r) {
    return can_scale(r) ? scaled(r, r->step) : invalid;
}

double glissade_schedule_exponential(uint64_t step, double rate, double gamma) {
    return answer(&(request){.answer = exponential, .step = step, .from = rate, .shape = gamma});
}

static double by_period(const request *r) {
    return can_scale(r) && r->steps ? scaled(r, r->step / r->steps) : invalid;
}

double glissade_schedule_step(uint64_t step, double rate, double gamma, uint64_t period) {
    return answer(
        &(request){.answer = by_period, .step = step, .from = rate, .shape = gamma, .steps = period});
}

static double by_milestones(const request *r) {
    const uint64_t *milestones = r->more;
    if (!can_scale(r) || (r->count && !milestones))
        return invalid;
    uint64_t passed = 0;
    for (size_t i = 0; i < r->count; i++) {
        if (i && milestones[i] < milestones[i - 1])
            return invalid;
        passed += milestones[i] <= r->step;
    }
    return scaled(r, passed);
}

double glissade_schedule_multi_step(uint64_t step, double rate, double gamma, const uint64_t *milestones,
                                    size_t count) {
    return answer(&(request){.answer = by_milestones,
                             .step = step,
                             .from = rate,
                             .shape = gamma,
                             .more = milestones,
                             .count = count});
}

/* ---- warm-up, stable, decay ---- */

static const gls_layout wsd_layout = {"glissade_wsd_options", {sizeof(glissade_wsd_options)}};

static const glissade_wsd_options wsd_defaults = {
    .size = sizeof(glissade_wsd_options),
    .learning_rate = 0.001,
};

void glissade_wsd_options_init(glissade_wsd_options *options, size_t size) {
    gls_options_init(&wsd_layout, options, size, &wsd_defaults);
}

static bool is_curve(glissade_curve curve) {
    return curve == GLISSADE_CURVE_LINEAR || curve == GLISSADE_CURVE_COSINE || curve == GLISSADE_CURVE_SQRT;
}

/* The parts one after another: their sum might pass 64 bits. */
static double wsd(const request *r) {
    glissade_wsd_options o = wsd_defaults;
    if (!r->more || gls_options_read(&wsd_layout, &o, r->more, NULL) || !is_rate(o.learning_rate) ||
        !is_rate(o.final_rate) || !is_curve(o.curve))
        return invalid;
    uint64_t step = r->step;
    if (step < o.warm_up_steps)
        return warmed_up(step, o.learning_rate, o.warm_up_steps);
    step -= o.warm_up_steps;
    if (step < o.stable_steps)
        return o.learning_rate;
    step -= o.stable_steps;
    if (step >= o.decay_steps)
        return o.final_rate;
    return along(o.curve, o.learning_rate, o.final_rate, (double)step, (double)(o.decay_steps - step));
}

double glissade_schedule_wsd(uint64_t step, const glissade_wsd_options *options) {
    return answer(&(request){.answer = wsd, .step = step, .more = options});
}

/* ---- one cycle ---- */

static const gls_layout cycle_layout = {"glissade_one_cycle_options", {sizeof(glissade_one_cycle_options)}};

static const glissade_one_cycle_options cycle_defaults = {
    .size = sizeof(glissade_one_cycle_options),
    .highest_rate = 0.001,
    .division = 25,
    .final_division = 10000,
    .rising = 0.3,
    .curve = GLISSADE_CURVE_COSINE,
    .highest_momentum = 0.95,
    .lowest_momentum = 0.85,
};

void glissade_one_cycle_options_init(glissade_one_cycle_options *options, size_t size) {
    gls_options_init(&cycle_layout, options, size, &cycle_defaults);
}

/* Reads the options and checks what both functions of the cycle use. */
static bool read_cycle(const void *given, glissade_one_cycle_options *o) {
    *o = cycle_defaults;
    return given && !gls_options_read(&cycle_layout, o, given, NULL) && o->steps > 0 && o->rising >= 0 &&
           o->rising <= (o->three_phase ? 0.5 : 1) &&
           (o->curve == GLISSADE_CURVE_LINEAR || o->curve == GLISSADE_CURVE_COSINE);
}

/* Through values[0], values[1] ... at the ends of the phases; values[3] for three phases only. */
static double cycle(const glissade_one_cycle_options *o, uint64_t step, const double *values) {
    const double n = (double)o->steps, t = (double)step;
    const double ends[] = {o->rising * n - 1, o->three_phase ? 2 * o->rising * n - 2 : n - 1, n - 1};
    const int last = o->three_phase ? 2 : 1;
    if (step >= o->steps)
        return values[last + 1];
    double begin = 0;
    int phase = 0;
    while (phase < last && t > ends[phase])
        begin = ends[phase++];
    const double left = ends[phase] - t;
    if (left <= 0)
        return values[phase + 1];
    return along(o->curve, values[phase], values[phase + 1], t - begin, left);
}

static bool is_divisor(double x) {
    return x > 0 && x <= DBL_MAX;
}

static double one_cycle(const request *r) {
    glissade_one_cycle_options o;
    if (!read_cycle(r->more, &o) || !is_rate(o.highest_rate) || !is_divisor(o.division) ||
        !is_divisor(o.final_division))
        return invalid;
    const double first = o.highest_rate / o.division, final = first / o.final_division;
    if (!is_rate(first) || !is_rate(final))
        return invalid;
    const double two[] = {first, o.highest_rate, final}, three[] = {first, o.highest_rate, first, final};
    return cycle(&o, r->step, o.three_phase ? three : two);
}

double glissade_schedule_one_cycle(uint64_t step, const glissade_one_cycle_options *options) {
    return answer(&(request){.answer = one_cycle, .step = step, .more = options});
}

static bool is_momentum(double x) {
    return x >= 0 && x < 1;
}

static double one_cycle_momentum(const request *r) {
    glissade_one_cycle_options o;
    if (!read_cycle(r->more, &o) || !is_momentum(o.highest_momentum) || !is_momentum(o.lowest_momentum))
        return invalid;
    const double values[] = {o.highest_momentum, o.lowest_momentum, o.highest_momentum, o.highest_momentum};
    return cycle(&o, r->step, values);
}

double glissade_schedule_one_cycle_momentum(uint64_t step, const glissade_one_cycle_options *options) {
    return answer(&(request){.answer = one_cycle_momentum, .step = step, .more = options});
}
