/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the library sees of a machine, level by level, on machines that nobody here has: counts, and of each
 * PU its core, package, node, last-level cache, kind and place among siblings; masks that leave parts of it;
 * and what cannot be read.
 */
#include "alloc.h"
#include "machine.h"
#include "scenario.h"

#include <criterion/criterion.h>

#include <sched.h>
#include <stdlib.h>
#include <string.h>

static void setup(void) {
    scenario_clear_environment();
}

TestSuite(topology, .init = setup);

static void check_counts(const gls_topology *it, uint32_t pus, uint32_t cores, uint32_t packages,
                         uint32_t nodes, uint32_t fast_cores) {
    cr_assert_eq(it->pu_count, pus, "%u PUs, not %u", it->pu_count, pus);
    cr_assert_eq(it->core_count, cores, "%u cores, not %u", it->core_count, cores);
    cr_assert_eq(it->package_count, packages, "%u packages, not %u", it->package_count, packages);
    cr_assert_eq(it->node_count, nodes, "%u nodes, not %u", it->node_count, nodes);
    cr_assert_eq(it->fast_core_count, fast_cores, "%u fast cores, not %u", it->fast_core_count, fast_cores);
}

/* One PU as it should be; the fields in the order of gls_pu. */
static void check_pu(const gls_topology *it, uint32_t place, gls_pu expected) {
    const gls_pu *pu = &it->pus[place];
    cr_assert_lt(place, it->pu_count);
    cr_assert(pu->os_index == expected.os_index && pu->core == expected.core &&
                  pu->package == expected.package && pu->node == expected.node &&
                  pu->cache == expected.cache && pu->kind == expected.kind && pu->sibling == expected.sibling,
              "PU %u: os_index %u, core %u, package %u, node %u, cache %u, kind %u, sibling %u; expected %u, "
              "%u, %u, %u, %u, %u, %u",
              place, pu->os_index, pu->core, pu->package, pu->node, pu->cache, pu->kind, pu->sibling,
              expected.os_index, expected.core, expected.package, expected.node, expected.cache,
              expected.kind, expected.sibling);
}

Test(topology, one_pu) {
    gls_topology it = machine_load(MACHINE_ONE_PU, NULL);
    check_counts(&it, 1, 1, 1, 1, 1);
    check_pu(&it, 0, (gls_pu){0});
    gls_topology_free(&it);
    cr_assert(!it.pus && !it.pu_count);
}

Test(topology, two_cores) {
    gls_topology it = machine_load(MACHINE_TWO_CORES, NULL);
    check_counts(&it, 2, 2, 1, 1, 2);
    check_pu(&it, 0, (gls_pu){0});
    check_pu(&it, 1, (gls_pu){.os_index = 1, .core = 1});
    gls_topology_free(&it);
}

Test(topology, two_sockets) {
    gls_topology it = machine_load(MACHINE_TWO_SOCKETS, NULL);
    check_counts(&it, 32, 16, 2, 2, 16);
    for (uint32_t i = 0; i < 32; i++)
        check_pu(&it, i,
                 (gls_pu){.os_index = i,
                          .core = i / 2,
                          .package = i / 16,
                          .node = i / 16,
                          .cache = i / 16, /* the L3, not one of the sixteen L2 */
                          .sibling = i % 2});
    gls_topology_free(&it);
}

Test(topology, dual_epyc) {
    gls_topology it = machine_load(MACHINE_EPYC, NULL);
    check_counts(&it, 256, 128, 2, 8, 128);
    for (uint32_t i = 0; i < 256; i++)
        check_pu(&it, i,
                 (gls_pu){.os_index = i,
                          .core = i / 2,
                          .package = i / 128,
                          .node = i / 32,
                          .cache = i / 16,
                          .sibling = i % 2});
    gls_topology_free(&it);
}

/* Numbered as Linux does on x86: first PUs of all cores, then second ones. The table is in topological order.
 */
