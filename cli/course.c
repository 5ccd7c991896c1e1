/* SPDX-License-Identifier: Apache-2.0 */
/* Learning rates by the library's schedules. */
#include "course.h"

#include <glissade/glissade.h>
#include <inttypes.h>
#include <stdio.h>

const char *schedule_name(size_t place) {
    static const char *const names[] = {
        [SCHEDULE_LINEAR] = "linear",       [SCHEDULE_CONSTANT] = "constant", [SCHEDULE_COSINE] = "cosine",
        [SCHEDULE_ONE_CYCLE] = "one-cycle", [SCHEDULE_WSD] = "wsd",           [SCHEDULE_COUNT] = NULL};
    return names[place < SCHEDULE_COUNT ? place : SCHEDULE_COUNT];
}

static double one_cycle(const struct course *course, uint64_t step) {
    glissade_one_cycle_options options;
    glissade_one_cycle_options_init(&options, sizeof options);
    options.highest_rate = course->learning_rate;
    options.steps = course->steps;
    return glissade_schedule_one_cycle(step, &options);
}

/* A fifth of the run for the decay: Haegele et al. 2024 find no more to be needed. */
static double warm_up_stable_decay(const struct course *course, uint64_t step) {
    glissade_wsd_options options;
    glissade_wsd_options_init(&options, sizeof options);
    options.learning_rate = course->learning_rate;
    options.final_rate = course->learning_rate * course->final_rate;
    options.decay_steps = course->steps / 5;
    options.stable_steps = course->steps - options.decay_steps;
    return glissade_schedule_wsd(step, &options);
}

static double scheduled_rate(const struct course *course, uint64_t step, double done) {
    double rate = course->learning_rate;
    switch (course->schedule) {
    case SCHEDULE_LINEAR:
        /* By images, not by steps: an epoch's last batch may be smaller than the others. */
        return rate * (1.0 + (course->final_rate - 1.0) * done);
    case SCHEDULE_COSINE:
        return glissade_schedule_cosine(step, rate, rate * course->final_rate, course->steps);
    case SCHEDULE_ONE_CYCLE:
        return one_cycle(course, step);
    case SCHEDULE_WSD:
        return warm_up_stable_decay(course, step);
    default:
        return rate;
    }
}

double course_rate(const struct course *course, uint64_t step, double done) {
    return scheduled_rate(course, step, done) * glissade_schedule_warm_up(step, 1.0, course->warm_up);
}

void course_describe(const struct course *course, char *text, size_t size) {
    double rate = course->learning_rate, last = rate * course->final_rate;
    char warm_up[64] = "";
    if (course->warm_up > 0)
        snprintf(warm_up, sizeof warm_up, " after %" PRIu64 " steps of warm-up", course->warm_up);
    switch (course->schedule) {
    case SCHEDULE_LINEAR:
        snprintf(text, size, "learning rate %g falling to %g%s", rate, last, warm_up);
        break;
    case SCHEDULE_COSINE:
        snprintf(text, size, "learning rate %g falling to %g as a cosine%s", rate, last, warm_up);
        break;
    case SCHEDULE_WSD:
        snprintf(text, size, "learning rate %g falling to %g in the last fifth%s", rate, last, warm_up);
        break;
    case SCHEDULE_ONE_CYCLE:
        snprintf(text, size, "learning rate up to %g in one cycle%s", rate, warm_up);
        break;
    default:
        snprintf(text, size, "learning rate %g%s", rate, warm_up);
    }
}
