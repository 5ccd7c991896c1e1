/* SPDX-License-Identifier: Apache-2.0 */
/* Averages of rows and columns (see factors.h). Sums are double; a block of rows is one thread's. */
#include "factors.h"

#include <math.h>
#include <string.h>

#include "stage.h"

static size_t blocks_of(size_t rows) {
    return rows / GLS_FACTOR_ROWS + (rows % GLS_FACTOR_ROWS != 0);
}

/* A sum for each row, and for each block of rows one for each column. */
size_t gls_factors_room(size_t n, size_t columns) {
    const size_t rows = n / columns;
    return rows + blocks_of(rows) * columns;
}

/* ---- sums ---- */

/* Adds squares of elements of a row to the sums of their columns; returns their own sum. A product of floats is exact. */
static double add_floats(const gls_kernels *kernels, const float *g, size_t n, double *columns) {
    const gls_walk straight = {.streams = 1};
    double sum;
    (void)kernels->squares(&sum, g, n, &straight);
    for (size_t i = 0; i < n; i++)
        columns[i] += (double)g[i] * (double)g[i];
    return sum;
}

static double add_doubles(const double *g, size_t n, double factor, double limit, double *columns) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        const double scaled = gls_clamp(factor * g[i], limit);
        columns[i] += scaled * scaled;
        sum += scaled * scaled;
    }
    return sum;
}

static double sum_row(const gls_pass *pass, const gls_group *group, uint32_t index, gls_range row,
                      double factor, double *columns) {
    double units[GLS_BLOCK_UNITS], total = 0;
    size_t count = 0;
    for (size_t begin = row.begin; begin < row.end; begin += GLS_STAGE) {
        const gls_range run = {begin, row.end - begin < GLS_STAGE ? row.end : begin + GLS_STAGE};
        const size_t n = run.end - run.begin;
        double *at = columns + (begin - row.begin);
        if (count == GLS_BLOCK_UNITS) {
            total += gls_sums_pairwise(units, count);
            count = 0;
        }
        if (gls_group_is_wide(group, index)) {
            const double *g = (const double *)group->tensors[index].g + begin;
            units[count++] = add_doubles(g, n, factor, pass->request.clip_value, at);
        } else {
            float room[GLS_STAGE];
            const gls_kernels *kernels = pass->optimizer->engine->kernels;
            const float *g =
                gls_stage_scaled(kernels, group, index, run, factor, pass->request.clip_value, room);
            units[count++] = add_floats(kernels, g, n, at);
        }
    }
    return total + gls_sums_pairwise(units, count);
}

static void sum_blocks(const gls_pass *pass, const gls_group *group, uint32_t index, gls_range blocks) {
    const gls_tensor *tensor = &group->tensors[index];
    const size_t columns = group->storage[index].columns, rows = tensor->n / columns;
    const double factor = gls_update_factor(pass, group, index);
    double *row_sums = group->storage[index].factor_sums;
    for (size_t block = blocks.begin; block < blocks.end; block++) {
        double *column_sums = row_sums + rows + block * columns;
        const size_t first = block * GLS_FACTOR_ROWS,
                     last = rows - first < GLS_FACTOR_ROWS ? rows : first + GLS_FACTOR_ROWS;
        memset(column_sums, 0, columns * sizeof *column_sums);
        for (size_t row = first; row < last; row++)
            row_sums[row] = sum_row(pass, group, index, (gls_range){row * columns, (row + 1) * columns},
                                    factor, column_sums);
    }
}

static bool is_due(const gls_pass *pass, const gls_group *group, uint32_t index) {
    (void)pass;
    return group->storage && group->storage[index].factored && group->tensors[index].g;
}

/* Every thread takes an equal part of each matrix's blocks. */
static void sum_shard(void *context, uint32_t shard) {
    const gls_pass *pass = context;
    const uint32_t threads = pass->optimizer->engine->threads.count;
    for (gls_visit v = gls_visit_start(pass, GLS_ALL_SHARDS); gls_visit_next(&v);) {
        if (!is_due(pass, v.group, v.tensor))
            continue;
        const size_t blocks = blocks_of(v.group->tensors[v.tensor].n / v.group->storage[v.tensor].columns);
        const gls_range all = {0, blocks}, part = {blocks * shard / threads, blocks * (shard + 1) / threads};
        sum_blocks(pass, v.group, v.tensor, shard == GLS_ALL_SHARDS ? all : part);
    }
}

/* ---- averages ---- */

static void average(void *averages, bool wide, size_t i, double mean, double new) {
    if (wide) {
        double *a = (double *)averages + i;
        *a = (1 - new) * *a + new *mean;
    } else {
        float *a = (float *)averages + i;
        *a = (float)((1 - new) * (double)*a + new *mean);
    }
}

static double element(const void *averages, bool wide, size_t i) {
    return wide ? ((const double *)averages)[i] : (double)((const float *)averages)[i];
}

/* Overwrites the sums. */
static void settle(const gls_group *group, uint32_t index) {
    const gls_storage *storage = &group->storage[index];
    const gls_tensor *tensor = &group->tensors[index];
    const size_t columns = storage->columns, rows = tensor->n / columns, blocks = blocks_of(rows);
    const bool wide = gls_group_is_wide(group, index);
    const double new = group->algorithm->factor_weight(group, tensor->t + 1);
    double *row_sums = storage->factor_sums, *column_sums = row_sums + rows;
    for (size_t block = 1; block < blocks; block++)
        for (size_t j = 0; j < columns; j++)
            column_sums[j] += column_sums[block * columns + j];
    for (size_t i = 0; i < rows; i++) {
        average(tensor->m, wide, i, row_sums[i] / (double)columns, new);
        row_sums[i] = element(tensor->m, wide, i);
    }
    for (size_t j = 0; j < columns; j++)
        average(tensor->m, wide, rows + j, column_sums[j] / (double)rows, new);
    group->norms->values[index][GLS_NORM_ROWS] = gls_sums_pairwise(row_sums, rows) / (double)rows;
}

bool gls_factors_pass(gls_pass *pass, size_t footprint) {
    bool any = false;
    for (uint32_t i = 0; i < pass->optimizer->group_count; i++)
        any = any || pass->optimizer->groups[i]->algorithm->factor_weight;
    if (!any)
        return false;
    gls_engine_execute(pass->optimizer->engine, footprint, sum_shard, pass);
    for (gls_visit v = gls_visit_start(pass, GLS_ALL_SHARDS); gls_visit_next(&v);)
        if (is_due(pass, v.group, v.tensor))
            settle(v.group, v.tensor);
    return true;
}
