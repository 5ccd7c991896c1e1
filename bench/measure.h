/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How every benchmark of the suite is registered and measured. The machine drifts, so whatever is compared is
 * timed in turn, in pairs, in one process; the result is the median of the pairs' ratios.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "statistics.h"
#include "subject.h"

/* ---- registering ---- */

using Body = std::function<void(benchmark::State &)>;

/* Of pairs, from the command line's --effort; 1 unless asked otherwise. */
extern double effort;

/* A benchmark whose body calls interleave() once, for so many pairs (times effort). */
void add_paired(const std::string &name, int pairs, const Body &body);
/* A benchmark whose body loops over the state and times itself, so many times (times effort). */
void add_counted(const std::string &name, int iterations, const Body &body);
/* A benchmark of something small, whose body loops over the state, as often as Google Benchmark likes. */
void add_small(const std::string &name, const Body &body);

/* Why a benchmark was left out, by its name: what its body threw. */
const std::map<std::string, std::string> &skipped();

/* So many pairs that any model takes a second or a few. */
int pairs_for(const Model &model);

/* ---- measuring ---- */

using Action = std::function<void()>;

/* Seconds, pair by pair. */
struct Samples {
    std::vector<double> first, second;
};

/*
 * Runs the two in turn, once each per iteration of the state, changing which goes first each time; the
 * benchmark's own time is the first's. One sample is the mean of `repeats` runs, for what is too short to
 * time. Both run twice before, untimed.
 */
Samples interleave(benchmark::State &state, const Action &first, const Action &second, int repeats = 1);

/* Seconds of each action, turn by turn. */
using Turns = std::vector<std::vector<double>>;

/*
 * Runs all actions in this order, again and again, once each per iteration of the state; the benchmark's own time is
 * the first's. What ran just before leaves something of its arrays in the cache, so each action always follows the
 * same other one: neighbours, and the last and the first, should work on arrays of their own. `before`, if there is
 * one, runs untimed before each. All run twice before, untimed.
 */
Turns take_turns(benchmark::State &state, const std::vector<Action> &actions, const Action &before = nullptr);

double seconds_of(const Action &action, int repeats = 1);

/* ---- reporting ---- */

/* Counters `name`, and name_lo and name_hi, the bounds of its 95 % interval. */
void report_ratio(benchmark::State &state, const std::string &name, const Interval &ratio);

/* Counters median_ms and, for work of so many elements and bytes, parameters_per_second and
 * bytes_per_second; all of the median. */
void report_time(benchmark::State &state, const std::vector<double> &seconds, double elements = 0,
                 double bytes = 0);

/* The same by a step's own report. */
void report_step(benchmark::State &state, const std::vector<double> &seconds,
                 const glissade_step_report &report);

#endif
