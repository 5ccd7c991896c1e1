/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The trajectories of goldens/rules.* (made by goldens/make_rules.py, which describes them), read and stepped again by
 * the library, and how far off it is. Uses the public interface only; knows no test framework.
 */
#ifndef RULES_REPLAY_H
#define RULES_REPLAY_H

#include "rules_list.h"

enum {
    RULES_TENSORS = 2,
    RULES_TOTAL = 37 + 203, /* elements */
    RULES_STEPS = 100,
    RULES_SNAPSHOTS = 4, /* parameters; what follows them is the averages */
    RULES_RECORDS = RULES_SNAPSHOTS + 1,
};

extern const unsigned rules_snapshot_steps[RULES_RECORDS];

typedef struct rules_setting {
    unsigned step;
    char values[320]; /* "key=value ..." */
} rules_setting;

typedef struct rules_absence {
    unsigned tensor, period, phase;
} rules_absence;

typedef struct rules_case {
    char name[64], rule[32];
    bool from_torch; /* torch.optim has it in float32 */
    rules_setting settings[8];
    rules_absence absences[8];
    size_t setting_count, absence_count;
    double reference[RULES_RECORDS][RULES_TOTAL]; /* in float64 */
    double torch[RULES_RECORDS][RULES_TOTAL];
} rules_case;

/* Reads case `index` (to: NULL reads none); returns how many there are, -1 where the files are not as they should be. */
int rules_read(int index, rules_case *to);

/* What the library makes of a case. */
typedef struct rules_replay {
    double values[RULES_RECORDS][RULES_TOTAL];
    double reach[RULES_RECORDS]
                [RULES_TOTAL]; /* largest parameter or update of the element so far: the scale of errors */
    bool has_average;
} rules_replay;

/* Steps the case with all arrays of float, or of double. NULL, or what went wrong. */
const char *rules_run(const rules_case *it, bool wide, rules_replay *out);

/* Which record holds something to compare: parameters always, averages where the library tells them. */
static inline bool rules_has_record(const rules_replay *it, size_t record) {
    return record < RULES_SNAPSHOTS || it->has_average;
}

/* A unit in the last place of a float of that magnitude. */
double rules_ulp(double scale);

/* Allowed distance of a float from the reference after so many steps, in ulps of reach; see rules_replay.c. */
double rules_bound(unsigned step);

#endif
