/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many threads, and on which PUs, on invented machines: cores before siblings, fast kinds first, spread
 * over NUMA nodes and then over caches, in topological order; quotas, masks, wishes and what is refused.
 */
#include "threads.h"

#include "alloc.h"
#include "machine.h"
#include "scenario.h"

#include <criterion/criterion.h>

#include <stdlib.h>
#include <string.h>

/* A plan for a machine, with the machine beside it. */
typedef struct placement {
    gls_topology topology;
    gls_threads threads;
} placement;

static placement place(const char *machine, const gls_cpuset *allowed, uint32_t threads, double quota) {
    placement it;
    glissade_error error = {0};
    const gls_thread_request request = {.threads = threads, .asked_by = "option threads", .quota = quota};
    it.topology = machine_load(machine, allowed);
    cr_assert_eq(gls_threads_plan(&it.topology, &request, &it.threads, &error), GLISSADE_STATUS_OK, "%s: %s",
                 machine, error.message);
    cr_assert(it.threads.count && it.threads.pus);
    for (uint32_t i = 0; i < it.threads.count; i++) {
        cr_assert_lt(it.threads.pus[i], it.topology.pu_count);
        cr_assert(i == 0 || it.threads.pus[i] > it.threads.pus[i - 1], "%s: not ascending", machine);
    }
    return it;
}

static void release(placement *it) {
    gls_threads_free(&it->threads);
    gls_topology_free(&it->topology);
    cr_assert(!it->threads.pus && !it->threads.count);
}

/* The PUs chosen, by the numbers of the operating system. */
static void check_numbers(const char *machine, const gls_cpuset *allowed, uint32_t threads,
                          const uint32_t *numbers) {
    placement it = place(machine, allowed, threads, 0);
    cr_assert_eq(it.threads.count, threads);
    for (uint32_t i = 0; i < threads; i++)
        cr_assert_eq(it.topology.pus[it.threads.pus[i]].os_index, numbers[i],
                     "%s, %u threads: thread %u on PU %u, not %u", machine, threads, i,
                     it.topology.pus[it.threads.pus[i]].os_index, numbers[i]);
    release(&it);
}

/* What nobody set: a count, and a reason that says where it comes from. */
static void check_default(const char *machine, const gls_cpuset *allowed, double quota, uint32_t count,
                          const char *reason) {
    placement it = place(machine, allowed, 0, quota);
    cr_assert_eq(it.threads.count, count, "%s, quota %g: %u threads (%s)", machine, quota, it.threads.count,
                 it.threads.reason);
    cr_assert(strstr(it.threads.reason, reason), "%s, quota %g: \"%s\" does not say \"%s\"", machine, quota,
              it.threads.reason, reason);
    release(&it);
}

/* How many of the chosen PUs lie in one core, node or cache: the least and the most loaded. */
typedef struct load {
    uint32_t least, most;
} load;

static load load_of(const placement *it, size_t field, uint32_t groups) {
    uint32_t counts[256] = {0};
    load result = {UINT32_MAX, 0};
    for (uint32_t i = 0; i < it->threads.count; i++) {
        uint32_t value;
        memcpy(&value, (const char *)&it->topology.pus[it->threads.pus[i]] + field, sizeof value);
        cr_assert_lt(value, groups);
        counts[value]++;
    }
    for (uint32_t i = 0; i < groups; i++) {
        result.least = counts[i] < result.least ? counts[i] : result.least;
        result.most = counts[i] > result.most ? counts[i] : result.most;
    }
    return result;
}

/* ---- counts ---- */