Test(topology, siblings_numbered_apart) {
    gls_topology it =
        machine_load("Package:2 [NUMANode(memory=1073741824)] Core:2 PU:2(indexes=0,4,1,5,2,6,3,7)", NULL);
    static const uint32_t numbers[] = {0, 4, 1, 5, 2, 6, 3, 7};
    check_counts(&it, 8, 4, 2, 2, 4);
    for (uint32_t i = 0; i < 8; i++)
        check_pu(
            &it, i,
            (gls_pu){
                .os_index = numbers[i], .core = i / 2, .package = i / 4, .node = i / 4, .sibling = i % 2});
    gls_topology_free(&it);
}

Test(topology, hybrid_laptop) {
    gls_topology it = machine_load(MACHINE_HYBRID, NULL);
    check_counts(&it, 20, 14, 1, 1, 6);
    for (uint32_t i = 0; i < 12; i++)
        check_pu(&it, i, (gls_pu){.os_index = i, .core = i / 2, .kind = 1, .sibling = i % 2});
    for (uint32_t i = 12; i < 20; i++)
        check_pu(&it, i, (gls_pu){.os_index = i, .core = i - 6});
    gls_topology_free(&it);

    /* Of its slow cores alone, all are of the fastest kind that there is. */
    const gls_cpuset slow = machine_cpus(12, 19, 1);
    it = machine_load(MACHINE_HYBRID, &slow);
    check_counts(&it, 8, 8, 1, 1, 8);
    gls_topology_free(&it);
}

Test(topology, without_numa_or_cores) {
    gls_topology it = machine_load(MACHINE_WITHOUT_NUMA, NULL);
    check_counts(&it, 8, 8, 2, 1, 8);
    for (uint32_t i = 0; i < 8; i++)
        check_pu(&it, i, (gls_pu){.os_index = i, .core = i, .package = i / 4, .cache = i / 2});
    gls_topology_free(&it);
    it = machine_load(MACHINE_BARE, NULL);
    check_counts(&it, 4, 4, 1, 1, 4);
    for (uint32_t i = 0; i < 4; i++)
        check_pu(&it, i, (gls_pu){.os_index = i, .core = i});
    gls_topology_free(&it);
}

Test(topology, offline_pus) {
    gls_topology it = machine_load(MACHINE_OFFLINE, NULL);
    static const gls_pu expected[] = {
        {.os_index = 0},
        {.os_index = 1, .sibling = 1},
        {.os_index = 2, .core = 1},
        {.os_index = 6, .core = 2},
        {.os_index = 7, .core = 2, .sibling = 1},
        {.os_index = 9, .core = 3, .package = 1, .node = 1, .cache = 1},
        {.os_index = 11, .core = 4, .package = 1, .node = 1, .cache = 1},
        {.os_index = 12, .core = 5, .package = 1, .node = 1, .cache = 1},
        {.os_index = 13, .core = 5, .package = 1, .node = 1, .cache = 1, .sibling = 1},
        {.os_index = 14, .core = 6, .package = 1, .node = 1, .cache = 1},
        {.os_index = 15, .core = 6, .package = 1, .node = 1, .cache = 1, .sibling = 1},
    };
    check_counts(&it, 11, 7, 2, 2, 7);
    for (uint32_t i = 0; i < 11; i++)
        check_pu(&it, i, expected[i]);
    gls_topology_free(&it);
}

/* ---- masks ---- */

Test(topology, masks) {
    const gls_cpuset half = machine_cpus(64, 191, 1), second = machine_cpus(1, 255, 2),
                     sparse = machine_cpus(5, 255, 50), beyond = machine_cpus(250, 8191, 1);
    gls_topology it = machine_load(MACHINE_EPYC, &half);
    check_counts(&it, 128, 64, 2, 4, 64);
    check_pu(&it, 0, (gls_pu){.os_index = 64, .core = 32, .node = 2, .cache = 4});
    check_pu(&it, 127,
             (gls_pu){.os_index = 191, .core = 95, .package = 1, .node = 5, .cache = 11, .sibling = 1});
    gls_topology_free(&it);

    /* Without the first PU of each core the second becomes the first. */
    it = machine_load(MACHINE_EPYC, &second);
    check_counts(&it, 128, 128, 2, 8, 128);
    for (uint32_t i = 0; i < 128; i++)
        cr_assert(it.pus[i].sibling == 0 && it.pus[i].os_index == 2 * i + 1);
    gls_topology_free(&it);

    it = machine_load(MACHINE_EPYC, &sparse);
    check_counts(&it, 6, 6, 2, 6, 6);
    gls_topology_free(&it);
    it = machine_load(MACHINE_EPYC, &beyond);
    check_counts(&it, 6, 3, 1, 1, 3);
    gls_topology_free(&it);
}

