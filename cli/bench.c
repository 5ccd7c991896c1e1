/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `glissade bench`: how long a step takes, and how close it comes to what the memory allows. Says what is
 * measured and prints it; must not time anything itself.
 */
#include "bench.h"

#include "commands.h"

#include <stdio.h>

const struct command bench_command = {
    .name = "bench",
    .summary = "time steps over GPT-2's tensors against what the memory allows",
    .description =
        "Times optimizer steps over the 148 tensors of GPT-2 124M (124,439,808 parameters, 1.5 GB with\n"
        "gradients and state), float.\n"
        "\n"
        "The roofline is a read-only pass over the same arrays, which a step cannot beat, since it must "
        "read\n"
        "every byte that it changes; of several ways to walk the pages the fastest is taken. Floor and step\n"
        "run in turn, and the share of the roofline is the median of floor time over step time, pair by\n"
        "pair, as is the cost of debiasing. GB/s counts bytes read plus bytes written.\n",
};

const struct bench_step bench_rules[RULE_COUNT] = {
    [RULE_SGD] = {.name = "sgd"},
    [RULE_MOMENTUM] = {.name = "momentum", .momentum = 0.9},
    [RULE_EWMA] = {.name = "ewma", .momentum = 0.9, .dampening = 0.9, .debias = true},
    [RULE_NESTEROV] = {.name = "nesterov", .momentum = 0.9, .nesterov = true},
};

static const struct bench_step biased_ewma = {.name = "ewma, biased", .momentum = 0.9, .dampening = 0.9};
static const struct bench_step zeroing_ewma = {
    .name = "ewma, zeroing", .momentum = 0.9, .dampening = 0.9, .debias = true, .zero_gradients = true};

static enum exit_code measure(struct bench *bench, struct bench_results *results) {
    /* Plain steps touch two arrays a tensor, all others three. */
    enum exit_code exit_code = EXIT_CODE_OK;
    for (int rule = 0; rule < RULE_COUNT && exit_code == EXIT_CODE_OK; ++rule) {
        if (rule == RULE_SGD || rule == RULE_MOMENTUM)
            exit_code = bench_prepare(bench, &bench_rules[rule]);
        if (exit_code == EXIT_CODE_OK)
            exit_code = bench_measure_pair(bench, NULL, &bench_rules[rule], &results->of_floor[rule]);
    }
    if (exit_code == EXIT_CODE_OK)
        exit_code = bench_measure_pair(bench, &bench_rules[RULE_EWMA], &biased_ewma, &results->debias);
    /* Last, since it leaves no gradients behind. */
    if (exit_code == EXIT_CODE_OK)
        exit_code = bench_measure_pair(bench, &zeroing_ewma, &bench_rules[RULE_EWMA], &results->zeroing);
    return exit_code;
}

static void print_timing(const char *name, const struct bench_timing *timing) {
    printf("%-14s %8.3f %7.1f", name, 1e3 * timing->seconds.value,
           1e-9 * (double)timing->bytes / timing->seconds.value);
}

static void print_ratio(const struct median *ratio) {
    printf("%.4f (%.4f to %.4f)\n", ratio->value, ratio->low, ratio->high);
}

static void print_text(const struct bench *bench, const struct bench_results *results) {
    printf(
        "%s: %zu tensors, %zu parameters; %s, threads: %u; medians of %zu, 95 %% intervals in brackets\n\n",
        bench->model.name, bench->model.tensor_count, bench->model.parameter_count,
        glissade_isa_name(bench->info.isa), bench->info.threads, bench->repetitions);
    printf("%-14s %8s %7s %9s  share of the roofline\n", "step", "ms", "GB/s", "floor ms");
    for (int rule = 0; rule < RULE_COUNT; ++rule) {
        const struct bench_pair *pair = &results->of_floor[rule];
        print_timing(bench_rules[rule].name, &pair->second);
        printf(" %9.3f  ", 1e3 * pair->first.seconds.value);
        print_ratio(&pair->ratio);
    }
    print_timing(zeroing_ewma.name, &results->zeroing.first);
    printf("\n\nzeroing gradients in the step, against the step without: ");
    print_ratio(&results->zeroing.ratio);
    printf("debias term, against the step without: ");
    print_ratio(&results->debias.ratio);
}

static enum exit_code run(struct bench *bench, uint32_t threads, bool json) {
    enum exit_code exit_code = bench_create(bench, threads);
    struct bench_results results;
    if (exit_code == EXIT_CODE_OK)
        exit_code = measure(bench, &results);
    progress_clear(&bench->progress);
    if (exit_code == EXIT_CODE_OK && json)
        exit_code = bench_print_json(bench, &results);
    else if (exit_code == EXIT_CODE_OK)
        print_text(bench, &results);
    bench_destroy(bench);
    return exit_code;
}

int bench_main(int argc, char **argv) {
    uint64_t threads = GLISSADE_UNSET, repetitions = 0;
    bool quick = false, json = false;
    const struct option_row rows[] = {
        option_count("repetitions", "pairs timed for each figure", "31, with --quick 5", 1, 100000,
                     &repetitions),
        option_count("threads", "of the step", "as 'glissade info' says", 1, 65535, &threads),
        option_flag("quick", "a much smaller model, which says nothing about memory", &quick),
        option_flag("json", "print one JSON document", &json),
    };
    int exit_code;
    if (!options_parse(&bench_command, rows, sizeof rows / sizeof rows[0], argc, argv, &exit_code))
        return exit_code;
    if (repetitions == 0)
        repetitions = quick ? 5 : 31;
    struct bench bench = {.repetitions = repetitions};
    model_describe(&bench.model, quick);
    progress_start(&bench.progress, false);
    bench.pairs_total = (RULE_COUNT + 2) * bench_rounds(&bench);
    return run(&bench, (uint32_t)threads, json);
}