Test(threads, one_a_core) {
    check_default(MACHINE_ONE_PU, NULL, 0, 1, "1 physical core allowed");
    check_default(MACHINE_TWO_CORES, NULL, 0, 2, "2 physical cores allowed");
    check_default(MACHINE_TWO_SOCKETS, NULL, 0, 16, "16 physical cores allowed, with 32 CPUs");
    check_default(MACHINE_EPYC, NULL, 0, 128, "128 physical cores allowed, with 256 CPUs");
    check_default(MACHINE_WITHOUT_NUMA, NULL, 0, 8, "8 physical cores");
    check_default(MACHINE_BARE, NULL, 0, 4, "4 physical cores");
    check_default(MACHINE_OFFLINE, NULL, 0, 7, "7 physical cores allowed, with 11 CPUs");
}

Test(threads, fast_cores_only_on_hybrids) {
    static const uint32_t numbers[] = {0, 2, 4, 6, 8, 10};
    const gls_cpuset slow = machine_cpus(12, 19, 1), mixed = machine_cpus(9, 13, 1);
    check_default(MACHINE_HYBRID, NULL, 0, 6, "6 physical cores of the fastest kind allowed, of 14 cores");
    check_numbers(MACHINE_HYBRID, NULL, 6, numbers);
    check_default(MACHINE_HYBRID, &slow, 0, 8, "8 physical cores allowed");
    check_default(MACHINE_HYBRID, &mixed, 0, 2, "of the fastest kind");
}

Test(threads, masks) {
    const gls_cpuset half = machine_cpus(0, 127, 1), second = machine_cpus(1, 255, 2),
                     core = machine_cpus(6, 7, 1);
    check_default(MACHINE_EPYC, &half, 0, 64, "64 physical cores allowed, with 128 CPUs");
    check_default(MACHINE_EPYC, &second, 0, 128, "128 physical cores allowed");
    check_default(MACHINE_EPYC, &core, 0, 1, "1 physical core");
}

Test(threads, quotas) {
    check_default(MACHINE_EPYC, NULL, 2, 2, "quota grants 2.00 CPUs, of 128 physical cores");
    check_default(MACHINE_EPYC, NULL, 2.5, 2, "quota grants 2.50 CPUs");
    check_default(MACHINE_EPYC, NULL, 2.99, 2, "quota grants 2.99 CPUs");
    check_default(MACHINE_EPYC, NULL, 0.5, 1, "quota grants 0.50 CPUs");
    check_default(MACHINE_EPYC, NULL, 0.01, 1, "quota grants 0.01 CPUs");
    check_default(MACHINE_EPYC, NULL, 127.5, 127, "quota grants 127.50 CPUs");
    check_default(MACHINE_EPYC, NULL, 128, 128, "physical cores allowed");
    check_default(MACHINE_EPYC, NULL, 1000, 128, "physical cores allowed");
    check_default(MACHINE_HYBRID, NULL, 5, 5, "quota grants 5.00 CPUs");
    check_default(MACHINE_HYBRID, NULL, 7, 6, "of the fastest kind");
    check_default(MACHINE_ONE_PU, NULL, 0.5, 1, "quota grants 0.50 CPUs");
    /* 2.3 is 230000 / 100000 as cpu.max writes it; times 100 it falls below 230 in binary. */
    check_default(MACHINE_EPYC, NULL, 2.3, 2, "quota grants 2.30 CPUs");
}

/* An explicit wish beats the quota. */
Test(threads, wishes) {
    placement it = place(MACHINE_EPYC, NULL, 200, 2.5);
    cr_assert_eq(it.threads.count, 200);
    cr_assert(strstr(it.threads.reason, "set by option threads"), "%s", it.threads.reason);
    release(&it);
}

/* ---- choice ---- */

Test(threads, spread_over_nodes_then_caches) {
    for (uint32_t threads = 1; threads <= 256; threads++) {
        placement it = place(MACHINE_EPYC, NULL, threads, 0);
        const load nodes = load_of(&it, offsetof(gls_pu, node), 8);
        const load caches = load_of(&it, offsetof(gls_pu, cache), 16);
        const load cores = load_of(&it, offsetof(gls_pu, core), 128);
        cr_assert(nodes.most - nodes.least <= 1, "%u threads: %u to %u a node", threads, nodes.least,
                  nodes.most);
        cr_assert(caches.most - caches.least <= 1, "%u threads: %u to %u a cache", threads, caches.least,
                  caches.most);
        cr_assert(cores.most - cores.least <= 1, "%u threads: %u to %u a core", threads, cores.least,
                  cores.most);
        release(&it);
    }
}

