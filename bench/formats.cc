// SPDX-License-Identifier: Apache-2.0
// The combinations (see formats.h).
#include "formats.h"

static const glissade_dtype F32 = GLISSADE_DTYPE_F32, BF16 = GLISSADE_DTYPE_BF16, F16 = GLISSADE_DTYPE_F16;
static const glissade_master NONE = GLISSADE_MASTER_NONE, FLOAT = GLISSADE_MASTER_F32,
                             SPLIT = GLISSADE_MASTER_SPLIT;
static const glissade_state_format FULL = GLISSADE_STATE_FULL, HALF = GLISSADE_STATE_BF16,
                                   RANDOM = GLISSADE_STATE_BF16_STOCHASTIC, Q8 = GLISSADE_STATE_Q8;

Format f32() {
    return {"f32", F32, F32, NONE, FULL, false, false};
}

Format f32_bf16copy() {
    return {"f32_bf16copy", F32, F32, NONE, FULL, true, false};
}

Format f32_average() {
    return {"f32_average", F32, F32, NONE, FULL, false, true};
}

const std::vector<Format> &mixed_formats() {
    static const std::vector<Format> formats = {
        f32_bf16copy(),
        f32_average(),
        {"q8state", F32, F32, NONE, Q8, false, false},
        {"f16grad", F32, F16, NONE, FULL, false, false},
        {"bf16grad", F32, BF16, NONE, FULL, false, false},
        {"bf16grad_bf16state", F32, BF16, NONE, HALF, false, false},
        {"bf16grad_srstate", F32, BF16, NONE, RANDOM, false, false},
        {"bf16grad_q8state", F32, BF16, NONE, Q8, false, false},
        {"bf16grad_f32master", BF16, BF16, FLOAT, FULL, false, false},
        {"bf16grad_split", BF16, BF16, SPLIT, FULL, false, false},
        {"bf16grad_split_q8state", BF16, BF16, SPLIT, Q8, false, false},
        {"bf16", BF16, BF16, NONE, HALF, false, false},
    };
    return formats;
}
