/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows hwloc: discovery and reduction to a plain table. Binding is pin.c's. */
#include "topology.h"

#include <hwloc.h>
#include <string.h>

#include "alloc.h"

static bool prepare(hwloc_topology_t topology, gls_topology_source source, const char *text) {
    switch (source) {
    case GLS_TOPOLOGY_SYNTHETIC:
        return hwloc_topology_set_synthetic(topology, text) == 0;
    case GLS_TOPOLOGY_XML:
        return hwloc_topology_set_xmlbuffer(topology, text, (int)strlen(text) + 1) == 0;
    default:
        /* hwloc's x86 component would move the calling thread over all CPUs to ask each: not what a guest
         * does, and on Linux the kernel's files say the same. Where hwloc has no such component it refuses,
         * which is as well. */
        (void)hwloc_topology_set_components(topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
        return true;
    }
}

static uint32_t index_of_ancestor(hwloc_topology_t topology, hwloc_obj_t pu, hwloc_obj_type_t type) {
    const hwloc_obj_t ancestor = hwloc_get_ancestor_obj_by_type(topology, type, pu);
    return ancestor ? ancestor->logical_index : 0;
}

/* The outermost data or unified cache above a PU, as an index unique among caches of its level. */
static uint32_t last_cache(hwloc_obj_t pu) {
    uint32_t index = 0;
    for (hwloc_obj_t object = pu->parent; object; object = object->parent)
        if (hwloc_obj_type_is_dcache(object->type))
            index = object->logical_index;
    return index;
}

static gls_pu describe(hwloc_topology_t topology, hwloc_obj_t pu) {
    const int node = pu->nodeset ? hwloc_bitmap_first(pu->nodeset) : -1;
    const int kind = hwloc_cpukinds_get_by_cpuset(topology, pu->cpuset, 0);
    int efficiency = -1;
    if (kind >= 0 && hwloc_cpukinds_get_nr(topology, 0) > 1)
        hwloc_cpukinds_get_info(topology, (unsigned)kind, NULL, &efficiency, NULL, NULL, 0);
    /* A machine without cores in its description has PUs that each are one. */
    const hwloc_obj_t core = hwloc_get_ancestor_obj_by_type(topology, HWLOC_OBJ_CORE, pu);
    return (gls_pu){
        .os_index = pu->os_index,
        .core = core ? core->logical_index : pu->logical_index,
        .package = index_of_ancestor(topology, pu, HWLOC_OBJ_PACKAGE),
        .node = node >= 0 ? (uint32_t)node : 0,
        .cache = last_cache(pu),
        .kind = efficiency >= 0 ? (uint32_t)efficiency : 0, /* -1: the kinds cannot be ranked */
    };
}

/* Counts the distinct values of a field; topologies are small, and this runs once an engine. */
static uint32_t count_distinct(const gls_topology *topology, size_t field) {
    uint32_t distinct = 0;
    for (uint32_t i = 0; i < topology->pu_count; i++) {
        const uint32_t value = *(const uint32_t *)((const char *)&topology->pus[i] + field);
        bool seen = false;
        for (uint32_t j = 0; j < i && !seen; j++)
            seen = *(const uint32_t *)((const char *)&topology->pus[j] + field) == value;
        distinct += !seen;
    }
    return distinct;
}

/* Numbers the PUs within their cores and counts what there is. */
static void summarise(gls_topology *topology) {
    uint32_t fastest = 0;
    for (uint32_t i = 0; i < topology->pu_count; i++) {
        gls_pu *pu = &topology->pus[i];
        pu->sibling = i && topology->pus[i - 1].core == pu->core ? topology->pus[i - 1].sibling + 1 : 0;
        fastest = pu->kind > fastest ? pu->kind : fastest;
    }
    for (uint32_t i = 0; i < topology->pu_count; i++)
        if (topology->pus[i].sibling == 0) {
            topology->core_count++;
            topology->fast_core_count += topology->pus[i].kind == fastest;
        }
    topology->package_count = count_distinct(topology, offsetof(gls_pu, package));
    topology->node_count = count_distinct(topology, offsetof(gls_pu, node));
}

static glissade_status fill(gls_topology *topology, hwloc_topology_t source, const gls_cpuset *allowed,
                            glissade_error *error) {
    const int total = hwloc_get_nbobjs_by_type(source, HWLOC_OBJ_PU);
    topology->pus = gls_alloc(total > 0 ? (size_t)total : 0, sizeof *topology->pus);
    if (!topology->pus)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "no memory for a table of %d CPUs", total);
    for (int i = 0; i < total; i++) {
        const hwloc_obj_t pu = hwloc_get_obj_by_type(source, HWLOC_OBJ_PU, (unsigned)i);
        if (!allowed || gls_cpuset_has(allowed, pu->os_index))
            topology->pus[topology->pu_count++] = describe(source, pu);
    }
    if (topology->pu_count == 0)
        return gls_error_set(error, GLISSADE_STATUS_TOPOLOGY,
                             "none of the machine's %d CPUs is in the calling thread's affinity mask", total);
    summarise(topology);
    return GLISSADE_STATUS_OK;
}

glissade_status gls_topology_load(gls_topology *topology, gls_topology_source source, const char *text,
                                  const gls_cpuset *allowed, glissade_error *error) {
    *topology = (gls_topology){0};
    hwloc_topology_t discovered;
    if (hwloc_topology_init(&discovered) != 0)
        return gls_error_set(error, GLISSADE_STATUS_OUT_OF_MEMORY, "hwloc cannot start");
    glissade_status status;
    if (!prepare(discovered, source, text) || hwloc_topology_load(discovered) != 0)
        status =
            gls_error_set(error, GLISSADE_STATUS_TOPOLOGY, "hwloc cannot read the topology of this machine");
    else
        status = fill(topology, discovered, allowed, error);
    hwloc_topology_destroy(discovered);
    if (status)
        gls_topology_free(topology);
    return status;
}

void gls_topology_free(gls_topology *topology) {
    gls_free(topology->pus);
    *topology = (gls_topology){0};
}