Test(threads, cores_before_siblings) {
    static const uint32_t four[] = {0, 2, 16, 18}, one[] = {0}, two[] = {0, 16};
    check_numbers(MACHINE_TWO_SOCKETS, NULL, 1, one);
    check_numbers(MACHINE_TWO_SOCKETS, NULL, 2, two);
    check_numbers(MACHINE_TWO_SOCKETS, NULL, 4, four);
    for (uint32_t threads = 1; threads <= 32; threads++) {
        placement it = place(MACHINE_TWO_SOCKETS, NULL, threads, 0);
        uint32_t siblings = 0;
        for (uint32_t i = 0; i < threads; i++)
            siblings += it.topology.pus[it.threads.pus[i]].sibling;
        cr_assert_eq(siblings, threads > 16 ? threads - 16 : 0, "%u threads: %u on second PUs", threads,
                     siblings);
        release(&it);
    }
}

/* Without nodes to tell apart, caches are spread over, and so are packages. */
Test(threads, spread_without_numa) {
    static const uint32_t two[] = {0, 2}, four[] = {0, 2, 4, 6}, five[] = {0, 1, 2, 4, 6};
    check_numbers(MACHINE_WITHOUT_NUMA, NULL, 2, two);
    check_numbers(MACHINE_WITHOUT_NUMA, NULL, 4, four);
    check_numbers(MACHINE_WITHOUT_NUMA, NULL, 5, five);
}

Test(threads, kinds_before_slower_kinds) {
    static const uint32_t eight[] = {0, 2, 4, 6, 8, 10, 12, 13}, two[] = {0, 2};
    static const uint32_t fifteen[] = {0, 1, 2, 4, 6, 8, 10, 12, 13, 14, 15, 16, 17, 18, 19};
    check_numbers(MACHINE_HYBRID, NULL, 2, two);
    check_numbers(MACHINE_HYBRID, NULL, 8, eight);
    check_numbers(MACHINE_HYBRID, NULL, 15, fifteen);
}

