/* SPDX-License-Identifier: Apache-2.0 */
/* The pass (see inside.h), on the engine's own execution and the groups' own plans. */
#include "inside.h"

#include "optimizer.h"

typedef struct job {
    const glissade_optimizer *optimizer;
    bench_visit *visit;
    void *context;
} job;

static void visit_shard(void *context, uint32_t shard) {
    const job *all = context;
    for (uint32_t i = 0; i < all->optimizer->group_count; i++) {
        const gls_group *group = all->optimizer->groups[i];
        for (gls_cursor c = gls_plan_start(&group->plan, shard); gls_plan_next(&c);) {
            const gls_tensor *tensor = &group->tensors[c.tensor];
            const gls_range range = gls_plan_range(&group->plan, c.tensor, tensor->n, shard);
            if (range.begin == range.end)
                continue;
            float *r = gls_group_residual(group, c.tensor);
            const bench_part part = {.tensor = c.tensor,
                                     .begin = range.begin,
                                     .n = range.end - range.begin,
                                     .p = tensor->p + range.begin,
                                     .g = tensor->g + range.begin,
                                     .m = tensor->m ? tensor->m + range.begin : NULL,
                                     .r = r ? r + range.begin : NULL};
            all->visit(all->context, &part);
        }
    }
}

/* What decides on the team and on pinning, counted as a step counts it. */
static size_t footprint(const glissade_optimizer *optimizer) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < optimizer->group_count; i++)
        for (uint32_t j = 0; j < optimizer->groups[i]->count; j++) {
            const gls_tensor *tensor = &optimizer->groups[i]->tensors[j];
            const bool residual = gls_group_residual(optimizer->groups[i], j);
            bytes += tensor->n * ((tensor->m ? 3u : 2u) + residual) * sizeof(float);
        }
    return bytes;
}

void bench_pass(glissade_optimizer *optimizer, bench_visit *visit, void *context) {
    job all = {.optimizer = optimizer, .visit = visit, .context = context};
    gls_engine_execute(optimizer->engine, footprint(optimizer), visit_shard, &all);
}
