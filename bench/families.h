/* SPDX-License-Identifier: Apache-2.0 */
/* The families of benchmarks; each call registers its own. What they measure: README.md. */
#ifndef BENCH_FAMILIES_H
#define BENCH_FAMILIES_H

#include "models.h"

void add_roofline();
void add_step();
void add_combinations(const Model &model); /* of step */
void add_models();
void add_debias();
void add_threads();
void add_isa();
void add_pin();
void add_walk();
void add_overhead();
void add_decay();
void add_allocation();
void add_fused();
void add_file();

#endif