/* Also where the slow cores come first. */
Test(threads, slow_cores_first_in_order) {
    gls_topology topology = machine_load("Core:6 PU:1", NULL);
    const gls_thread_request request = {.threads = 4, .asked_by = "option threads"};
    static const uint32_t expected[] = {0, 3, 4, 5};
    gls_threads it;
    for (uint32_t i = 3; i < 6; i++)
        topology.pus[i].kind = 2;
    topology.fast_core_count = 3;
    cr_assert_eq(gls_threads_plan(&topology, &request, &it, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(memcmp(it.pus, expected, sizeof expected), 0, "%u, %u, %u, %u", it.pus[0], it.pus[1],
                 it.pus[2], it.pus[3]);
    gls_threads_free(&it);
    gls_topology_free(&topology);
}

Test(threads, offline_pus_are_not_chosen) {
    static const uint32_t two[] = {0, 9}, seven[] = {0, 2, 6, 9, 11, 12, 14};
    static const uint32_t all[] = {0, 1, 2, 6, 7, 9, 11, 12, 13, 14, 15};
    check_numbers(MACHINE_OFFLINE, NULL, 2, two);
    check_numbers(MACHINE_OFFLINE, NULL, 7, seven);
    check_numbers(MACHINE_OFFLINE, NULL, 11, all);
}

Test(threads, masks_are_kept) {
    const gls_cpuset odd = machine_cpus(101, 255, 22); /* 101, 123, 145, 167, 189, 211, 233, 255 */
    static const uint32_t all[] = {101, 123, 145, 167, 189, 211, 233, 255};
    check_numbers(MACHINE_EPYC, &odd, 8, all);
}

/* ---- refusals ---- */

static void check_refused(const char *machine, uint32_t threads, bool oversubscribe, const char *names) {
    gls_topology topology = machine_load(machine, NULL);
    gls_threads it;
    glissade_error error;
    const gls_thread_request request = {
        .threads = threads, .asked_by = "GLISSADE_THREADS", .oversubscribe = oversubscribe};
    memset(&it, 0xEE, sizeof it);
    cr_assert_eq(gls_threads_plan(&topology, &request, &it, &error), GLISSADE_STATUS_INVALID_THREADS);
    cr_assert_eq(error.status, GLISSADE_STATUS_INVALID_THREADS);
    cr_assert(strstr(error.message, "GLISSADE_THREADS"), "%s", error.message);
    cr_assert(strstr(error.message, names), "\"%s\" does not say \"%s\"", error.message, names);
    cr_assert(!it.pus && !it.count);
    gls_topology_free(&topology);
}

Test(threads, impossible_counts) {
    check_refused(MACHINE_ONE_PU, 2, false, "is 2; accepted: 1 to 1");
    check_refused(MACHINE_EPYC, 257, false, "is 257; accepted: 1 to 256");
    check_refused(MACHINE_EPYC, UINT32_MAX, false, "accepted: 1 to 256");
    check_refused(MACHINE_EPYC, GLS_CPU_MAX + 1, true, "accepted: 1 to 8192");
    check_refused(MACHINE_EPYC, 257, false, "oversubscribe option");
}

Test(threads, oversubscribed) {
    gls_topology topology = machine_load(MACHINE_TWO_CORES, NULL);
    gls_threads it;
    gls_thread_request request = {.threads = 8, .asked_by = "option threads", .oversubscribe = true};
    cr_assert_eq(gls_threads_plan(&topology, &request, &it, NULL), GLISSADE_STATUS_OK);
    cr_assert(it.count == 8 && !it.pus, "oversubscribed threads have no PU");
    cr_assert(strstr(it.reason, "oversubscribing 2 CPUs") && strstr(it.reason, "unpinned"), "%s", it.reason);
    gls_threads_free(&it);
    request.threads = 2; /* the option alone oversubscribes nothing */
    cr_assert_eq(gls_threads_plan(&topology, &request, &it, NULL), GLISSADE_STATUS_OK);
    cr_assert(it.count == 2 && it.pus);
    gls_threads_free(&it);
    request.threads = GLS_CPU_MAX;
    cr_assert_eq(gls_threads_plan(&topology, &request, &it, NULL), GLISSADE_STATUS_OK);
    cr_assert_eq(it.count, GLS_CPU_MAX);
    gls_threads_free(&it);
    gls_topology_free(&topology);
}

static size_t allowed_allocations;

static bool count_down(size_t bytes) {
    (void)bytes;
    return allowed_allocations ? allowed_allocations-- > 0 : false;
}

Test(threads, without_memory) {
    gls_topology topology = machine_load(MACHINE_TWO_SOCKETS, NULL);
    const gls_thread_request request = {.threads = 5, .asked_by = "option threads"};
    gls_threads it;
    glissade_error error;
    size_t attempt = 0;
    glissade_status status;
    gls_alloc_permit = count_down;
    do {
        cr_assert_lt(attempt, 100);
        allowed_allocations = attempt++;
        status = gls_threads_plan(&topology, &request, &it, &error);
        cr_assert(status == GLISSADE_STATUS_OK || status == GLISSADE_STATUS_OUT_OF_MEMORY);
        cr_assert(status == GLISSADE_STATUS_OK || (!it.pus && !it.count));
    } while (status);
    gls_alloc_permit = NULL;
    cr_assert_gt(attempt, 1, "nothing was allocated");
    gls_threads_free(&it);
    gls_topology_free(&topology);
}
