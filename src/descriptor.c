/* SPDX-License-Identifier: Apache-2.0 */
/* What a tensor's descriptor says of number formats, checked and taken over. */
#include "descriptor.h"

static bool is_half(glissade_dtype dtype) {
    return dtype == GLISSADE_DTYPE_BF16 || dtype == GLISSADE_DTYPE_F16;
}

static gls_format format_of(glissade_dtype dtype) {
    static const gls_format formats[] = {GLS_F32, GLS_BF16, GLS_F16, GLS_F64};
    return formats[dtype];
}

static gls_format state_format_of(glissade_state_format format, bool wide) {
    static const gls_format formats[] = {GLS_F32, GLS_BF16, GLS_BF16_RANDOM, GLS_Q8};
    return wide ? GLS_F64 : formats[format];
}

size_t glissade_state_bytes(glissade_state_format format, size_t length, bool wide) {
    if ((unsigned)format > GLISSADE_STATE_Q8 || length > PTRDIFF_MAX / sizeof(double))
        return 0;
    return gls_format_bytes(state_format_of(format, wide), length);
}

/* ---- checks ---- */

static glissade_status refuse(glissade_error *error, uint32_t tensor, const char *what, int value,
                              const char *accepted) {
    return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION, "%s of tensor %u is %d; accepted: %s", what,
                         tensor, value, accepted);
}

static glissade_status contradict(glissade_error *error, uint32_t tensor, const char *what) {
    return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION, "tensor %u %s", tensor, what);
}

static glissade_status check_values(const glissade_tensor *t, uint32_t i, glissade_error *error) {
    const char *dtypes = "0 (f32), 1 (bf16), 2 (f16), 3 (f64)";
    if ((unsigned)t->parameter_dtype > GLISSADE_DTYPE_F64)
        return refuse(error, i, "parameter_dtype", (int)t->parameter_dtype, dtypes);
    if ((unsigned)t->gradient_dtype > GLISSADE_DTYPE_F64)
        return refuse(error, i, "gradient_dtype", (int)t->gradient_dtype, dtypes);
    for (int s = 0; s < GLISSADE_STATES; s++)
        if ((unsigned)t->state_format[s] > GLISSADE_STATE_Q8)
            return refuse(error, i, "a state_format", (int)t->state_format[s],
                          "0 (full), 1 (bf16), 2 (bf16 stochastic), 3 (8-bit)");
    if ((unsigned)t->master > GLISSADE_MASTER_SPLIT)
        return refuse(error, i, "master", (int)t->master, "0 (none), 1 (f32), 2 (split)");
    if (t->copy && !is_half(t->copy_dtype))
        return refuse(error, i, "copy_dtype", (int)t->copy_dtype, "1 (bf16), 2 (f16)");
    return GLISSADE_STATUS_OK;
}

static glissade_status check_wide(const gls_group *group, const glissade_tensor *t, uint32_t i,
                                  glissade_error *error) {
    if (t->parameter_dtype == GLISSADE_DTYPE_F64 && t->gradient_dtype != GLISSADE_DTYPE_F64)
        return contradict(error, i, "has a parameter of double, whose gradient_dtype must be double");
    if (t->parameter_dtype != GLISSADE_DTYPE_F64 && t->gradient_dtype == GLISSADE_DTYPE_F64)
        return contradict(
            error, i,
            "has a gradient of double; it needs a parameter of double (others take gradients of "
            "float, bf16 or f16)");
    if (t->parameter_dtype != GLISSADE_DTYPE_F64)
        return GLISSADE_STATUS_OK;
    for (int s = 0; s < GLISSADE_STATES; s++)
        if (t->state_format[s] != GLISSADE_STATE_FULL)
            return contradict(error, i, "has a parameter of double, whose state_format must be full");
    if (t->average || group->average_weight != 0)
        return contradict(error, i, "has a parameter of double; averages are of float, bf16 and f16 ones");
    if (group->algorithm->threshold && group->algorithm->threshold(group).value != 0)
        return contradict(
            error, i, "has a parameter of double; a group with a defer_threshold takes float, bf16 and f16");
    return GLISSADE_STATUS_OK;
}

