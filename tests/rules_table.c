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

int main(void) {
    static rules_case golden;
    static rules_replay got, wide;
    const int count = rules_read(-1, NULL);
    if (count < 1) {
        fprintf(stderr, "rules_table: no goldens in %s\n", GOLDENS_DIR);
        return 1;
    }
    printf(
        "Allowed beside float64: %.1f sqrt(step) ulp; beside PyTorch its own distance from float64 more.\n\n",
        rules_bound(1));
    printf("| rule | cases | of PyTorch | max ulp from PyTorch | max ulp from float64 | of what is allowed "
           "| in double, relative |\n|---|---|---|---|---|---|---|\n");
    int done = 0;
    for (size_t r = 0; r < rules_count(); r++) {
        row sum = {0};
        for (int i = 0; i < count; i++) {
            const char *problem = rules_read(i, &golden) < 0 ? "cannot be read" : NULL;
            if (!problem && strcmp(golden.rule, rules_list[r].name) != 0)
                continue;
            if (problem || (problem = rules_run(&golden, false, &got)) ||
                (problem = rules_run(&golden, true, &wide))) {
                fprintf(stderr, "rules_table: %s: %s\n", golden.name, problem);
                return 1;
            }
            take(&sum, &golden, &got, &wide);
        }
        print(rules_list[r].name, &sum);
        done += sum.cases;
    }
    if (done < count)
        fprintf(stderr, "rules_table: %d of %d cases are of rules that rules.def lacks\n", count - done,
                count);
    return 0;
}
