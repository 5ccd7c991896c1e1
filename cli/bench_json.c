/* SPDX-License-Identifier: Apache-2.0 */
/* `glissade bench --json`. Must not compute: bench_measure.c has. */
#include "bench.h"

static json_t *median_json(const struct median *median) {
    return json_pack("{s:f, s:f, s:f}", "median", median->value, "low", median->low, "high", median->high);
}

static json_t *timing_json(const struct bench_timing *timing) {
    return json_pack("{s:f, s:I, s:f, s:i}", "milliseconds", 1e3 * timing->seconds.value, "bytes",
                     (json_int_t)timing->bytes, "gigabytes_per_second",
                     1e-9 * (double)timing->bytes / timing->seconds.value, "streams", (int)timing->streams);
}

static json_t *rule_json(enum bench_rule rule, const struct bench_pair *pair) {
    return json_pack("{s:s, s:o, s:o, s:o}", "name", bench_rules[rule].name, "step",
                     timing_json(&pair->second), "floor", timing_json(&pair->first), "of_floor",
                     median_json(&pair->ratio));
}

static json_t *comparison_json(const struct bench_pair *pair) {
    return json_pack("{s:o, s:o, s:o}", "with", timing_json(&pair->first), "without",
                     timing_json(&pair->second), "ratio", median_json(&pair->ratio));
}

enum exit_code bench_print_json(const struct bench *bench, const struct bench_results *results) {
    json_t *steps = json_array();
    for (int rule = 0; rule < RULE_COUNT; ++rule)
        report_json_append(&steps, rule_json((enum bench_rule)rule, &results->of_floor[rule]));
    return report_json(
        json_pack("{s:s, s:s, s:i, s:s, s:I, s:I, s:I, s:o, s:o, s:o}", "version", glissade_version(), "isa",
                  glissade_isa_name(bench->info.isa), "threads", (int)bench->info.threads, "model",
                  bench->model.name, "tensors", (json_int_t)bench->model.tensor_count, "parameters",
                  (json_int_t)bench->model.parameter_count, "repetitions", (json_int_t)bench->repetitions,
                  "steps", steps, "zero_gradients", comparison_json(&results->zeroing), "debias",
                  comparison_json(&results->debias)));
}
