/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Learning-rate schedules: pure functions from the number of a step to the learning rate of that step, to be
 * given to glissade_optimizer_set_learning_rate before the step is made.
 *
 *   Steps      are counted from 0: `step` is the number of steps made so far. Nothing is remembered between
 *              calls, so training resumes, repeats and looks ahead by the number alone.
 *   Ends       With a course of n steps, step 0 has the first rate and step n, the first one after the course, the
 *              last; both exactly. Afterwards the last rate stays, also where PyTorch's scheduler goes on or fails.
 *              A course of 0 steps is over at step 0.
 *   Rates      are from 0 to FLT_MAX, as everywhere in the library. They need not be learning rates: momentum and
 *              weight decay can follow the same courses.
 *   Errors     An argument outside what its comment accepts makes the result NaN, as does a NULL or an options
 *              struct of an unknown size; and set_learning_rate refuses NaN. There is no other failure.
 *   Results    are the same bits on every machine, whatever the caller's rounding mode: sums, products, quotients
 *              and square roots in double, and the library's own cos, sin and pow. They are within 1e-15 of the
 *              formulas below, relative to the result, or to what a comment says. PyTorch computes most
 *              schedulers step from step; over 20,000 steps of a cosine it drifts from the same formula by 1e-14
 *              of the highest rate, which is 1e-9 of the rate near an end at 0.
 *   Calls      allocate nothing, take no lock, and cost less than a microsecond; any thread may make them.
 *
 * Below t is the step, n the argument `steps`, and x = min(t, n) / n the part of the course that is over.
 *
 * Schedules follow one another by subtracting the steps that came before, and multiply if one is asked for a
 * course of 1:
 *
 *     rate = step < w ? glissade_schedule_warm_up(step, peak, w) : glissade_schedule_cosine(step - w, peak, low, n);
 *     rate = glissade_schedule_warm_up(step, 1, w) * glissade_schedule_exponential(step, peak, 0.999);
 */
#ifndef GLISSADE_SCHEDULE_H
#define GLISSADE_SCHEDULE_H

#include "glissade/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a course leads from a rate a to a rate b: a + (b - a) f, where f goes from 0 to 1 as x does. */
typedef enum glissade_curve {
    GLISSADE_CURVE_LINEAR = 0, /* f = x */
    GLISSADE_CURVE_COSINE = 1, /* f = (1 - cos(pi x)) / 2 */
    GLISSADE_CURVE_SQRT = 2    /* f = sqrt(x): "1 - sqrt", as 1 - f is what remains */
} glissade_curve;

/* ---- from one rate to another ---- */

/* `from` for the first n steps, then `to`. torch ConstantLR is from = factor * lr, to = lr. */
GLISSADE_API
double glissade_schedule_constant(uint64_t step, double from, double to, uint64_t steps);

/*
 * from + (to - from) x. torch LinearLR is from = start_factor * lr, to = end_factor * lr. From 0 it is the
 * warm-up whose first step does nothing.
 */
GLISSADE_API
double glissade_schedule_linear(uint64_t step, double from, double to, uint64_t steps);

/*
 * to + (from - to) (1 + cos(pi x)) / 2: Loshchilov and Hutter 2017, "SGDR", without restart. torch
 * CosineAnnealingLR is from = lr, to = eta_min, steps = T_max; past T_max that one rises again.
 */
GLISSADE_API
double glissade_schedule_cosine(uint64_t step, double from, double to, uint64_t steps);

/*
 * to + (from - to) (1 - x)^power, power above 0 and finite. torch PolynomialLR is from = lr, to = 0,
 * steps = total_iters. Within (power + 4) 1.2e-16, relative to the higher rate if it rises.
 */
GLISSADE_API
double glissade_schedule_polynomial(uint64_t step, double from, double to, uint64_t steps, double power);

/*
 * Cosine courses one after another, each from `from` again. The first has first_steps steps, every other `growth`
 * times as many as the one before: Loshchilov and Hutter 2017. first_steps and growth are at least 1. torch
 * CosineAnnealingWarmRestarts is from = lr, to = eta_min, first_steps = T_0, growth = T_mult. `to` itself is not
 * reached: where a course would end the next begins.
 */
GLISSADE_API
double glissade_schedule_cosine_restarts(uint64_t step, double from, double to, uint64_t first_steps,
                                         uint64_t growth);

/* ---- up to a rate ---- */

/*
 * rate * min(1, (t + 1) / n): n steps of equal rise, of which the last already has the whole rate and none has 0.
 * 0 steps are none. torch LinearLR with start_factor = 1 / n and total_iters = n - 1.
 */
GLISSADE_API
double glissade_schedule_warm_up(uint64_t step, double rate, uint64_t steps);

