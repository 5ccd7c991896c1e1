/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only file that knows OpenMP, and the only parallel region of the library. It is always opened with the
 * engine's full thread count: a shrinking team destroys libgomp's threads.
 */
#include "team.h"

#include <omp.h>
#include <stddef.h>

#include "guest.h"

/* libgomp's workers belong to the whole process, so each thread saves its mask, binds, works and puts the
 * mask back. */
static void run_thread(const gls_team *team, uint32_t thread, uint32_t delivered) {
    const gls_guest guest = gls_guest_enter();
    gls_cpuset saved;
    const bool bound = team->cpus && gls_pin_bind(team->cpus[thread], &saved);
    for (uint32_t shard = thread; shard < team->shards; shard += delivered)
        team->work(team->context, shard);
    if (bound)
        gls_pin_restore(&saved);
    gls_guest_leave(&guest);
}

uint32_t gls_team_run(const gls_team *team) {
    uint32_t delivered = 1;
#pragma omp parallel num_threads(team->shards) default(none) shared(team, delivered)
    {
        const uint32_t threads = (uint32_t)omp_get_num_threads(), thread = (uint32_t)omp_get_thread_num();
        if (thread == 0)
            delivered = threads;
        run_thread(team, thread, threads);
    }
    return delivered;
}

bool gls_team_nested(void) {
    return omp_in_parallel();
}

bool gls_team_placed_by_openmp(void) {
    return omp_get_proc_bind() != omp_proc_bind_false;
}

void gls_team_add_places(gls_cpuset *set) {
    enum { ROOM = 1024 };
    for (int place = 0; place < omp_get_num_places(); place++) {
        int cpus[ROOM];
        const int count = omp_get_place_num_procs(place);
        if (count > ROOM)
            continue;
        omp_get_place_proc_ids(place, cpus);
        for (int i = 0; i < count; i++)
            gls_cpuset_add(set, (uint32_t)cpus[i]);
    }
}
