/* SPDX-License-Identifier: Apache-2.0 */
/* Invented machines for the tests of discovery and placement: as hwloc's text, or as files of machines/. */
#ifndef MACHINE_H
#define MACHINE_H

#include "topology.h"

#define MACHINE_ONE_PU    "PU:1"
#define MACHINE_TWO_CORES "Core:2 PU:1"
/* Two sockets of eight cores with SMT, each a NUMA node with one L3. */
#define MACHINE_TWO_SOCKETS                                                                                  \
    "Package:2 [NUMANode(memory=17179869184)] L3Cache:1(size=33554432) L2Cache:8(size=1048576) Core:1 PU:2"
/* Two EPYCs of 64 cores in NPS4: 256 PUs, 8 NUMA nodes of two L3 of eight cores. */
#define MACHINE_EPYC                                                                                         \
    "Package:2 Group:4 [NUMANode(memory=34359738368)] L3Cache:2(size=33554432) L2Cache:8(size=1048576) "     \
    "L1dCache:1(size=32768) Core:1 PU:2"
/* Nothing but PUs: no cores, caches or packages. */
#define MACHINE_BARE "PU:4"
/* As a kernel without NUMA support shows two sockets. */
#define MACHINE_WITHOUT_NUMA "Package:2 L3Cache:2(size=8388608) Core:2 PU:1"
#define MACHINE_HYBRID       "hybrid.xml"  /* 6 fast cores of 2 PUs, 8 slow cores of 1 */
#define MACHINE_OFFLINE      "offline.xml" /* PUs 0-2, 6, 7, 9, 11-15 of two sockets of 4 cores */

/* Ends the process if the machine cannot be loaded. `allowed` NULL: all. */
gls_topology machine_load(const char *machine, const gls_cpuset *allowed);

/* The text of a file of machines/; the caller frees it. */
char *machine_read_xml(const char *file);

/* A set of the CPUs from first to last, every step-th. */
gls_cpuset machine_cpus(uint32_t first, uint32_t last, uint32_t step);

#endif