static glissade_status check_parameter(const glissade_tensor *t, uint32_t i, glissade_error *error) {
    if (t->master != GLISSADE_MASTER_NONE && !is_half(t->parameter_dtype))
        return contradict(error, i, "has a master; only parameters of bf16 and f16 take one");
    if (t->master == GLISSADE_MASTER_SPLIT && t->parameter_dtype != GLISSADE_DTYPE_BF16)
        return contradict(error, i,
                          "has a split master; only parameters of bf16 take one, those of f16 an f32 one");
    if (t->master_state && t->master == GLISSADE_MASTER_NONE)
        return contradict(error, i, "has a master_state with master none; it needs master f32 or split");
    if (t->copy && t->parameter_dtype != GLISSADE_DTYPE_F32)
        return contradict(error, i, "has a copy; only parameters of float take one");
    if (t->momentum && t->state[0] && t->momentum != t->state[0])
        return contradict(error, i,
                          "has both momentum and state[0], which are one array; it needs one of them");
    return GLISSADE_STATUS_OK;
}

static glissade_status check_states(const gls_group *group, const glissade_tensor *t, uint32_t i,
                                    glissade_error *error) {
    const uint32_t plain = group->algorithm->plain_states;
    for (uint32_t s = 0; s < GLISSADE_STATES; s++) {
        if (t->state_format[s] == GLISSADE_STATE_FULL)
            continue;
        if (s == 0 && group->algorithm->factor_weight && t->columns)
            return gls_error_set(
                error, GLISSADE_STATUS_INVALID_COMBINATION,
                "state_format[0] of tensor %u is %d; a matrix under %s has averages of rows and columns, "
                "full ones",
                i, (int)t->state_format[s], group->algorithm->name);
        if (plain >> s & 1)
            return gls_error_set(error, GLISSADE_STATUS_INVALID_COMBINATION,
                                 "state_format[%u] of tensor %u is %d; under %s that array can be full only",
                                 s, i, (int)t->state_format[s], group->algorithm->name);
        if (t->state_format[s] == GLISSADE_STATE_Q8 && t->length && t->length < GLS_QUANTISED_BLOCK)
            return gls_error_set(
                error, GLISSADE_STATUS_INVALID_COMBINATION,
                "state_format[%u] of tensor %u is 8-bit and its length %zu; accepted: at least "
                "%d elements, a block",
                s, i, t->length, GLS_QUANTISED_BLOCK);
        if (t->state_format[s] == GLISSADE_STATE_BF16_STOCHASTIC && i >> 24)
            return gls_error_set(error, GLISSADE_STATUS_TOO_LARGE,
                                 "tensor %u rounds stochastically; accepted: tensors up to %u", i,
                                 (1u << 24) - 1);
    }
    return GLISSADE_STATUS_OK;
}

glissade_status gls_storage_check(const gls_group *group, uint32_t i, const glissade_tensor *t,
                                  glissade_error *error) {
    glissade_status status;
    if ((status = check_values(t, i, error)) || (status = check_wide(group, t, i, error)) ||
        (status = check_parameter(t, i, error)) || (status = check_states(group, t, i, error)))
        return status;
    if (t->columns && t->length % t->columns)
        return gls_error_set(error, GLISSADE_STATUS_INVALID_OPTION,
                             "columns of tensor %u is %zu; accepted: a divisor of its length %zu, or 0", i,
                             t->columns, t->length);
    return GLISSADE_STATUS_OK;
}

/* ---- taking over ---- */

bool gls_storage_wanted(const gls_group *group, const glissade_tensor *t) {
    const gls_algorithm *algorithm = group->algorithm;
    bool wanted = algorithm->most_states > 1 || algorithm->own_numbers || t->parameter_dtype ||
                  t->gradient_dtype || t->master || t->copy || t->average || t->columns;
    for (int s = 0; s < GLISSADE_STATES; s++)
        wanted = wanted || t->state_format[s] || t->state[s];
    return wanted;
}

