/* SPDX-License-Identifier: Apache-2.0 */
/* The learning rate over a whole run. */
#ifndef GLISSADE_CLI_COURSE_H
#define GLISSADE_CLI_COURSE_H

#include <stddef.h>
#include <stdint.h>

enum schedule {
    SCHEDULE_LINEAR,
    SCHEDULE_CONSTANT,
    SCHEDULE_COSINE,
    SCHEDULE_ONE_CYCLE,
    SCHEDULE_WSD,
    SCHEDULE_COUNT
};

struct course {
    enum schedule schedule;
    double learning_rate;
    double final_rate;       /* share of it that is left at the end, where a schedule falls */
    uint64_t warm_up, steps; /* the first warm_up steps rise to what the schedule says */
};

/* "linear", ...; NULL from SCHEDULE_COUNT on. */
const char *schedule_name(size_t place);

/* Of a step, counted from 0; `done` is the share of the run before it, which the linear schedule goes by. */
double course_rate(const struct course *course, uint64_t step, double done);

/* Describes the course in words that follow a name. */
void course_describe(const struct course *course, char *text, size_t size);

#endif
