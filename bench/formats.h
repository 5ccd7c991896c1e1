/* SPDX-License-Identifier: Apache-2.0 */
/* Combinations of number formats that are measured. */
#ifndef BENCH_FORMATS_H
#define BENCH_FORMATS_H

#include <string>
#include <vector>

#include "library.h"

struct Format {
    std::string name; /* as in the benchmarks' names */
    glissade_dtype parameter, gradient;
    glissade_master master;
    glissade_state_format state; /* of every array of state */
    bool copy;                   /* of the parameter, in bf16 */
    bool average;                /* of the weights */
};

Format f32();
Format f32_bf16copy();
Format f32_average();
/* All but f32. */
const std::vector<Format> &mixed_formats();

#endif
