/* SPDX-License-Identifier: Apache-2.0 */
/* Thread count and CPU choice (see threads.h). No system call, no OpenMP, no hwloc. */
#include "threads.h"

#include <stdio.h>
#include <string.h>

#include "alloc.h"

/* Without a wish: physical cores, the fastest kind only (all threads get equal shares, and a step ends with
 * its slowest thread), and no more than the quota pays for. */
static uint32_t choose_count(const gls_topology *topology, double quota, char *reason, size_t room) {
    const uint32_t cores = topology->fast_core_count;
    if (cores < topology->core_count)
        snprintf(reason, room, "%u physical cores of the fastest kind allowed, of %u cores", cores,
                 topology->core_count);
    else if (cores < topology->pu_count)
        snprintf(reason, room, "%u physical cores allowed, with %u CPUs", cores, topology->pu_count);
    else
        snprintf(reason, room, "%u physical core%s allowed", cores, cores == 1 ? "" : "s");

    if (quota <= 0 || quota >= cores)
        return cores;
    const uint32_t granted = quota < 1 ? 1 : (uint32_t)quota;
    const uint32_t hundredths = (uint32_t)(quota * 100 + 0.5);
    snprintf(reason, room, "the cgroup's quota grants %u.%02u CPUs, of %u physical cores allowed",
             hundredths / 100, hundredths % 100, topology->core_count);
    return granted;
}

/* Cores before siblings, fast kinds before slow, then spread over nodes and caches for their bandwidth. */
static bool better(const gls_pu *a, uint64_t crowd_a, const gls_pu *b, uint64_t crowd_b) {
    if (a->sibling != b->sibling)
        return a->sibling < b->sibling;
    if (a->kind != b->kind)
        return a->kind > b->kind;
    return crowd_a < crowd_b;
}

/* crowd[i]: how many of the PUs chosen so far share PU i's node, and in the low half its cache. */
static void choose_pus(const gls_topology *topology, bool *chosen, uint64_t *crowd, uint32_t count) {
    const gls_pu *pus = topology->pus;
    for (uint32_t thread = 0; thread < count; thread++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < topology->pu_count; i++)
            if (!chosen[i] && (best == UINT32_MAX || better(&pus[i], crowd[i], &pus[best], crowd[best])))
                best = i;
        chosen[best] = true;
        for (uint32_t i = 0; i < topology->pu_count; i++) {
            const bool same_cache = pus[i].cache == pus[best].cache && pus[i].package == pus[best].package;
            crowd[i] += (uint64_t)(pus[i].node == pus[best].node) << 32 | same_cache;
        }
    }
}

static glissade_status place(const gls_topology *topology, gls_threads *threads, glissade_error *error) {
    bool *chosen = gls_alloc(topology->pu_count, sizeof *chosen);
    uint64_t *crowd = gls_alloc(topology->pu_count, sizeof *crowd);
    threads->pus = gls_alloc(threads->count, sizeof *threads->pus);
    if (!chosen || !crowd || !threads->pus) {
        gls_free(chosen);
        gls_free(crowd);
        gls_threads_free(threads);
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory to place the threads");
    }
    choose_pus(topology, chosen, crowd, threads->count);
    /* In topological order, so that neighbouring shards lie on neighbouring cores. */
    for (uint32_t i = 0, thread = 0; i < topology->pu_count; i++)
        if (chosen[i])
            threads->pus[thread++] = i;
    gls_free(chosen);
    gls_free(crowd);
    return GLISSADE_STATUS_OK;
}

glissade_status gls_threads_plan(const gls_topology *topology, const gls_thread_request *request,
                                 gls_threads *threads, glissade_error *error) {
    *threads = (gls_threads){0};
    const bool above = request->threads > topology->pu_count;
    if (above && (!request->oversubscribe || request->threads > GLS_CPU_MAX))
        return gls_error_set(error, GLISSADE_STATUS_INVALID_THREADS,
                             "%s is %u; accepted: 1 to %u, the CPUs that this process may use%s",
                             request->asked_by, request->threads,
                             request->oversubscribe ? (uint32_t)GLS_CPU_MAX : topology->pu_count,
                             request->oversubscribe ? "" : " (more with the oversubscribe option)");
    if (above) {
        threads->count = request->threads;
        snprintf(threads->reason, sizeof threads->reason, "set by %s, oversubscribing %u CPUs; unpinned",
                 request->asked_by, topology->pu_count);
        return GLISSADE_STATUS_OK;
    }
    if (request->threads) {
        threads->count = request->threads;
        snprintf(threads->reason, sizeof threads->reason, "set by %s", request->asked_by);
    } else {
        threads->count = choose_count(topology, request->quota, threads->reason, sizeof threads->reason);
    }
    return place(topology, threads, error);
}

void gls_threads_free(gls_threads *threads) {
    gls_free(threads->pus);
    *threads = (gls_threads){0};
}