/* ---- refusals ---- */

static void check_refused(gls_topology_source source, const char *text, const gls_cpuset *allowed,
                          const char *names) {
    gls_topology it;
    glissade_error error;
    memset(&it, 0xEE, sizeof it);
    cr_assert_eq(gls_topology_load(&it, source, text, allowed, &error), GLISSADE_STATUS_TOPOLOGY, "\"%.40s\"",
                 text);
    cr_assert_eq(error.status, GLISSADE_STATUS_TOPOLOGY);
    cr_assert(strstr(error.message, names), "\"%s\" does not name %s", error.message, names);
    cr_assert(!it.pus && !it.pu_count);
}

Test(topology, what_cannot_be_read) {
    const gls_cpuset none = {{0}}, elsewhere = machine_cpus(2, 100, 1);
    char *xml = machine_read_xml(MACHINE_HYBRID);
    check_refused(GLS_TOPOLOGY_SYNTHETIC, "Cores:many", NULL, "topology");
    check_refused(GLS_TOPOLOGY_SYNTHETIC, "", NULL, "topology");
    check_refused(GLS_TOPOLOGY_XML, "<topology", NULL, "topology");
    check_refused(GLS_TOPOLOGY_XML, "", NULL, "topology");
    xml[strlen(xml) / 2] = '\0'; /* cut off */
    check_refused(GLS_TOPOLOGY_XML, xml, NULL, "topology");
    check_refused(GLS_TOPOLOGY_SYNTHETIC, MACHINE_TWO_CORES, &none, "2 CPUs");
    check_refused(GLS_TOPOLOGY_SYNTHETIC, MACHINE_TWO_CORES, &elsewhere, "affinity mask");
    free(xml);
}

static bool refuse_all(size_t bytes) {
    (void)bytes;
    return false;
}

Test(topology, without_memory) {
    gls_topology it;
    glissade_error error;
    gls_alloc_permit = refuse_all;
    cr_assert_eq(gls_topology_load(&it, GLS_TOPOLOGY_SYNTHETIC, MACHINE_EPYC, NULL, &error),
                 GLISSADE_STATUS_OUT_OF_MEMORY);
    gls_alloc_permit = NULL;
    cr_assert(!it.pus && strstr(error.message, "256 CPUs"));
}

/* ---- this machine ---- */

/* The engine tells what the table says, and no PU that the process may not use. */
Test(topology, this_machine) {
    glissade_engine *engine = scenario_engine(1);
    glissade_engine_info info = {.size = sizeof info};
    cpu_set_t allowed;
    bool seen = false;
    cr_assert_eq(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    cr_assert_eq(glissade_engine_get_info(engine, &info), GLISSADE_STATUS_OK);
    cr_assert_eq(info.pus, (uint32_t)CPU_COUNT(&allowed));
    cr_assert(info.cores >= 1 && info.cores <= info.pus && info.packages >= 1 && info.nodes >= 1);
    for (uint32_t i = 0; i < info.pus; i++) {
        glissade_pu_info pu = {.size = sizeof pu};
        cr_assert_eq(glissade_engine_get_pu(engine, i, &pu), GLISSADE_STATUS_OK);
        cr_assert(CPU_ISSET(pu.os_index, &allowed), "CPU %u is not ours", pu.os_index);
        cr_assert(pu.thread == -1 || pu.thread == 0);
        cr_assert(!(seen && pu.thread == 0), "thread 0 is bound twice");
        seen |= pu.thread == 0;
    }
    cr_assert(seen || !info.pinnable);
    glissade_engine_destroy(&engine);
}
