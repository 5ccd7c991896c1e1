/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the machines of this folder that hwloc's synthetic descriptions cannot express, by cutting pieces out
 * of regular ones. Run in this folder when a machine is to change; the XML is kept, so that the tests need
 * neither this program nor the hwloc version that wrote it:
 *
 *     cc generate.c $(pkg-config --cflags --libs hwloc) -o /tmp/generate && /tmp/generate
 */
#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>

static void check(int failed, const char *what) {
    if (failed) {
        fprintf(stderr, "generate: %s failed\n", what);
        exit(1);
    }
}

static hwloc_topology_t synthetic(const char *description) {
    hwloc_topology_t topology;
    check(hwloc_topology_init(&topology), "init");
    check(hwloc_topology_set_synthetic(topology, description), description);
    check(hwloc_topology_load(topology), "load");
    return topology;
}

/* Keeps the PUs in `kept` alone, as if the others had never been there. */
static void cut(hwloc_topology_t topology, hwloc_const_bitmap_t kept) {
    check(hwloc_topology_restrict(topology, kept, 0), "restrict");
}

static void write_xml(hwloc_topology_t topology, const char *file) {
    check(hwloc_topology_export_xml(topology, file, 0), file);
    hwloc_topology_destroy(topology);
}

/*
 * hybrid.xml, a laptop: six fast cores of two PUs, an L2 each (PUs 0 to 11), and eight slow cores of one PU
 * (12 to 19), four to an L2; one L3. Out of eight L2 of four cores of two PUs: the first six keep one core,
 * the last two the first PU of each core.
 */
static void hybrid(void) {
    char description[512] = "Package:1 L3Cache:1(size=25165824) L2Cache:8(size=1310720) Core:4 "
                            "L1dCache:1(size=49152) PU:2(indexes=";
    size_t length = 0;
    while (description[length])
        length++;
    hwloc_bitmap_t kept = hwloc_bitmap_alloc(), fast = hwloc_bitmap_alloc(), slow = hwloc_bitmap_alloc();
    unsigned next = 0, spare = 100; /* numbers for what is cut away */
    for (unsigned place = 0; place < 64; place++) {
        const unsigned cache = place / 8, core = place / 2 % 4, pu = place % 2;
        const int keep = cache < 6 ? core == 0 : pu == 0;
        const unsigned number = keep ? next++ : spare++;
        length += (size_t)sprintf(description + length, "%s%u", place ? "," : "", number);
        if (keep)
            hwloc_bitmap_set(cache < 6 ? fast : slow, number);
    }
    sprintf(description + length, ")");
    hwloc_topology_t topology = synthetic(description);
    hwloc_bitmap_or(kept, fast, slow);
    cut(topology, kept);
    check(hwloc_cpukinds_register(topology, slow, 0, 0, NULL, 0), "cpukinds_register");
    check(hwloc_cpukinds_register(topology, fast, 1, 0, NULL, 0), "cpukinds_register");
    write_xml(topology, "hybrid.xml");
    hwloc_bitmap_free(kept);
    hwloc_bitmap_free(fast);
    hwloc_bitmap_free(slow);
}

/*
 * offline.xml: two packages of four cores of two PUs, each package a NUMA node, with PUs 3, 4, 5, 8 and 10
 * switched off: core 1 has lost its second PU, core 2 both, cores 4 and 5 their first.
 */
static void offline(void) {
    static const unsigned off[] = {3, 4, 5, 8, 10};
    hwloc_topology_t topology =
        synthetic("Package:2 [NUMANode(memory=17179869184)] L3Cache:1(size=16777216) Core:4 PU:2");
    hwloc_bitmap_t kept = hwloc_bitmap_dup(hwloc_topology_get_topology_cpuset(topology));
    for (unsigned i = 0; i < sizeof off / sizeof *off; i++)
        hwloc_bitmap_clr(kept, off[i]);
    cut(topology, kept);
    write_xml(topology, "offline.xml");
    hwloc_bitmap_free(kept);
}

int main(void) {
    hybrid();
    offline();
    return 0;
}
