/* SPDX-License-Identifier: Apache-2.0 */
/* The machine as the plan sees it: a table of the CPUs (PUs) that this process may use. */
#ifndef GLS_TOPOLOGY_H
#define GLS_TOPOLOGY_H

#include "error.h"
#include "pin.h"

typedef struct gls_pu {
    uint32_t os_index;      /* as the operating system numbers it */
    uint32_t core, package; /* counted from 0 over the whole machine */
    uint32_t node;    /* NUMA node as the operating system numbers it; 0 where there is no such information */
    uint32_t cache;   /* last-level cache, counted from 0 */
    uint32_t kind;    /* 0: the slowest kind of core; equal cores are all 0 */
    uint32_t sibling; /* 0 for the first allowed PU of its core, 1 for the second, ... */
} gls_pu;

typedef struct gls_topology {
    gls_pu *pus; /* in topological order: PUs of a core side by side, cores of a cache, caches of a package */
    uint32_t pu_count, core_count, package_count, node_count;
    uint32_t fast_core_count; /* cores of the fastest kind present; core_count where all are equal */
} gls_topology;

/* Where a topology is read from: this machine, or, in tests, hwloc's synthetic description or XML text. */
typedef enum gls_topology_source {
    GLS_TOPOLOGY_MACHINE,
    GLS_TOPOLOGY_SYNTHETIC,
    GLS_TOPOLOGY_XML
} gls_topology_source;

/*
 * Reads a topology and keeps the PUs in `allowed` (NULL: all). Returns OK, TOPOLOGY (with no PU left, too) or
 * OUT_OF_MEMORY.
 */
glissade_status gls_topology_load(gls_topology *topology, gls_topology_source source, const char *text,
                                  const gls_cpuset *allowed, glissade_error *error);
void gls_topology_free(gls_topology *topology);

#endif