/*
 * rate * min((t + 1) / w, sqrt(w / (t + 1))), w = max(1, warm_up_steps): Vaswani et al. 2017, "Attention is all
 * you need", section 5.3, where rate = 1 / sqrt(d_model * w). It peaks at `rate` in the last step of the warm-up
 * and never ends.
 */
GLISSADE_API
double glissade_schedule_inverse_sqrt(uint64_t step, double rate, uint64_t warm_up_steps);

/* ---- by factors: gamma is at least 0 and finite; one above 1 can lead past FLT_MAX, up to infinity ---- */

/* rate * gamma^t, and gamma^0 = 1. torch ExponentialLR. */
GLISSADE_API
double glissade_schedule_exponential(uint64_t step, double rate, double gamma);

/* rate * gamma^floor(t / period), period at least 1. torch StepLR with step_size = period. */
GLISSADE_API
double glissade_schedule_step(uint64_t step, double rate, double gamma, uint64_t period);

/*
 * rate * gamma^k, where k of the milestones are at most t. `milestones` has `count` entries, ascending; one that
 * occurs twice counts twice. It may be NULL if count is 0. torch MultiStepLR.
 */
GLISSADE_API
double glissade_schedule_multi_step(uint64_t step, double rate, double gamma, const uint64_t *milestones,
                                    size_t count);

/* ---- warm-up, stable, decay ---- */

typedef struct glissade_wsd_options {
    size_t size;            /* sizeof(glissade_wsd_options) */
    double learning_rate;   /* of the stable part; default 0.001 */
    double final_rate;      /* after the decay; default 0 */
    uint64_t warm_up_steps; /* default 0 */
    uint64_t stable_steps;  /* default 0; UINT64_MAX while the end is not decided */
    uint64_t decay_steps;   /* default 0 */
    glissade_curve curve;   /* of the decay; default LINEAR */
} glissade_wsd_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_wsd_options_init(glissade_wsd_options *options, size_t size);

/*
 * A warm-up as glissade_schedule_warm_up, then learning_rate for stable_steps, then a course of decay_steps from
 * learning_rate to final_rate: Hu et al. 2024, "MiniCPM" (the three parts), Haegele et al. 2024, "Scaling laws and
 * compute-optimal training beyond fixed training durations" (LINEAR and SQRT, of which SQRT did best). Without a
 * stable part it is the common warm-up with linear or cosine decay.
 */
GLISSADE_API
double glissade_schedule_wsd(uint64_t step, const glissade_wsd_options *options);

/* ---- one cycle ---- */

typedef struct glissade_one_cycle_options {
    size_t size;           /* sizeof(glissade_one_cycle_options) */
    double highest_rate;   /* default 0.001 */
    double division;       /* the first rate is highest_rate / division; above 0, finite; default 25 */
    double final_division; /* the last is the first / final_division; above 0, finite; default 10,000 */
    uint64_t steps;        /* n, at least 1: the default, 0, must be replaced */
    double rising;         /* p, the part of the steps in which the rate rises: from 0 to 1, with three_phase
                                to 0.5; default 0.3 */
    glissade_curve curve;  /* of each phase, LINEAR or COSINE; default COSINE */
    bool three_phase;      /* fall to the first rate as long as it rose, then to the last; default false: fall
                                to the last at once */
    double highest_momentum; /* in [0, 1); default 0.95 */
    double lowest_momentum;  /* in [0, 1); default 0.85 */
} glissade_one_cycle_options;

/* Writes every default into the first `size` bytes; call it with size = sizeof *options. */
GLISSADE_API
void glissade_one_cycle_options_init(glissade_one_cycle_options *options, size_t size);

/*
 * Smith and Topin 2018, "Super-convergence", as torch OneCycleLR does it (max_lr, div_factor, final_div_factor,
 * total_steps, pct_start, anneal_strategy, three_phase, max_momentum, base_momentum). The phases end at the steps
 *
 *     p n - 1, n - 1                 two phases:    first rate, highest, last
 *     p n - 1, 2 p n - 2, n - 1      three phases:  first rate, highest, first, last
 *
 * computed in double; they need not be whole. The first phase begins at 0, each other where the one before ends,
 * and x is the part of a phase that is over. A phase that begins and ends at one step is over there (PyTorch
 * divides by 0). Here step n - 1, the last of the course, has the last rate; but with p = 1, where the course
 * only rises, the highest. Errors are relative to the highest rate.
 */
GLISSADE_API
double glissade_schedule_one_cycle(uint64_t step, const glissade_one_cycle_options *options);

/*
 * The momentum that goes with it: highest where the rate is the first, lowest where it is highest, highest again at
 * the end of the second phase and from then on. The rates and divisions are not looked at, as the momenta are not by
 * glissade_schedule_one_cycle.
 */
GLISSADE_API
double glissade_schedule_one_cycle_momentum(uint64_t step, const glissade_one_cycle_options *options);

#ifdef __cplusplus
}
#endif

#endif
