/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints a table of how far the library's rules lie from PyTorch in float32 and from their formulas in float64, over
 * the trajectories of goldens/rules.*: the largest distance of each rule, in ulps of each element's largest parameter
 * or update so far, as it is and as a part of what is allowed after so many steps.
 *
 *     rules_table
 */
#include "rules_replay.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct row {
    int cases, torch_cases;
    double reference, torch, doubles;
    double part; /* of what is allowed beside the reference, the largest */
} row;

static double larger(double a, double b) {
    return isnan(a) || a >= b ? a : b; /* keeps a NaN */
}

static void take(row *to, const rules_case *golden, const rules_replay *got, const rules_replay *wide) {
    to->cases++;
    to->torch_cases += golden->from_torch;
    for (size_t record = 0; record < RULES_RECORDS && rules_has_record(got, record); record++)
        for (size_t i = 0; i < RULES_TOTAL; i++) {
            const double ulp = rules_ulp(got->reach[record][i]), value = got->values[record][i];
            const double off = fabs(value - golden->reference[record][i]) / ulp;
            to->reference = larger(to->reference, off);
            to->part = larger(to->part, off / rules_bound(rules_snapshot_steps[record]));
            if (golden->from_torch)
                to->torch = larger(to->torch, fabs(value - golden->torch[record][i]) / ulp);
            to->doubles = larger(to->doubles, fabs(wide->values[record][i] - golden->reference[record][i]) /
                                                  fmax(wide->reach[record][i], 0x1p-126));
        }
}

static void print(const char *name, const row *it) {
    char torch[32] = "-";
    if (it->torch_cases)
        snprintf(torch, sizeof torch, "%.1f", it->torch);
    printf("| %s | %d | %d | %s | %.1f | %.0f %% | %.0e |\n", name, it->cases, it->torch_cases, torch,
           it->reference, 100 * it->part, it->doubles);
}

static int print_rule(const rule *it, int count) {
    static rules_case golden;
    static rules_replay got, wide;
    row sum = {0};
    for (int i = 0; i < count; i++) {
        const char *problem = rules_read(i, &golden) < 0 ? "cannot be read" : NULL;
        if (!problem && strcmp(golden.rule, it->name) != 0)
            continue;
        if (problem || (problem = rules_run(&golden, false, &got)) ||
            (problem = rules_run(&golden, true, &wide))) {
            fprintf(stderr, "rules_table: %s: %s\n", golden.name, problem);
            return 1;
        }
        take(&sum, &golden, &got, &wide);
    }
    print(it->name, &sum);
    return 0;
}

int main(void) {
    const int count = rules_read(-1, NULL);
    if (count < 1) {
        fprintf(stderr, "rules_table: no goldens in %s\n", GOLDENS_DIR);
        return 1;
    }
    printf(
        "Distances after 1, 2, 10 and 100 steps, in ulps. Allowed from float64: %.1f, %.1f, %.1f, %.1f; from "
        "PyTorch its own distance from float64 more.\n\n",
        rules_bound(1), rules_bound(2), rules_bound(10), rules_bound(100));
    printf("| rule | cases | of PyTorch | most from PyTorch | most from float64 | of what is allowed | in "
           "double, "
           "of the reach |\n|---|---|---|---|---|---|---|\n");
    for (size_t r = 0; r < rules_count(); r++)
        if (print_rule(&rules_list[r], count))
            return 1;
    return 0;
}