void gls_storage_take(gls_group *group, uint32_t i, const glissade_tensor *t) {
    gls_storage *storage = &group->storage[i];
    const bool wide = t->parameter_dtype == GLISSADE_DTYPE_F64;
    if (!group->tensors[i].m)
        group->tensors[i].m = t->state[0];
    for (int s = 1; s < GLISSADE_STATES; s++)
        storage->states[s - 1] = t->state[s];
    storage->master = t->master_state;
    storage->mastered = t->master;
    storage->copy = t->copy;
    storage->average = t->average;
    storage->columns = t->columns;
    storage->stream = i;
    storage->factored = group->algorithm->factor_weight && t->columns && t->length;
    uint8_t *formats = storage->formats;
    formats[GLS_ARRAY_PARAMETER] = (uint8_t)format_of(t->parameter_dtype);
    formats[GLS_ARRAY_GRADIENT] = (uint8_t)format_of(t->gradient_dtype);
    formats[GLS_ARRAY_MASTER] = t->master == GLISSADE_MASTER_SPLIT ? GLS_LOW16 : GLS_F32;
    formats[GLS_ARRAY_COPY] = (uint8_t)(t->copy ? format_of(t->copy_dtype) : GLS_F32);
    for (int s = 0; s < GLISSADE_STATES; s++)
        formats[GLS_ARRAY_STATE + s] = (uint8_t)state_format_of(t->state_format[s], wide);
    gls_storage_settle(group, i);
}

/* Arrays of floats need no staging, those of double cannot have it. */
void gls_storage_settle(gls_group *group, uint32_t i) {
    gls_storage *storage = &group->storage[i];
    bool floats = true;
    for (gls_array array = 0; array < GLS_ARRAY_COUNT; array++)
        floats = floats && (storage->formats[array] == GLS_F32);
    storage->staged =
        storage->factored || (!gls_group_is_wide(group, i) && (!floats || group->average_weight != 0));
}

void gls_storage_describe(const gls_group *group, uint32_t i, glissade_tensor_info *info) {
    static const glissade_dtype dtypes[] = {[GLS_F32] = GLISSADE_DTYPE_F32,
                                            [GLS_BF16] = GLISSADE_DTYPE_BF16,
                                            [GLS_F16] = GLISSADE_DTYPE_F16,
                                            [GLS_F64] = GLISSADE_DTYPE_F64};
    static const glissade_state_format states[] = {[GLS_F32] = GLISSADE_STATE_FULL,
                                                   [GLS_F64] = GLISSADE_STATE_FULL,
                                                   [GLS_BF16] = GLISSADE_STATE_BF16,
                                                   [GLS_BF16_RANDOM] = GLISSADE_STATE_BF16_STOCHASTIC,
                                                   [GLS_Q8] = GLISSADE_STATE_Q8};
    info->state[0] = group->tensors[i].m;
    if (!group->storage)
        return;
    const gls_storage *storage = &group->storage[i];
    info->parameter_dtype = dtypes[storage->formats[GLS_ARRAY_PARAMETER]];
    info->gradient_dtype = dtypes[storage->formats[GLS_ARRAY_GRADIENT]];
    for (int s = 0; s < GLISSADE_STATES; s++) {
        info->state_format[s] = states[storage->formats[GLS_ARRAY_STATE + s]];
        info->state[s] = gls_group_array(group, i, GLS_ARRAY_STATE + s);
    }
    info->master = storage->mastered;
    info->master_state = storage->master;
    info->copy_dtype = dtypes[storage->formats[GLS_ARRAY_COPY]];
    info->copy = storage->copy;
    info->average = storage->average;
    info->columns = storage->columns;
    for (int n = 0; n < GLS_NUMBERS_MAX; n++)
        info->numbers[n] = storage->numbers[n];
}
